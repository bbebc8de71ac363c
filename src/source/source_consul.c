/*
 * source_consul.c - every service nameServer<cluster-id> in Consul is a cluster.
 *
 * One names watch (a blocking /v1/catalog/services) finds clusters; each then has a cluster_watch
 * of its own. A name that leaves the list only makes its cluster be read again: a cluster ends by
 * what its own reads say, never by the names list, which ACLs or a reset agent may cut.
 *
 * Which reads are made when is decided in cluster_watch_schedule.c; the first complete read is when the
 * names are known and each named cluster was read (or failed) once.
 *
 * With up to consul.max_watches clusters each has a blocking query, with more of them the checks of
 * the datacenter are scanned (scan.h). Going to and fro changes no list: every cluster is read once
 * the scan has begun, and a blocking query begins where the last read ended.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "consul/catalog.h"
#include "consul/httpc.h"
#include "model/cluster_id.h"
#include "source/cluster_read.h"
#include "source/cluster_watch.h"
#include "source/merge.h"
#include "source/scan.h"
#include "source/source.h"

#define NAMES_BODY_MAX (64 * 1024 * 1024)
#define BACKOFF_FIRST_MS 500
#define BACKOFF_CAP_MS 30000
/* Every registration in the whole datacenter wakes the names watch; those that bring no new name
 * are held to this rate. */
#define IDLE_WAKE_BURST 10
#define IDLE_WAKE_REFILL_MS 500
#define WAIT_SPREAD_PERCENT 20
#define READ_ANEW_SPACING_MS 30000
/* From scanning back to blocking queries at so many percent of their limit. */
#define BACK_PERCENT 80
/* After a 429 (the agent allows 200 connections per client address, for all programs there) there
 * is no blocking query per cluster for so long, and longer each time until all went well for the
 * longest. */
#define REFUSED_FIRST_MS 60000
#define REFUSED_CAP_MS (30 * 60 * 1000)
/* Names, and what all short calls share; and the view of what is critical. */
#define CONNECTIONS (1 + HTTPC_SHORT_CALLS)
#define SCAN_CONNECTIONS (CONNECTIONS + 1)

struct source {
    struct watch_context context;
    struct scan scan;
    struct cluster_watch *watches; /* by id */
    bool http2;                    /* as Consul answered last */
    struct backoff refused;
    int64_t refused_until_ms; /* no query per cluster before */
    bool too_many;            /* for a query each, since the last time they had one */
    struct httpc_call *call;
    struct timer timer;
    struct backoff backoff;
    struct bucket idle_wakes;
    uint64_t index;
    int64_t read_anew_ms; /* not before */
    uint64_t generation;  /* of the names reply being taken */
    bool begun;           /* what there was of an earlier run is watched */
    bool named;           /* there was a first names reply */
    bool complete;
    bool told_unreachable; /* the merge knows */
    bool told_partly;      /* the merge knows */
    bool failing;
    struct log_complaint complaint; /* of that */
    struct log_limit memory_limit;
    size_t names;       /* of all services in the names reply being taken */
    size_t matching;    /* names with our prefix in the names reply being taken */
    size_t found;       /* new clusters in it */
    size_t invalid;     /* names in it that have our prefix and no cluster id */
    size_t was_invalid; /* in the one before */
    char example[160];  /* of those */
    bool warned_of_acls;
    bool out_of_memory; /* while taking it */
    bool unpublished;   /* a name that was found is not in the table yet */
};

static void send_names(void *arg);

/* Ready needs one answer for every cluster; complete, that every one was really read. */
static void check_complete(struct source *s)
{
    if (s->complete || !s->named || s->context.unanswered > 0)
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
    struct cluster_watch *w;
    HASH_FIND_STR(s->watches, id, w);
    return w;
}

/* -- the plan -------------------------------------------------------------------------------- */

static int64_t most_watches(const struct source *s)
{
    const struct config *c = s->context.config;
    return s->http2 ? c->consul.max_watches_http2 : c->consul.max_watches;
}

