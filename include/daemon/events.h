/*
 * events.h - what main waits for: signals, and word from the httpc thread.
 *
 * Threads  events_notify(): any. The rest: main.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef DAEMON_EVENTS_H
#define DAEMON_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"

struct daemon;
struct error;

/* Signals come here from now on. Before other threads start: they inherit that. */
bool events_open(struct daemon *d, struct error *reterr) MUST_CHECK;

/* From here on a signal ends the process at once: threads are waited for, and a disk may hang. */
void events_leave_signals(void);

/* Wakes main: the table is another one, a reload or the drain is over. `arg`: the daemon. */
void events_notify(void *arg);

/* Waits until a signal (its number), word from elsewhere (0), or the time is up (-1). Milliseconds,
 * or CLOCK_NEVER. */
int events_wait(struct daemon *d, int64_t timeout_ms);

#endif
