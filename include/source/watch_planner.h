/*
 * watch_planner.h - chooses how changes are noticed: by a blocking query for each cluster, or by a
 * scan of the checks of the datacenter (scan.h).
 *
 * With up to consul.max_watches clusters (over HTTP/2 max_watches_http2) each has a query, with more
 * of them the checks are scanned. Also when Consul refuses connections, for a while. Going to and fro
 * changes no list: every cluster is read once the scan has begun, and a blocking query begins where
 * the last read ended.
 *
 * Ownership  struct watch_planner is embedded in its owner.
 * Threads    Those of watch_context.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_WATCH_PLANNER_H
#define SOURCE_WATCH_PLANNER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct config;
struct scan;
struct watch_context;
struct watches;

struct watch_planner {
    struct watch_context *context;
    struct watches *watches;
    struct scan *scan;
    struct backoff refused;
    int64_t refused_until_ms; /* no query per cluster before */
    bool too_many;            /* for a query each, since the last time they had one */
};

/* All are borrowed as long as the planner is used. Until the first choice there is no plan. */
void watch_planner_init(struct watch_planner *p, struct watch_context *context,
                        struct watches *watches, struct scan *scan);

/* After the number of clusters, or what Consul speaks, may have changed. Follows the plan at once. */
void watch_planner_choose(struct watch_planner *p);

/* Consul refuses further connections: no query per cluster for a while. */
void watch_planner_refused(struct watch_planner *p);

/* x->config was `old` until now. */
void watch_planner_follow_config(struct watch_planner *p, const struct config *old);

#endif
