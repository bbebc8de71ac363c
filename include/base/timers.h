/*
 * timers.h - many timers, one "when is the next?".
 *
 * A pairing heap whose nodes live inside their owners' structs: nothing is allocated, so setting
 * a timer cannot fail. Time is a parameter: whoever runs the heap decides what "now" is.
 *
 * Ownership  A timer belongs to its owner, who cancels it before freeing it.
 * Threads    One thread.
 * Cost       set O(1), cancel and fire O(log n) amortised.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef BASE_TIMERS_H
#define BASE_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
    int64_t at_ms;
    void (*fire)(void *arg);
    void *arg;
    bool set;
    struct timer *child;
    struct timer *next; /* sibling */
    struct timer *prev; /* left sibling, or the parent of a first child */
};

struct timers {
    struct timer *root;
};

#define TIMER(fn, argument) ((struct timer){.fire = (fn), .arg = (argument)})

/* Fires once at or after `at_ms`; setting a set timer moves it. */
void timers_set(struct timers *t, struct timer *timer, int64_t at_ms);
void timers_cancel(struct timers *t, struct timer *timer);

/* When the next one is due, or CLOCK_NEVER. */
int64_t timers_next(const struct timers *t);

/* Fires every timer due at `now_ms`, earliest first. A timer may set any timer, but one set for
 * a time that is due already fires in the same run: setting itself so would never end. */
void timers_run(struct timers *t, int64_t now_ms);

#endif
