/* SPDX-License-Identifier: Apache-2.0 */
#include "consul/sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

/* Of one call at a time: two addresses that are tried, and what its name's resolver wakes us by. */
#define SOCKETS_PER_CALL 3

static bool reserve(struct sockets *s, size_t count)
{
    if (count <= s->room)
        return true;
    size_t room = 2 * count;
    struct pollfd *more = realloc(s->list, room * sizeof *more);
    if (more == NULL)
        return false;
    s->list = more;
    s->room = room;
    return true;
}

bool sockets_reserve(struct sockets *s, size_t calls)
{
    return reserve(s, 1 + SOCKETS_PER_CALL * calls);
}

bool sockets_open(struct sockets *s, struct error *reterr)
{
    *s = (struct sockets){.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .due_ms = CLOCK_NEVER};
    if (s->wake < 0)
        return error_set(reterr, "cannot make an eventfd: %s", strerror(errno));
    if (!reserve(s, 1))
        return error_set(reterr, "out of memory");
    s->list[s->count++] = (struct pollfd){.fd = s->wake, .events = POLLIN};
    return true;
}

void sockets_close(struct sockets *s)
{
    if (s->wake >= 0)
        (void)close(s->wake);
    free(s->list);
    *s = (struct sockets){.wake = -1};
}

/* One that fails finds the thread as awake as can be. */
void sockets_wake(const struct sockets *s)
{
    uint64_t one = 1;
    ssize_t written = write(s->wake, &one, sizeof one);
    (void)written;
}

/* There is room, for it was reserved. A socket that found none would be left to its call's timeout:
 * a failure here would end all calls, for ever. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
    struct sockets *s = arg;
    size_t i = 1;
    (void)easy;
    (void)unused;
    while (i < s->count && s->list[i].fd != fd)
        i++;
    if (what == CURL_POLL_REMOVE) {
        if (i < s->count)
            s->list[i] = s->list[--s->count];
        return 0;
    }
    if (i == s->room)
        return 0;
    short events = (short)(((what & CURL_POLL_IN) != 0 ? POLLIN : 0) |
                           ((what & CURL_POLL_OUT) != 0 ? POLLOUT : 0));
    s->list[i] = (struct pollfd){.fd = fd, .events = events};
    s->count += i == s->count;
    return 0;
}

static int on_timer(CURLM *multi, long wait_ms, void *arg)
{
    struct sockets *s = arg;
    (void)multi;
    s->due_ms = wait_ms < 0 ? CLOCK_NEVER : clock_mono_ms() + wait_ms;
    return 0;
}

void sockets_serve(struct sockets *s, CURLM *multi)
{
    s->multi = multi;
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, s);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERDATA, s);
}

static void act(struct sockets *s, curl_socket_t fd, int events)
{
    int running;
    (void)curl_multi_socket_action(s->multi, fd, events, &running);
}

void sockets_run_due(struct sockets *s)
{
    if (s->due_ms > clock_mono_ms())
        return;
    s->due_ms = CLOCK_NEVER;
    act(s, CURL_SOCKET_TIMEOUT, 0);
}

/* From the last one on, for one that is removed is replaced by the last. */
static void act_on_news(struct sockets *s)
{
    for (size_t i = s->count; i-- > 1;) {
        if (i >= s->count || s->list[i].revents == 0)
            continue;
        short seen = s->list[i].revents;
        s->list[i].revents = 0;
        act(s, s->list[i].fd,
            ((seen & POLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                ((seen & POLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                ((seen & (POLLERR | POLLHUP | POLLNVAL)) != 0 ? CURL_CSELECT_ERR : 0));
    }
}

void sockets_wait(struct sockets *s, int timeout_ms)
{
    uint64_t times;
    ssize_t got = 0;
    if (poll(s->list, s->count, timeout_ms) <= 0)
        return;
    if (s->list[0].revents != 0)
        got = read(s->wake, &times, sizeof times); /* that it was is enough */
    (void)got;
    act_on_news(s);
}
