/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <unistd.h>

#include "announce/announce.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "config/config.h"
#include "consul/httpc.h"
#include "daemon/daemon.h"
#include "daemon/events.h"
#include "daemon/manager.h"
#include "daemon/reload.h"
#include "model/registry.h"

static void reload_token(void *arg)
{
    struct daemon *d = arg;
    struct error error = {.text = ""};
    if (httpc_reload_token(d->httpc, &error))
        LOG_INFO("SIGHUP: using the new token of the token file");
    else if (error.text[0] != '\0')
        LOG_WARN("SIGHUP: cannot read the token file", F_STR("error", error.text));
}

/* SIGHUP ends no drain, and nothing but a renewed token can be of use any more: it may be just what
 * deregistering needs. */
static int wait_while_draining(struct daemon *d, int64_t timeout_ms)
{
    int what = events_wait(d, timeout_ms);
    if (what != SIGHUP)
        return what;
    if (!httpc_post(d->httpc, reload_token, d))
        LOG_ERROR("cannot read the token file again", F_STR("error", "out of memory"));
    return 0;
}

static void start_drain(void *arg)
{
    struct daemon *d = arg;
    announce_drain(d->announce, events_notify, d);
}

/* Be found no more, then answer those who still come for a while. A second signal ends it. Who
 * never managed to register is found by nobody; with register.mode = "off" somebody else took us
 * out, or does it now. */
static void drain(struct daemon *d)
{
    registry_set_draining(d->registry);
    manager_tell(d);
    LOG_INFO("stopping: a second signal stops at once", F_INT("drain_ms", d->config->reg.drain_ms));
    int what = 0;
    if (d->announce != NULL && !httpc_post(d->httpc, start_drain, d))
        what = SIGTERM;
    /* The event also tells of changes of the table, which end neither wait. */
    while (what == 0 && d->announce != NULL && announce_drain_state(d->announce) == DRAIN_GOES_ON)
        what = wait_while_draining(d, CLOCK_NEVER);
    if (d->announce != NULL && announce_drain_state(d->announce) == DRAIN_NOTHING_TO_DO)
        return;
    int64_t end = clock_mono_ms() + d->config->reg.drain_ms;
    while (what == 0)
        what = wait_while_draining(d, end - clock_mono_ms());
}

/* Once what the start needed is not needed any more: for lists of the last run, and for Consul's. */
static void settle(struct daemon *d)
{
    struct registry_status status = registry_status(d->registry);
    unsigned steps = (unsigned)status.ready + (unsigned)status.complete;
    if (steps > d->settled)
        process_settle();
    d->settled = steps;
}

static void wait_for_stop(struct daemon *d)
{
    int what = 0;
    while (what != SIGTERM && what != SIGINT) {
        settle(d);
        what = events_wait(d, CLOCK_NEVER);
        if (what == SIGHUP)
            reload_ask(d);
    }
}

bool daemon_run(struct daemon *d, struct error *reterr)
{
    bool ok = events_open(d, reterr) && manager_meet(d, reterr) && daemon_start(d, reterr);
    if (ok) {
        LOG_INFO("nsaddrd is up", F_STR("version", NSADDRD_VERSION), F_INT("pid", getpid()));
        wait_for_stop(d);
        drain(d);
    }
    events_leave_signals();
    daemon_stop(d);
    if (ok)
        LOG_INFO("stopped", F_STR("version", NSADDRD_VERSION));
    return ok;
}
