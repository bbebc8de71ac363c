/*
 * metrics_text.h - the page a monitoring system scrapes: Prometheus' text format 0.0.4, or
 * OpenMetrics 1.0.0 for whom prefers it.
 *
 * Names of metrics and labels are an interface: dashboards and alerts are built on them. A label
 * takes one of a known set of values, or a known cluster's id.
 *
 * Errors  Only memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_METRICS_TEXT_H
#define SERVE_METRICS_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "model/metrics.h"
#include "model/registry.h"

struct buf;
struct build_info;
struct consul_report;
struct http_totals;
struct metrics;
struct process_usage;
struct table;

/* Clusters with numbers of their own, the first by id; the rest is counted only. */
#define METRICS_CLUSTERS_MAX 1000

/* More than a page with so many clusters has. */
#define METRICS_TEXT_MAX ((size_t)4 * 1024 * 1024)

/* The page as it is now, for a request with this Accept header (NULL: none), appended to `out`.
 * False: no memory. *content_type is static. Reads the process's numbers, so it is for a thread
 * that may wait a moment. */
bool metrics_text_page(const struct metrics *metrics, const struct table *table,
                       const struct registry_status *status, const char *accept, struct buf *out,
                       const char **content_type) MUST_CHECK;

/* -- its parts, both pure -------------------------------------------------------------------- */

enum metrics_format {
    METRICS_TEXT,
    METRICS_OPENMETRICS,
};

/* What the page says. All borrowed. */
struct metrics_view {
    const struct build_info *build;
    int64_t started_wall_ms;
    struct reload_outcome reload;
    const struct table *table;
    struct registry_status status;
    int64_t now_mono_ms;
    const struct http_totals *http;
    const struct consul_report *consul;
    const struct process_usage *process;
    uint64_t log_lines_dropped;
};

bool metrics_text_write(const struct metrics_view *view, enum metrics_format format,
                        struct buf *out) MUST_CHECK;

/* Text 0.0.4 for a header that asks for nothing we have, or is malformed. */
enum metrics_format metrics_text_negotiate(const char *accept, const char **content_type);

#endif
