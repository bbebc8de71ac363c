// SPDX-License-Identifier: Apache-2.0
/* Connections that hold a place and give nothing for it.
 *
 *     slow PORT PATH HEADERS IDLE READERS PIPELINED NETWORK
 *
 * HEADERS send a request at one byte a second that never ends. IDLE say nothing, one half after
 * connecting, the other after one answer. READERS send PIPELINED requests, at most PIPELINED_MAX of
 * them, and never read; with 0 they send as many as the socket ever takes. What the server closes
 * is opened again at once. Goes on until SIGTERM; each second a line of JSON says how many are held.
 * NETWORK: their sources are 127.0.NETWORK.1 and on. */
#include <signal.h>
#include <sys/timerfd.h>

#include "client.h"

#define SOURCES 50u
#define EVENTS 512
/* Each second has so many turns; a connection has its own of them. In each, so many are opened. */
#define TURNS 100u
#define OPENED_IN_A_TURN 100u
#define SMALL_BUFFER 4096
#define PIPELINED_MAX 64u

enum kind { HEADERS, IDLE, READER };

struct connection {
    enum kind kind;
    int fd; /* -1: closed */
    bool connected;
    bool asks; /* an idle one that has its answer first */
    size_t sent;
};

struct slow {
    in_port_t port;
    unsigned network;
    char head[512]; /* of a request, without its end */
    char request[512];
    char requests[PIPELINED_MAX * 128];
    size_t requests_len;
    bool endless; /* readers never have sent enough */
    int epoll;
    int timer;
    struct connection *all;
    size_t count;
    size_t *closed; /* a ring of their numbers, the next to be opened first */
    size_t first_closed, closed_count;
    size_t held, reopened, refused;
};

static volatile sig_atomic_t over;

static void finish(int number)
{
    (void)number;
    over = 1;
}

static void note_closed(struct slow *s, size_t nth)
{
    s->closed[(s->first_closed + s->closed_count++) % s->count] = nth;
}

static void drop(struct slow *s, struct connection *c)
{
    (void)close(c->fd);
    c->fd = -1;
    if (c->connected) {
        s->held--;
        s->reopened++;
    } else {
        s->refused++;
    }
    c->connected = false;
    note_closed(s, (size_t)(c - s->all));
}

static void open_one(struct slow *s, size_t nth)
{
    struct connection *c = &s->all[nth];
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    c->sent = 0;
    c->fd = begin_connection(s->port, s->network, (unsigned)nth % SOURCES,
                             c->kind == READER ? SMALL_BUFFER : 0);
    if (c->fd < 0) {
        s->refused++;
        note_closed(s, nth);
    } else if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        fail("epoll_ctl");
    }
}

static void open_some(struct slow *s)
{
    size_t count = s->closed_count < OPENED_IN_A_TURN ? s->closed_count : OPENED_IN_A_TURN;
    for (size_t i = 0; i < count; i++) {
        size_t nth = s->closed[s->first_closed];
        s->first_closed = (s->first_closed + 1) % s->count;
        s->closed_count--;
        open_one(s, nth);
    }
}

/* False when the connection is gone. */
static bool give(const struct connection *c, const char *bytes, size_t len)
{
    return send(c->fd, bytes, len, MSG_NOSIGNAL) >= 0 || errno == EAGAIN;
}

static bool give_one_byte(const struct slow *s, struct connection *c)
{
    bool in_head = s->head[c->sent] != '\0';
    return give(c, in_head ? &s->head[c->sent++] : "x", 1);
}

