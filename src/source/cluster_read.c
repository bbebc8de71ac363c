/* SPDX-License-Identifier: Apache-2.0 */
#include "source/cluster_read.h"

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"
#include "consul/catalog.h"
#include "consul/httpc.h"
#include "source/cluster_query.h"
#include "source/cluster_reply.h"
#include "source/cluster_watch.h"
#include "source/merge.h"

/* The first answer, be it a failure, and the first reading, are told once each. */
static void note_answer(struct cluster_watch *w)
{
    struct watch_context *x = w->context;
    bool answered = w->answered;
    bool was_read = w->was_read;
    w->answered = true;
    w->was_read = w->newest_index > 0;
    x->unanswered -= !answered;
    x->unread -= w->was_read && !was_read;
    if (!answered || w->was_read != was_read)
        x->progress(x->arg);
}

/* A read that was slow may tell of a time before the last reply of the watch: not news. When the
 * one made after it has a lower index too, the index really went back (a restored snapshot). */
static bool is_overtaken(struct cluster_watch *w, uint64_t index)
{
    bool older = index < w->newest_index;
    w->overtaken = older && !w->overtaken;
    return w->overtaken;
}

static void accept_read(struct cluster_watch *w, uint64_t index)
{
    cluster_watch_succeeded(w);
    merge_note_failure(w->context->merge, w->id, "");
    /* A watch that is refused again and again must not be tried at full speed because the reads in
     * between succeed. */
    if (w->context->plan != PLAN_EACH)
        backoff_reset(&w->backoff);
    w->newest_index = index;
    cluster_query_follow_read(w, index);
}

/* Those who wait would only hear the same; what waits for the first answers is not kept waiting. */
static void answer_for_all(struct watch_context *x)
{
    for (struct cluster_watch *w = x->reads.untried; w != NULL; w = w->next_waiting)
        note_answer(w);
}

/* May end the cluster. */
static void take_read(struct cluster_watch *w, const struct httpc_reply *reply)
{
    struct watch_context *x = w->context;
    struct catalog_health health;
    struct error error;
    w->read_call = NULL;

    if (!cluster_reply_parse(w, reply, &health, &error))
        cluster_watch_failed(w, reply->status, error.text);
    else if (is_overtaken(w, reply->index))
        cluster_watch_check(w);
    else if (!cluster_reply_observe(w, &health, true))
        cluster_watch_failed(w, reply->status, "out of memory");
    else
        accept_read(w, reply->index);
    catalog_health_clear(&health);
    if (w->told && !w->read_timer.set) /* it has fired while this one was under way */
        cluster_watch_check(w);
    note_answer(w);
    if (reads_end(&x->reads, reads_is_refusal(reply->status) ? READ_REFUSED : READ_ANSWERED))
        x->recovered(x->arg);
    if (reads_are_refused(&x->reads))
        answer_for_all(x);
    if (w->admission.state == CLUSTER_GONE && !w->unpublished && x->gone(x->arg, w))
        return;
    if (!w->failing)
        cluster_query_start(w);
}

static void on_read(void *arg, const struct httpc_reply *reply)
{
    struct cluster_watch *w = arg;
    struct watch_context *x = w->context;
    take_read(w, reply);
    watch_context_report(x);
}

bool cluster_read_send(struct cluster_watch *w)
{
    struct watch_context *x = w->context;
    struct catalog_read read = {.authoritative = true, .consistent = w->ask_consistent};
    struct buf path;
    buf_init(&path, 4096);
    w->last_read_ms = httpc_now(x->httpc);
    w->told = false;
    if (catalog_health_path(&path, x->config, w->service, &read)) {
        struct httpc_request request = {.method = "GET",
                                        .path = buf_text(&path),
                                        .timeout_ms = catalog_timeout_ms(&read),
                                        .max_body = HEALTH_BODY_MAX,
                                        .op = CONSUL_OP_CLUSTER_READ};
        w->read_call = httpc_send(x->httpc, &request, on_read, w);
    }
    if (w->read_call == NULL)
        cluster_watch_failed(w, 0, "out of memory");
    buf_clear(&path);
    return w->read_call != NULL;
}

static void on_read_timer(void *arg)
{
    struct cluster_watch *w = arg;
    if (w->read_call == NULL) /* else its reply plans the next one */
        reads_want(&w->context->reads, w);
}

void cluster_read_init(struct cluster_watch *w)
{
    w->read_timer = TIMER(on_read_timer, w);
    w->last_read_ms = httpc_now(w->context->httpc) - READ_SPACING_MS;
}

void cluster_read_stop(struct cluster_watch *w)
{
    struct watch_context *x = w->context;
    reads_withdraw(&x->reads, w);
    if (w->read_call != NULL)
        (void)reads_end(&x->reads, READ_CANCELLED);
    httpc_cancel(x->httpc, w->read_call);
    httpc_timer_cancel(x->httpc, &w->read_timer);
    w->read_call = NULL;
}