static void keep_connections(const struct source *s)
{
    bool each = s->context.plan == PLAN_EACH;
    httpc_keep(s->context.httpc, each ? (unsigned)most_watches(s) + CONNECTIONS : SCAN_CONNECTIONS);
}

static void follow(struct source *s, enum watch_plan plan)
{
    struct watch_context *x = &s->context;
    bool each = plan == PLAN_EACH;
    if (x->plan == plan)
        return;
    if (!each)
        LOG_INFO("the checks of the datacenter are scanned, no cluster is watched by itself",
                 F_INT("clusters", HASH_COUNT(s->watches)), F_INT("max", most_watches(s)));
    else if (x->plan != PLAN_NONE)
        LOG_INFO("each cluster is watched by a query of its own",
                 F_INT("clusters", HASH_COUNT(s->watches)));
    x->plan = plan;
    s->too_many &= !each;
    keep_connections(s);
    for (struct cluster_watch *w = s->watches; w != NULL; w = w->hh.next)
        cluster_watch_follow_plan(w);
    if (each)
        scan_stop(&s->scan);
    else
        scan_start(&s->scan);
    watch_context_report(x);
}

/* Not to and fro when the number of clusters is about the limit. */
static void choose_plan(struct source *s)
{
    struct watch_context *x = &s->context;
    int64_t clusters = HASH_COUNT(s->watches);
    int64_t most = most_watches(s);
    int64_t percent = s->too_many ? BACK_PERCENT : 100;
    bool back = 100 * clusters <= percent * most && httpc_now(x->httpc) >= s->refused_until_ms;
    s->too_many |= clusters > most;
    if (clusters > most)
        follow(s, PLAN_SCAN);
    else if (x->plan == PLAN_NONE || (x->plan == PLAN_SCAN && back))
        follow(s, PLAN_EACH);
}

static void on_refused(void *arg)
{
    struct source *s = arg;
    struct watch_context *x = &s->context;
    if (x->plan != PLAN_EACH)
        return;
    if (httpc_now(x->httpc) - s->refused_until_ms > REFUSED_CAP_MS)
        backoff_reset(&s->refused);
    int64_t wait = REFUSED_FIRST_MS + backoff_next_ms(&s->refused, &x->jitter);
    s->refused_until_ms = httpc_now(x->httpc) + wait;
    LOG_WARN("Consul refuses further connections; its limit is for all programs of this address",
             F_INT("clusters", HASH_COUNT(s->watches)), F_INT("next_try_ms", wait));
    follow(s, PLAN_SCAN);
}

static bool on_gone(void *arg, struct cluster_watch *w)
{
    struct source *s = arg;
    if (w->listed) {
        cluster_watch_restart(w);
        return false;
    }
    HASH_DEL(s->watches, w);
    scan_drop(&s->scan, w);
    cluster_watch_free(w);
    choose_plan(s);
    return true;
}

/* Consul answers again: no need to wait for the next try of each. */
static void on_recovered(void *arg)
{
    struct source *s = arg;
    for (struct cluster_watch *w = s->watches; w != NULL; w = w->hh.next)
        if (w->failing)
            cluster_watch_check(w);
    scan_retry(&s->scan);
}

/* -- names ----------------------------------------------------------------------------------- */

static bool excluded(const struct config *c, const char *id)
{
    for (size_t i = 0; i < c->consul.exclude.count; i++)
        if (strcmp(c->consul.exclude.items[i], id) == 0)
            return true;
    return false;
}

/* Looked up where it is quick: both may be thousands. */
static bool pinned(const struct source *s, const char *id)
{
    const struct table *t = merge_table(s->context.merge);
    const struct cluster *c = table_find(t, id, strlen(id));
    bool is_pinned = c != NULL && c->pinned;
    table_unref(t);
    return is_pinned;
}

static struct cluster_watch *add_watch(struct source *s, const char *id)
{
    struct cluster_watch *w = cluster_watch_new(&s->context, id);
    if (w == NULL)
        return NULL;
    if (!scan_add(&s->scan, w)) {
        cluster_watch_free(w);
        return NULL;
    }
    HASH_ADD_STR(s->watches, id, w);
    if (w->hh.tbl == NULL) { /* out of memory: it was not added */
        scan_drop(&s->scan, w);
        cluster_watch_free(w);
        return NULL;
    }
    return w;
}

