/* SPDX-License-Identifier: Apache-2.0 */
#include "source/cluster_publish.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "consul/httpc.h"
#include "model/claims.h"
#include "model/verdicts.h"
#include "source/cluster_watch.h"
#include "source/merge.h"

static void note_contested(struct cluster_watch *w, const struct grant *g)
{
    char address[ENDPOINT_TEXT_SIZE];
    unsigned left_out;
    bool say =
        g->contested > w->contested && log_limit_pass(&w->contested_limit, LOG_LIMIT_BURST,
                                                      httpc_now(w->context->httpc), &left_out);
    if (say) {
        bool shared = g->count == w->admission.count;
        (void)endpoint_format(&g->example, address);
        LOG_WARN("addresses are claimed by another cluster, too", F_STR("cluster", w->id),
                 F_INT("contested", g->contested), F_STR("first", address),
                 F_STR("served", shared ? "yes, there is no other" : "no"),
                 F_SOME("left_out", left_out));
    }
    if (say || g->contested < w->contested)
        w->contested = g->contested;
}

static int compare_endpoints(const void *a, const void *b)
{
    return endpoint_compare(a, b);
}

/* A claim is good while Consul confirms it. After a restart one that was contested before counts as
 * good, too, until its cluster is read: else the first cluster that is would be given the address. */
static void make_claims(const struct cluster_watch *w, struct claim *out)
{
    const struct admission *a = &w->admission;
    for (size_t i = 0; i < a->count; i++) {
        const struct endpoint *e = &a->members[i].endpoint;
        bool good = a->state == CLUSTER_LIVE && !a->members[i].leaving;
        if (a->state == CLUSTER_RESTORED && w->withheld_count > 0)
            good = bsearch(e, w->withheld, w->withheld_count, sizeof *e, compare_endpoints) != NULL;
        out[i] = (struct claim){.endpoint = *e, .good = good};
    }
}

/* What it claims, and what it is given of that. */
struct lists {
    struct claim *claims; /* as many as the admission has members */
    struct grant grant;
    struct endpoint *granted;
    struct endpoint *withheld; /* behind those: good claims that are not */
    size_t withheld_count;
};

static bool lists_make(struct lists *l, const struct cluster_watch *w)
{
    size_t count = w->admission.count;
    *l = (struct lists){.claims = calloc(count + 1, sizeof *l->claims),
                        .granted = calloc(count + 1, sizeof *l->granted)};
    if (l->claims == NULL || l->granted == NULL)
        return false;
    make_claims(w, l->claims);
    return true;
}

static void lists_clear(struct lists *l)
{
    free(l->claims);
    free(l->granted);
}

static void withhold(struct lists *l, size_t count)
{
    l->withheld = l->granted + l->grant.count;
    for (size_t i = 0; i < count; i++)
        if (l->claims[i].good && bsearch(&l->claims[i].endpoint, l->granted, l->grant.count,
                                         sizeof *l->granted, compare_endpoints) == NULL)
            l->withheld[l->withheld_count++] = l->claims[i].endpoint;
}

static bool end_in_table(struct cluster_watch *w, const char *why)
{
    struct merge *m = w->context->merge;
    const struct cluster *now = merge_find(m, w->id);
    bool had_list = now != NULL && !now->pinned && now->body_len > 0;
    /* A name without instances is known, but has no address. */
    bool ok = w->listed ? merge_set(m, w->id, CLUSTER_EMPTY, false, NULL, 0, why)
                        : merge_remove(m, w->id, why);
    if (ok && had_list && !w->admission.unpinned)
        consul_metrics_gone(httpc_metrics(w->context->httpc));
    return ok;
}

static bool set_in_table(struct cluster_watch *w, const struct lists *l, const struct reports *seen,
                         const char *why)
{
    struct merge *m = w->context->merge;
    enum cluster_state state = w->admission.state;
    if (state == CLUSTER_GONE)
        return end_in_table(w, why);

    const struct cluster *now = merge_find(m, w->id);
    struct judged j = {.cluster = w->id,
                       .admission = &w->admission,
                       .claims = l->grant.contested > 0 ? w->context->claims : NULL,
                       .granted = l->granted,
                       .granted_count = l->grant.count};
    if (now != NULL)
        j.before = now->notes->reports;
    struct buf reports;
    buf_init(&reports, REPORTS_MAX);
    bool ok = verdicts_append(&j, seen != NULL ? *seen : j.before, &reports);
    bool ends = state == CLUSTER_HELD && w->admission.unregistered;
    struct cluster_parts parts = {.id = w->id,
                                  .state = state,
                                  .list = l->granted,
                                  .count = l->grant.count,
                                  .withheld = l->withheld,
                                  .withheld_count = l->withheld_count,
                                  .reports = {.data = reports.data, .len = reports.len},
                                  .unpinned = w->admission.unpinned,
                                  .unregistered = ends,
                                  .gone_ms = ends ? w->admission.gone_at_ms : 0};
    ok = ok && merge_put(m, &parts, why);
    buf_clear(&reports);
    return ok;
}

/* `seen`: what the reply has; NULL when it is not this cluster's reply that changes it. */
static bool publish(struct cluster_watch *w, struct lists *l, const struct reports *seen,
                    const char *why)
{
    size_t count = w->admission.count;
    l->grant = claims_grant(w->context->claims, w->id, l->claims, count, l->granted);
    if (l->grant.contested > 0)
        withhold(l, count);
    note_contested(w, &l->grant);
    if (!merge_begin(w->context->merge))
        return false;
    bool ok = set_in_table(w, l, seen, why);
    merge_commit(w->context->merge);
    return ok;
}

static void note_reclaimed(const char *id, void *arg)
{
    struct watch_context *x = arg;
    struct cluster_watch *w = x->find(x->arg, id);
    if (w == NULL || w->reclaimed)
        return;
    w->reclaimed = true;
    w->next_reclaimed = x->first_reclaimed;
    x->first_reclaimed = w;
}

static bool set_claims(struct cluster_watch *w, const struct lists *l)
{
    struct watch_context *x = w->context;
    return claims_set(x->claims, w->id, l->claims, w->admission.count, note_reclaimed, x);
}

static void publish_reclaimed(struct watch_context *x)
{
    while (x->first_reclaimed != NULL) {
        struct cluster_watch *w = x->first_reclaimed;
        struct lists l;
        x->first_reclaimed = w->next_reclaimed;
        w->reclaimed = false;
        w->unpublished = !(lists_make(&l, w) && publish(w, &l, NULL, MERGE_CLAIMS_CHANGED));
        lists_clear(&l);
        if (w->unpublished)
            cluster_watch_read_at(w, httpc_now(x->httpc) + UNPUBLISHED_RETRY_MS);
    }
}

bool publish_claims(struct cluster_watch *w)
{
    struct lists l;
    bool ok = lists_make(&l, w) && set_claims(w, &l);
    lists_clear(&l);
    publish_reclaimed(w->context);
    return ok;
}

void publish_observed(struct cluster_watch *w, const struct buf *reports, const char *why)
{
    struct reports seen = {.data = reports->data, .len = reports->len};
    struct lists l;
    w->unpublished = true;
    if (lists_make(&l, w)) {
        bool claimed = set_claims(w, &l);
        bool published = publish(w, &l, &seen, why != NULL ? why : MERGE_CLAIMS_CHANGED);
        w->unpublished = !claimed || !published;
    }
    lists_clear(&l);
    publish_reclaimed(w->context);
}
