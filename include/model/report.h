/*
 * report.h - one line per instance of a cluster: what is registered, and what became of it. Pure.
 *
 * Reports are for people. They are packed into bytes, many behind one another, so that those of
 * thousands of clusters stay small and equal reports are equal bytes. Texts are as Consul has them,
 * cut where they are long: whoever shows them escapes them.
 *
 * Time    Milliseconds of the monotonic clock, so that they say the same from reply to reply.
 * Errors  Only memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MODEL_REPORT_H
#define MODEL_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

struct buf;

/* What Consul says of one registered instance, worst check first. */
enum health { HEALTH_MAINTENANCE, HEALTH_BAD, HEALTH_GOOD };

enum verdict {
    VERDICT_NONE, /* read, but not judged yet */
    VERDICT_SERVED,
    VERDICT_SHARED,       /* served although another cluster claims it: there is no other address */
    VERDICT_HELD,         /* served, for without such ones the list would be empty */
    VERDICT_FAILING,      /* served until its delay is over */
    VERDICT_LEAVING,      /* in maintenance, served until its delay is over */
    VERDICT_DEREGISTERED, /* no longer registered, served until its delay is over */
    VERDICT_UNHEALTHY,    /* not served */
    VERDICT_MAINTENANCE,  /* not served */
    VERDICT_UNUSABLE,     /* not served: no address for clients */
    VERDICT_CONTESTED,    /* not served: another cluster claims the address */
    VERDICT_DUPLICATE,    /* what another registration of the same address says counts */
    VERDICTS,
};

/* "served", "served-held", ...: part of the JSON interface. */
const char *verdict_name(enum verdict v);
bool verdict_is_served(enum verdict v);
/* One that somebody may want to look at. */
bool verdict_is_trouble(enum verdict v);

struct report {
    enum verdict verdict;
    enum health health; /* of the worst check */
    bool registered;    /* in the last reply */
    unsigned port;      /* 0: none that can be used */
    int64_t since_ms;   /* FAILING, LEAVING, DEREGISTERED, HELD: since when; else 0 */
    int64_t leaves_ms;  /* FAILING, LEAVING, DEREGISTERED: not before; HELD: the same if nothing is
                         * registered, CLOCK_NEVER until that is confirmed; else 0 */
    const char *address;
    const char *node;
    const char *service_id;
    const char *check;  /* the worst one that is not passing, "" when all are */
    const char *status; /* its */
    const char *detail; /* UNUSABLE: why; CONTESTED, SHARED: the cluster; DUPLICATE: of which ID; of
                         * what was never registered: REPORT_UNPINNED */
};

/* The config had it, and has it no more. */
#define REPORT_UNPINNED "static_clusters"

/* Reports that are kept of one cluster together; further ones are left out. */
#define REPORTS_MAX ((size_t)64 * 1024)

/* Appends it; nothing when there is no more room. False: no memory. */
bool report_append(struct buf *out, const struct report *r) MUST_CHECK;

/* The packed reports of somebody. Borrowed. */
struct reports {
    const char *data;
    size_t len;
};

/* The next one, with texts borrowed from `reports`, which moves behind it; false at the end. */
bool report_next(struct reports *reports, struct report *out);

#endif
