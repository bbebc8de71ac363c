// SPDX-License-Identifier: Apache-2.0
/* Many clients that each connect, ask once and go, at a given rate whatever the server makes of it.
 *
 *     storm PORT PATH LIST COUNT MILLISECONDS
 *
 * Prints one line of JSON. Latency is from the time at which the request was due until the server
 * has closed behind the whole answer; an answer that never comes is given up after GIVE_UP_MS. */
#include "client.h"

#define SOURCES 200u
#define NETWORK 1u
#define EVENTS 512
#define GIVE_UP_MS 10000

struct client {
    int64_t due_ns;
    int fd;
    bool asked;
    size_t len;
    char answer[600];
};

struct storm {
    in_port_t port;
    const char *list;
    char request[512];
    size_t request_len;
    int epoll;
    struct client *clients;
    size_t open;
    int64_t *times;
    size_t right, refused, broken, wrong;
    int64_t latest_ns; /* how late the storm itself was at worst */
};

static void begin(struct storm *s, size_t nth, int64_t due_ns)
{
    struct client *c = &s->clients[nth];
    *c = (struct client){.due_ns = due_ns};
    c->fd = begin_connection(s->port, NETWORK, (unsigned)nth % SOURCES, 0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    if (c->fd < 0) {
        s->refused++;
        return;
    }
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
        fail("epoll_ctl");
    s->open++;
}

static void end(struct storm *s, struct client *c, size_t *count)
{
    (void)close(c->fd);
    c->fd = -1;
    s->open--;
    ++*count;
}

static void ask(struct storm *s, struct client *c)
{
    ssize_t n = send(c->fd, s->request, s->request_len, MSG_NOSIGNAL);
    if (n == (ssize_t)s->request_len)
        c->asked = true;
    else if (n >= 0 || (errno != EAGAIN && errno != ENOTCONN))
        end(s, c, c->asked ? &s->broken : &s->refused);
}

static void take(struct storm *s, struct client *c)
{
    for (;;) {
        ssize_t n = recv(c->fd, c->answer + c->len, sizeof c->answer - c->len, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            end(s, c, &s->broken);
            return;
        }
        c->len += (size_t)n;
        if (n > 0 && c->len < sizeof c->answer)
            continue;
        if (is_right(c->answer, c->len, s->list)) {
            s->times[s->right] = now_ns() - c->due_ns;
            end(s, c, &s->right);
        } else {
            end(s, c, &s->wrong);
        }
        return;
    }
}

static void look(struct storm *s, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(s->epoll, events, EVENTS, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct client *c = events[i].data.ptr;
        if (!c->asked)
            ask(s, c);
        if (c->fd >= 0 && c->asked)
            take(s, c);
    }
}

static void blow(struct storm *s, size_t count, int64_t length_ns)
{
    int64_t start = now_ns();
    size_t begun = 0;
    while (begun < count) {
        int64_t now = now_ns();
        int64_t due = start + length_ns / (int64_t)count * (int64_t)begun;
        if (due > now) {
            look(s, (int)((due - now) / NS_PER_MS));
            continue;
        }
        if (now - due > s->latest_ns)
            s->latest_ns = now - due;
        begin(s, begun++, due);
        if (begun % 16 == 0)
            look(s, 0);
    }
    int64_t end_ns = now_ns() + (int64_t)GIVE_UP_MS * NS_PER_MS;
    while (s->open > 0 && now_ns() < end_ns)
        look(s, 100);
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 64;
    size_t count = (size_t)number(argv[4]);
    struct storm s = {.port = (in_port_t)number(argv[1]), .list = argv[3]};
    int len = snprintf(s.request, sizeof s.request,
                       "GET %s HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n", argv[2]);
    s.request_len = (size_t)len;
    s.epoll = epoll_create1(EPOLL_CLOEXEC);
    s.clients = calloc(count + 1, sizeof *s.clients);
    s.times = calloc(count + 1, sizeof *s.times);
    if (len < 0 || s.request_len >= sizeof s.request || s.epoll < 0 || s.clients == NULL ||
        s.times == NULL)
        fail("storm");
    raise_file_limit();
    blow(&s, count, number(argv[5]) * NS_PER_MS);
    printf("{\"offered\": %zu, \"right\": %zu, \"refused\": %zu, \"broken\": %zu, \"wrong\": %zu, "
           "\"unanswered\": %zu, \"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f, \"late\": %.3f}\n",
           count, s.right, s.refused, s.broken, s.wrong, s.open,
           percentile_ms(s.times, s.right, 0.5), percentile_ms(s.times, s.right, 0.99),
           percentile_ms(s.times, s.right, 1), (double)s.latest_ns / NS_PER_MS);
    return 0;
}
