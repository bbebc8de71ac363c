/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "consul/httpc.h"
#include "source/cluster_watch.h"
#include "source/merge.h"

/* Every cluster is read this often, whatever happens; all together not more than 22 times a second.
 * With 10,000 clusters all that is done while nothing changes was 1 % of a core here, and 2.4 % in
 * Consul (measured). */
#define SWEEP_MS (5 * 60 * 1000)
#define SWEEP_SPACING_MS 45
/* The same for clusters that a scan does not show: together 40 times a second... */
#define UNSEEN_SWEEP_MS (10 * 1000)
#define UNSEEN_SPACING_MS 25
/* ... and 200 when there is no scan at all. */
#define BLIND_SPACING_MS 5
#define SPREAD_PERCENT 20

int64_t cluster_watch_sweep_ms(const struct cluster_watch *w)
{
    struct watch_context *x = w->context;
    int64_t least = SWEEP_MS;
    int64_t spaced = (int64_t)x->clusters * SWEEP_SPACING_MS;
    if (x->plan == PLAN_SCAN && x->scan_fails) {
        least = UNSEEN_SWEEP_MS;
        spaced = (int64_t)x->clusters * BLIND_SPACING_MS;
    } else if (x->plan == PLAN_SCAN && w->unseen) {
        least = UNSEEN_SWEEP_MS;
        spaced = (int64_t)x->unseen * UNSEEN_SPACING_MS;
    }
    return jitter_spread(&x->jitter, spaced > least ? spaced : least, SPREAD_PERCENT);
}

void cluster_watch_read_at(struct cluster_watch *w, int64_t at_ms)
{
    int64_t earliest = w->last_read_ms + READ_SPACING_MS;
    httpc_timer_set(w->context->httpc, &w->read_timer, at_ms > earliest ? at_ms : earliest);
}

/* Not later than one that something else wants soon. */
void cluster_watch_plan_read(struct cluster_watch *w, int64_t ask_at_ms)
{
    if (!w->told)
        cluster_watch_read_at(w, ask_at_ms < w->sweep_at_ms ? ask_at_ms : w->sweep_at_ms);
}

void cluster_watch_check(struct cluster_watch *w)
{
    w->told = true;
    cluster_watch_read_at(w, httpc_now(w->context->httpc));
}

void cluster_watch_plan_sweep(struct cluster_watch *w)
{
    int64_t now = httpc_now(w->context->httpc);
    w->sweep_at_ms =
        clock_together(now + jitter_upto(&w->context->jitter, cluster_watch_sweep_ms(w)));
    if (!w->read_timer.set || w->read_timer.at_ms > w->sweep_at_ms)
        cluster_watch_read_at(w, w->sweep_at_ms);
}

/* One line when the first cluster fails and one when the last is well again: with Consul away,
 * ten thousand clusters have only one thing to say. */
static void note_failure(struct cluster_watch *w, const char *error, int64_t retry_ms)
{
    struct watch_context *x = w->context;
    unsigned left_out;
    bool again = w->failing;
    x->failing += !again;
    w->failing = true;
    if (log_complaint_begins(&x->complaint, httpc_now(x->httpc), &left_out))
        LOG_WARN("cannot read a cluster from Consul, what is served stays", F_STR("cluster", w->id),
                 F_STR("error", error), F_INT("next_try_ms", retry_ms),
                 F_SOME("left_out", left_out));
    else if (!again)
        LOG_DEBUG("cannot read a further cluster", F_STR("cluster", w->id), F_STR("error", error));
}

void cluster_watch_succeeded(struct cluster_watch *w)
{
    if (!w->failing)
        return;
    w->failing = false;
    if (--w->context->failing == 0 && log_complaint_ends(&w->context->complaint))
        LOG_INFO("all clusters can be read from Consul", F_STR("last", w->id));
}

void cluster_watch_failed(struct cluster_watch *w, long status, const char *error)
{
    if (status == 403 && watch_context_refused(w->context))
        backoff_reset(&w->backoff);
    struct watch_context *x = w->context;
    int64_t wait = backoff_next_ms(&w->backoff, &x->jitter);
    /* What is refused to so many, as by a policy, is not asked for more often than all else. */
    if (!reads_is_refusal(status))
        wait += jitter_upto(&x->jitter, (int64_t)x->failing * SWEEP_SPACING_MS);
    note_failure(w, error, wait);
    merge_note_failure(x->merge, w->id, error);
    w->watch_index = 0;
    httpc_timer_cancel(w->context->httpc, &w->watch_timer);
    cluster_watch_read_at(w, httpc_now(w->context->httpc) + wait);
}
