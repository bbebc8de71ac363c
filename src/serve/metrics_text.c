/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/metrics_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/process.h"
#include "model/metrics.h"
#include "model/table.h"
#include "serve/accept.h"

#define TOTAL "_total"
#define NS_PER_SECOND UINT64_C(1000000000)

struct writer {
    struct buf *out;
    enum metrics_format format;
};

struct label {
    const char *name;
    const char *value;
};

/* -- lines ----------------------------------------------------------------------------------- */

/* What is said once about all samples of a name. In OpenMetrics a counter is announced without
 * its suffix. Help has no quote, backslash or line end: the formats escape them differently. */
static void family(const struct writer *w, const char *name, const char *type, const char *help)
{
    size_t len = strlen(name);
    if (w->format == METRICS_OPENMETRICS && strcmp(type, "counter") == 0)
        len -= strlen(TOTAL);
    (void)buf_printf(w->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)len, name, help, (int)len,
                     name, type);
}

static void label_value(const struct writer *w, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\n') {
            (void)buf_append_str(w->out, "\\n");
            continue;
        }
        if (*value == '"' || *value == '\\')
            (void)buf_append_char(w->out, '\\');
        (void)buf_append_char(w->out, *value);
    }
}

static void sample(const struct writer *w, const char *name, const struct label *labels,
                   size_t count, const char *value)
{
    (void)buf_append_str(w->out, name);
    for (size_t i = 0; i < count; i++) {
        (void)buf_append_char(w->out, i == 0 ? '{' : ',');
        (void)buf_append_str(w->out, labels[i].name);
        (void)buf_append_str(w->out, "=\"");
        label_value(w, labels[i].value);
        (void)buf_append_char(w->out, '"');
    }
    if (count > 0)
        (void)buf_append_char(w->out, '}');
    (void)buf_append_char(w->out, ' ');
    (void)buf_append_str(w->out, value);
    (void)buf_append_char(w->out, '\n');
}

static void number(const struct writer *w, const char *name, const struct label *labels,
                   size_t count, uint64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    sample(w, name, labels, count, text);
}

/* A metric of one sample without labels. */
static void single(const struct writer *w, const char *name, const char *type, const char *help,
                   const char *value)
{
    family(w, name, type, help);
    sample(w, name, NULL, 0, value);
}

static void single_number(const struct writer *w, const char *name, const char *type,
                          const char *help, uint64_t value)
{
    family(w, name, type, help);
    number(w, name, NULL, 0, value);
}

/* -- what runs ------------------------------------------------------------------------------- */

static void write_build(const struct writer *w, const struct build_info *build)
{
    static const char name[] = "nsaddrd_build_info";
    const struct label labels[] = {
        {"version", build->version},     {"mhd", build->mhd},
        {"curl", build->curl},           {"cjson", build->cjson},
        {"libconfig", build->libconfig},
    };
    family(w, name, "gauge", "Always 1; the labels are the versions of nsaddrd and its libraries.");
    number(w, name, labels, sizeof labels / sizeof *labels, 1);
}

/* Left out when it is not known. */
static void process_number(const struct writer *w, const char *name, const char *help,
                           int64_t value)
{
    if (value != PROCESS_UNKNOWN)
        single_number(w, name, "gauge", help, (uint64_t)value);
}

static void write_process(const struct writer *w, const struct process_usage *p,
                          int64_t started_wall_ms)
{
    char text[48];
    if (p->cpu_us != PROCESS_UNKNOWN) {
        (void)snprintf(text, sizeof text, "%" PRId64 ".%06" PRId64, p->cpu_us / 1000000,
                       p->cpu_us % 1000000);
        single(w, "process_cpu_seconds_total", "counter",
               "User and system CPU time spent, in seconds.", text);
    }
    process_number(w, "process_open_fds", "Open file descriptors.", p->open_fds);
    process_number(w, "process_max_fds", "Open file descriptors at most.", p->max_fds);
    process_number(w, "process_virtual_memory_bytes", "Virtual memory size, in bytes.",
                   p->virtual_bytes);
    process_number(w, "process_virtual_memory_max_bytes", "Virtual memory at most, in bytes.",
                   p->virtual_max_bytes);
    process_number(w, "process_resident_memory_bytes", "Resident memory size, in bytes.",
                   p->resident_bytes);
    process_number(w, "process_threads", "Threads of the process.", p->threads);
    (void)snprintf(text, sizeof text, "%" PRId64 ".%03" PRId64, started_wall_ms / 1000,
                   started_wall_ms % 1000);
    single(w, "process_start_time_seconds", "gauge",
           "When the process started, in seconds since 1970.", text);
}

