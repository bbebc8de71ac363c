/*
 * table.h - what every cluster's clients are told, finished and immutable.
 *
 * A table maps a cluster id to a `struct cluster`. A writer changes a copy of its own (table_copy,
 * table_set, table_remove), and publishes that through the registry; from then on it is const. A
 * copy shares all with its base but what was changed since, so that a change costs by its own size
 * and the logarithm of the number of clusters; so does dropping a table that others came of.
 *
 * Ownership  Tables and clusters are counted. A cluster found in a table is borrowed from that table;
 *            cluster_ref() keeps it beyond.
 * Threads    A const table may be read, copied and ref'd/unref'd from any thread, a table in the
 *            making belongs to one.
 * Errors     Only memory: NULL or false.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MODEL_TABLE_H
#define MODEL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "model/cluster.h"

struct table;

struct table *table_new(void) MUST_CHECK;
const struct table *table_ref(const struct table *t);
void table_unref(const struct table *t);

/* A new table like `base`, at a cost that does not depend on its size. */
struct table *table_copy(const struct table *base) MUST_CHECK;

/* Puts `c` (stolen, in any case) in, in place of any cluster of that id. False: no memory, and all
 * clusters are as before. */
bool table_set(struct table *t, const struct cluster *c) MUST_CHECK;

/* Takes `id` out; nothing, and true, if it is not there. False: no memory, and all is as before. */
bool table_remove(struct table *t, const char *id) MUST_CHECK;

/* Borrowed from `t`, or NULL. Exact match of all `len` bytes. */
const struct cluster *table_find(const struct table *t, const char *id, size_t len);

/* For who knows some steps ahead which cluster will be asked for: each step brings into the
 * processor's cache what the next one needs, while other work is done. With thousands of clusters
 * nothing of one is there. table_hash() once, then in this order; they decide nothing. */
uint64_t table_hash(const char *id, size_t len);
void table_warm_slot(const struct table *t, uint64_t hash);
void table_warm_cluster(const struct table *t, uint64_t hash);
/* Its rendering, if it may be that one and has one. */
void *table_peek_rendering(const struct table *t, uint64_t hash);

/* What clients that name no cluster are told of; "" is none, as at first. `id` is a cluster id or "". */
void table_set_default(struct table *t, const char *id);
const char *table_default(const struct table *t);

size_t table_count(const struct table *t);

/* Calls `visit` for every cluster, in no order, until it returns false. */
void table_each(const struct table *t, bool (*visit)(const struct cluster *c, void *arg),
                void *arg);

#endif