static void take_name(const char *name, void *arg)
{
    struct source *s = arg;
    const struct config *c = s->context.config;
    size_t prefix = strlen(c->consul.service_prefix);
    s->names++;
    if (strncmp(name, c->consul.service_prefix, prefix) != 0)
        return;
    const char *id = name + prefix;
    s->matching++;
    if (!cluster_id_valid(id, strlen(id))) {
        s->invalid++;
        (void)snprintf(s->example, sizeof s->example, "%s", name);
        return;
    }
    if (excluded(c, id) || pinned(s, id))
        return;
    struct cluster_watch *w = find_watch(s, id);
    if (w == NULL) {
        w = add_watch(s, id);
        if (w == NULL) {
            s->out_of_memory = true;
            return;
        }
        s->found++;
    }
    /* Back, and perhaps as another one. */
    if (!w->listed && w->was_read)
        cluster_watch_check(w);
    w->generation = s->generation;
    w->listed = true;
}

/* Known by name: until they are read their clients get 503 instead of 404. */
static bool publish_found(struct source *s)
{
    struct merge *m = s->context.merge;
    if (s->found == 0 && !s->unpublished)
        return true;
    s->unpublished = !merge_begin(m);
    if (s->unpublished)
        return false;
    struct cluster_watch *w, *next;
    HASH_ITER(hh, s->watches, w, next)
    {
        w->published = w->published || w->admission.state != CLUSTER_UNREAD ||
                       merge_set(m, w->id, CLUSTER_UNREAD, false, NULL, 0, "found");
        s->unpublished |= !w->published;
    }
    merge_commit(m);
    return !s->unpublished;
}

/* Said once, or once more when there are more. */
static void note_odd_names(struct source *s, const struct httpc_reply *reply)
{
    if (s->invalid > s->was_invalid)
        LOG_WARN("services whose names hold no cluster id are skipped",
                 F_INT("skipped", s->invalid), F_STR("last", s->example));
    s->was_invalid = s->invalid;
    if (reply->filtered && !s->warned_of_acls)
        LOG_INFO("ACLs hide some services from our token; a cluster among them would be unknown",
                 F_INT("visible", s->matching));
    s->warned_of_acls = s->warned_of_acls || reply->filtered;
}

static int compare_folded(const void *a, const void *b)
{
    const struct cluster_watch *const *x = a, *const *y = b;
    return strcasecmp((*x)->id, (*y)->id);
}

/* Consul finds services without regard to case, so such a pair shares its reads; each keeps to the
 * rows of its own spelling, but it is hardly meant. Said when one of them is new. */
