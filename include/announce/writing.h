/*
 * writing.h - registering and deregistering, one at a time. Internal to announce.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ANNOUNCE_WRITING_H
#define ANNOUNCE_WRITING_H

struct announce;

/* One write, when it is time for it. */
void announce_write(struct announce *a);

/* The pause before it is over. */
void announce_on_paused(void *arg);

#endif
