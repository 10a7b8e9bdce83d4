/* Loaded before the C library (LD_PRELOAD): calls on files below FAILING_DISK_FOLDER end in EIO, or do not end, while the
 * switch says so.
 *
 *   the test ──writes one byte──▶ switch file ◀──mapped── this, in the process under test
 *                                                 bit 0: writes   bit 1: reads   bit 2: syncs
 *                                                 bit 3: writes and syncs hang   bit 4: reads hang
 *
 * Everything else goes to the C library unchanged. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { WRITES = 1, READS = 2, SYNCS = 4, HANGING = 8, READS_HANG = 16 };

static const volatile unsigned char *state;
static const char *folder;

__attribute__((constructor)) static void map_switch(void) {
    const char *path = getenv("FAILING_DISK_SWITCH");
    folder = getenv("FAILING_DISK_FOLDER");
    if (!path || !folder)
        return;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        abort();
    void *page = mmap(NULL, 1, PROT_READ, MAP_SHARED, file, 0);
    if (page == MAP_FAILED)
        abort();
    close(file);
    state = page;
}

static int fails(int fd, unsigned char kind) {
    unsigned char hanging = kind == READS ? READS_HANG : HANGING;
    if (!state || !(*state & (kind | hanging)))
        return 0;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    if (strncmp(path, folder, strlen(folder)) != 0)
        return 0;
    while (*state & hanging) {
        struct timespec moment = {0, 10 * 1000 * 1000};
        nanosleep(&moment, NULL);
    }
    if (!(*state & kind))
        return 0;
    errno = EIO;
    return 1;
}

#define FAILING(kind, type, name, parameters, arguments)                      \
    type name parameters {                                                    \
        static type(*real) parameters;                                        \
        if (!real)                                                            \
            real = (type(*) parameters)dlsym(RTLD_NEXT, #name);               \
        return fails(fd, kind) ? (type)-1 : real arguments;                   \
    }

FAILING(WRITES, ssize_t, write, (int fd, const void *from, size_t size), (fd, from, size))
FAILING(WRITES, ssize_t, pwrite64, (int fd, const void *from, size_t size, off64_t at), (fd, from, size, at))
FAILING(WRITES, ssize_t, writev, (int fd, const struct iovec *from, int count), (fd, from, count))
FAILING(WRITES, ssize_t, pwritev64, (int fd, const struct iovec *from, int count, off64_t at), (fd, from, count, at))
FAILING(READS, ssize_t, read, (int fd, void *to, size_t size), (fd, to, size))
FAILING(READS, ssize_t, pread64, (int fd, void *to, size_t size, off64_t at), (fd, to, size, at))
FAILING(READS, ssize_t, readv, (int fd, const struct iovec *to, int count), (fd, to, count))
FAILING(READS, ssize_t, preadv64, (int fd, const struct iovec *to, int count, off64_t at), (fd, to, count, at))
FAILING(SYNCS, int, fsync, (int fd), (fd))
FAILING(SYNCS, int, fdatasync, (int fd), (fd))
