/* SPDX-License-Identifier: Apache-2.0 */
#include "model/metrics.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "model/consul_metrics.h"

#define US UINT64_C(1000)
#define MS (1000 * US)

const uint64_t http_bucket_ns[HTTP_BUCKETS - 1] = {
    10 * US, 25 * US, 50 * US, 100 * US, 250 * US, 500 * US, 1 * MS,   2500 * US,
    5 * MS,  10 * MS, 25 * MS, 50 * MS,  100 * MS, 250 * MS, 500 * MS, 1000 * MS,
};

struct metrics {
    struct build_info build;
    int64_t started_wall_ms;
    atomic_bool reload_successful;
    atomic_int_fast64_t reload_success_wall_ms;
    _Atomic(struct http_metrics *) http; /* the newest; a list that only grows at this end */
    struct consul_metrics *consul;       /* NULL: none yet */
};

/* -- names ----------------------------------------------------------------------------------- */

const char *http_route_name(enum http_route route)
{
    static const char *const names[HTTP_ROUTES] = {
        [HTTP_ROUTE_OTHER] = "other",
        [HTTP_ROUTE_CLUSTER] = "cluster",
        [HTTP_ROUTE_HEALTHZ] = "healthz",
        [HTTP_ROUTE_READYZ] = "readyz",
        [HTTP_ROUTE_METRICS] = "metrics",
        [HTTP_ROUTE_STATUS] = "status",
        [HTTP_ROUTE_STATUS_JSON] = "status_json",
        [HTTP_ROUTE_EXPLAIN] = "explain",
    };
    return names[route];
}

const char *http_code_name(enum http_code code)
{
    static const char *const names[HTTP_CODES] = {
        [HTTP_CODE_200] = "200",     [HTTP_CODE_304] = "304", [HTTP_CODE_400] = "400",
        [HTTP_CODE_404] = "404",     [HTTP_CODE_405] = "405", [HTTP_CODE_503] = "503",
        [HTTP_CODE_OTHER] = "other",
    };
    return names[code];
}

const char *http_client_name(enum http_client client)
{
    static const char *const names[HTTP_CLIENTS] = {
        [HTTP_CLIENT_OTHER] = "other", [HTTP_CLIENT_UNNAMED] = "unnamed",
        [HTTP_CLIENT_JAVA] = "java",   [HTTP_CLIENT_GO] = "go",
        [HTTP_CLIENT_CPP] = "cpp",     [HTTP_CLIENT_RUST] = "rust",
        [HTTP_CLIENT_NODE] = "node",   [HTTP_CLIENT_CURL] = "curl",
    };
    return names[client];
}

const char *http_drop_name(enum http_drop why)
{
    static const char *const names[HTTP_DROPS] = {
        [HTTP_DROP_MAX_CONNECTIONS] = "max_connections", [HTTP_DROP_PER_ADDRESS] = "per_address",
        [HTTP_DROP_HEADER_TIMEOUT] = "header_timeout",   [HTTP_DROP_IDLE_TIMEOUT] = "idle_timeout",
        [HTTP_DROP_OUT_OF_FILES] = "out_of_files",
    };
    return names[why];
}

/* -- clients --------------------------------------------------------------------------------- */

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

enum http_client http_client_of(const char *client_version, const char *user_agent)
{
    const char *agent = user_agent != NULL ? user_agent : "";
    /* Both send RocketMQ's version, such as "V5_3_3". What Java's HTTP client adds for itself the
     * user may put words before (http.agent); Rust's adds nothing. */
    if (client_version != NULL && client_version[0] == 'V')
        return agent[0] != '\0' ? HTTP_CLIENT_JAVA : HTTP_CLIENT_RUST;
    switch (agent[0]) {
    case '\0':
        return client_version == NULL ? HTTP_CLIENT_UNNAMED : HTTP_CLIENT_OTHER;
    case 'G':
        return starts_with(agent, "Go-http-client/") ? HTTP_CLIENT_GO : HTTP_CLIENT_OTHER;
    case 'J':
        return starts_with(agent, "Java/") ? HTTP_CLIENT_JAVA : HTTP_CLIENT_OTHER;
    case 'c':
        return starts_with(agent, "curl/")          ? HTTP_CLIENT_CURL
               : starts_with(agent, "cpp-httplib/") ? HTTP_CLIENT_CPP
                                                    : HTTP_CLIENT_OTHER;
    case 'n':
        return starts_with(agent, "node-urllib/") ? HTTP_CLIENT_NODE : HTTP_CLIENT_OTHER;
    default:
        return HTTP_CLIENT_OTHER;
    }
}

