/* Loaded before the C library (LD_PRELOAD): the kernel seems not to know the options of a socket that sandboxes lack.
 *
 *   setsockopt SO_TIMESTAMPNS, getsockopt SO_COOKIE and SO_MEMINFO ──▶ ENOPROTOOPT
 *
 * Everything else goes to the C library unchanged. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>

#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif
#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

static int is_unknown(int level, int option) {
    return level == SOL_SOCKET && (option == SO_TIMESTAMPNS || option == SO_COOKIE || option == SO_MEMINFO);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t length) {
    static int (*real)(int, int, int, const void *, socklen_t);
    if (!real)
        real = (int (*)(int, int, int, const void *, socklen_t))dlsym(RTLD_NEXT, "setsockopt");
    if (is_unknown(level, option)) {
        errno = ENOPROTOOPT;
        return -1;
    }
    return real(fd, level, option, value, length);
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *length) {
    static int (*real)(int, int, int, void *, socklen_t *);
    if (!real)
        real = (int (*)(int, int, int, void *, socklen_t *))dlsym(RTLD_NEXT, "getsockopt");
    if (is_unknown(level, option)) {
        errno = ENOPROTOOPT;
        return -1;
    }
    return real(fd, level, option, value, length);
}
