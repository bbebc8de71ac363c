/*
 * journal.h - what changed since the state file was last written as a whole: on disk before it is
 * served, so that a kill -9 takes nothing back.
 *
 * One text file in state.dir, there only while it is needed:
 *
 *   nsaddrd-journal 1 <length of the records> <FNV-1a of them> <FNV-1a of this line so far>
 *   <records>
 *
 * The first line has a fixed length and is written after the records it speaks of: bytes behind
 * that length are of an append that was not finished. It is shorter than a page, and a kill ends no
 * write within a page. Nothing is synced: a kill leaves what was written, and what a power failure
 * may take is what the state file, synced within a second, does not hold yet. Then the journal is
 * seen to be damaged.
 *
 * Ownership  struct journal is embedded; journal_close() ends it. `dir` is borrowed.
 * Threads    One at a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_JOURNAL_H
#define SOURCE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

struct buf;
struct error;

struct journal {
    const char *dir;
    uint64_t origin; /* hash of what the records belong to; others' are refused */
    int fd;          /* -1: there is none */
    uint64_t len;
    uint64_t sum;
};

void journal_init(struct journal *j, const char *dir, uint64_t origin);

/* Reads what an earlier run left; appending goes on behind it. NULL when all is well (also when
 * there is none: then `records` stays empty), else why it is refused. */
const char *journal_read(struct journal *j, struct buf *records) MUST_CHECK;

/* A journal that was refused is kept as nsaddrd.journal.damaged. */
void journal_keep_aside(const struct journal *j);

/* All of it is in the file afterwards, or nothing. */
bool journal_append(struct journal *j, const char *records, size_t len,
                    struct error *reterr) MUST_CHECK;

/* A new journal of these records alone. False: the old one stays, and is as good. */
bool journal_replace(struct journal *j, const char *records, size_t len) MUST_CHECK;

/* The state file has it all. */
void journal_remove(struct journal *j);

/* The file stays. */
void journal_close(struct journal *j);

#endif
