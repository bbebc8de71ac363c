/* SPDX-License-Identifier: Apache-2.0 */
#include "announce/steps.h"

#include "announce/drain.h"
#include "announce/inner.h"
#include "announce/reading.h"
#include "announce/report.h"
#include "announce/writing.h"
#include "base/log.h"
#include "model/registry.h"

/* An agent that lost all of ours has lost the parent too: a small question shows it early. */
#define PULSE_MS 3000
#define PULSE_SPREAD_PERCENT 20

/* There is nothing to write any more. */
static void finish(struct announce *a)
{
    bool read = a->read_now;
    size_t registered = a->registered_now;
    bool well_again = read && a->refused_now == 0 && log_complaint_ends(&a->complaint);
    if (registered + a->removed_now > 0)
        LOG_INFO("registrations in Consul brought up to date", F_STR("service", a->who.parent_id),
                 F_INT("registered", registered), F_INT("removed", a->removed_now));
    else if (well_again)
        LOG_INFO("registrations in Consul are as they should be",
                 F_STR("service", a->who.parent_id));
    if (read)
        a->failing = a->refused_now > 0;
    if (!a->failing)
        consul_metrics_registration_works(httpc_metrics(a->httpc));
    announce_report(a);
    a->step = STEP_IDLE;
    a->registered_now = a->removed_now = 0;
    a->read_now = a->parent_seen = false;
    a->progress_at_ms = CLOCK_NEVER;
    /* What was written now reaches the catalog a little later: the next round verifies. */
    if (registered > 0)
        a->verify_at_ms = httpc_now(a->httpc);
    else if (read)
        (void)announce_verify(a);
    httpc_timer_set(a->httpc, &a->pulse,
                    httpc_now(a->httpc) +
                        jitter_spread(&a->jitter, PULSE_MS, PULSE_SPREAD_PERCENT));
}

/* From STEP_IDLE, when something ended or came up. */
void announce_go_on(struct announce *a)
{
    if (a->draining)
        announce_drain_on(a);
    else if (a->due)
        announce_read_all(a);
    else if (!a->maintain && registrations_next(a->set) == NULL)
        finish(a);
    else if (!a->parent_seen)
        announce_ask_parent(a);
    else
        announce_write(a);
}

void announce_on_round(void *arg)
{
    struct announce *a = arg;
    a->due = true;
    if (a->step == STEP_PAUSE) {
        httpc_timer_cancel(a->httpc, &a->pause);
        a->step = STEP_IDLE;
    }
    if (a->step == STEP_IDLE)
        announce_go_on(a);
}

/* While there is work, or a failure, all is read soon anyway. */
void announce_on_pulse(void *arg)
{
    struct announce *a = arg;
    if (a->known && a->step == STEP_IDLE)
        announce_ask_parent(a);
}

void announce_on_look(void *arg)
{
    struct announce *a = arg;
    if (!registry_status(a->registry).ready || a->draining)
        return;
    if (!a->known) {
        /* After a failure it is tried again at its time, however often the table changes. */
        if (a->step == STEP_IDLE && !a->round.set)
            announce_on_round(a);
        return;
    }
    if (!announce_look_at_table(a, TURN_CHANGE))
        a->due = true; /* out of memory */
    if (a->step == STEP_IDLE && (a->due || registrations_queued(a->set) > 0))
        announce_go_on(a);
}
