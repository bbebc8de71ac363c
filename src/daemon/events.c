/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/events.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "daemon/daemon.h"
#include "daemon/manager.h"
#include "daemon/reload.h"

void events_notify(void *arg)
{
    const struct daemon *d = arg;
    uint64_t one = 1;
    ssize_t ignored = write(d->event, &one, sizeof one); /* can only fail when it is set already */
    (void)ignored;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What is to be told to the service manager meanwhile is told when its time comes. */
int events_wait(struct daemon *d, int64_t timeout_ms)
{
    struct pollfd fds[] = {{.fd = d->signals, .events = POLLIN},
                           {.fd = d->event, .events = POLLIN}};
    int64_t end = timeout_ms == CLOCK_NEVER ? CLOCK_NEVER : clock_mono_ms() + timeout_ms;
    for (;;) {
        manager_tell(d);
        int64_t until = earlier(end, service_manager_next_ms(&d->manager));
        if (d->changed && service_manager_listens(&d->manager))
            until = earlier(until, d->count_ms);
        int64_t left = until == CLOCK_NEVER ? -1 : until - clock_mono_ms();
        if (until != CLOCK_NEVER && left < 0)
            left = 0;
        int n = poll(fds, 2, left > 60000 ? 60000 : (int)left);
        struct signalfd_siginfo info;
        uint64_t times;
        if ((fds[0].revents & POLLIN) != 0 && read(d->signals, &info, sizeof info) == sizeof info)
            return (int)info.ssi_signo;
        if ((fds[1].revents & POLLIN) != 0 && read(d->event, &times, sizeof times) > 0) {
            d->changed = true;
            reload_end(d);
            return 0;
        }
        if (n == 0 && end != CLOCK_NEVER && clock_mono_ms() >= end)
            return -1;
    }
}

/* Every thread inherits the mask: signals come to main alone, and only where it waits. */
bool events_open(struct daemon *d, struct error *reterr)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    d->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    d->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->signals >= 0 && d->event >= 0)
        return true;
    return error_set(reterr, "cannot wait for signals: %s", strerror(errno));
}

/* From here on a signal ends the process at once: threads are waited for, and a disk may hang. */
void events_leave_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
