/*
 * journal.h - what changed since the state file was last written as a whole: on disk before it is
 * served, so that a kill -9 takes nothing back.
 *
 * One text file in state.dir, there only while it is needed:
 *
 *   nsaddrd-journal 2 <synced, 16 hex digits> <FNV-1a of the source line and this one so far>
 *   <records>
 *   sum <FNV-1a of the source line and all that stands between the first line and this one>
 *   <records>
 *   sum ...
 *
 * It only grows. What is appended together counts once its sum is there, so what a kill leaves of
 * an append that was not finished does not count. Bytes that were not synced may be lost by a power
 * failure, in any order: what counts ends before the first sum that is wrong.
 *
 * A sync that has ended is noted in the first line: that many bytes behind it are durable. If less
 * than that is right, the file was damaged, and is refused as a whole. The first line is all that is
 * ever written over. It is shorter than a sector, of which a disk writes all or nothing, and one
 * that is older only says less.
 *
 * Journals of version 1 are read, and replaced:
 *
 *   nsaddrd-journal 1 <length of the records> <FNV-1a of source line and records> <FNV-1a so far>
 *   <records>
 *
 * Ownership  struct journal is embedded; journal_close() ends it. `dir` is borrowed.
 * Threads    One at a time, but for journal_sync(): any, while the journal is appended to.
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
    int fd;          /* -1: there is none to append to */
    uint64_t len;    /* behind the first line */
    uint64_t sum;    /* of that */
    bool is_named;   /* its name is durable */
};

/* What is to be synced: the journal as it was when this was made. */
struct journal_sync {
    const char *dir;
    uint64_t origin;
    int fd;
    uint64_t len;
    bool is_named;
};

void journal_init(struct journal *j, const char *dir, uint64_t origin);

/* Reads what an earlier run left. NULL when all is well (also when there is none: then `records`
 * stays empty), else why it is refused. *lost: so many bytes at its end did not count. */
const char *journal_read(struct journal *j, struct buf *records, size_t *lost) MUST_CHECK;

/* Appending goes on behind what was read. False: it is of version 1, holds nothing or cannot be
 * written to; the next append makes a new one, which has to begin with the same records. */
bool journal_continue(struct journal *j) MUST_CHECK;

/* A journal that was refused is kept as nsaddrd.journal.damaged. */
void journal_keep_aside(const struct journal *j);

/* All of it counts afterwards, or nothing. */
bool journal_append(struct journal *j, const char *records, size_t len,
                    struct error *reterr) MUST_CHECK;

/* A new journal of these records alone. False: the old one stays, and is as good. */
bool journal_replace(struct journal *j, const char *records, size_t len) MUST_CHECK;

/* What journal_sync() is to work on. The journal is not replaced, removed or closed meanwhile. */
struct journal_sync journal_begin_sync(const struct journal *j);

/* Returns when what was in the journal then is durable. Appending may go on meanwhile. */
bool journal_sync(const struct journal_sync *sync, struct error *reterr) MUST_CHECK;

/* It has ended well. */
void journal_end_sync(struct journal *j);

/* The state file has it all. */
void journal_remove(struct journal *j);

/* The file stays. */
void journal_close(struct journal *j);

#endif
