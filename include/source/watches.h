/*
 * watches.h - the table of the clusters that are watched: who is found by name, who is to be read
 * again because the name is not listed any more, who ends because the config does not leave it to
 * Consul.
 *
 * A listing is one reply with the names of all services: begin, list each, end. It adds clusters and
 * takes none away; who is no longer listed is only read again (cluster_watch.h). What it finds is in
 * the merge's table when it ends, so that their clients get 503 instead of 404.
 *
 * Ownership  struct watches is embedded in its owner. The watches are its own, and in the scan, too;
 *            who takes one out frees it. Walk them from `all` by hh.next.
 * Threads    Those of watch_context.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_WATCHES_H
#define SOURCE_WATCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

struct cluster_watch;
struct scan;
struct watch_context;

struct watches {
    struct watch_context *context;
    struct scan *scan;
    struct cluster_watch *all; /* by id */
    uint64_t generation;       /* of the listing */
    size_t found;              /* new clusters in it */
    bool out_of_memory;        /* in it */
    bool unpublished;          /* a name that was found is not in the table yet */
};

/* Both are borrowed until the watches are cleared. */
void watches_init(struct watches *ws, struct watch_context *context, struct scan *scan);
/* Frees all of them. The scan is cleared before that. */
void watches_clear(struct watches *ws);

size_t watches_count(const struct watches *ws);

/* The watch of that cluster, or NULL. */
struct cluster_watch *watches_find(const struct watches *ws, const char *id);

/* A cluster that is not watched yet is from now on. NULL when out of memory. */
struct cluster_watch *watches_add(struct watches *ws, const char *id) MUST_CHECK;

/* The caller frees it. */
void watches_take_out(struct watches *ws, struct cluster_watch *w);

/* All of them are read again soon. */
void watches_check_all(struct watches *ws);

void watches_begin_listing(struct watches *ws);
/* `id` is a valid one. What the config does not leave to Consul is passed over. */
void watches_list(struct watches *ws, const char *id);
/* `first`: no listing has come to a good end so far, so who is not in it is read, too. False: out of
 * memory, and nobody counts as no longer listed. */
bool watches_end_listing(struct watches *ws, bool first) MUST_CHECK;

/* Ends the watches of clusters that are excluded or pinned now. What they claimed is granted to
 * others. */
void watches_end_lost(struct watches *ws);

#endif
