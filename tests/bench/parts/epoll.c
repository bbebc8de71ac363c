// SPDX-License-Identifier: Apache-2.0
/* The limit: what any server on this kernel has to do for an answer, and nothing else.
 *
 *     epoll PORT KEPT CLOSED [deferred]
 *
 * One thread waits with epoll, reads once, and writes the bytes of the file KEPT, or those of CLOSED
 * and then closes when the request asks for that. A request is taken to come in one read: that is
 * how the load generator sends it. deferred: a connection comes to accept4() with its request
 * (TCP_DEFER_ACCEPT), which is read at once, so that one with a single request never gets to epoll. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096
#define EVENTS 256
#define DEFERRED_S 5

struct canned {
    char bytes[4096];
    size_t len;
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void load(const char *path, struct canned *out)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        fail(path);
    out->len = fread(out->bytes, 1, sizeof out->bytes, f);
    if (out->len == 0 || out->len == sizeof out->bytes)
        fail(path);
    (void)fclose(f);
}

static int listen_on(in_port_t port)
{
    int on = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)&a, sizeof a) != 0 || listen(fd, BACKLOG) != 0)
        fail("listen");
    return fd;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        fail("epoll_ctl");
}

/* False when the connection is closed. */
static bool answer(int fd, const struct canned *kept, const struct canned *closed)
{
    static const char close_asked[] = "Connection: close";
    char request[4096];
    ssize_t n = read(fd, request, sizeof request);
    if (n < 0 && errno == EAGAIN)
        return true;
    bool last = n > 0 && memmem(request, (size_t)n, close_asked, sizeof close_asked - 1) != NULL;
    const struct canned *reply = last ? closed : kept;
    if (n > 0 && write(fd, reply->bytes, reply->len) == (ssize_t)reply->len && !last)
        return true;
    (void)close(fd);
    return false;
}

int main(int argc, char **argv)
{
    static struct canned kept;
    static struct canned closed;
    bool deferred = argc == 5 && strcmp(argv[4], "deferred") == 0;
    if (argc != 4 && !deferred)
        return 64;
    load(argv[2], &kept);
    load(argv[3], &closed);
    int listener = listen_on((in_port_t)strtoul(argv[1], NULL, 10));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int seconds = DEFERRED_S;
    if (epoll < 0 || (deferred && setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds,
                                             sizeof seconds) != 0))
        fail("epoll");
    watch(epoll, listener);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                (void)answer(fd, &kept, &closed);
                continue;
            }
            while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
                if (!deferred || answer(fd, &kept, &closed))
                    watch(epoll, fd);
        }
    }
}
