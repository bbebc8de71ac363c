/*
 * wakes.h - how soon the next blocking query follows one that was answered.
 *
 * A wake-up that brings news is followed at once, unless there is no end of it (a Consul that says
 * something else each time); those that bring none (index bumps, chatty checks, Consul issues 1244,
 * 3890) are held to a lower rate.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_WAKES_H
#define SOURCE_WAKES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct wakes {
    struct bucket idle;
    struct bucket news;
};

void wakes_init(struct wakes *w);

/* How long to wait with the next one. */
int64_t wakes_wait_ms(struct wakes *w, bool news, int64_t now_ms);

#endif