/* -- all of it ------------------------------------------------------------------------------- */

struct metrics *metrics_new(const struct build_info *build, int64_t started_wall_ms,
                            struct error *reterr)
{
    struct metrics *m = calloc(1, sizeof *m);
    if (m == NULL) {
        error_set(reterr, "out of memory");
        return NULL;
    }
    m->build = *build;
    m->started_wall_ms = started_wall_ms;
    metrics_note_reload(m, true, started_wall_ms);
    atomic_init(&m->http, NULL);
    return m;
}

void metrics_free(struct metrics *m)
{
    if (m == NULL)
        return;
    struct http_metrics *next = atomic_load_explicit(&m->http, memory_order_relaxed);
    while (next != NULL) {
        struct http_metrics *t = next;
        next = t->next;
        free(t);
    }
    free(m);
}

struct http_metrics *metrics_add_http_thread(struct metrics *m, struct error *reterr)
{
    struct http_metrics *t = aligned_alloc(_Alignof(struct http_metrics), sizeof *t);
    if (t == NULL) {
        error_set(reterr, "out of memory");
        return NULL;
    }
    memset(t, 0, sizeof *t);
    t->next = atomic_load_explicit(&m->http, memory_order_relaxed);
    atomic_store_explicit(&m->http, t, memory_order_release);
    return t;
}

const struct build_info *metrics_build(const struct metrics *m)
{
    return &m->build;
}

int64_t metrics_started_wall_ms(const struct metrics *m)
{
    return m->started_wall_ms;
}

void metrics_note_reload(struct metrics *m, bool successful, int64_t wall_ms)
{
    if (successful)
        atomic_store(&m->reload_success_wall_ms, wall_ms);
    atomic_store(&m->reload_successful, successful);
}

struct reload_outcome metrics_reload(const struct metrics *m)
{
    return (struct reload_outcome){
        .successful = atomic_load(&m->reload_successful),
        .success_wall_ms = atomic_load(&m->reload_success_wall_ms),
    };
}

static void add(uint64_t *to, const http_counter *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] += atomic_load_explicit(&from[i], memory_order_relaxed);
}

void metrics_http(const struct metrics *m, struct http_totals *out)
{
    const struct http_metrics *t = atomic_load_explicit(&m->http, memory_order_acquire);
    *out = (struct http_totals){.accepted = 0};
    for (; t != NULL; t = t->next) {
        for (size_t route = 0; route < HTTP_ROUTES; route++)
            add(out->requests[route], t->requests[route], HTTP_CODES);
        add(out->durations, t->durations, HTTP_BUCKETS);
        add(&out->duration_ns, &t->duration_ns, 1);
        add(out->clients, t->clients, HTTP_CLIENTS);
        add(&out->accepted, &t->accepted, 1);
        add(&out->connections, &t->connections, 1);
        add(out->drops, t->drops, HTTP_DROPS);
    }
}

void metrics_add_consul(struct metrics *m, struct consul_metrics *consul)
{
    m->consul = consul;
}

void metrics_consul(const struct metrics *m, struct consul_report *out)
{
    if (m->consul == NULL)
        *out = (struct consul_report){.enabled = false};
    else
        consul_metrics_read(m->consul, out);
}
