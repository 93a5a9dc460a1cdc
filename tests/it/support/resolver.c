/* Loaded into a program before the C library: names are answered from a file, as a name server of a stranger would answer
   them, and one address of the internet is this machine. Everything else that is not this machine is out of reach. Lookups
   and connections are written down.

   DOORWARD_TEST_NAMES: the file, "NAME ADDRESS ADDRESS ..." a line. The first lookup of a name takes its first line, the second
   its second; the last line is taken again and again. A new file begins anew.
   DOORWARD_TEST_PUBLIC: the address that leads here. DOORWARD_TEST_NOTES: where to write. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ino_t known;
static struct { char name[256]; int lookups; } counts[16];

static void note(const char *what, const char *which) {
    const char *path = getenv("DOORWARD_TEST_NOTES");
    int file = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (file < 0) return;
    char line[512];
    int length = snprintf(line, sizeof line, "%s %s\n", what, which);
    if (write(file, line, length) < 0) perror("notes");
    close(file);
}

static int turn(const char *name) {
    for (unsigned at = 0; at < sizeof counts / sizeof *counts; at++) {
        if (!counts[at].name[0]) snprintf(counts[at].name, sizeof counts[at].name, "%s", name);
        if (!strcmp(counts[at].name, name)) return counts[at].lookups++;
    }
    return 0;
}

/* The line for this lookup of the name, without the name; the caller holds the lock. */
static int answer(const char *name, char *found, size_t room) {
    struct stat about;
    FILE *file = fopen(getenv("DOORWARD_TEST_NAMES"), "r");
    if (!file) return 0;
    if (!fstat(fileno(file), &about) && about.st_ino != known) {
        known = about.st_ino;
        memset(counts, 0, sizeof counts);
    }
    char line[1024];
    int is_known = 0, lines = 0, mine = -1;
    while (fgets(line, sizeof line, file)) {
        char *rest = strchr(line, ' ');
        if (!rest || strlen(name) != (size_t)(rest - line) || strncasecmp(name, line, rest - line)) continue;
        if (mine < 0) mine = turn(name);
        if (lines++ <= mine) snprintf(found, room, "%s", rest + 1);
        is_known = 1;
    }
    fclose(file);
    return is_known;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
    char found[1024];
    if (!name || !getenv("DOORWARD_TEST_NAMES")) return real(name, service, hints, result);
    pthread_mutex_lock(&lock);
    int is_known = answer(name, found, sizeof found);
    pthread_mutex_unlock(&lock);
    if (!is_known) return real(name, service, hints, result);
    note("lookup", name);
    struct addrinfo numeric = hints ? *hints : (struct addrinfo){0}, **last = result;
    numeric.ai_flags |= AI_NUMERICHOST;
    *result = NULL;
    for (char *state, *one = strtok_r(found, " \n", &state); one; one = strtok_r(NULL, " \n", &state)) {
        if (real(one, service, &numeric, last)) continue;
        while (*last) last = &(*last)->ai_next;
    }
    return *result ? 0 : EAI_NONAME;
}

int connect(int file, const struct sockaddr *to, socklen_t length) {
    int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
    const char *public = getenv("DOORWARD_TEST_PUBLIC");
    char text[INET6_ADDRSTRLEN] = "";
    if (!public || (to->sa_family != AF_INET && to->sa_family != AF_INET6)) return real(file, to, length);
    const void *address = to->sa_family == AF_INET ? (const void *)&((const struct sockaddr_in *)to)->sin_addr
                                                   : (const void *)&((const struct sockaddr_in6 *)to)->sin6_addr;
    inet_ntop(to->sa_family, address, text, sizeof text);
    note("connect", text);
    if (!strcmp(text, public) && to->sa_family == AF_INET) {
        struct sockaddr_in here = *(const struct sockaddr_in *)to;
        here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return real(file, (const struct sockaddr *)&here, sizeof here);
    }
    if (!strncmp(text, "127.", 4) || !strcmp(text, "::1")) return real(file, to, length);
    errno = ENETUNREACH;
    return -1;
}
