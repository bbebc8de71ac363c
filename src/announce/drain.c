/* SPDX-License-Identifier: Apache-2.0 */
#include "announce/drain.h"

#include "announce/announce.h"
#include "announce/calls.h"
#include "announce/inner.h"
#include "announce/report.h"
#include "announce/writing.h"
#include "base/log.h"

static void log_drained(struct announce *a)
{
    size_t left = registrations_present(a->set);
    if (left == 0)
        LOG_INFO("deregistered from Consul", F_STR("service", a->who.parent_id),
                 F_INT("removed", a->removed_now));
    else if (a->in_maintenance)
        LOG_WARN(
            "not everything is deregistered, but all is in maintenance until Consul forgets it",
            F_STR("service", a->who.parent_id), F_INT("removed", a->removed_now),
            F_INT("left", left));
    else
        LOG_WARN("not everything is deregistered, and may be routed to until its check fails",
                 F_STR("service", a->who.parent_id), F_INT("removed", a->removed_now),
                 F_INT("left", left));
}

void announce_end_drain(struct announce *a)
{
    announce_halt(a);
    announce_report(a);
    if (atomic_load(&a->drain_state) == DRAIN_GOES_ON) {
        log_drained(a);
        atomic_store(&a->drain_state, DRAIN_DONE);
    }
    a->drained(a->drained_arg);
}

static void on_drain_timeout(void *arg)
{
    struct announce *a = arg;
    LOG_WARN("Consul is too slow to deregister all", F_INT("waited_ms", DRAIN_TOTAL_MS));
    announce_end_drain(a);
}

/* The parent's maintenance, children, and the parent only if no child stays behind: without a
 * parent it would pass for ever, while beside one it is critical until Consul forgets it. */
void announce_drain_on(struct announce *a)
{
    const struct registration *r = registrations_next(a->set);
    bool children_stay = r != NULL && r->parent && registrations_children(a->set) > 0;
    if (a->maintain || (r != NULL && !children_stay))
        announce_write(a);
    else
        announce_end_drain(a);
}

enum drain_state announce_drain_state(const struct announce *a)
{
    return (enum drain_state)atomic_load(&a->drain_state);
}

static void take_back(struct registration *r, void *arg)
{
    struct registrations *set = arg;
    r->wanted = false;
    registrations_queue(set, r, TURN_NONE);
    registrations_queue(set, r, r->parent ? TURN_LAST : TURN_REPAIR);
}

void announce_drain(struct announce *a, void (*done)(void *arg), void *arg)
{
    announce_halt(a);
    a->draining = true;
    a->drained = done;
    a->drained_arg = arg;
    if (registrations_present(a->set) == 0) {
        atomic_store(&a->drain_state, DRAIN_NOTHING_TO_DO);
        announce_end_drain(a);
        return;
    }
    a->round.fire = on_drain_timeout;
    httpc_timer_set(a->httpc, &a->round, httpc_now(a->httpc) + DRAIN_TOTAL_MS);
    /* All that Consul may have, whatever the table says by now: a child that stays behind would be
     * routed to for ever. */
    registrations_each(a->set, take_back, a->set);
    pace_init(&a->pace, PACE_STOPPING);
    a->registered_now = a->removed_now = 0;
    a->progress_at_ms = CLOCK_NEVER;
    a->maintain = true;
    announce_drain_on(a);
}
