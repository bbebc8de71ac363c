/*
 * resolver.c - preloaded into the daemon: the name of the Consul host resolves only while a file is
 * there. Each failure adds a byte to another file, so that a test sees that it was met.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (node == NULL || strcmp(node, getenv("RESOLVER_NAME")) != 0)
        return real(node, service, hints, result);
    if (access(getenv("RESOLVER_WORKS"), F_OK) == 0)
        return real("127.0.0.1", service, hints, result);
    int fd = open(getenv("RESOLVER_FAILURES"), O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (fd >= 0) {
        if (write(fd, "x", 1) != 1)
            abort();
        close(fd);
    }
    return EAI_NONAME;
}
