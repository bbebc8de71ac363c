/*
 * progress.h - when to say how far a long piece of work is. Pure.
 *
 * Work of PROGRESS_LONG pieces or more gets a line every PROGRESS_EVERY_MS at most, and only when it
 * went on. It may grow meanwhile. Its begin and its end are for others to tell.
 *
 * Units  Milliseconds of a monotonic clock; the caller passes "now".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_PROGRESS_H
#define SOURCE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_LONG 100
#define PROGRESS_EVERY_MS 5000

/* Starts zeroed. */
struct progress {
    unsigned most;   /* that was left since the work began; 0: there is none */
    unsigned told;   /* that was left at the last line, or more since */
    int64_t next_ms; /* no line before */
};

/* So much is left. True when that is to be told now. */
bool progress_note(struct progress *p, unsigned left, int64_t now_ms);

#endif
