/* SPDX-License-Identifier: Apache-2.0 */
#include "announce/announce.h"

#include <stdlib.h>

#include "announce/calls.h"
#include "announce/inner.h"
#include "announce/report.h"
#include "announce/steps.h"
#include "announce/wanted.h"
#include "announce/writing.h"
#include "base/error.h"
#include "config/config.h"

/* A change of the table is looked at soon, but many changes only once. */
#define WAKE_DELAY_MS 50
#define WAKE_SPACING_MS 1000

struct announce *announce_new(const struct config *config, struct httpc *httpc,
                              struct registry *registry, struct error *reterr)
{
    struct announce *a = calloc(1, sizeof *a);
    if (a == NULL || (a->set = registrations_new()) == NULL) {
        free(a);
        error_set(reterr, "out of memory");
        return NULL;
    }
    a->who.config = config;
    a->httpc = httpc;
    a->registry = registry;
    a->round = TIMER(announce_on_round, a);
    a->look = TIMER(announce_on_look, a);
    a->pulse = TIMER(announce_on_pulse, a);
    a->pause = TIMER(announce_on_paused, a);
    a->look_ms = httpc_now(httpc) - WAKE_SPACING_MS;
    a->progress_at_ms = CLOCK_NEVER;
    pace_init(&a->pace, PACE_FULL);
    jitter_seed(&a->jitter, jitter_system_seed());
    (void)announcer_identify(&a->who, "");
    return a;
}

void announce_free(struct announce *a)
{
    if (a == NULL)
        return;
    announce_halt(a);
    registrations_free(a->set);
    free(a);
}

/* What Consul has is of another definition, or will be seen to be the same. */
static void doubt(struct registration *r, void *arg)
{
    (void)arg;
    if (r->presence == PRESENCE_SAME)
        r->presence = PRESENCE_UNSURE;
}

void announce_reload(struct announce *a, const struct config *config)
{
    if (a == NULL)
        return;
    bool alike = wanted_alike(a->who.config, config);
    a->who.config = config;
    if (a->draining)
        return;
    if (!alike) {
        registrations_each(a->set, doubt, NULL);
        a->outdated = a->step == STEP_WRITE;
        announce_report(a);
    }
    /* Else it was not yet time to read, or it is tried again at its time. */
    if (a->known)
        announce_on_round(a);
}

void announce_wake(struct announce *a)
{
    if (a == NULL || a->draining)
        return;
    /* One route for all: no change of the table concerns it. */
    if (a->known && a->who.config->reg.mode != REGISTER_PER_CLUSTER)
        return;
    int64_t soon = httpc_now(a->httpc) + WAKE_DELAY_MS;
    int64_t spaced = a->look_ms + WAKE_SPACING_MS;
    int64_t at = soon > spaced ? soon : spaced;
    if (!a->look.set || at < a->look.at_ms)
        httpc_timer_set(a->httpc, &a->look, at);
}
