/* SPDX-License-Identifier: Apache-2.0 */
#include "source/watch_context.h"

#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "consul/httpc.h"
#include "model/claims.h"

/* Of all watches together: each wake-up costs the agent about 0.5 ms of CPU. */
#define ALL_WAKES_BURST 500
#define ALL_WAKES_REFILL_MS 5

bool watch_context_init(struct watch_context *x, const struct config *config, struct httpc *httpc,
                        struct merge *merge, bool (*read)(struct cluster_watch *w))
{
    *x = (struct watch_context){.config = config, .httpc = httpc, .merge = merge};
    mass_loss_init(&x->mass_loss);
    jitter_seed(&x->jitter, jitter_system_seed());
    bucket_init(&x->wakes, ALL_WAKES_BURST, ALL_WAKES_REFILL_MS);
    reads_init(&x->reads, httpc, read);
    x->claims = claims_new();
    return x->claims != NULL;
}

void watch_context_clear(struct watch_context *x)
{
    reads_clear(&x->reads);
    claims_free(x->claims);
    x->claims = NULL;
}

bool watch_context_refused(struct watch_context *x)
{
    unsigned left_out;
    struct error error = {.text = ""};
    bool changed = httpc_reload_token(x->httpc, &error);
    if (changed)
        LOG_INFO("using the new token of the token file",
                 F_STR("file", x->config->consul.token_file));
    else if (error.text[0] != '\0' &&
             log_limit_pass(&x->token_limit, 1, httpc_now(x->httpc), &left_out))
        LOG_WARN("cannot read the token file again", F_STR("error", error.text),
                 F_SOME("left_out", left_out));
    return changed;
}

void watch_context_note_loss(struct watch_context *x, struct loss *loss)
{
    if (mass_loss_note(&x->mass_loss, loss, x->clusters, httpc_now(x->httpc)))
        LOG_WARN("most clusters lose members at once: nobody leaves for now",
                 F_INT("clusters", x->clusters), F_INT("for_ms", MASS_LOSS_DELAY_MS));
}

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
