/*
 * calls.h - one call of announce at a time, and what its failure means. Internal to announce.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ANNOUNCE_CALLS_H
#define ANNOUNCE_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "announce/inner.h"
#include "base/attrs.h"
#include "consul/httpc.h"

struct announce;

/* Begins `step`; `done` is to set a->call to NULL. False when out of memory. */
bool announce_call(struct announce *a, enum step step, const char *method, const char *path,
                   const char *body, httpc_done *done) MUST_CHECK;

/* One line until all is well again. */
void announce_note_failure(struct announce *a, const char *doing, const char *error);

/* All is to be read again, after a while, before anything is written. Turns are kept. */
void announce_fail(struct announce *a, const char *doing, const char *error);
void announce_fail_for(struct announce *a, const char *doing, const char *error, int64_t wait_ms);

/* A refused token may be replaced in its file by now. */
void announce_refused(struct announce *a, const struct httpc_reply *reply);

/* Ends the step under way without a result. */
void announce_halt(struct announce *a);

#endif
