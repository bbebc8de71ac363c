/* SPDX-License-Identifier: Apache-2.0 */
#include "model/metrics.h"
#include "serve/metrics_families.h"
#include "serve/metrics_lines.h"

static void write_requests(const struct metrics_writer *w, const struct http_totals *http)
{
    static const char name[] = "nsaddrd_http_requests_total";
    metrics_family(w, name, "counter",
                   "Requests that were answered, by what was asked and the status.");
    for (enum http_route route = 0; route < HTTP_ROUTES; route++)
        for (enum http_code code = 0; code < HTTP_CODES; code++)
            metrics_number(w, name,
                           (struct metrics_label[]){{"route", http_route_name(route)},
                                                    {"code", http_code_name(code)}},
                           2, http->requests[route][code]);
}

static void write_durations(const struct metrics_writer *w, const struct http_totals *http)
{
    static const char name[] = "nsaddrd_http_request_duration_seconds";
    metrics_histogram(w, name,
                      "Time from a request being read to its answer being ready, in seconds.",
                      http_bucket_ns, http->durations, HTTP_BUCKETS, http->duration_ns);
}

static void write_connections(const struct metrics_writer *w, const struct http_totals *http)
{
    static const char rejected[] = "nsaddrd_http_connections_rejected_total";
    metrics_single_number(w, "nsaddrd_http_connections", "gauge",
                          "Open connections, on the addresses for clients and for admin.",
                          http->connections);
    metrics_single_number(w, "nsaddrd_http_connections_accepted_total", "counter",
                          "Connections that were accepted.", http->accepted);
    metrics_family(
        w, rejected, "counter",
        "Connections that were refused, or closed although the peer did not ask for it.");
    for (enum http_drop why = 0; why < HTTP_DROPS; why++)
        metrics_number(w, rejected, (struct metrics_label[]){{"reason", http_drop_name(why)}}, 1,
                       http->drops[why]);
}

static void write_clients(const struct metrics_writer *w, const struct http_totals *http)
{
    static const char name[] = "nsaddrd_clients_total";
    metrics_family(
        w, name, "counter",
        "Requests for a list, by the client that its Client-Version and User-Agent tell.");
    for (enum http_client client = 0; client < HTTP_CLIENTS; client++)
        metrics_number(w, name, (struct metrics_label[]){{"client", http_client_name(client)}}, 1,
                       http->clients[client]);
}

void metrics_write_http(const struct metrics_writer *w, const struct http_totals *http)
{
    write_requests(w, http);
    write_durations(w, http);
    write_connections(w, http);
    write_clients(w, http);
}
