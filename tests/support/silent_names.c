/* Loaded before the C library (LD_PRELOAD): the name server of names below ".invalid" never answers.
 *
 *   getaddrinfo("kafka.invalid") ──▶ half a minute ──▶ EAI_AGAIN       (what resolv.conf's defaults come to)
 *
 * Everything else goes to the C library unchanged. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <time.h>

enum { SECONDS = 30 };

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (!real)
        real = (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");
    if (name && strstr(name, ".invalid")) {
        struct timespec left = {SECONDS, 0};
        /* A signal does not end the wait. */
        while (nanosleep(&left, &left) != 0) {
        }
        return EAI_AGAIN;
    }
    return real(name, service, hints, found);
}
