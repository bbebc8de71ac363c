/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/metrics_text.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "model/consul_report.h"
#include "model/metrics.h"
#include "serve/accept.h"
#include "serve/metrics_families.h"
#include "serve/metrics_lines.h"

bool metrics_text_write(const struct metrics_view *view, enum metrics_format format,
                        struct buf *out)
{
    const struct metrics_writer w = {.out = out, .format = format};
    metrics_write_build(&w, view->build);
    metrics_single_number(&w, "nsaddrd_ready", "gauge", "1 while /readyz answers 200.",
                          view->status.ready && !view->status.draining);
    metrics_write_reload(&w, &view->reload);
    if (!metrics_write_clusters(&w, view->table))
        return false;
    metrics_write_consul(&w, view->consul, view->now_mono_ms);
    metrics_write_state(&w, view->consul);
    metrics_write_http(&w, view->http);
    metrics_single_number(&w, "nsaddrd_log_lines_dropped_total", "counter",
                          "Lines of the log that nobody took.", view->log_lines_dropped);
    metrics_write_process(&w, view->process, view->started_wall_ms);
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
    struct consul_report consul;
    struct process_usage process;
    metrics_http(metrics, &http);
    metrics_consul(metrics, &consul);
    process_usage_read(&process);
    const struct metrics_view view = {
        .build = metrics_build(metrics),
        .started_wall_ms = metrics_started_wall_ms(metrics),
        .reload = metrics_reload(metrics),
        .table = table,
        .status = *status,
        .now_mono_ms = clock_mono_ms(),
        .http = &http,
        .consul = &consul,
        .process = &process,
        .log_lines_dropped = log_lines_dropped(),
    };
    return metrics_text_write(&view, metrics_text_negotiate(accept, content_type), out);
}
