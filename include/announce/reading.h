/*
 * reading.h - what the agent has of ours. Internal to announce.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ANNOUNCE_READING_H
#define ANNOUNCE_READING_H

#include <stdbool.h>

#include "announce/registrations.h"
#include "base/attrs.h"

struct announce;

/* Reads what the agent has of ours, and gives turns to all that differs. */
void announce_read_all(struct announce *a);

/* No child is written to an agent that has lost its parent: then all is read. */
void announce_ask_parent(struct announce *a);

/* Now and then, and after registering: does the catalog list us? False if that was not asked. */
bool announce_verify(struct announce *a);

/* Gives `turn` to those whose cluster came or went. */
bool announce_look_at_table(struct announce *a, enum turn turn) MUST_CHECK;

#endif