static void note_twins(const struct source *s)
{
    size_t count = 0;
    struct cluster_watch **all = calloc(HASH_COUNT(s->watches) + 1, sizeof *all);
    if (all == NULL)
        return;
    for (struct cluster_watch *w = s->watches; w != NULL; w = w->hh.next)
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

static bool take_names(struct source *s, const struct httpc_reply *reply, struct error *reterr)
{
    s->generation++;
    s->out_of_memory = false;
    s->found = 0;
    s->names = 0;
    s->matching = 0;
    s->invalid = 0;
    if (!catalog_parse_services(reply, take_name, s, reterr))
        return false;
    if (s->matching == 0 && catalog_maybe_cut(reply, httpc_has_token(s->context.httpc)))
        return error_set(reterr,
                         "no service %s... is visible and ACLs hide some; the token needs "
                         "service_prefix \"%s\" read and node_prefix \"\" read",
                         s->context.config->consul.service_prefix,
                         s->context.config->consul.service_prefix);
    note_odd_names(s, reply);
    if (!publish_found(s) || s->out_of_memory)
        return error_set(reterr, "out of memory");
    if (s->found > 0)
        note_twins(s);
    struct cluster_watch *w, *next;
    HASH_ITER(hh, s->watches, w, next)
    {
        if (w->generation == s->generation || (!w->listed && s->named))
            continue;
        w->listed = false;
        cluster_watch_check(w);
    }
    return true;
}

static void names_failed(struct source *s, const struct httpc_reply *reply, const char *error)
{
    struct watch_context *x = &s->context;
    unsigned left_out;
    if (reply != NULL)
        consul_metrics_unusable(httpc_metrics(x->httpc), error);
    if (reply != NULL && reply->status == 403 && watch_context_refused(x))
        backoff_reset(&s->backoff);
    int64_t wait = backoff_next_ms(&s->backoff, &x->jitter);
    if (log_complaint_begins(&s->complaint, httpc_now(x->httpc), &left_out))
        LOG_WARN("cannot read the services from Consul, what is served stays",
                 F_STR("consul", x->config->consul.address), F_STR("error", error),
                 F_INT("next_try_ms", wait), F_SOME("left_out", left_out));
    s->failing = true;
    s->index = 0;
    if (x->unread < x->clusters) /* clusters of an earlier run can be read all the same */
        choose_plan(s);
    httpc_timer_set(x->httpc, &s->timer, httpc_now(x->httpc) + wait);
    if (x->plan == PLAN_SCAN) /* they would have told of registrations */
        (void)scan_registrations(&s->scan, s->scan.names);
    if (!s->named && !s->told_unreachable) {
        s->told_unreachable = true;
        merge_first_read(x->merge, FIRST_READ_UNREACHABLE);
    }
}

static void names_answered(struct source *s)
{
    backoff_reset(&s->backoff);
    if (log_complaint_ends(&s->complaint) || !s->named)
        LOG_INFO("reading from Consul", F_STR("consul", s->context.config->consul.address),
                 F_INT("clusters", s->context.clusters));
    if (s->failing)
        on_recovered(s);
    s->failing = false;
    s->named = true;
    choose_plan(s);
    check_complete(s);
    watch_context_report(&s->context);
}

/* Not each time when the index goes to and fro, as between two servers that are read by turns. */
static void read_all_anew(struct source *s, int64_t now_ms)
{
    if (now_ms < s->read_anew_ms)
        return;
    s->read_anew_ms = now_ms + READ_ANEW_SPACING_MS;
    LOG_INFO("the index of the services went back: reading all anew",
             F_INT("clusters", s->context.clusters));
    for (struct cluster_watch *w = s->watches; w != NULL; w = w->hh.next)
        cluster_watch_check(w);
}

static void on_names(void *arg, const struct httpc_reply *reply)
{
    struct source *s = arg;
    struct error error;
    int64_t now = httpc_now(s->context.httpc);
    bool moved = reply->index != s->index;
    int64_t wait = 0;
    s->call = NULL;
    if (reply->status != 0) /* else nobody has said how it speaks */
        s->http2 = reply->http2;
    if (!catalog_reply_ok(reply, &error)) {
        names_failed(s, reply, error.text);
        return;
    }
    if (reply->index < s->index) {
        /* Restored snapshot or another server: what a blocking query says now proves nothing, and a
         * cluster's own may wait for an index that will not come for long. */
        s->index = 0;
        s->found = 0;
        read_all_anew(s, now);
    } else {
        if (!take_names(s, reply, &error)) {
            names_failed(s, reply, error.text);
            return;
        }
        s->index = reply->index;
        names_answered(s);
    }
    bool scans = s->context.plan == PLAN_SCAN && moved;
    if (scans)
        wait = scan_registrations(&s->scan, s->names) - now;
    if ((!scans || s->context.scan_fails) && s->found == 0)
        wait = bucket_take(&s->idle_wakes, now);
    if (wait > 0)
        httpc_timer_set(s->context.httpc, &s->timer, now + wait);
    else
        send_names(s);
}

static void send_names(void *arg)
{
    struct source *s = arg;
    struct watch_context *x = &s->context;
    struct catalog_read read = {
        .index = s->index,
        .wait_ms = jitter_spread(&x->jitter, x->config->consul.wait_ms, WAIT_SPREAD_PERCENT)};
    struct buf path;
    buf_init(&path, 4096);
    if (catalog_services_path(&path, x->config, &read)) {
        struct httpc_request request = {.method = "GET",
                                        .path = buf_text(&path),
                                        .timeout_ms = catalog_timeout_ms(&read),
                                        .max_body = NAMES_BODY_MAX,
                                        .blocking = true,
                                        .op = CONSUL_OP_NAMES};
        s->call = httpc_send(x->httpc, &request, on_names, s);
    }
    if (s->call == NULL)
        names_failed(s, NULL, "out of memory");
    buf_clear(&path);
}

/* -- life ------------------------------------------------------------------------------------ */

static bool adopt(const struct cluster *c, void *arg)
{
    struct source *s = arg;
    if (c->state != CLUSTER_RESTORED || find_watch(s, c->id) != NULL)
        return true;
    struct cluster_watch *w = add_watch(s, c->id);
    if (w == NULL || !cluster_watch_restore(w, c)) {
        s->out_of_memory = true;
        return false;
    }
    w->published = true;
    w->admission.unpinned = s->begun; /* by a reload */
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
        httpc_timer_set(s->context.httpc, &s->timer,
                        httpc_now(s->context.httpc) + BACKOFF_FIRST_MS);
        return;
    }
    s->begun = true;
    s->timer = TIMER(send_names, s);
    send_names(s);
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
    httpc_cancel(s->context.httpc, s->call);
    httpc_timer_cancel(s->context.httpc, &s->timer);
    s->call = NULL;
    s->index = 0;
    s->timer = TIMER(begin, s);
    begin(s);
}

