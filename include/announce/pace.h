/*
 * pace.h - how fast our registrations are written. Pure; internal to announce.
 *
 * PACE_FULL writes per second and a burst of PACE_BURST at most. When Consul says that it is too
 * much (429, 503) the rate is halved and writing rests for a while, longer each time in a row; each
 * success makes the rate grow by one per second again: 5 s from the slowest to the full rate.
 *
 * Units  Milliseconds of clock_mono_ms(); the caller passes "now".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ANNOUNCE_PACE_H
#define ANNOUNCE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define PACE_FULL 100
#define PACE_BURST 10
/* While stopping: time is short, and each write takes load away. */
#define PACE_STOPPING 200

struct pace {
    int64_t full; /* writes per second */
    int64_t rate;
    int64_t rests_until_ms;
    struct bucket bucket;
    struct backoff rest;
};

void pace_init(struct pace *p, int64_t full);

/* How long to wait before the next write, which counts from now on. */
int64_t pace_take(struct pace *p, int64_t now_ms);

void pace_succeeded(struct pace *p);
/* Returns for how long there is to be no write. */
int64_t pace_refused(struct pace *p, struct jitter *j, int64_t now_ms);

/* Does this status say "not so fast"? */
bool pace_is_refusal(long status);

#endif
