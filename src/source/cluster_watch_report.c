/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "consul/httpc.h"
#include "source/cluster_watch.h"

static const enum consul_plan plans[] = {
    [PLAN_NONE] = CONSUL_PLAN_NONE,
    [PLAN_EACH] = CONSUL_PLAN_EACH,
    [PLAN_SCAN] = CONSUL_PLAN_SCAN,
};

/* The first reading of all, or all that failed and is read again: whichever has more to do. */
static void log_progress(struct watch_context *x)
{
    bool first = x->unread >= x->failing;
    if (!progress_note(&x->long_work, first ? x->unread : x->failing, httpc_now(x->httpc)))
        return;
    if (first)
        LOG_INFO("clusters are being read from Consul", F_INT("read", x->clusters - x->unread),
                 F_INT("clusters", x->clusters));
    else
        LOG_INFO("clusters that could not be read from Consul are read again",
                 F_INT("left", x->failing), F_INT("clusters", x->clusters));
}

/* What was read before and is read again, as after a reload or when all checks have changed. Not while
 * Consul refuses: then nothing goes on that would be worth a line. */
static void log_rereads(struct watch_context *x)
{
    unsigned left = x->reads.waiting;
    if ((left > 0 && (left <= x->unread || left <= x->failing)) || x->reads.gap_ms > 0)
        return;
    if (progress_note(&x->rereads, left, httpc_now(x->httpc)))
        LOG_INFO("clusters are being read again from Consul", F_INT("left", left),
                 F_INT("clusters", x->clusters));
}

void watch_context_report(struct watch_context *x)
{
    const struct consul_reading now = {
        .plan = plans[x->plan],
        .scan_failing = x->scan_fails,
        .clusters = x->clusters,
        .unread = x->unread,
        .failing = x->failing,
        .mass_loss_end = x->mass_loss.guarded_until_ms,
    };
    consul_metrics_reading(httpc_metrics(x->httpc), &now);
    log_progress(x);
    log_rereads(x);
}
