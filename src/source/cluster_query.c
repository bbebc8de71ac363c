/* SPDX-License-Identifier: Apache-2.0 */
#include "source/cluster_query.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "consul/catalog.h"
#include "consul/httpc.h"
#include "source/cluster_reply.h"
#include "source/cluster_watch.h"

#define WAIT_SPREAD_PERCENT 20

static bool take_watched(struct cluster_watch *w, const struct httpc_reply *reply)
{
    struct catalog_health health;
    struct error error;
    bool ok = cluster_reply_parse(w, reply, &health, &error) &&
              (cluster_reply_observe(w, &health, false) || error_set(&error, "out of memory"));
    catalog_health_clear(&health);
    if (!ok) {
        cluster_watch_failed(w, reply->status, error.text);
        return false;
    }
    w->newest_index = reply->index;
    w->overtaken = false;
    return true;
}

static void take_watch(struct cluster_watch *w, const struct httpc_reply *reply)
{
    struct error error;
    w->watch_call = NULL;
    if (reply->status == 429)
        w->context->refused(w->context->arg);
    if (!catalog_reply_ok(reply, &error)) {
        consul_metrics_unusable(httpc_metrics(w->context->httpc), error.text);
        cluster_watch_failed(w, reply->status, error.text);
        return;
    }
    if (reply->index < w->watch_index) {
        LOG_DEBUG("the index went back: reading anew", F_STR("cluster", w->id));
        w->watch_index = 0;
        cluster_watch_check(w);
        return;
    }
    backoff_reset(&w->backoff);
    w->watch_index = reply->index;
    if (reply->index < w->newest_index || take_watched(w, reply))
        cluster_query_start(w);
}

static void on_watch(void *arg, const struct httpc_reply *reply)
{
    struct cluster_watch *w = arg;
    take_watch(w, reply);
    watch_context_report(w->context);
}

static void send_watch(void *arg)
{
    struct cluster_watch *w = arg;
    struct watch_context *x = w->context;
    struct catalog_read read = {
        .index = w->watch_index,
        .wait_ms = jitter_spread(&x->jitter, x->config->consul.wait_ms, WAIT_SPREAD_PERCENT)};
    struct buf path;
    buf_init(&path, 4096);
    if (catalog_health_path(&path, x->config, w->service, &read)) {
        struct httpc_request request = {.method = "GET",
                                        .path = buf_text(&path),
                                        .timeout_ms = catalog_timeout_ms(&read),
                                        .max_body = HEALTH_BODY_MAX,
                                        .blocking = true,
                                        .op = CONSUL_OP_CLUSTER_WATCH};
        w->watch_call = httpc_send(x->httpc, &request, on_watch, w);
    }
    if (w->watch_call == NULL)
        cluster_watch_failed(w, 0, "out of memory");
    buf_clear(&path);
}

void cluster_query_start(struct cluster_watch *w)
{
    struct watch_context *x = w->context;
    if (x->plan != PLAN_EACH || w->watch_call != NULL || w->watch_timer.set || w->watch_index == 0)
        return;
    int64_t now = httpc_now(x->httpc);
    int64_t own = wakes_wait_ms(&w->wakes, w->news, now);
    int64_t all = bucket_take(&x->wakes, now);
    w->news = false;
    int64_t wait = own > all ? own : all;
    if (wait > 0)
        httpc_timer_set(x->httpc, &w->watch_timer, now + wait);
    else
        send_watch(w);
}

void cluster_query_follow_read(struct cluster_watch *w, uint64_t index)
{
    if (w->watch_call != NULL && index < w->watch_index) {
        /* The index went back: Consul will not reach that one for long. */
        httpc_cancel(w->context->httpc, w->watch_call);
        w->watch_call = NULL;
    }
    if (w->watch_call == NULL)
        w->watch_index = index;
}

void cluster_query_init(struct cluster_watch *w)
{
    wakes_init(&w->wakes);
    w->watch_timer = TIMER(send_watch, w);
}

void cluster_query_stop(struct cluster_watch *w)
{
    struct httpc *httpc = w->context->httpc;
    httpc_timer_cancel(httpc, &w->watch_timer);
    httpc_cancel(httpc, w->watch_call);
    w->watch_call = NULL;
    w->watch_index = w->newest_index;
}
