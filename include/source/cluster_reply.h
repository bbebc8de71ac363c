/*
 * cluster_reply.h - what a reply of /v1/health/service means for its cluster.
 *
 * A reply is parsed, judged by the admission, and what comes of it is published. It also says when the
 * next read is wanted, and what the scan would have to show from now on.
 *
 * Threads  Those of watch_context.h.
 * Errors   What cannot be used is counted in the metrics; the caller logs it and tries again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_CLUSTER_REPLY_H
#define SOURCE_CLUSTER_REPLY_H

#include <stdbool.h>

#include "base/attrs.h"
#include "model/admission.h"

struct catalog_health;
struct cluster_watch;
struct config;
struct error;
struct httpc_reply;

/* A longer one is an error. */
#define HEALTH_BODY_MAX (16 * 1024 * 1024)

/* Pair with catalog_health_clear(), also on failure. */
bool cluster_reply_parse(const struct cluster_watch *w, const struct httpc_reply *reply,
                         struct catalog_health *out, struct error *reterr) MUST_CHECK;

/* A complete answer: judges it and serves what comes of it. Takes the hashes of the nodes out of `h`.
 * False: out of memory, and nothing was judged. */
bool cluster_reply_observe(struct cluster_watch *w, struct catalog_health *h,
                           bool authoritative) MUST_CHECK;

/* By which delays `c` wants it judged. */
struct admission_options cluster_reply_delays(const struct config *c);

#endif
