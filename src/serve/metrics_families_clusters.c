/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
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
    uint64_t contested;
    uint64_t unregistered;
};

static bool collect(const struct cluster *c, void *arg)
{
    struct collected *all = arg;
    all->clusters[all->count++] = c;
    all->in_state[c->state]++;
    all->contested += c->notes->contested;
    all->unregistered += c->notes->unregistered;
    return true;
}

static int compare_ids(const void *a, const void *b)
{
    const struct cluster *const *x = a;
    const struct cluster *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

static void write_changes(const struct metrics_writer *w, const struct cluster *const *clusters,
                          size_t count)
{
    static const char name[] = "nsaddrd_cluster_changes_total";
    metrics_family(w, name, "counter", "Changes of the list of the cluster, or of its state.");
    for (size_t i = 0; i < count; i++)
        metrics_number(w, name, (struct metrics_label[]){{"cluster", clusters[i]->id}}, 1,
                       clusters[i]->notes->change.count);
}

/* Of those that were: who is not there was never confirmed, as a static one. */
static void write_confirmed(const struct metrics_writer *w, const struct cluster *const *clusters,
                            size_t count)
{
    static const char name[] = "nsaddrd_cluster_last_confirmed_timestamp_seconds";
    char text[48];
    metrics_family(w, name, "gauge",
                   "When a read from the servers confirmed the list last, in seconds since 1970.");
    for (size_t i = 0; i < count; i++) {
        int64_t ms = cluster_confirmed_ms(clusters[i]);
        (void)snprintf(text, sizeof text, "%" PRId64 ".%03" PRId64, ms / 1000, ms % 1000);
        if (ms != 0)
            metrics_sample(w, name, (struct metrics_label[]){{"cluster", clusters[i]->id}}, 1,
                           text);
    }
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
    write_changes(w, all->clusters, shown);
    write_confirmed(w, all->clusters, shown);
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
    metrics_single_number(w, "nsaddrd_clusters_unregistered", "gauge",
                          "Held clusters with nothing registered: they end after "
                          "admission.gone_delay.",
                          all.unregistered);
    metrics_single_number(w, "nsaddrd_conflicts", "gauge",
                          "Addresses of a cluster that another cluster claims, too.",
                          all.contested);
    write_each_cluster(w, &all);
    free(all.clusters);
    return true;
}
