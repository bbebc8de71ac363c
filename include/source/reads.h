/*
 * reads.h - whose turn it is to be read: the queue of all authoritative reads, and its pace.
 *
 *  - At most READS_AT_ONCE are under way, one while Consul refuses.
 *  - A cluster's first read is made as soon as its turn comes. Further ones are held to a rate:
 *    when all checks of a datacenter change at once, thousands of clusters want to be read again.
 *    What nobody has tried to read yet comes before them: its clients have no list. One that failed
 *    has no such right, else a few that always fail would keep a refusing Consul from all else.
 *  - A refusal (no reply, 429, 5xx) doubles the time between two reads up to a second, an answer
 *    halves it: a Consul that has enough, or is away, is asked once a second for all clusters
 *    together, and is at full speed two seconds after it is back.
 *
 * Ownership  struct reads is embedded in the watch_context, its links in the cluster_watch.
 * Threads    Those of watch_context.h.
 * Cost       One uncached read takes 0.2 to 0.25 ms of a core in Consul when many follow one
 *            another, and 1 ms or more when it comes alone (1.22, measured).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_READS_H
#define SOURCE_READS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/timers.h"

struct cluster_watch;
struct httpc;
struct watch_context;

struct reads {
    struct httpc *httpc;
    bool (*send)(struct cluster_watch *w); /* false: nothing was sent */
    struct timer timer;
    struct cluster_watch *untried; /* who wait, in their order: for their first try... */
    struct cluster_watch *further; /* ... and after it */
    unsigned waiting;
    unsigned running;
    struct bucket again;
    int64_t gap_ms;  /* between two; 0: none */
    int64_t next_ms; /* not before */
    bool refused;    /* several times in a row, and not quite over */
};

enum read_end {
    READ_ANSWERED,
    READ_REFUSED, /* by a Consul that is away or has enough */
    READ_CANCELLED,
};

/* Is this status of a reply (0: there was none) one of a Consul that is away or has enough, not of the
 * cluster that was asked for? */
bool reads_is_refusal(long status);

void reads_init(struct reads *r, struct httpc *httpc, bool (*send)(struct cluster_watch *w));
void reads_clear(struct reads *r);

/* Queues the cluster; nothing if it waits already. */
void reads_want(struct reads *r, struct cluster_watch *w);
void reads_withdraw(struct reads *r, struct cluster_watch *w);

/* The one end of every read that was sent; the next one follows. True when a time of refusals is over
 * with it. */
bool reads_end(struct reads *r, enum read_end how);

/* Has Consul refused so often that those who wait need not be asked for? */
bool reads_are_refused(const struct reads *r);

#endif
