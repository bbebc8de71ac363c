/*
 * metrics.h - what is counted: numbers that only ever grow, and those that go both ways.
 *
 * HTTP  Every HTTP thread has a `struct http_metrics` of its own and is the only one to write it,
 *       so counting is a load and a store of a cache line that no other thread writes: no lock,
 *       no locked instruction. Whoever reports adds up the threads.
 *
 * Ownership  `struct metrics` owns every thread's counters and keeps them until metrics_free():
 *            a total never goes back.
 * Threads    new, free: main, while no other thread uses it. metrics_add_http_thread(): one at a
 *            time. http_metrics_*(): the thread that has these counters. The rest: any thread, at
 *            any time. Each number is whole; two of them may be of slightly different moments.
 * Time       Durations in nanoseconds.
 * Errors     Only memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MODEL_METRICS_H
#define MODEL_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

struct consul_metrics;
struct consul_report;
struct error;
struct metrics;

/* -- what is told apart ---------------------------------------------------------------------- */

/* Zero is "other", so that what nobody set counts as that. */
enum http_route {
    HTTP_ROUTE_OTHER,
    HTTP_ROUTE_CLUSTER, /* a list, by its id or as nsaddr; also of an id that is not known */
    HTTP_ROUTE_HEALTHZ,
    HTTP_ROUTE_READYZ,
    HTTP_ROUTE_METRICS,
    HTTP_ROUTE_STATUS, /* the page */
    HTTP_ROUTE_STATUS_JSON,
    HTTP_ROUTE_EXPLAIN,
    HTTP_ROUTES,
};

enum http_code {
    HTTP_CODE_200,
    HTTP_CODE_304,
    HTTP_CODE_400,
    HTTP_CODE_404,
    HTTP_CODE_405,
    HTTP_CODE_503,
    HTTP_CODE_OTHER,
    HTTP_CODES,
};

/* By what a client sends as Client-Version and User-Agent. */
enum http_client {
    HTTP_CLIENT_OTHER,
    HTTP_CLIENT_UNNAMED, /* neither header: C++ 1.x and 2.x, their wrappers for Python and PHP, .NET */
    HTTP_CLIENT_JAVA,
    HTTP_CLIENT_GO,
    HTTP_CLIENT_CPP, /* the 5.0 alpha line, which names its HTTP library */
    HTTP_CLIENT_RUST,
    HTTP_CLIENT_NODE,
    HTTP_CLIENT_CURL,
    HTTP_CLIENTS,
};

/* Why a connection was refused, or closed although its peer did not ask for it. */
enum http_drop {
    HTTP_DROP_MAX_CONNECTIONS, /* to make room at the limit, or refused there */
    HTTP_DROP_PER_ADDRESS,     /* too many from one address */
    HTTP_DROP_HEADER_TIMEOUT,  /* the request was not complete in time */
    HTTP_DROP_IDLE_TIMEOUT,    /* no further request in time */
    HTTP_DROP_OUT_OF_FILES,
    HTTP_DROPS,
};

/* The words that label values have. */
const char *http_route_name(enum http_route route);
const char *http_code_name(enum http_code code);
const char *http_client_name(enum http_client client);
const char *http_drop_name(enum http_drop why);

/* Upper bounds of the duration's buckets, in nanoseconds, inclusive; the last bucket has none. */
#define HTTP_BUCKETS 17
extern const uint64_t http_bucket_ns[HTTP_BUCKETS - 1];

/* Either may be NULL: the header is not there. Decided by their first bytes. */
enum http_client http_client_of(const char *client_version, const char *user_agent);

/* -- counting -------------------------------------------------------------------------------- */

typedef _Atomic(uint64_t) http_counter;

struct http_metrics {
    /* Aligned, so that two threads' counters never share a cache line. */
    _Alignas(64) http_counter requests[HTTP_ROUTES][HTTP_CODES];
    http_counter durations[HTTP_BUCKETS];
    http_counter duration_ns;
    http_counter clients[HTTP_CLIENTS];
    http_counter accepted;
    http_counter connections;
    http_counter drops[HTTP_DROPS];
    struct http_metrics *next; /* of metrics.c */
};

