/*
 * scan.h - which clusters to read again, when there are too many for a blocking query each.
 *
 * Three views of the checks of the datacenter, of which each says "these clusters are not as they
 * were". It never says what they are: that is read, from the servers (cluster_watch.h). So a scan
 * that is wrong, cut or late costs a read or some time, never a list.
 *
 *   critical  a blocking query for all checks that are critical: what fails and what recovers. Also
 *             what is registered anew as most agents do it, critical until its first check.
 *   warning   the same, asked for once a second (it needs no connection of its own), unless
 *             consul.accept admits warnings.
 *   all       every check of our services. Only when the index of /v1/catalog/services has moved,
 *             for only then something was registered or deregistered, and never so often that it
 *             takes more than an eighth of the time (a fifth, when lists would otherwise be more
 *             than a second old).
 *
 * What a read sees is kept beside that: views before and after a change that was undone are alike, but
 * a read in between is not like the later one, and then another is made.
 *
 * What no view shows is found by the regular reads: a port edited under the same service ID, and
 * services without checks; the latter are read more often (cluster_watch_schedule.c).
 *
 * Figures, Consul 1.22.0 dev agent, 3 instances with one check each, CPU of the agent:
 *
 *                                                       1,000 clusters    10,000 clusters
 *   /v1/catalog/services                            2.7 ms    25 kB     20 ms    259 kB
 *   the same with a filter                           10 ms              126 ms
 *   /v1/health/state/any, our services               21 ms   1.4 MB    280 ms     15 MB
 *   the same, only what is not passing              3.5 ms              32 ms
 *   /v1/health/state/critical, nothing critical    0.25 ms            0.25 ms
 *   /v1/internal/ui/services                         19 ms   0.5 MB    470 ms      5 MB
 *   /v1/health/service/X, uncached                  0.2 ms             0.2 ms
 *   reading all in turn every 10 s                 7.6 % of a core      37 % of a core
 *
 * A query for one status wakes only when a check of that status comes, changes or goes; when there
 * is none of it at all, at every change of any check (measured). A query for "any", or with a filter
 * in place of the status, always wakes, and costs a hundred times as much. So the usual event, a
 * check that flips, costs one small reply and one read; the 15 MB are for registrations alone.
 * Connections: names, critical, and the two that all short calls share (httpc.h). Of these the
 * views have one at most, so that a view that does not come to its end keeps no cluster from being
 * read.
 *
 * Beyond what was measured, by the same rates: 100,000 clusters on 5,000 nodes are 300,000 checks.
 * One view of all is then 150 MB and 2.8 s of Consul, so a new instance is served after up to 17 s, a
 * fifth of a core is used while registrations go on, and the regular reads take 75 minutes for one
 * round. Such a catalog is better split by prefix (consul.service_prefix), one nsaddrd per part
 * behind the same fabio; each then scans only its own rows, though Consul looks at all of them
 * (1 us each). Each replica scans for itself: three replicas are three times these figures on
 * their agents' servers, and one point to stay below.
 *
 * Ownership  struct scan is embedded in its owner. A cluster_watch is added once and dropped before
 *            it is freed.
 * Threads    The httpc thread.
 * Errors     A view that cannot be had is tried again with backoff; until then all clusters are read
 *            in turn, and one line says so.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_SCAN_H
#define SOURCE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/timers.h"
#include "consul/check_rows.h"
#include "source/wakes.h"

struct cluster_watch;
struct httpc_call;
struct node_rows;
struct scan;
struct watch_context;

struct view {
    struct scan *scan;
    enum view_kind kind;
    struct httpc_call *call;
    struct timer timer;
    struct check_rows rows;  /* of the reply that is arriving */
    struct node_rows *nodes; /* checks of whole nodes in it */
    uint64_t index;          /* of the last reply; 0: the next one is not to wait */
    int64_t asked_ms;
    int64_t took_ms; /* the last time */
    int64_t due_ms;  /* not before */
    struct backoff backoff;
    struct wakes wakes;
    bool wanted;  /* once more, when this one is done */
    bool waiting; /* for the other one that makes short calls */
    size_t bytes; /* of the reply that is arriving */
    bool failing;
};

/* What one view shows of one cluster. */
struct sight {
    struct rows_sum rows;
    bool known;
};

struct seen {
    struct cluster_watch *watch;
    struct sight now[VIEWS];
    struct sight next[VIEWS]; /* of the reply that is arriving */
};

struct scan {
    struct watch_context *context;
    struct view views[VIEWS];
    struct seen *seen; /* all clusters, side by side: they are walked for every reply */
    size_t count;
    size_t room;
    struct log_complaint complaint;
    size_t names; /* of all services in the datacenter; each wake costs Consul something for each */
};

void scan_init(struct scan *s, struct watch_context *context);
void scan_clear(struct scan *s);

bool scan_add(struct scan *s, struct cluster_watch *w) MUST_CHECK;
void scan_drop(struct scan *s, struct cluster_watch *w);

/* Its first view of all is made at once. */
void scan_start(struct scan *s);
void scan_stop(struct scan *s);

/* Views that could not be had are tried again now. */
void scan_retry(struct scan *s);

/* The index of the services has moved: something was registered or deregistered. Returns when that
 * is looked at; before then it need not be known that it moved further. `names`: how many services
 * there are. */
int64_t scan_registrations(struct scan *s, size_t names);

#endif
