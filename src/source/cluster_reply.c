/* SPDX-License-Identifier: Apache-2.0 */
#include "source/cluster_reply.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "consul/catalog.h"
#include "consul/httpc.h"
#include "source/cluster_publish.h"
#include "source/cluster_watch.h"
#include "source/merge.h"

bool cluster_reply_parse(const struct cluster_watch *w, const struct httpc_reply *reply,
                         struct catalog_health *out, struct error *reterr)
{
    const struct watch_context *x = w->context;
    *out = (struct catalog_health){.count = 0};
    bool ok =
        catalog_reply_ok(reply, reterr) &&
        catalog_parse_health(reply, x->config, w->service, httpc_has_token(x->httpc), out, reterr);
    if (!ok)
        consul_metrics_unusable(httpc_metrics(x->httpc), reterr->text);
    return ok;
}

/* Once when there are more, not per reply. */
static void note_unusable(struct cluster_watch *w, const struct catalog_health *h)
{
    unsigned left_out;
    bool say = h->unusable > w->unusable && log_limit_pass(&w->unusable_limit, LOG_LIMIT_BURST,
                                                           httpc_now(w->context->httpc), &left_out);
    if (say)
        LOG_WARN("instances without an address for clients are skipped", F_STR("cluster", w->id),
                 F_INT("skipped", h->unusable), F_STR("first", h->example),
                 F_SOME("left_out", left_out));
    if (say || h->unusable < w->unusable)
        w->unusable = h->unusable;
    for (size_t i = 0; i < INSTANCE_SKIPS; i++) {
        if (h->skipped[i] > w->skipped[i])
            consul_metrics_skipped(httpc_metrics(w->context->httpc), (enum instance_skip)i,
                                   h->skipped[i] - w->skipped[i]);
        w->skipped[i] = h->skipped[i];
    }
}

/* Changes of a cluster that has an instance without a check, or that the scan has no row of, are only
 * found by reading it. */
static void note_seen(struct cluster_watch *w, struct catalog_health *h)
{
    struct watch_context *x = w->context;
    uint64_t *nodes = w->nodes;
    bool unseen = h->unchecked || w->rows == 0;
    x->unseen = x->unseen - w->unseen + unseen;
    w->unseen = unseen;
    for (size_t i = 0; i < VIEWS; i++) {
        w->moved[i] |= !rows_sum_equal(&w->read[i], &h->rows[i]);
        w->read[i] = h->rows[i];
    }
    w->nodes = h->nodes;
    w->node_count = h->node_count;
    h->nodes = nodes; /* freed with the reply */
}

struct admission_options cluster_reply_delays(const struct config *c)
{
    return (struct admission_options){.settle_ms = c->admission.settle_ms,
                                      .leave_delay_ms = c->admission.leave_delay_ms,
                                      .gone_delay_ms = c->admission.gone_delay_ms};
}

bool cluster_reply_observe(struct cluster_watch *w, struct catalog_health *h, bool authoritative)
{
    struct watch_context *x = w->context;
    const struct config *c = x->config;
    int64_t now = httpc_now(x->httpc);
    struct admission_options options = cluster_reply_delays(c);
    struct observation o = {.instances = h->instances,
                            .count = h->count,
                            .unusable = h->unusable,
                            .authoritative = authoritative,
                            .asked_ms = w->last_read_ms,
                            .leave_floor_ms = mass_loss_floor(&x->mass_loss, x->clusters, now),
                            .losing_floor_ms =
                                mass_loss_floor_losing(&x->mass_loss, &w->loss, x->clusters, now)};
    struct decision d;
    if (!admission_observe(&w->admission, &o, &options, now, &d))
        return false;
    w->news = d.changed || d.losing;
    if (d.losing)
        watch_context_note_loss(x, &w->loss);
    note_unusable(w, h);
    note_seen(w, h);
    publish_observed(w, &h->reports, d.changed ? d.why : NULL);
    if (authoritative && !w->unpublished && w->admission.state == CLUSTER_LIVE)
        merge_confirm(x->merge, w->id);
    w->ask_consistent = d.ask_consistent;
    /* The first ones of thousands come all at once; the next ones shall not. */
    if (authoritative)
        w->sweep_at_ms = clock_together(
            now + (w->was_read ? cluster_watch_sweep_ms(w)
                               : jitter_upto(&x->jitter, cluster_watch_sweep_ms(w))));
    cluster_watch_plan_read(w, w->unpublished ? now + UNPUBLISHED_RETRY_MS : d.ask_at_ms);
    return true;
}
