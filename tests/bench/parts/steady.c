// SPDX-License-Identifier: Apache-2.0
/* A good client: it asks at a steady rate, one request after the other, and wants every answer.
 *
 *     steady PORT PATH LIST kept|new RATE
 *
 * Goes on until SIGTERM, then prints one line of JSON. Latency is from the time at which the request
 * was due, so that a request which waits for a slow one before it counts in full. kept: a connection
 * is used until the server says that it closes; then, and with new always, the next request has one
 * of its own. Nothing is asked twice: whatever is not the whole right answer is a failure. */
#include <signal.h>

#include "client.h"

#define PATIENCE_S 5
#define TIMES_MAX ((size_t)1 << 20)

struct client {
    in_port_t port;
    const char *list;
    char request[512];
    size_t request_len;
    bool keeps;
    int fd; /* -1: not connected */
    int64_t *times;
    size_t asked, right;
    char complaint[128]; /* about the first failure */
};

/* Blocked, the signal cuts no request short. */
static bool is_over(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1;
}

static bool complain(struct client *c, const char *what)
{
    if (c->complaint[0] == '\0')
        (void)snprintf(c->complaint, sizeof c->complaint, "%s: %s", what,
                       errno != 0 ? strerror(errno) : "-");
    return false;
}

static bool reach(struct client *c)
{
    struct timeval patience = {.tv_sec = PATIENCE_S};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(c->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (c->fd >= 0)
        return true;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        fail("socket");
    (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return connect(c->fd, (const struct sockaddr *)&to, sizeof to) == 0 || complain(c, "connect");
}

/* How long the answer is that begins so; 0 when that is not known yet. */
static size_t whole_length(const char *answer)
{
    static const char header[] = "\r\nContent-Length: ";
    const char *body = strstr(answer, "\r\n\r\n");
    const char *length = strcasestr(answer, header);
    if (body == NULL || length == NULL || length > body)
        return 0;
    return (size_t)(body + 4 - answer) + strtoul(length + sizeof header - 1, NULL, 10);
}

static bool ask(struct client *c)
{
    char answer[4096];
    size_t len = 0;
    size_t whole = 0;
    errno = 0;
    if (!reach(c))
        return false;
    if (send(c->fd, c->request, c->request_len, MSG_NOSIGNAL) != (ssize_t)c->request_len)
        return complain(c, "send");
    while (whole == 0 || len < whole) {
        ssize_t n = recv(c->fd, answer + len, sizeof answer - 1 - len, 0);
        if (n <= 0)
            return complain(c, n < 0 ? "recv" : len == 0 ? "closed without an answer" : "cut off");
        len += (size_t)n;
        answer[len] = '\0';
        whole = whole_length(answer);
    }
    if (!is_right(answer, len, c->list))
        return complain(c, "a wrong answer");
    if (!c->keeps || strcasestr(answer, "\r\nConnection: close\r\n") != NULL) {
        (void)close(c->fd);
        c->fd = -1;
    }
    return true;
}

static void wait_until(int64_t when_ns)
{
    struct timespec t = {.tv_sec = when_ns / NS_PER_S, .tv_nsec = when_ns % NS_PER_S};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 64;
    struct client c = {.port = (in_port_t)number(argv[1]),
                       .list = argv[3],
                       .keeps = strcmp(argv[4], "kept") == 0,
                       .fd = -1};
    long rate = number(argv[5]);
    int len = snprintf(c.request, sizeof c.request, "GET %s HTTP/1.1\r\nHost: bench\r\n%s\r\n",
                       argv[2], c.keeps ? "" : "Connection: close\r\n");
    c.request_len = (size_t)len;
    c.times = calloc(TIMES_MAX, sizeof *c.times);
    if (rate == 0 || len < 0 || c.request_len >= sizeof c.request || c.times == NULL)
        fail("steady");
    sigset_t blocked;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &blocked, NULL);
    int64_t start = now_ns();
    while (c.asked < TIMES_MAX) {
        int64_t due = start + (int64_t)c.asked * NS_PER_S / rate;
        wait_until(due);
        if (is_over())
            break;
        c.asked++;
        if (ask(&c)) {
            c.times[c.right++] = now_ns() - due;
        } else {
            (void)close(c.fd);
            c.fd = -1;
        }
    }
    printf("{\"asked\": %zu, \"right\": %zu, \"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f, "
           "\"complaint\": \"%s\"}\n",
           c.asked, c.right, percentile_ms(c.times, c.right, 0.5),
           percentile_ms(c.times, c.right, 0.99), percentile_ms(c.times, c.right, 1), c.complaint);
    return 0;
}
