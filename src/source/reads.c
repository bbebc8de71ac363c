/* SPDX-License-Identifier: Apache-2.0 */
#include "source/reads.h"

#include <stddef.h>
#include <utlist.h>

#include "consul/httpc.h"
#include "source/cluster_watch.h"

#define READS_AT_ONCE HTTPC_SHORT_CALLS
/* A thousand a second are a quarter of a core in Consul. */
#define AGAIN_BURST 1000
#define AGAIN_REFILL_MS 1
#define GAP_FIRST_MS 20
#define GAP_MAX_MS 1000
/* Not one cluster that Consul cannot give, but Consul. */
#define REFUSED_GAP_MS 160

bool reads_is_refusal(long status)
{
    return status == 0 || status == 429 || status >= 500;
}

static void report(const struct reads *r)
{
    consul_metrics_reads(httpc_metrics(r->httpc), r->waiting, r->running, r->gap_ms);
}

static void send_next(struct reads *r)
{
    while (r->waiting > 0 && r->running < (r->gap_ms > 0 ? 1 : READS_AT_ONCE)) {
        int64_t now = httpc_now(r->httpc);
        if (now < r->next_ms) {
            httpc_timer_set(r->httpc, &r->timer, r->next_ms);
            return;
        }
        struct cluster_watch *w = r->untried != NULL ? r->untried : r->further;
        int64_t wait = w->was_read ? bucket_take(&r->again, now) : 0;
        r->next_ms = now + (wait > r->gap_ms ? wait : r->gap_ms);
        reads_withdraw(r, w);
        r->running += r->send(w);
    }
}

static void go_on(void *arg)
{
    struct reads *r = arg;
    send_next(r);
    report(r);
}

void reads_init(struct reads *r, struct httpc *httpc, bool (*send)(struct cluster_watch *w))
{
    *r = (struct reads){.httpc = httpc, .send = send, .next_ms = INT64_MIN};
    r->timer = TIMER(go_on, r);
    bucket_init(&r->again, AGAIN_BURST, AGAIN_REFILL_MS);
}

void reads_clear(struct reads *r)
{
    if (r->httpc != NULL)
        httpc_timer_cancel(r->httpc, &r->timer);
}

void reads_want(struct reads *r, struct cluster_watch *w)
{
    if (w->queue != NULL)
        return;
    w->queue = w->answered ? &r->further : &r->untried;
    DL_APPEND2(*w->queue, w, prev_waiting, next_waiting);
    r->waiting++;
    go_on(r);
}

void reads_withdraw(struct reads *r, struct cluster_watch *w)
{
    if (w->queue == NULL)
        return;
    DL_DELETE2(*w->queue, w, prev_waiting, next_waiting);
    w->queue = NULL;
    r->waiting--;
}

bool reads_end(struct reads *r, enum read_end how)
{
    r->running--;
    if (how == READ_REFUSED) {
        r->gap_ms = r->gap_ms == 0 ? GAP_FIRST_MS : 2 * r->gap_ms;
        if (r->gap_ms > GAP_MAX_MS)
            r->gap_ms = GAP_MAX_MS;
        r->next_ms = httpc_now(r->httpc) + r->gap_ms;
    } else if (how == READ_ANSWERED) {
        r->gap_ms = r->gap_ms / 2 < GAP_FIRST_MS ? 0 : r->gap_ms / 2;
    }
    if (how != READ_CANCELLED)
        go_on(r);
    else if (r->waiting > 0) /* not at once: those who wait may be cancelled next */
        httpc_timer_set(r->httpc, &r->timer, httpc_now(r->httpc));
    bool recovered = r->refused && r->gap_ms == 0;
    r->refused = (r->refused || r->gap_ms >= REFUSED_GAP_MS) && !recovered;
    return recovered;
}

bool reads_are_refused(const struct reads *r)
{
    return r->gap_ms == GAP_MAX_MS;
}
