/*
 * routes.h - which answer a request gets. Pure: no socket, no library, no clock.
 *
 * The raw path is cut at its slashes, then each segment is percent-decoded, once, and compared as a
 * whole. The query is ignored, as every client family sends its own (nofix=1, labels=, ...).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_ROUTES_H
#define SERVE_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "model/cluster_id.h"
#include "model/metrics.h"
#include "model/registry.h"

struct cluster;
struct table;

struct request {
    const char *method;
    const char *path;          /* raw, without the query; absolute form allowed */
    const char *if_none_match; /* NULL: not there */
};

struct reply {
    enum http_route route; /* METRICS, STATUS..., EXPLAIN: the page is to be made */
    unsigned status;
    const struct cluster *cluster; /* 200, 304: its list; borrowed from the table */
    const char *text;              /* 200 without a cluster: the body */
    const char *reason; /* errors: X-Nsaddr-Reason; their bodies are empty but for EXPLAIN's */
    /* 404 for an unknown cluster, and EXPLAIN: which; else "" */
    char asked_id[CLUSTER_ID_SIZE];
};

/* What clients ask. `default_cluster` may be "". */
void routes_public(const struct request *request, const struct table *table,
                   const struct registry_status *status, const char *default_cluster,
                   struct reply *out);

/* What operators and checks ask. */
void routes_admin(const struct request *request, const struct table *table,
                  const struct registry_status *status, struct reply *out);

#endif
