/*
 * drain.h - the steps of stopping. Internal to announce; announce.h begins it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ANNOUNCE_DRAIN_H
#define ANNOUNCE_DRAIN_H

/* All of it. */
#define DRAIN_TOTAL_MS 10000

struct announce;

/* The next one. */
void announce_drain_on(struct announce *a);

void announce_end_drain(struct announce *a);

#endif
