/*
 * names_watch.h - one blocking query of /v1/catalog/services: which clusters there are.
 *
 * Each service nameServer<cluster-id> is one; the prefix is consul.service_prefix. What a reply lists
 * goes to the watches (watches.h), and the plan is chosen by how many they are. Names that hold no
 * cluster id, and that ACLs hide some, are said once. One whose index went back proves nothing,
 * but makes all clusters be read.
 *
 * Ownership  struct names_watch is embedded in its owner.
 * Threads    Those of watch_context.h.
 * Errors     Tried again with backoff, for ever; one line when it begins, one when it is over. Clusters
 *            that are known are read all the same.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_NAMES_WATCH_H
#define SOURCE_NAMES_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/timers.h"

struct httpc_call;
struct scan;
struct watch_context;
struct watch_planner;
struct watches;

struct names_watch {
    struct watch_context *context;
    struct watches *watches;
    struct watch_planner *planner;
    struct scan *scan;

    bool known; /* there was a first reply: for the owner to read */

    struct httpc_call *call;
    struct timer timer;
    struct backoff backoff;
    struct bucket idle_wakes;
    uint64_t index;
    int64_t read_anew_ms; /* not before */
    bool failing;
    bool told_unreachable; /* the merge knows */
    struct log_complaint complaint;
    size_t names;       /* of all services in the reply being taken */
    size_t matching;    /* names with our prefix in it */
    size_t invalid;     /* of them: that hold no cluster id */
    size_t was_invalid; /* in the one before */
    char example[160];  /* of those */
    bool warned_of_acls;
};

/* All are borrowed until it is stopped. Tells context->progress of each good reply, and
 * context->recovered when Consul answers again. */
void names_watch_init(struct names_watch *n, struct watch_context *context, struct watches *watches,
                      struct watch_planner *planner, struct scan *scan);

/* Asks at once. It was not started yet, or was stopped. */
void names_watch_start(struct names_watch *n);

/* A later start looks at all names anew. Also when it was not started. */
void names_watch_stop(struct names_watch *n);

#endif