/* -- clusters -------------------------------------------------------------------------------- */

static const enum cluster_state states[] = {
    CLUSTER_UNREAD, CLUSTER_EMPTY, CLUSTER_LIVE, CLUSTER_HELD, CLUSTER_RESTORED,
};

#define STATES (sizeof states / sizeof *states)

struct collected {
    const struct cluster **clusters;
    size_t count;
    uint64_t in_state[CLUSTER_GONE + 1];
};

static bool collect(const struct cluster *c, void *arg)
{
    struct collected *all = arg;
    all->clusters[all->count++] = c;
    all->in_state[c->state]++;
    return true;
}

static int compare_ids(const void *a, const void *b)
{
    const struct cluster *const *x = a;
    const struct cluster *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

/* The same clusters in the same order at every scrape, whatever the table's. */
static void write_each_cluster(const struct writer *w, const struct collected *all)
{
    static const char addresses[] = "nsaddrd_cluster_addresses";
    static const char state[] = "nsaddrd_cluster_state";
    size_t shown = all->count < METRICS_CLUSTERS_MAX ? all->count : METRICS_CLUSTERS_MAX;
    qsort(all->clusters, all->count, sizeof *all->clusters, compare_ids);
    family(w, addresses, "gauge", "Addresses in the list of the cluster.");
    for (size_t i = 0; i < shown; i++) {
        const struct cluster *c = all->clusters[i];
        number(w, addresses, (struct label[]){{"cluster", c->id}}, 1, c->count);
    }
    family(w, state, "gauge", "1 for the state that the list of the cluster is in, 0 for others.");
    for (size_t i = 0; i < shown; i++) {
        const struct cluster *c = all->clusters[i];
        for (size_t s = 0; s < STATES; s++)
            number(w, state,
                   (struct label[]){{"cluster", c->id}, {"state", cluster_state_name(states[s])}},
                   2, c->state == states[s]);
    }
    single_number(w, "nsaddrd_clusters_dropped", "gauge",
                  "Known clusters that have no metrics of their own, as there are too many.",
                  all->count - shown);
}

static bool write_clusters(const struct writer *w, const struct table *table)
{
    static const char name[] = "nsaddrd_clusters";
    struct collected all = {.clusters = calloc(table_count(table) + 1, sizeof *all.clusters)};
    if (all.clusters == NULL)
        return false;
    table_each(table, collect, &all);
    family(w, name, "gauge", "Known clusters, by the state of their list.");
    for (size_t s = 0; s < STATES; s++)
        number(w, name, (struct label[]){{"state", cluster_state_name(states[s])}}, 1,
               all.in_state[states[s]]);
    write_each_cluster(w, &all);
    free(all.clusters);
    return true;
}

/* -- HTTP ------------------------------------------------------------------------------------ */

static void write_requests(const struct writer *w, const struct http_totals *http)
{
    static const char name[] = "nsaddrd_http_requests_total";
    family(w, name, "counter", "Requests that were answered, by what was asked and the status.");
    for (enum http_route route = 0; route < HTTP_ROUTES; route++)
        for (enum http_code code = 0; code < HTTP_CODES; code++)
            number(
                w, name,
                (struct label[]){{"route", http_route_name(route)}, {"code", http_code_name(code)}},
                2, http->requests[route][code]);
}

#define DURATION "nsaddrd_http_request_duration_seconds"
#define BOUND_SIZE 32

/* As other exporters write it: 1e-05, 0.0025, 1.0. */
static void bound(uint64_t ns, char out[static BOUND_SIZE])
{
    int len = snprintf(out, BOUND_SIZE, "%g", (double)ns / (double)NS_PER_SECOND);
    if (strpbrk(out, ".e") == NULL)
        (void)snprintf(out + len, BOUND_SIZE - (size_t)len, ".0");
}

static void write_durations(const struct writer *w, const struct http_totals *http)
{
    uint64_t below = 0;
    char text[48];
    family(w, DURATION, "histogram",
           "Time from a request being read to its answer being ready, in seconds.");
    for (size_t i = 0; i < HTTP_BUCKETS; i++) {
        if (i < HTTP_BUCKETS - 1)
            bound(http_bucket_ns[i], text);
        below += http->durations[i];
        number(w, DURATION "_bucket",
               (struct label[]){{"le", i < HTTP_BUCKETS - 1 ? text : "+Inf"}}, 1, below);
    }
    (void)snprintf(text, sizeof text, "%" PRIu64 ".%09" PRIu64, http->duration_ns / NS_PER_SECOND,
                   http->duration_ns % NS_PER_SECOND);
    sample(w, DURATION "_sum", NULL, 0, text);
    number(w, DURATION "_count", NULL, 0, below);
}

static void write_connections(const struct writer *w, const struct http_totals *http)
{
    static const char rejected[] = "nsaddrd_http_connections_rejected_total";
    single_number(w, "nsaddrd_http_connections", "gauge",
                  "Open connections, on the addresses for clients and for admin.",
                  http->connections);
    single_number(w, "nsaddrd_http_connections_accepted_total", "counter",
                  "Connections that were accepted.", http->accepted);
    family(w, rejected, "counter",
           "Connections that were refused, or closed although the peer did not ask for it.");
    for (enum http_drop why = 0; why < HTTP_DROPS; why++)
        number(w, rejected, (struct label[]){{"reason", http_drop_name(why)}}, 1, http->drops[why]);
}

static void write_clients(const struct writer *w, const struct http_totals *http)
{
    static const char name[] = "nsaddrd_clients_total";
    family(w, name, "counter",
           "Requests for a list, by the client that its Client-Version and User-Agent tell.");
    for (enum http_client client = 0; client < HTTP_CLIENTS; client++)
        number(w, name, (struct label[]){{"client", http_client_name(client)}}, 1,
               http->clients[client]);
}

/* -- the page -------------------------------------------------------------------------------- */

bool metrics_text_write(const struct metrics_view *view, enum metrics_format format,
                        struct buf *out)
{
    const struct writer w = {.out = out, .format = format};
    write_build(&w, view->build);
    single_number(&w, "nsaddrd_ready", "gauge", "1 while /readyz answers 200.",
                  view->status.ready && !view->status.draining);
    if (!write_clusters(&w, view->table))
        return false;
    write_requests(&w, view->http);
    write_durations(&w, view->http);
    write_connections(&w, view->http);
    write_clients(&w, view->http);
    write_process(&w, view->process, view->started_wall_ms);
    if (format == METRICS_OPENMETRICS)
        (void)buf_append_str(out, "# EOF\n");
    return !out->failed;
}

#define OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Text stands first: who has no preference gets what everybody understands. Our names need no
 * escaping and so obey every scheme; who asks for one is told that it was kept to. */
static const char *const content_types[] = {
    "text/plain; version=0.0.4; charset=utf-8",
    OPENMETRICS,
    OPENMETRICS "; escaping=allow-utf-8",
    OPENMETRICS "; escaping=underscores",
    OPENMETRICS "; escaping=dots",
    OPENMETRICS "; escaping=values",
};

enum metrics_format metrics_text_negotiate(const char *accept, const char **content_type)
{
    size_t count = sizeof content_types / sizeof *content_types;
    size_t chosen = accept_choose(accept, content_types, count);
    if (chosen == count)
        chosen = 0;
    *content_type = content_types[chosen];
    return chosen == 0 ? METRICS_TEXT : METRICS_OPENMETRICS;
}

bool metrics_text_page(const struct metrics *metrics, const struct table *table,
                       const struct registry_status *status, const char *accept, struct buf *out,
                       const char **content_type)
{
    struct http_totals http;
    struct process_usage process;
    metrics_http(metrics, &http);
    process_usage_read(&process);
    const struct metrics_view view = {
        .build = metrics_build(metrics),
        .started_wall_ms = metrics_started_wall_ms(metrics),
        .table = table,
        .status = *status,
        .http = &http,
        .process = &process,
    };
    return metrics_text_write(&view, metrics_text_negotiate(accept, content_type), out);
}
