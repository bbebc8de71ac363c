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
 * Threads    The httpc thread (or the main thread before it runs).
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
#include "model/consul_metrics.h"
#include "model/mass_loss.h"
#include "source/progress.h"
#include "source/reads.h"
#include "source/wakes.h"

struct config;
struct error;
struct httpc;
struct httpc_call;
struct merge;
struct claims;

struct cluster_watch;

/* How changes are noticed. */
enum watch_plan {
    PLAN_NONE, /* not yet: nobody knows how many clusters there are */
    PLAN_EACH, /* every cluster has a blocking query */
    PLAN_SCAN, /* the checks of the datacenter say which clusters to read again */
};

/* What all clusters share. */
struct watch_context {
    const struct config *config;
    struct httpc *httpc;
    struct merge *merge;
    struct jitter jitter;
    /* A cluster was answered for (or failed) for the first time, or was read for the first time. */
    void (*progress)(void *arg);
    /* The cluster has ended. The owner frees the watch (true), or restarts it because its name
     * is still listed (false). */
    bool (*gone)(void *arg, struct cluster_watch *w);
    /* The watch of that cluster, or NULL. */
    struct cluster_watch *(*find)(void *arg, const char *id);
    /* Consul refuses further connections. */
    void (*refused)(void *arg);
    /* It answers after it refused. */
    void (*recovered)(void *arg);
    void *arg;

    enum watch_plan plan;
    bool scan_fails; /* PLAN_SCAN without its scan */
    struct reads reads;
    struct claims *claims;                 /* of all clusters */
    struct cluster_watch *first_reclaimed; /* others whose list may change by it */
    struct bucket wakes;                   /* of all watches together */
    unsigned clusters;
    unsigned unseen;     /* of them: the scan does not show all of their instances */
    unsigned unanswered; /* of them: neither read nor failed so far */
    unsigned unread;     /* of them: never read so far */
    unsigned failing;
    struct log_complaint complaint; /* of them */
    struct log_limit token_limit;
    struct mass_loss mass_loss;
    struct progress long_work;
    struct progress rereads;
};

/* False when out of memory; clear it in any case. */
bool watch_context_init(struct watch_context *x, const struct config *config, struct httpc *httpc,
                        struct merge *merge) MUST_CHECK;
void watch_context_clear(struct watch_context *x);

/* Says how far all is: in metrics, and when it takes long in the log. After every event that may have
 * changed something. */
void watch_context_report(struct watch_context *x);

/* After a 403: the token file may hold another token by now. True when it does. */
bool watch_context_refused(struct watch_context *x);

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

/* Wants an authoritative read at that time, instead of the one planned... */
void cluster_watch_read_at(struct cluster_watch *w, int64_t at_ms);
/* ... or soon, because something else said that the cluster changed. */
void cluster_watch_check(struct cluster_watch *w);

/* It loses members, by a reply of its own or as the scan sees it. */
void cluster_watch_note_loss(struct cluster_watch *w);

/* x->config was `old` until now. */
void cluster_watch_follow_config(struct cluster_watch *w, const struct config *old);

/* It ends, because the config does not leave it to Consul any more. The owner frees it then. */
void cluster_watch_give_up(struct cluster_watch *w);

/* The plan is another one now. */
void cluster_watch_follow_plan(struct cluster_watch *w);

/* The scan works no longer, or again: the regular read is made sooner, or later. */
void cluster_watch_plan_sweep(struct cluster_watch *w);

#endif
