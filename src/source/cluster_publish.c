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

struct lists {
    struct endpoint *granted;
    size_t count;
    struct endpoint *withheld; /* good claims that are not */
    size_t withheld_count;
};

static void withhold(const struct claim *claims, size_t count, struct lists *l)
{
    for (size_t i = 0; i < count; i++)
        if (claims[i].good && bsearch(&claims[i].endpoint, l->granted, l->count, sizeof *l->granted,
                                      compare_endpoints) == NULL)
            l->withheld[l->withheld_count++] = claims[i].endpoint;
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
                       .claims = w->context->claims,
                       .unpinned = w->admission.unpinned,
                       .granted = l->granted,
                       .granted_count = l->count};
    if (now != NULL)
        j.before = now->notes->reports;
    struct buf reports;
    buf_init(&reports, REPORTS_MAX);
    bool ok = verdicts_append(&j, seen != NULL ? *seen : j.before, &reports);
    bool ends = state == CLUSTER_HELD && w->admission.unregistered;
    struct cluster_parts parts = {.id = w->id,
                                  .state = state,
                                  .list = l->granted,
                                  .count = l->count,
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
static bool publish(struct cluster_watch *w, const struct reports *seen, const char *why)
{
    const struct admission *a = &w->admission;
    bool ok = false;
    struct claim *claims = calloc(a->count + 1, sizeof *claims);
    struct lists l = {.granted = calloc(a->count + 1, sizeof *l.granted),
                      .withheld = calloc(a->count + 1, sizeof *l.withheld)};
    if (claims != NULL && l.granted != NULL && l.withheld != NULL) {
        make_claims(w, claims);
        struct grant g = claims_grant(w->context->claims, w->id, claims, a->count, l.granted);
        l.count = g.count;
        withhold(claims, a->count, &l);
        note_contested(w, &g);
        if (merge_begin(w->context->merge)) {
            ok = set_in_table(w, &l, seen, why);
            merge_commit(w->context->merge);
        }
    }
    free(claims);
    free(l.granted);
    free(l.withheld);
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

static bool set_claims(struct cluster_watch *w)
{
    struct watch_context *x = w->context;
    const struct admission *a = &w->admission;
    struct claim *claims = calloc(a->count + 1, sizeof *claims);
    if (claims == NULL)
        return false;
    make_claims(w, claims);
    bool ok = claims_set(x->claims, w->id, claims, a->count, note_reclaimed, x);
    free(claims);
    return ok;
}

static void publish_reclaimed(struct watch_context *x)
{
    while (x->first_reclaimed != NULL) {
        struct cluster_watch *w = x->first_reclaimed;
        x->first_reclaimed = w->next_reclaimed;
        w->reclaimed = false;
        w->unpublished = !publish(w, NULL, MERGE_CLAIMS_CHANGED);
        if (w->unpublished)
            cluster_watch_read_at(w, httpc_now(x->httpc) + UNPUBLISHED_RETRY_MS);
    }
}

bool publish_claims(struct cluster_watch *w)
{
    bool ok = set_claims(w);
    publish_reclaimed(w->context);
    return ok;
}

void publish_observed(struct cluster_watch *w, const struct buf *reports, const char *why)
{
    struct reports seen = {.data = reports->data, .len = reports->len};
    bool claimed = set_claims(w);
    w->unpublished = !publish(w, &seen, why != NULL ? why : MERGE_CLAIMS_CHANGED) || !claimed;
    publish_reclaimed(w->context);
}
