/*
 * state_read.h - what an earlier run left in state.dir, into the table. The files: spool.h.
 *
 * Threads  Those of the merge.
 * Errors   A file that is refused is logged, once, and kept aside.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_STATE_READ_H
#define SOURCE_STATE_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"

struct error;
struct journal;
struct merge;

#define STATE_FILE_NAME "nsaddrd.state"
/* 100,000 clusters of 20 addresses fit four times. */
#define STATE_FILE_MAX (256 * 1024 * 1024)

struct state_read {
    uint64_t sequence;  /* of the last change that was read */
    size_t state_len;   /* of the state file; 0: there is none of use */
    bool has_journal;   /* one was read: the whole is to be written */
    struct buf records; /* what the next journal has to begin with. To be cleared. */
};

/* Reads both files of `dir`; `source` is the second line of the first. False when memory or
 * descriptors were lacking: then nothing was set aside, and a later try may find all of it. */
bool state_read(const char *dir, const struct buf *source, struct journal *journal,
                struct merge *merge, struct state_read *out, struct error *reterr) MUST_CHECK;

#endif
