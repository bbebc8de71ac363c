/*
 * merge.h - where the sources' results become the one table that is served.
 *
 * Each change is logged once, when it is served, with what it was and what it is. A pinned cluster (from the
 * config) is not changed by other sources: only what is pinned takes its place.
 *
 * Calling sequence  merge_begin, any number of merge_set / merge_remove, merge_commit: readers see
 *                   all of it or nothing. Each source says merge_first_read() when it has
 *                   read (or failed to read) everything for the first time.
 * Threads           One at a time: the main thread before httpc starts, then the httpc thread.
 * Errors            Out of memory: the change is dropped, logged, and the old table stays. The
 *                   call says so, so that the source can try again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_MERGE_H
#define SOURCE_MERGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "model/endpoint.h"
#include "model/table.h"

struct consul_metrics;
struct error;
struct merge;
struct registry;
struct spool;

/* `changed` is called after every commit that changed something. */
struct merge *merge_new(struct registry *registry, void (*changed)(void *arg), void *arg,
                        struct error *reterr) MUST_CHECK;
void merge_free(struct merge *m);

/* How long it takes until what a reply said is served is counted there (borrowed). */
void merge_count_in(struct merge *m, struct consul_metrics *metrics);

/* From now on changes are on disk before they are served. Borrowed; NULL: no longer. */
void merge_save_to(struct merge *m, struct spool *spool);

/* The table as it stands (new reference). */
const struct table *merge_table(struct merge *m) MUST_CHECK;

/* One more source will report its first read. */
void merge_expect(struct merge *m);

enum first_read {
    FIRST_READ_UNREACHABLE, /* the source itself cannot be reached */
    FIRST_READ_PARTLY,      /* all was tried, some could not be read */
    FIRST_READ_COMPLETE,    /* everything the source knows of was read */
};

/* How far a source is; each of them at most once, in rising order. Complete makes ready. Unreachable
 * makes ready if there is a list already (static, restored); partly, as soon as there is one. */
void merge_first_read(struct merge *m, enum first_read how);

bool merge_begin(struct merge *m) MUST_CHECK;
bool merge_set(struct merge *m, const char *id, enum cluster_state state, bool pinned,
               const struct endpoint *list, size_t count, const char *why) MUST_CHECK;
/* The same with all that a cluster is made from, but for `since_wall_ms` and `change`: those are noted
 * here. Where only the reports differ, readers get them without any word of a change. */
bool merge_put(struct merge *m, const struct cluster_parts *parts, const char *why) MUST_CHECK;
bool merge_remove(struct merge *m, const char *id, const char *why) MUST_CHECK;
/* What was restored had ended later in that run: no change of this one. */
bool merge_remove_restored(struct merge *m, const char *id) MUST_CHECK;

/* Why a list, or what is withheld of it, changes although its instances do not. */
#define MERGE_CLAIMS_CHANGED "another cluster claims an address, or does no longer"

/* A pinned cluster is one no longer: it is known by what it had (`list`), restored, until another
 * source says what it is... */
bool merge_unpin(struct merge *m, const char *id, const struct endpoint *list, size_t count,
                 const char *why) MUST_CHECK;
/* ... or it is gone. */
bool merge_remove_pinned(struct merge *m, const char *id, const char *why) MUST_CHECK;

/* See table_set_default(). */
void merge_set_default(struct merge *m, const char *id);

void merge_commit(struct merge *m);
/* Instead of commit: nothing of it is served. */
void merge_abandon(struct merge *m);

/* `id` cannot be read, and why; "": it can. Readers get it without any word of a change, and it stays
 * until the next call. Nothing if it is noted already. Without memory it is left out, so say it each
 * time. Not between begin and commit. */
void merge_note_failure(struct merge *m, const char *id, const char *text);

/* The cluster as it will be or is served, or NULL; borrowed until the next begin. */
const struct cluster *merge_find(struct merge *m, const char *id);

/* Consul's servers have just said again that the list of `id` is right. Not between begin and
 * commit. */
void merge_confirm(struct merge *m, const char *id);

#endif
