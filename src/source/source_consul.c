/*
 * source_consul.c - every service nameServer<cluster-id> in Consul is a cluster.
 *
 * One names watch (names_watch.h) finds clusters; each then has a cluster_watch of its own. A name
 * that leaves the list only makes its cluster be read again: a cluster ends by what its own reads
 * say, never by the names list, which ACLs or a reset agent may cut.
 *
 * How changes of them are noticed is chosen in watch_planner.h, which reads are made when is decided
 * in cluster_watch_schedule.c; the first complete read is when the names are known and each named
 * cluster was read (or failed) once. Here is what holds these together: start, reload, stop, and what
 * the clusters tell.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "consul/httpc.h"
#include "source/cluster_read.h"
#include "source/cluster_watch.h"
#include "source/merge.h"
#include "source/names_watch.h"
#include "source/scan.h"
#include "source/source.h"
#include "source/watch_planner.h"
#include "source/watches.h"

/* Lists of an earlier run for which there was no memory are tried again after this. */
#define BEGIN_RETRY_MS 500

struct source {
    struct watch_context context;
    struct scan scan;
    struct watches watches;
    struct watch_planner planner;
    struct names_watch names;
    struct timer timer; /* of begin */
    bool begun;         /* what there was of an earlier run is watched */
    bool out_of_memory; /* while that was begun */
    bool complete;
    bool told_partly; /* the merge knows */
    struct log_limit memory_limit;
};

/* -- what is told ---------------------------------------------------------------------------- */

/* Ready needs one answer for every cluster; complete, that every one was really read. */
static void check_complete(struct source *s)
{
    if (s->complete || !s->names.known || s->context.unanswered > 0)
        return;
    s->complete = s->context.unread == 0;
    if (s->complete) {
        LOG_INFO("every cluster in Consul was read", F_INT("clusters", s->context.clusters));
        merge_first_read(s->context.merge, FIRST_READ_COMPLETE);
    } else if (!s->told_partly) {
        s->told_partly = true;
        LOG_WARN("some clusters in Consul could not be read", F_INT("unread", s->context.unread),
                 F_INT("clusters", s->context.clusters));
        merge_first_read(s->context.merge, FIRST_READ_PARTLY);
    }
}

/* Who is woken by what is told here finds numbers that are up to date. */
static void on_progress(void *arg)
{
    struct source *s = arg;
    watch_context_report(&s->context);
    check_complete(s);
}

static struct cluster_watch *find_watch(void *arg, const char *id)
{
    struct source *s = arg;
    return watches_find(&s->watches, id);
}

static void on_refused(void *arg)
{
    struct source *s = arg;
    watch_planner_refused(&s->planner);
}

static bool on_gone(void *arg, struct cluster_watch *w)
{
    struct source *s = arg;
    if (w->listed) {
        cluster_watch_restart(w);
        return false;
    }
    watches_take_out(&s->watches, w);
    cluster_watch_free(w);
    watch_planner_choose(&s->planner);
    return true;
}

/* Consul answers again: no need to wait for the next try of each. */
static void on_recovered(void *arg)
{
    struct source *s = arg;
    for (struct cluster_watch *w = s->watches.all; w != NULL; w = w->hh.next)
        if (w->failing)
            cluster_watch_check(w);
    scan_retry(&s->scan);
}

/* -- life ------------------------------------------------------------------------------------ */

static bool adopt(const struct cluster *c, void *arg)
{
    struct source *s = arg;
    if (c->state != CLUSTER_RESTORED || watches_find(&s->watches, c->id) != NULL)
        return true;
    struct cluster_watch *w = watches_add(&s->watches, c->id);
    if (w == NULL || !cluster_watch_restore(w, c)) {
        if (w != NULL) { /* what is watched without its list would take it away */
            watches_take_out(&s->watches, w);
            cluster_watch_free(w);
        }
        s->out_of_memory = true;
        return false;
    }
    w->published = true;
    if (s->begun) /* by a reload */
        admission_unpin(&w->admission);
    return true;
}

