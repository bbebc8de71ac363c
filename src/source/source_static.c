/*
 * source_static.c - clusters written down in the config. They never change by themselves.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "base/error.h"
#include "config/config.h"
#include "source/merge.h"
#include "source/source.h"

struct source {
    char unused; /* nothing to keep: the merge has the clusters */
};

static bool is_enabled(const struct config *config)
{
    (void)config;
    return true;
}

static struct source *start(const struct config *config, struct httpc *httpc, struct merge *merge,
                            struct error *reterr)
{
    (void)httpc;
    const struct static_clusters *all = &config->static_clusters;
    struct source *s = calloc(1, sizeof *s);
    if (s == NULL || !merge_begin(merge)) {
        error_set(reterr, "out of memory");
        free(s);
        return NULL;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < all->count; i++)
        ok = merge_set(merge, all->items[i].id, CLUSTER_LIVE, true, all->items[i].list,
                       all->items[i].count, "static_clusters");
    merge_commit(merge);
    if (!ok) {
        error_set(reterr, "out of memory");
        free(s);
        return NULL;
    }
    merge_first_read(merge, FIRST_READ_COMPLETE);
    return s;
}

static void stop(struct source *s)
{
    free(s);
}

const struct source_kind source_static = {.enabled = is_enabled, .start = start, .stop = stop};
