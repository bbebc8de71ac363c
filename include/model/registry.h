/*
 * registry.h - the one table that is being served right now.
 *
 * A table is finished before it gets here and never changes afterwards. Sources publish, HTTP
 * threads acquire; neither side knows the other.
 *
 * Ownership  publish steals the caller's reference. acquire returns a new one: pair it with
 *            table_unref(). A held table outlives any later publish.
 * Threads    new, free: main thread, while no other runs. publish: one caller at a time (the
 *            sources' thread). The rest: any thread. Under the registry's own lock: a pointer
 *            swap and a count. No allocation, no free, no log.
 * Errors     Only registry_new() can fail (memory).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MODEL_REGISTRY_H
#define MODEL_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"

struct error;
struct registry;
struct table;

struct registry_status {
    bool complete; /* every source was read once: an id that is not in the table is unknown */
    bool failed;   /* a source could not be read at its first try */
    bool ready;    /* there is something to send clients here for */
    bool draining; /* stopping: answer, but be found no more */
};

/* Starts with an empty table, neither complete nor ready. */
struct registry *registry_new(struct error *reterr) MUST_CHECK;

/* Drops its own reference; tables still held by readers live on. NULL is allowed. */
void registry_free(struct registry *r);

/* Serve `table` (stolen) from now on. */
void registry_publish(struct registry *r, const struct table *table);

/* None of them ever goes back. */
void registry_set_complete(struct registry *r);
void registry_set_failed(struct registry *r);
void registry_set_ready(struct registry *r);
void registry_set_draining(struct registry *r);

/* The current table (new reference, never NULL) and, unless NULL, the status that goes with it. */
const struct table *registry_acquire(struct registry *r, struct registry_status *status) MUST_CHECK;

struct registry_status registry_status(struct registry *r);

/* What a thread that reads all the time has of it: as long as nothing changes, one look at a counter
 * shows that it is current. It keeps its table alive, so look now and then. Starts zeroed. */
struct registry_view {
    const struct table *table;
    struct registry_status status;
    uint64_t version;
};

void registry_view_update(struct registry *r, struct registry_view *view);
void registry_view_clear(struct registry_view *view);

#endif
