/*
 * watch_context.h - what all clusters of one Consul share: by which plan changes are noticed, whose
 * turn it is to be read, who claims what, and how far all is.
 *
 * Ownership  struct watch_context is embedded in its owner; config, httpc and merge are borrowed until
 *            it is cleared. Every cluster_watch is freed before that.
 * Threads    The httpc thread (or the main thread before it runs).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_WATCH_CONTEXT_H
#define SOURCE_WATCH_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/clock.h"
#include "base/log.h"
#include "model/mass_loss.h"
#include "source/progress.h"
#include "source/reads.h"

struct claims;
struct cluster_watch;
struct config;
struct httpc;
struct merge;

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
    /* A cluster was answered for (or failed) for the first time, or was read for the first time, or
     * a list of the names was taken. */
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

    bool http2; /* as Consul answered for the names last */
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

/* `read` is how a cluster is read when its turn comes (reads.h). The callbacks are the owner's to set.
 * False when out of memory; clear it in any case. */
bool watch_context_init(struct watch_context *x, const struct config *config, struct httpc *httpc,
                        struct merge *merge, bool (*read)(struct cluster_watch *w)) MUST_CHECK;
void watch_context_clear(struct watch_context *x);

/* Says how far all is: in metrics, and when it takes long in the log. After every event that may have
 * changed something. */
void watch_context_report(struct watch_context *x);

/* After a 403: the token file may hold another token by now. True when it does. */
bool watch_context_refused(struct watch_context *x);

/* A cluster loses members, by a reply of its own or as the scan sees it: `loss` is its own. */
void watch_context_note_loss(struct watch_context *x, struct loss *loss);

#endif