/* The first that is done on the httpc thread: lists of an earlier run are answered with meanwhile,
 * thousands of watches would delay that. */
static void begin(void *arg)
{
    struct source *s = arg;
    unsigned left_out;
    const struct table *restored = merge_table(s->context.merge);
    s->out_of_memory = false;
    table_each(restored, adopt, s);
    table_unref(restored);
    if (s->out_of_memory) {
        if (log_limit_pass(&s->memory_limit, 1, httpc_now(s->context.httpc), &left_out))
            LOG_ERROR("cannot watch the restored clusters, trying again",
                      F_STR("error", "out of memory"), F_SOME("left_out", left_out));
        httpc_timer_set(s->context.httpc, &s->timer, httpc_now(s->context.httpc) + BEGIN_RETRY_MS);
        return;
    }
    s->begun = true;
    names_watch_start(&s->names);
}

static bool prepare_reload(struct source *s, const struct config *config)
{
    bool ok = true;
    for (size_t i = 0; ok && i < config->consul.exclude.count; i++)
        ok = merge_remove(s->context.merge, config->consul.exclude.items[i], "consul.exclude");
    return ok;
}

/* Lists of an earlier run that this config no longer serves are not served on. */
static bool drop_excluded(struct source *s)
{
    if (!merge_begin(s->context.merge))
        return false;
    bool ok = prepare_reload(s, s->context.config);
    merge_commit(s->context.merge);
    return ok;
}

/* Those that were pinned are watched, and names that were excluded or pinned are looked for. */
static void find_anew(struct source *s)
{
    names_watch_stop(&s->names);
    httpc_timer_cancel(s->context.httpc, &s->timer);
    begin(s);
}

static void reload(struct source *s, const struct config *config)
{
    struct watch_context *x = &s->context;
    const struct config *old = x->config;
    x->config = config;
    watches_end_lost(&s->watches);
    for (struct cluster_watch *w = s->watches.all; w != NULL; w = w->hh.next)
        cluster_watch_follow_config(w, old);
    watch_planner_follow_config(&s->planner, old);
    check_complete(s);
    find_anew(s);
}

static bool is_enabled(const struct config *config)
{
    return config->consul.enabled;
}

static void stop(struct source *s);

static struct source *start(const struct config *config, struct httpc *httpc, struct merge *merge,
                            struct error *reterr)
{
    struct source *s = calloc(1, sizeof *s);
    if (s == NULL)
        goto fail;
    bool ok = watch_context_init(&s->context, config, httpc, merge, cluster_read_send);
    s->context.find = find_watch;
    s->context.progress = on_progress;
    s->context.gone = on_gone;
    s->context.refused = on_refused;
    s->context.recovered = on_recovered;
    s->context.arg = s;
    scan_init(&s->scan, &s->context);
    watches_init(&s->watches, &s->context, &s->scan);
    watch_planner_init(&s->planner, &s->context, &s->watches, &s->scan);
    names_watch_init(&s->names, &s->context, &s->watches, &s->planner, &s->scan);
    s->timer = TIMER(begin, s);
    if (!ok || !drop_excluded(s))
        goto fail;
    httpc_timer_set(httpc, &s->timer, httpc_now(httpc));
    consul_metrics_enable(httpc_metrics(httpc));
    return s;
fail:
    stop(s);
    error_set(reterr, "out of memory");
    return NULL;
}

static void stop(struct source *s)
{
    if (s == NULL)
        return;
    names_watch_stop(&s->names);
    httpc_timer_cancel(s->context.httpc, &s->timer);
    scan_clear(&s->scan);
    watches_clear(&s->watches);
    watch_context_clear(&s->context);
    free(s);
}

const struct source_kind source_consul = {.enabled = is_enabled,
                                          .start = start,
                                          .prepare_reload = prepare_reload,
                                          .reload = reload,
                                          .stop = stop};
