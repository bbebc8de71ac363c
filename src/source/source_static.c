/*
 * source_static.c - clusters written down in the config. They change when it is read again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/config.h"
#include "source/merge.h"
#include "source/source.h"

#define WHY "static_clusters"

struct source {
    struct merge *merge;
    const struct config *config;
};

static bool is_enabled(const struct config *config)
{
    (void)config;
    return true;
}

static bool set_all(struct merge *merge, const struct config *config)
{
    const struct static_clusters *all = &config->static_clusters;
    bool ok = true;
    for (size_t i = 0; ok && i < all->count; i++)
        ok = merge_set(merge, all->items[i].id, CLUSTER_LIVE, true, all->items[i].list,
                       all->items[i].count, WHY);
    merge_set_default(merge, config->default_cluster);
    return ok;
}

static struct source *start(const struct config *config, struct httpc *httpc, struct merge *merge,
                            struct error *reterr)
{
    (void)httpc;
    struct source *s = calloc(1, sizeof *s);
    if (s == NULL || !merge_begin(merge)) {
        error_set(reterr, "out of memory");
        free(s);
        return NULL;
    }
    *s = (struct source){.merge = merge, .config = config};
    bool ok = set_all(merge, config);
    merge_commit(merge);
    if (!ok) {
        error_set(reterr, "out of memory");
        free(s);
        return NULL;
    }
    merge_first_read(merge, FIRST_READ_COMPLETE);
    return s;
}

static int compare_ids(const void *a, const void *b)
{
    const struct static_cluster *const *x = a, *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

/* Consul may have the cluster, too: what was served is served until that is known. */
static bool drop(struct source *s, const struct static_cluster *c)
{
    if (s->config->consul.enabled)
        return merge_unpin(s->merge, c->id, c->list, c->count, WHY " no more");
    return merge_remove_pinned(s->merge, c->id, WHY " no more");
}

static bool prepare_reload(struct source *s, const struct config *config)
{
    const struct static_clusters *old = &s->config->static_clusters;
    const struct static_clusters *new = &config->static_clusters;
    const struct static_cluster **sorted = calloc(new->count + 1, sizeof *sorted);
    bool ok = sorted != NULL;
    for (size_t i = 0; ok && i < new->count; i++)
        sorted[i] = &new->items[i];
    if (ok)
        qsort(sorted, new->count, sizeof *sorted, compare_ids);
    for (size_t i = 0; ok && i < old->count; i++) {
        const struct static_cluster *c = &old->items[i];
        ok = bsearch(&c, sorted, new->count, sizeof *sorted, compare_ids) != NULL || drop(s, c);
    }
    free(sorted);
    return ok && set_all(s->merge, config);
}

static void reload(struct source *s, const struct config *config)
{
    s->config = config;
}

static void stop(struct source *s)
{
    free(s);
}

const struct source_kind source_static = {.enabled = is_enabled,
                                          .start = start,
                                          .prepare_reload = prepare_reload,
                                          .reload = reload,
                                          .stop = stop};
