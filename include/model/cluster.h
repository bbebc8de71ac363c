/*
 * cluster.h - what one cluster's clients are told: its list, ready as response body. Immutable.
 *
 * Ownership  Counted: cluster_new() returns the first reference.
 * Threads    Any: only the count, the rendering and when it was confirmed ever change.
 * Errors     Only memory: NULL.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MODEL_CLUSTER_H
#define MODEL_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "model/endpoint.h"
#include "model/report.h"

enum cluster_state {
    CLUSTER_UNREAD,   /* known by name only: not answered for yet */
    CLUSTER_EMPTY,    /* read, but it never had an address that may be served */
    CLUSTER_LIVE,     /* as Consul (or the config) says now */
    CLUSTER_HELD,     /* last good list, kept against what Consul says now */
    CLUSTER_RESTORED, /* last good list of an earlier run, not confirmed yet */
    CLUSTER_GONE,     /* ended; never in a table */
};

/* "unread", "live", ...: header, log and state file use these words. */
const char *cluster_state_name(enum cluster_state state);

#define ETAG_SIZE sizeof "\"0123456789abcdef\""

/* The last change of the list or the state. */
struct cluster_change {
    uint64_t count;  /* of all changes so far */
    int64_t wall_ms; /* when */
    const char *why; /* a literal; "" when there was none */
    enum cluster_state was;
    const char *was_body;
};

/* Why it cannot be read. */
struct cluster_failure {
    int64_t since_wall_ms; /* of those in a row, the first; 0: it can be read */
    const char *text;      /* of the last one, peers' words; "" when it can be read */
};

/* What only people ask for. */
struct cluster_notes {
    struct cluster_change change;
    struct cluster_failure failure;
    struct reports reports; /* of its instances; none when restored, pinned or not read yet */
    unsigned troubles;      /* of them: verdict_is_trouble() */
    unsigned contested;     /* of them: another cluster claims the address, too */
    bool unpinned;          /* some of its list is the config's, which has it no more */
    bool unregistered;      /* HELD, and nothing is registered: it ends... */
    int64_t gone_ms;        /* ... not before (monotonic); CLOCK_NEVER: not confirmed yet; else 0 */
};

struct cluster {
    enum cluster_state state;
    int64_t since_wall_ms; /* in this state since */
    bool pinned;           /* from the config: no other source may change it */
    const char *id;        /* NUL-terminated */
    uint64_t hash;         /* hash_bytes() of it: its place in a table */
    const char *body;      /* "a:p;b:p", NUL-terminated; "" only when UNREAD or EMPTY */
    size_t body_len;
    size_t count;         /* addresses in the body */
    const char *withheld; /* such as the body: further ones, which another cluster claims, too */
    char etag[ETAG_SIZE]; /* quoted; of the body alone, so equal on every replica */
    const struct cluster_notes *notes;
};

/* What a cluster is made from; all is copied. */
struct cluster_parts {
    const char *id;
    enum cluster_state state;
    int64_t since_wall_ms;
    bool pinned;
    const struct endpoint *list; /* sorted and free of duplicates (endpoint_sort), like withheld */
    size_t count;
    const struct endpoint *withheld;
    size_t withheld_count;
    struct reports reports;
    bool unpinned; /* see struct cluster_notes */
    bool unregistered;
    int64_t gone_ms;
    struct cluster_change change;
    struct cluster_failure failure; /* zeroed: none */
};

/* `list` must be sorted and free of duplicates (endpoint_sort); it is copied. New. */
struct cluster *cluster_new(const char *id, enum cluster_state state, int64_t since_wall_ms,
                            const struct endpoint *list, size_t count) MUST_CHECK;
struct cluster *cluster_make(const struct cluster_parts *parts) MUST_CHECK;
/* The same one but for that; a long text is cut. New; nobody has confirmed it. */
struct cluster *cluster_with_failure(const struct cluster *c,
                                     const struct cluster_failure *failure) MUST_CHECK;
/* Is that, sorted, what it serves, or what is withheld of it? Needs no memory. */
bool cluster_serves(const struct cluster *c, const struct endpoint *list, size_t count);
bool cluster_withholds(const struct cluster *c, const struct endpoint *list, size_t count);
const struct cluster *cluster_ref(const struct cluster *c);
void cluster_unref(const struct cluster *c);

/* What a reader made of a cluster, to be made only once: kept with it and dropped with it. NULL
 * until somebody kept one. */
void *cluster_rendering(const struct cluster *c);

/* Keeps it, unless another thread was faster: then `rendering` is dropped. Returns the one that is
 * kept. All use the same `drop`. */
void *cluster_keep_rendering(const struct cluster *c, void *rendering, void (*drop)(void *));

/* When Consul's servers last confirmed the list, in ms since 1970; 0: not since the start. */
void cluster_confirm(const struct cluster *c, int64_t wall_ms);
int64_t cluster_confirmed_ms(const struct cluster *c);

#endif
