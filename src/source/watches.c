/* SPDX-License-Identifier: Apache-2.0 */
#include "source/watches.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "config/config.h"
#include "source/cluster_watch.h"
#include "source/merge.h"
#include "source/scan.h"

void watches_init(struct watches *ws, struct watch_context *context, struct scan *scan)
{
    *ws = (struct watches){.context = context, .scan = scan};
}

void watches_clear(struct watches *ws)
{
    struct cluster_watch *w, *next;
    HASH_ITER(hh, ws->all, w, next)
    {
        HASH_DEL(ws->all, w);
        cluster_watch_free(w);
    }
}

size_t watches_count(const struct watches *ws)
{
    return HASH_COUNT(ws->all);
}

struct cluster_watch *watches_find(const struct watches *ws, const char *id)
{
    struct cluster_watch *w;
    HASH_FIND_STR(ws->all, id, w);
    return w;
}

struct cluster_watch *watches_add(struct watches *ws, const char *id)
{
    struct cluster_watch *w = cluster_watch_new(ws->context, id);
    if (w == NULL)
        return NULL;
    if (!scan_add(ws->scan, w)) {
        cluster_watch_free(w);
        return NULL;
    }
    HASH_ADD_STR(ws->all, id, w);
    if (w->hh.tbl == NULL) { /* out of memory: it was not added */
        scan_drop(ws->scan, w);
        cluster_watch_free(w);
        return NULL;
    }
    return w;
}

void watches_take_out(struct watches *ws, struct cluster_watch *w)
{
    HASH_DEL(ws->all, w);
    scan_drop(ws->scan, w);
}

void watches_check_all(struct watches *ws)
{
    for (struct cluster_watch *w = ws->all; w != NULL; w = w->hh.next)
        cluster_watch_check(w);
}

static bool excluded(const struct config *c, const char *id)
{
    for (size_t i = 0; i < c->consul.exclude.count; i++)
        if (strcmp(c->consul.exclude.items[i], id) == 0)
            return true;
    return false;
}

/* Looked up where it is quick: both may be thousands. */
static bool pinned(const struct watches *ws, const char *id)
{
    const struct table *t = merge_table(ws->context->merge);
    const struct cluster *c = table_find(t, id, strlen(id));
    bool is_pinned = c != NULL && c->pinned;
    table_unref(t);
    return is_pinned;
}

static bool is_left_to_consul(const struct watches *ws, const char *id)
{
    return !excluded(ws->context->config, id) && !pinned(ws, id);
}

/* -- a listing ------------------------------------------------------------------------------- */

void watches_begin_listing(struct watches *ws)
{
    ws->generation++;
    ws->out_of_memory = false;
    ws->found = 0;
}

void watches_list(struct watches *ws, const char *id)
{
    if (!is_left_to_consul(ws, id))
        return;
    struct cluster_watch *w = watches_find(ws, id);
    if (w == NULL) {
        w = watches_add(ws, id);
        if (w == NULL) {
            ws->out_of_memory = true;
            return;
        }
        ws->found++;
    }
    /* Back, and perhaps as another one. */
    if (!w->listed && w->was_read)
        cluster_watch_check(w);
    w->generation = ws->generation;
    w->listed = true;
}

/* Known by name: until they are read their clients get 503 instead of 404. */
static bool publish_found(struct watches *ws)
{
    struct merge *m = ws->context->merge;
    if (ws->found == 0 && !ws->unpublished)
        return true;
    ws->unpublished = !merge_begin(m);
    if (ws->unpublished)
        return false;
    struct cluster_watch *w, *next;
    HASH_ITER(hh, ws->all, w, next)
    {
        w->published = w->published || w->admission.state != CLUSTER_UNREAD ||
                       merge_set(m, w->id, CLUSTER_UNREAD, false, NULL, 0, "found");
        ws->unpublished |= !w->published;
    }
    merge_commit(m);
    return !ws->unpublished;
}

static int compare_folded(const void *a, const void *b)
{
    const struct cluster_watch *const *x = a, *const *y = b;
    return strcasecmp((*x)->id, (*y)->id);
}

/* Consul finds services without regard to case, so such a pair shares its reads; each keeps to the
 * rows of its own spelling, but it is hardly meant. Said when one of them is new. */
static void note_twins(const struct watches *ws)
{
    size_t count = 0;
    struct cluster_watch **all = calloc(HASH_COUNT(ws->all) + 1, sizeof *all);
    if (all == NULL)
        return;
    for (struct cluster_watch *w = ws->all; w != NULL; w = w->hh.next)
        all[count++] = w;
    qsort(all, count, sizeof *all, compare_folded);
    for (size_t i = 1; i < count; i++) {
        bool twins = compare_folded(&all[i - 1], &all[i]) == 0;
        if (twins && !(all[i - 1]->twin_told && all[i]->twin_told))
            LOG_WARN("two clusters differ only in case", F_STR("cluster", all[i - 1]->id),
                     F_STR("other", all[i]->id));
        all[i - 1]->twin_told |= twins;
        all[i]->twin_told |= twins;
    }
    free(all);
}

bool watches_end_listing(struct watches *ws, bool first)
{
    if (!publish_found(ws) || ws->out_of_memory)
        return false;
    if (ws->found > 0)
        note_twins(ws);
    for (struct cluster_watch *w = ws->all; w != NULL; w = w->hh.next) {
        if (w->generation == ws->generation || (!w->listed && !first))
            continue;
        w->listed = false;
        cluster_watch_check(w);
    }
    return true;
}

/* -- a reload -------------------------------------------------------------------------------- */

/* All of them are out of the table before the first claim of one is given up: what comes of that is
 * published for others, never for them. */
void watches_end_lost(struct watches *ws)
{
    struct cluster_watch *w, *next, *lost = NULL;
    HASH_ITER(hh, ws->all, w, next)
    {
        if (is_left_to_consul(ws, w->id))
            continue;
        watches_take_out(ws, w);
        w->next_reclaimed = lost;
        lost = w;
    }
    for (w = lost; w != NULL; w = next) {
        next = w->next_reclaimed;
        cluster_watch_give_up(w);
        cluster_watch_free(w);
    }
}