/* Of clusters that are excluded or pinned now. All of them are out of the table of watches before the
 * first claim of one is given up: what comes of that is published for others, never for them. */
static void end_lost_watches(struct source *s)
{
    const struct config *c = s->context.config;
    struct cluster_watch *w, *next, *lost = NULL;
    HASH_ITER(hh, s->watches, w, next)
    {
        if (!excluded(c, w->id) && !pinned(s, w->id))
            continue;
        HASH_DEL(s->watches, w);
        scan_drop(&s->scan, w);
        w->next_reclaimed = lost;
        lost = w;
    }
    for (w = lost; w != NULL; w = next) {
        next = w->next_reclaimed;
        cluster_watch_give_up(w);
        cluster_watch_free(w);
    }
}

static void reload(struct source *s, const struct config *config)
{
    struct watch_context *x = &s->context;
    const struct config *old = x->config;
    struct cluster_watch *w, *next;
    int64_t most = most_watches(s);
    x->config = config;
    end_lost_watches(s);
    HASH_ITER(hh, s->watches, w, next)
    cluster_watch_follow_config(w, old);
    if (x->plan == PLAN_SCAN && old->consul.accept != config->consul.accept) {
        scan_stop(&s->scan);
        scan_start(&s->scan);
    }
    if (x->plan != PLAN_NONE) {
        s->too_many &= most == most_watches(s); /* another limit is no going to and fro */
        keep_connections(s);
        choose_plan(s);
    }
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
    backoff_init(&s->refused, REFUSED_FIRST_MS, REFUSED_CAP_MS);
    s->timer = TIMER(begin, s);
    s->read_anew_ms = httpc_now(httpc);
    backoff_init(&s->backoff, BACKOFF_FIRST_MS, BACKOFF_CAP_MS);
    bucket_init(&s->idle_wakes, IDLE_WAKE_BURST, IDLE_WAKE_REFILL_MS);
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
    httpc_cancel(s->context.httpc, s->call);
    httpc_timer_cancel(s->context.httpc, &s->timer);
    scan_clear(&s->scan);
    struct cluster_watch *w, *next;
    HASH_ITER(hh, s->watches, w, next)
    {
        HASH_DEL(s->watches, w);
        cluster_watch_free(w);
    }
    watch_context_clear(&s->context);
    free(s);
}

const struct source_kind source_consul = {.enabled = is_enabled,
                                          .start = start,
                                          .prepare_reload = prepare_reload,
                                          .reload = reload,
                                          .stop = stop};
