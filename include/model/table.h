/*
 * table.h - what every cluster's clients are told, finished and immutable.
 *
 * A table maps a cluster id to a `struct cluster`: its list, ready as response body. A writer
 * changes a copy of its own (table_copy, table_set, table_remove), and publishes that through the
 * registry; from then on it is const. Clusters are shared between the copies.
 *
 * Ownership  Tables and clusters are counted. A cluster found in a table is borrowed from that table;
 *            cluster_ref() keeps it beyond.
 * Threads    A const table may be read and ref'd/unref'd from any thread, a table in the making
 *            belongs to one.
 * Errors     Only memory: NULL.
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

/* A new table like `base`, with room for `more` further clusters. */
struct table *table_copy(const struct table *base, size_t more) MUST_CHECK;

/* Puts `c` (stolen) in, in place of any cluster of that id. Needs the room of table_copy(). */
void table_set(struct table *t, const struct cluster *c);

/* Takes `id` out; nothing if it is not there. */
void table_remove(struct table *t, const char *id);

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

size_t table_count(const struct table *t);

/* Calls `visit` for every cluster, in no order, until it returns false. */
void table_each(const struct table *t, bool (*visit)(const struct cluster *c, void *arg),
                void *arg);

#endif
