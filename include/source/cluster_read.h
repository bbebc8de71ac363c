/*
 * cluster_read.h - the authoritative read of one cluster: asks, and takes the reply.
 *
 * It waits for its turn in the queue (reads.h). A failure is tried again with backoff. What is older
 * than the watch is read again.
 *
 * Threads  Those of watch_context.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_CLUSTER_READ_H
#define SOURCE_CLUSTER_READ_H

#include <stdbool.h>

struct cluster_watch;

/* After the context of the cluster is set. */
void cluster_read_init(struct cluster_watch *w);

/* Its turn has come (reads.h). False: nothing was sent, and the failure is noted. */
bool cluster_read_send(struct cluster_watch *w);

/* Ends what is under way, or waits, or is planned. */
void cluster_read_stop(struct cluster_watch *w);

#endif
