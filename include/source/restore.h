/*
 * restore.h - from the text of a state file or journal (spool.h) into the table: all of it or
 * nothing. No I/O.
 *
 * Threads  Those of the merge.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_RESTORE_H
#define SOURCE_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"

struct buf;
struct merge;

#define STATE_HEADER "nsaddrd-state 2\n"

/* A state file of `source` (its second line). NULL, and *sequence is that of its last change; else
 * what is wrong with it. `text` is taken apart. */
const char *restore_state(struct buf *text, const struct buf *source, struct merge *merge,
                          uint64_t *sequence) MUST_CHECK;

/* The records of a journal that are behind *sequence, which becomes that of the last. False when
 * they do not continue it or are none of ours. *older: they end before it, so that no further one
 * may follow them. `records` is taken apart. */
bool restore_journal(struct buf *records, struct merge *merge, uint64_t *sequence,
                     bool *older) MUST_CHECK;

#endif
