/*
 * claims.h - which addresses more than one cluster lays claim to. Pure.
 *
 * An ip:port in two clusters is a stale registration whose port was reused, or a mistake; nobody
 * can tell which, and whoever is given the wrong one talks to another tenant's NameServer. So:
 *
 *  - where one claim is good (registered and healthy now) and the other only kept (held, restored,
 *    leaving), the good one has it;
 *  - two good claims: neither is given it;
 *  - a cluster that would be left with nothing keeps all of its own (shared on purpose).
 *
 * The rule looks at the present claims alone, so every replica decides alike.
 *
 * Ownership  claims_new()/claims_free(). Arguments are copied.
 * Threads    One at a time.
 * Errors     Only memory: then the call returns false and the cluster's claims are as before, or
 *            none.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MODEL_CLAIMS_H
#define MODEL_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "model/endpoint.h"

struct claims;

struct claim {
    struct endpoint endpoint;
    bool good;
};

struct claims *claims_new(void) MUST_CHECK;
void claims_free(struct claims *c);

/* All that `cluster` claims from now on, in place of what it claimed before. `list` is sorted and
 * free of duplicates. Calls `affected`, perhaps more than once, for every other cluster that may be
 * granted something else afterwards; not to be answered from within. */
bool claims_set(struct claims *c, const char *cluster, const struct claim *list, size_t count,
                void (*affected)(const char *cluster, void *arg), void *arg) MUST_CHECK;

/* `cluster` claims nothing any more, and nobody is told. */
void claims_drop(struct claims *c, const char *cluster);

struct grant {
    size_t count;            /* addresses that may be given to clients */
    size_t contested;        /* of the list: another cluster has a good claim on them */
    struct endpoint example; /* the first of those */
};

/* What of `list` may be given to clients of `cluster`; `out` has room for all of it. */
struct grant claims_grant(const struct claims *c, const char *cluster, const struct claim *list,
                          size_t count, struct endpoint *out);

/* Another cluster with a good claim on the address, the first of them by id; NULL: none. Borrowed
 * until the next change. */
const char *claims_other(const struct claims *c, const char *cluster, const struct endpoint *e);

#endif
