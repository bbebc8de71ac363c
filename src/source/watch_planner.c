/* SPDX-License-Identifier: Apache-2.0 */
#include "source/watch_planner.h"

#include "base/log.h"
#include "config/config.h"
#include "consul/httpc.h"
#include "source/cluster_watch.h"
#include "source/scan.h"
#include "source/watches.h"

/* From scanning back to blocking queries at so many percent of their limit. */
#define BACK_PERCENT 80
/* After a 429 (the agent allows 200 connections per client address, for all programs there) there
 * is no blocking query per cluster for so long, and longer each time until all went well for the
 * longest. */
#define REFUSED_FIRST_MS 60000
#define REFUSED_CAP_MS (30 * 60 * 1000)
/* Names, and what all short calls share; and the view of what is critical. */
#define CONNECTIONS (1 + HTTPC_SHORT_CALLS)
#define SCAN_CONNECTIONS (CONNECTIONS + 1)

void watch_planner_init(struct watch_planner *p, struct watch_context *context,
                        struct watches *watches, struct scan *scan)
{
    *p = (struct watch_planner){.context = context, .watches = watches, .scan = scan};
    backoff_init(&p->refused, REFUSED_FIRST_MS, REFUSED_CAP_MS);
}

static int64_t most_watches(const struct watch_planner *p, const struct config *c)
{
    return p->context->http2 ? c->consul.max_watches_http2 : c->consul.max_watches;
}

static void keep_connections(const struct watch_planner *p)
{
    const struct watch_context *x = p->context;
    unsigned each = (unsigned)most_watches(p, x->config) + CONNECTIONS;
    httpc_keep(x->httpc, x->plan == PLAN_EACH ? each : SCAN_CONNECTIONS);
}

static void follow(struct watch_planner *p, enum watch_plan plan)
{
    struct watch_context *x = p->context;
    bool each = plan == PLAN_EACH;
    if (x->plan == plan)
        return;
    if (!each)
        LOG_INFO("the checks of the datacenter are scanned, no cluster is watched by itself",
                 F_INT("clusters", watches_count(p->watches)),
                 F_INT("max", most_watches(p, x->config)));
    else if (x->plan != PLAN_NONE)
        LOG_INFO("each cluster is watched by a query of its own",
                 F_INT("clusters", watches_count(p->watches)));
    x->plan = plan;
    p->too_many &= !each;
    keep_connections(p);
    for (struct cluster_watch *w = p->watches->all; w != NULL; w = w->hh.next)
        cluster_watch_follow_plan(w);
    if (each)
        scan_stop(p->scan);
    else
        scan_start(p->scan);
    watch_context_report(x);
}

/* Not to and fro when the number of clusters is about the limit. */
void watch_planner_choose(struct watch_planner *p)
{
    struct watch_context *x = p->context;
    int64_t clusters = (int64_t)watches_count(p->watches);
    int64_t most = most_watches(p, x->config);
    int64_t percent = p->too_many ? BACK_PERCENT : 100;
    bool back = 100 * clusters <= percent * most && httpc_now(x->httpc) >= p->refused_until_ms;
    p->too_many |= clusters > most;
    if (clusters > most)
        follow(p, PLAN_SCAN);
    else if (x->plan == PLAN_NONE || (x->plan == PLAN_SCAN && back))
        follow(p, PLAN_EACH);
}

void watch_planner_refused(struct watch_planner *p)
{
    struct watch_context *x = p->context;
    if (x->plan != PLAN_EACH)
        return;
    if (httpc_now(x->httpc) - p->refused_until_ms > REFUSED_CAP_MS)
        backoff_reset(&p->refused);
    int64_t wait = REFUSED_FIRST_MS + backoff_next_ms(&p->refused, &x->jitter);
    p->refused_until_ms = httpc_now(x->httpc) + wait;
    LOG_WARN("Consul refuses further connections; its limit is for all programs of this address",
             F_INT("clusters", watches_count(p->watches)), F_INT("next_try_ms", wait));
    follow(p, PLAN_SCAN);
}

void watch_planner_follow_config(struct watch_planner *p, const struct config *old)
{
    struct watch_context *x = p->context;
    if (x->plan == PLAN_SCAN && old->consul.accept != x->config->consul.accept) {
        scan_stop(p->scan);
        scan_start(p->scan);
    }
    if (x->plan != PLAN_NONE) {
        /* Another limit is no going to and fro. */
        p->too_many &= most_watches(p, old) == most_watches(p, x->config);
        keep_connections(p);
        watch_planner_choose(p);
    }
}
