/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "model/table.h"
#include "serve/metrics_families.h"
#include "serve/metrics_lines.h"

static const enum cluster_state states[] = {
    CLUSTER_UNREAD, CLUSTER_EMPTY, CLUSTER_LIVE, CLUSTER_HELD, CLUSTER_RESTORED,
};

#define STATES (sizeof states / sizeof *states)

struct collected {
    const struct cluster **clusters;
    size_t count;
    uint64_t in_state[CLUSTER_GONE + 1];
};

static bool collect(const struct cluster *c, void *arg)
{
    struct collected *all = arg;
    all->clusters[all->count++] = c;
    all->in_state[c->state]++;
    return true;
}

static int compare_ids(const void *a, const void *b)
{
    const struct cluster *const *x = a;
    const struct cluster *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

/* The same clusters in the same order at every scrape, whatever the table's. */
static void write_each_cluster(const struct metrics_writer *w, const struct collected *all)
{
    static const char addresses[] = "nsaddrd_cluster_addresses";
    static const char state[] = "nsaddrd_cluster_state";
    size_t shown = all->count < METRICS_CLUSTERS_MAX ? all->count : METRICS_CLUSTERS_MAX;
    qsort(all->clusters, all->count, sizeof *all->clusters, compare_ids);
    metrics_family(w, addresses, "gauge", "Addresses in the list of the cluster.");
    for (size_t i = 0; i < shown; i++) {
        const struct cluster *c = all->clusters[i];
        metrics_number(w, addresses, (struct metrics_label[]){{"cluster", c->id}}, 1, c->count);
    }
    metrics_family(w, state, "gauge",
                   "1 for the state that the list of the cluster is in, 0 for others.");
    for (size_t i = 0; i < shown; i++) {
        const struct cluster *c = all->clusters[i];
        for (size_t s = 0; s < STATES; s++)
            metrics_number(w, state,
                           (struct metrics_label[]){{"cluster", c->id},
                                                    {"state", cluster_state_name(states[s])}},
                           2, c->state == states[s]);
    }
    metrics_single_number(
        w, "nsaddrd_clusters_dropped", "gauge",
        "Known clusters that have no metrics of their own, as there are too many.",
        all->count - shown);
}

bool metrics_write_clusters(const struct metrics_writer *w, const struct table *table)
{
    static const char name[] = "nsaddrd_clusters";
    struct collected all = {.clusters = calloc(table_count(table) + 1, sizeof *all.clusters)};
    if (all.clusters == NULL)
        return false;
    table_each(table, collect, &all);
    metrics_family(w, name, "gauge", "Known clusters, by the state of their list.");
    for (size_t s = 0; s < STATES; s++)
        metrics_number(w, name, (struct metrics_label[]){{"state", cluster_state_name(states[s])}},
                       1, all.in_state[states[s]]);
    write_each_cluster(w, &all);
    free(all.clusters);
    return true;
}
