/*
 * steps.h - what comes next: read, write, or wait. Internal to announce.
 *
 * Each step is a call, or a pause before a write; its end leads to announce_go_on(). So there is
 * never more than one call at a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ANNOUNCE_STEPS_H
#define ANNOUNCE_STEPS_H

struct announce;

/* What comes next, when no step is under way. */
void announce_go_on(struct announce *a);

/* The timers: it is time to read all, to ask for the parent, to look at the table. */
void announce_on_round(void *arg);
void announce_on_pulse(void *arg);
void announce_on_look(void *arg);

#endif
