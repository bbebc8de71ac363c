/*
 * table.h - what every cluster's clients are told, finished and immutable.
 *
 * A table maps a cluster id to a `struct cluster`: its list, ready as response body. A writer
 * changes a copy of its own (table_copy, table_set, table_remove), and publishes that through the
 * registry; from then on it is const. Clusters are shared between the copies.
 *
 * Ownership  Both structs are counted. A cluster found in a table is borrowed from that table;
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
#include "model/endpoint.h"

enum cluster_state {
    CLUSTER_UNREAD,   /* known by name only: not answered for yet */
    CLUSTER_EMPTY,    /* read, but it never had an address that may be served */
    CLUSTER_LIVE,     /* as Consul (or the config) says now */
    CLUSTER_HELD,     /* last good list, kept against what Consul says now */
    CLUSTER_RESTORED, /* last good list of an earlier run, not confirmed yet */
    CLUSTER_GONE,     /* ended; never in a table */
};

/* "unread", "live", ...: header, log and state file use these words. */
const char *cluster_state_name(enum cluster_state state);

#define ETAG_SIZE sizeof "\"0123456789abcdef\""

struct cluster {
    enum cluster_state state;
    int64_t since_wall_ms; /* in this state since */
    bool pinned;           /* from the config: no other source may change it */
    const char *id;        /* NUL-terminated */
    const char *body;      /* "a:p;b:p", NUL-terminated; "" only when UNREAD or EMPTY */
    size_t body_len;
    size_t count;         /* addresses in the body */
    const char *withheld; /* such as the body: further ones, which another cluster claims, too */
    char etag[ETAG_SIZE]; /* quoted; of the body alone, so equal on every replica */
};

/* `list` must be sorted and free of duplicates (endpoint_sort); it is copied. New. */
struct cluster *cluster_new(const char *id, enum cluster_state state, int64_t since_wall_ms,
                            const struct endpoint *list, size_t count) MUST_CHECK;
/* And with addresses that are withheld; sorted and copied, too. */
struct cluster *cluster_new_withholding(const char *id, enum cluster_state state,
                                        int64_t since_wall_ms, const struct endpoint *list,
                                        size_t count, const struct endpoint *withheld,
                                        size_t withheld_count) MUST_CHECK;
const struct cluster *cluster_ref(const struct cluster *c);
void cluster_unref(const struct cluster *c);

/* What a reader made of a cluster, to be made only once: kept with it and dropped with it. NULL
 * until somebody kept one. */
void *cluster_rendering(const struct cluster *c);

/* Keeps it, unless another thread was faster: then `rendering` is dropped. Returns the one that is
 * kept. All use the same `drop`. */
void *cluster_keep_rendering(const struct cluster *c, void *rendering, void (*drop)(void *));

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
