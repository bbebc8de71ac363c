/* SPDX-License-Identifier: Apache-2.0 */
#include "source/names_watch.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"
#include "consul/catalog.h"
#include "consul/httpc.h"
#include "model/cluster_id.h"
#include "model/consul_metrics.h"
#include "source/merge.h"
#include "source/scan.h"
#include "source/watch_context.h"
#include "source/watch_planner.h"
#include "source/watches.h"

#define NAMES_BODY_MAX (64 * 1024 * 1024)
#define BACKOFF_FIRST_MS 500
#define BACKOFF_CAP_MS 30000
/* Every registration in the whole datacenter wakes the names watch; those that bring no new name
 * are held to this rate. */
#define IDLE_WAKE_BURST 10
#define IDLE_WAKE_REFILL_MS 500
#define WAIT_SPREAD_PERCENT 20
#define READ_ANEW_SPACING_MS 30000

static void send_names(void *arg);

static void take_name(const char *name, void *arg)
{
    struct names_watch *n = arg;
    const struct config *c = n->context->config;
    size_t prefix = strlen(c->consul.service_prefix);
    n->names++;
    if (strncmp(name, c->consul.service_prefix, prefix) != 0)
        return;
    const char *id = name + prefix;
    n->matching++;
    if (!cluster_id_valid(id, strlen(id))) {
        n->invalid++;
        (void)snprintf(n->example, sizeof n->example, "%s", name);
        return;
    }
    watches_list(n->watches, id);
}

/* Said once, or once more when there are more. */
static void note_odd_names(struct names_watch *n, const struct httpc_reply *reply)
{
    if (n->invalid > n->was_invalid)
        LOG_WARN("services whose names hold no cluster id are skipped",
                 F_INT("skipped", n->invalid), F_STR("last", n->example));
    n->was_invalid = n->invalid;
    if (reply->filtered && !n->warned_of_acls)
        LOG_INFO("ACLs hide some services from our token; a cluster among them would be unknown",
                 F_INT("visible", n->matching));
    n->warned_of_acls = n->warned_of_acls || reply->filtered;
}

static bool take_names(struct names_watch *n, const struct httpc_reply *reply, struct error *reterr)
{
    const struct watch_context *x = n->context;
    const char *prefix = x->config->consul.service_prefix;
    n->names = 0;
    n->matching = 0;
    n->invalid = 0;
    watches_begin_listing(n->watches);
    if (!catalog_parse_services(reply, take_name, n, reterr))
        return false;
    if (n->matching == 0 && catalog_maybe_cut(reply, httpc_has_token(x->httpc)))
        return error_set(reterr,
                         "no service %s... is visible and ACLs hide some; the token needs "
                         "service_prefix \"%s\" read and node_prefix \"\" read",
                         prefix, prefix);
    note_odd_names(n, reply);
    if (!watches_end_listing(n->watches, !n->known))
        return error_set(reterr, "out of memory");
    return true;
}

static void names_failed(struct names_watch *n, const struct httpc_reply *reply, const char *error)
{
    struct watch_context *x = n->context;
    unsigned left_out;
    if (reply != NULL)
        consul_metrics_unusable(httpc_metrics(x->httpc), error);
    if (reply != NULL && reply->status == 403 && watch_context_refused(x))
        backoff_reset(&n->backoff);
    int64_t wait = backoff_next_ms(&n->backoff, &x->jitter);
    if (log_complaint_begins(&n->complaint, httpc_now(x->httpc), &left_out))
        LOG_WARN("cannot read the services from Consul, what is served stays",
                 F_STR("consul", x->config->consul.address), F_STR("error", error),
                 F_INT("next_try_ms", wait), F_SOME("left_out", left_out));
    n->failing = true;
    n->index = 0;
    if (x->unread < x->clusters) /* clusters of an earlier run can be read all the same */
        watch_planner_choose(n->planner);
    httpc_timer_set(x->httpc, &n->timer, httpc_now(x->httpc) + wait);
    if (x->plan == PLAN_SCAN) /* they would have told of registrations */
        (void)scan_registrations(n->scan, n->scan->names);
    if (!n->known && !n->told_unreachable) {
        n->told_unreachable = true;
        merge_first_read(x->merge, FIRST_READ_UNREACHABLE);
    }
}

