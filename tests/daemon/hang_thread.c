/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded: one thread stops for ever, the next time it would wait for its sockets.
 *
 * HANG_IN is the call that the thread waits with, "poll" or "epoll_wait"; the main thread is never
 * the one. It hangs once the file HANG_WHEN is there, and takes it away as it does.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

static void hang_if_told(const char *call)
{
    const char *which = getenv("HANG_IN");
    const char *when = getenv("HANG_WHEN");
    if (which == NULL || when == NULL || strcmp(which, call) != 0 || gettid() == getpid())
        return;
    bool ours = unlink(when) == 0;
    while (ours)
        (void)pause();
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    hang_if_told("poll");
    return ppoll(fds, count, timeout_ms < 0 ? NULL : &timeout, NULL);
}

int epoll_wait(int fd, struct epoll_event *events, int count, int timeout_ms)
{
    hang_if_told("epoll_wait");
    return epoll_pwait(fd, events, count, timeout_ms, NULL);
}
