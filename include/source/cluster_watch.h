/*
 * cluster_watch.h - one cluster as Consul has it: its reads, its admission, its place in the table.
 *
 * Two kinds of reads, both of /v1/health/service/<prefix><id>:
 *   read   without index, so from the servers themselves: authoritative. First of all, whenever
 *          the admission asks for one, after every failure, when the scan says so (scan.h), and
 *          every few minutes regardless, for what a blocking query may have missed (Consul issues
 *          2814, 1961) and a scan does not show. They share a queue (reads.h).
 *   watch  a blocking query: brings changes at once, never takes anything away by itself. Either
 *          every cluster has one or none has: the plan.
 *
 * Replies cross: what is older than the newest one taken is never news. A watch whose index goes
 * back (restored snapshot, another server) is dropped and a read is made; a read that is older than
 * the watch (a slow one) is made again, and that one counts, whatever its index.
 *
 * Ownership  The owner frees what cluster_watch_new() gave; see watch_context.gone.
 * Threads    Those of watch_context.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_CLUSTER_WATCH_H
#define SOURCE_CLUSTER_WATCH_H

#include <stdbool.h>
#include <stdint.h>
/* Out of memory leaves the element out; the caller sees that it is not found. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/attrs.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/timers.h"
#include "consul/check_rows.h"
#include "model/admission.h"
#include "model/cluster_id.h"
#include "model/consul_report.h"
#include "model/mass_loss.h"
#include "source/wakes.h"
#include "source/watch_context.h"

struct cluster;
struct config;
struct httpc_call;

struct cluster_watch {
    char id[CLUSTER_ID_SIZE];
    UT_hash_handle hh;   /* the owner's table */
    uint64_t generation; /* the owner's: of the last names reply that listed it */
    bool listed;         /* in the names of the last reply */
    bool published;      /* the table knows it, if only by name */
    bool twin_told;      /* that another one differs from it only in case, if there is one */

    struct watch_context *context;
    char *service;
    struct admission admission;
    bool answered; /* read once, or failed once */
    bool was_read;
    bool failing;
    bool unpublished; /* the merge could not take the last change */
    bool ask_consistent;
    size_t unusable;                  /* instances in the last reply, as far as they were logged */
    unsigned skipped[INSTANCE_SKIPS]; /* in the last reply, by reason */
    size_t contested; /* addresses with another good claim on them, as far as they were logged */
    struct log_limit unusable_limit;
    struct log_limit contested_limit;
    struct endpoint *withheld; /* those of an earlier run, sorted */
    size_t withheld_count;
    bool reclaimed; /* in the list of those */
    struct cluster_watch *next_reclaimed;
    struct backoff backoff;

    struct httpc_call *read_call;
    struct timer read_timer;
    bool told;                    /* that it changed; no read was asked for since */
    struct cluster_watch **queue; /* of reads, in which it waits; NULL: in none */
    struct cluster_watch *next_waiting;
    struct cluster_watch *prev_waiting;
    bool overtaken; /* the last read was older than the watch; the next one decides */
    int64_t last_read_ms;
    int64_t sweep_at_ms;
    size_t seen;                 /* its place in the scan */
    size_t rows;                 /* that the last scan had of it; SIZE_MAX: there was none yet */
    bool unseen;                 /* counted in context->unseen */
    struct rows_sum read[VIEWS]; /* what these would show, by the last reply... */
    bool moved[VIEWS];           /* ... which is something else since the scan looked at it */
    uint64_t *nodes;             /* hashes of their names, of the last reply */
    size_t node_count;

    struct httpc_call *watch_call;
    struct timer watch_timer;
    uint64_t watch_index;
    uint64_t newest_index; /* of all replies that were taken, reads and watches */
    struct wakes wakes;
    bool news; /* the last reply brought some */
    struct loss loss;
};

/* Reads the cluster as soon as its turn comes. NULL when out of memory. */
struct cluster_watch *cluster_watch_new(struct watch_context *context, const char *id) MUST_CHECK;
void cluster_watch_free(struct cluster_watch *w);

/* Starts from what an earlier run served and withheld. Before the first read. */
bool cluster_watch_restore(struct cluster_watch *w, const struct cluster *c) MUST_CHECK;

/* Begins anew, as a cluster that never had an address. */
void cluster_watch_restart(struct cluster_watch *w);

/* x->config was `old` until now. */
void cluster_watch_follow_config(struct cluster_watch *w, const struct config *old);

/* It ends, because the config does not leave it to Consul any more. The owner frees it then. */
void cluster_watch_give_up(struct cluster_watch *w);

/* The plan is another one now. */
void cluster_watch_follow_plan(struct cluster_watch *w);

/* -- when it is read, and how that went (cluster_watch_schedule.c) ------------------------------- */

/* Between two reads of one cluster, however often it flaps. */
#define READ_SPACING_MS 100

/* How long until its next regular read. Each time a bit else, so that they spread. */
int64_t cluster_watch_sweep_ms(const struct cluster_watch *w);

/* Wants an authoritative read at that time, instead of the one planned... */
void cluster_watch_read_at(struct cluster_watch *w, int64_t at_ms);
/* ... or then, or with the regular one when that comes first; but not later than one that is wanted
 * soon... */
void cluster_watch_plan_read(struct cluster_watch *w, int64_t ask_at_ms);
/* ... or soon, because something else said that the cluster changed. */
void cluster_watch_check(struct cluster_watch *w);

/* The scan works no longer, or again: the regular read is made sooner, or later. */
void cluster_watch_plan_sweep(struct cluster_watch *w);

/* A read or a watch failed: the next try is a read, with backoff. `status`: of the reply, or 0. */
void cluster_watch_failed(struct cluster_watch *w, long status, const char *error);
/* A read was good. */
void cluster_watch_succeeded(struct cluster_watch *w);

#endif