static bool fill(const struct slow *s, struct connection *c)
{
    while (c->sent < s->requests_len || s->endless) {
        size_t at = c->sent % s->requests_len;
        ssize_t n = send(c->fd, s->requests + at, s->requests_len - at, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN;
        c->sent += (size_t)n;
    }
    return true;
}

static bool read_all(const struct connection *c)
{
    char answer[4096];
    ssize_t n;
    while ((n = recv(c->fd, answer, sizeof answer, 0)) > 0)
        continue;
    return n < 0 && errno == EAGAIN;
}

static void on_event(struct slow *s, struct connection *c, uint32_t events)
{
    bool good = (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) == 0;
    if (good && (events & EPOLLOUT) != 0 && !c->connected) {
        c->connected = true;
        s->held++;
        if (c->asks)
            good = give(c, s->request, strlen(s->request));
    }
    if (good && c->connected && c->kind == READER && (events & EPOLLOUT) != 0)
        good = fill(s, c);
    if (good && c->kind != READER && (events & EPOLLIN) != 0)
        good = read_all(c);
    if (!good)
        drop(s, c);
}

static void take_turn(struct slow *s, size_t turn)
{
    for (size_t i = turn; i < s->count; i += TURNS) {
        struct connection *c = &s->all[i];
        if (c->connected && c->kind == HEADERS && !give_one_byte(s, c))
            drop(s, c);
    }
    open_some(s);
}

static void say(struct slow *s)
{
    printf("{\"held\": %zu, \"reopened\": %zu, \"refused\": %zu}\n", s->held, s->reopened,
           s->refused);
    (void)fflush(stdout);
}

static void hold(struct slow *s)
{
    size_t turn = 0;
    struct epoll_event events[EVENTS];
    while (!over) {
        int count = epoll_wait(s->epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            uint64_t ticks;
            struct connection *c = events[i].data.ptr;
            if (c != NULL) {
                if (c->fd >= 0)
                    on_event(s, c, events[i].events);
                continue;
            }
            if (read(s->timer, &ticks, sizeof ticks) != sizeof ticks)
                continue;
            take_turn(s, turn);
            turn = (turn + 1) % TURNS;
            if (turn == 0)
                say(s);
        }
    }
}

static void start_clock(struct slow *s)
{
    struct timespec each = {.tv_nsec = NS_PER_S / TURNS};
    struct itimerspec turns = {.it_interval = each, .it_value = each};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->timer < 0 || s->epoll < 0 || timerfd_settime(s->timer, 0, &turns, NULL) != 0 ||
        epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->timer, &event) != 0)
        fail("timer");
}

int main(int argc, char **argv)
{
    if (argc != 8)
        return 64;
    size_t headers = (size_t)number(argv[3]);
    size_t idle = (size_t)number(argv[4]);
    struct slow s = {.port = (in_port_t)number(argv[1]), .network = (unsigned)number(argv[7])};
    s.count = headers + idle + (size_t)number(argv[5]);
    s.all = calloc(s.count + 1, sizeof *s.all);
    s.closed = calloc(s.count + 1, sizeof *s.closed);
    if (s.all == NULL || s.closed == NULL ||
        (size_t)snprintf(s.head, sizeof s.head,
                         "GET %s HTTP/1.1\r\nHost: slow\r\nX-Slow: ", argv[2]) >= sizeof s.head ||
        (size_t)snprintf(s.request, sizeof s.request, "GET %s HTTP/1.1\r\nHost: slow\r\n\r\n",
                         argv[2]) >= sizeof s.requests / PIPELINED_MAX)
        fail("slow");
    size_t pipelined = (size_t)number(argv[6]);
    s.endless = pipelined == 0;
    if (pipelined == 0 || pipelined > PIPELINED_MAX)
        pipelined = PIPELINED_MAX;
    for (size_t i = 0; i < pipelined; i++) {
        memcpy(s.requests + s.requests_len, s.request, strlen(s.request));
        s.requests_len += strlen(s.request);
    }
    for (size_t i = 0; i < s.count; i++) {
        s.all[i] = (struct connection){.kind = i < headers          ? HEADERS
                                               : i < headers + idle ? IDLE
                                                                    : READER,
                                       .fd = -1};
        note_closed(&s, i);
    }
    for (size_t i = headers; i < headers + idle; i += 2)
        s.all[i].asks = true;
    struct sigaction action = {.sa_handler = finish};
    (void)sigaction(SIGTERM, &action, NULL);
    raise_file_limit();
    start_clock(&s);
    hold(&s);
    say(&s);
    return 0;
}
