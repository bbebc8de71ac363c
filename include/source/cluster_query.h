/*
 * cluster_query.h - the blocking query of one cluster, its watch: brings changes at once.
 *
 * There is one only while the plan is PLAN_EACH and the cluster can be read; it begins at the index where
 * the last read ended.
 *
 * Threads  Those of watch_context.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_CLUSTER_QUERY_H
#define SOURCE_CLUSTER_QUERY_H

#include <stdint.h>

struct cluster_watch;

/* After the context of the cluster is set. */
void cluster_query_init(struct cluster_watch *w);

/* The next one, when there are to be any and none is under way. */
void cluster_query_start(struct cluster_watch *w);

/* A read was taken that has this index: from there, unless one is under way that is not ahead of it. */
void cluster_query_follow_read(struct cluster_watch *w, uint64_t index);

/* Ends the one under way. A later one begins where the last reply ended. */
void cluster_query_stop(struct cluster_watch *w);

#endif