static inline void http_counter_add(http_counter *c, uint64_t n)
{
    uint64_t now = atomic_load_explicit(c, memory_order_relaxed);
    atomic_store_explicit(c, now + n, memory_order_relaxed);
}

static inline enum http_code http_code_of(unsigned status)
{
    switch (status) {
    case 200:
        return HTTP_CODE_200;
    case 304:
        return HTTP_CODE_304;
    case 400:
        return HTTP_CODE_400;
    case 404:
        return HTTP_CODE_404;
    case 405:
        return HTTP_CODE_405;
    case 503:
        return HTTP_CODE_503;
    default:
        return HTTP_CODE_OTHER;
    }
}

/* One request was answered, `duration_ns` after its head was read. */
static inline void http_metrics_request(struct http_metrics *t, enum http_route route,
                                        unsigned status, uint64_t duration_ns)
{
    size_t bucket = 0;
    while (bucket < HTTP_BUCKETS - 1 && duration_ns > http_bucket_ns[bucket])
        bucket++;
    http_counter_add(&t->requests[route][http_code_of(status)], 1);
    http_counter_add(&t->durations[bucket], 1);
    http_counter_add(&t->duration_ns, duration_ns);
}

/* Besides http_metrics_request(), for requests for a list. */
static inline void http_metrics_client(struct http_metrics *t, enum http_client client)
{
    http_counter_add(&t->clients[client], 1);
}

/* A connection was accepted; it is closed on the same thread. */
static inline void http_metrics_opened(struct http_metrics *t)
{
    http_counter_add(&t->accepted, 1);
    http_counter_add(&t->connections, 1);
}

/* It is gone, whoever closed it. */
static inline void http_metrics_closed(struct http_metrics *t)
{
    http_counter_add(&t->connections, UINT64_MAX); /* less one */
}

/* Besides opened and closed, where those apply. */
static inline void http_metrics_dropped(struct http_metrics *t, enum http_drop why)
{
    http_counter_add(&t->drops[why], 1);
}

/* -- all of it ------------------------------------------------------------------------------- */

/* What runs. The texts are borrowed until metrics_free(). */
struct build_info {
    const char *version;
    const char *mhd;
    const char *curl;
    const char *cjson;
    const char *libconfig;
};

struct metrics *metrics_new(const struct build_info *build, int64_t started_wall_ms,
                            struct error *reterr) MUST_CHECK;

/* NULL is allowed. */
void metrics_free(struct metrics *m);

/* Counters for one more HTTP thread, borrowed from `m`; NULL with *reterr filled. */
struct http_metrics *metrics_add_http_thread(struct metrics *m, struct error *reterr) MUST_CHECK;

const struct build_info *metrics_build(const struct metrics *m);
int64_t metrics_started_wall_ms(const struct metrics *m);

/* How the last reading of the config went; the one at the start did well. Any thread may note. */
struct reload_outcome {
    bool successful;
    int64_t success_wall_ms; /* of the last one that was */
};

void metrics_note_reload(struct metrics *m, bool successful, int64_t wall_ms);
struct reload_outcome metrics_reload(const struct metrics *m);

/* `struct http_metrics` of all threads together. */
struct http_totals {
    uint64_t requests[HTTP_ROUTES][HTTP_CODES];
    uint64_t durations[HTTP_BUCKETS]; /* each bucket for itself: not cumulative */
    uint64_t duration_ns;
    uint64_t clients[HTTP_CLIENTS];
    uint64_t accepted;
    uint64_t connections;
    uint64_t drops[HTTP_DROPS];
};

void metrics_http(const struct metrics *m, struct http_totals *out);

/* What is counted there (borrowed, until nobody reads any more) is reported, too. Before any other
 * thread reads. */
void metrics_add_consul(struct metrics *m, struct consul_metrics *consul);

/* All zeros before metrics_add_consul(). */
void metrics_consul(const struct metrics *m, struct consul_report *out);

#endif