static void names_answered(struct names_watch *n)
{
    struct watch_context *x = n->context;
    backoff_reset(&n->backoff);
    if (log_complaint_ends(&n->complaint) || !n->known)
        LOG_INFO("reading from Consul", F_STR("consul", x->config->consul.address),
                 F_INT("clusters", x->clusters));
    if (n->failing)
        x->recovered(x->arg);
    n->failing = false;
    n->known = true;
    watch_planner_choose(n->planner);
    x->progress(x->arg);
}

/* Not each time when the index goes to and fro, as between two servers that are read by turns. */
static void read_all_anew(struct names_watch *n, int64_t now_ms)
{
    if (now_ms < n->read_anew_ms)
        return;
    n->read_anew_ms = now_ms + READ_ANEW_SPACING_MS;
    LOG_INFO("the index of the services went back: reading all anew",
             F_INT("clusters", n->context->clusters));
    watches_check_all(n->watches);
}

static void on_names(void *arg, const struct httpc_reply *reply)
{
    struct names_watch *n = arg;
    struct watch_context *x = n->context;
    struct error error;
    int64_t now = httpc_now(x->httpc);
    bool moved = reply->index != n->index;
    bool news = false;
    int64_t wait = 0;
    n->call = NULL;
    if (reply->status != 0) /* else nobody has said how it speaks */
        x->http2 = reply->http2;
    if (!catalog_reply_ok(reply, &error)) {
        names_failed(n, reply, error.text);
        return;
    }
    if (reply->index < n->index) {
        /* Restored snapshot or another server: what a blocking query says now proves nothing, and a
         * cluster's own may wait for an index that will not come for long. */
        n->index = 0;
        read_all_anew(n, now);
    } else {
        if (!take_names(n, reply, &error)) {
            names_failed(n, reply, error.text);
            return;
        }
        news = n->watches->found > 0;
        n->index = reply->index;
        names_answered(n);
    }
    bool scans = x->plan == PLAN_SCAN && moved;
    if (scans)
        wait = scan_registrations(n->scan, n->names) - now;
    if ((!scans || x->scan_fails) && !news)
        wait = bucket_take(&n->idle_wakes, now);
    if (wait > 0)
        httpc_timer_set(x->httpc, &n->timer, now + wait);
    else
        send_names(n);
}

static void send_names(void *arg)
{
    struct names_watch *n = arg;
    struct watch_context *x = n->context;
    struct catalog_read read = {
        .index = n->index,
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
        n->call = httpc_send(x->httpc, &request, on_names, n);
    }
    if (n->call == NULL)
        names_failed(n, NULL, "out of memory");
    buf_clear(&path);
}

void names_watch_init(struct names_watch *n, struct watch_context *context, struct watches *watches,
                      struct watch_planner *planner, struct scan *scan)
{
    *n = (struct names_watch){
        .context = context, .watches = watches, .planner = planner, .scan = scan};
    n->timer = TIMER(send_names, n);
    n->read_anew_ms = httpc_now(context->httpc);
    backoff_init(&n->backoff, BACKOFF_FIRST_MS, BACKOFF_CAP_MS);
    bucket_init(&n->idle_wakes, IDLE_WAKE_BURST, IDLE_WAKE_REFILL_MS);
}

void names_watch_start(struct names_watch *n)
{
    send_names(n);
}

void names_watch_stop(struct names_watch *n)
{
    struct httpc *httpc = n->context->httpc;
    httpc_cancel(httpc, n->call);
    httpc_timer_cancel(httpc, &n->timer);
    n->call = NULL;
    n->index = 0;
}
