/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/metrics_lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define TOTAL "_total"
#define NS_PER_SECOND UINT64_C(1000000000)

/* In OpenMetrics a counter is announced without its suffix. */
void metrics_family(const struct metrics_writer *w, const char *name, const char *type,
                    const char *help)
{
    size_t len = strlen(name);
    if (w->format == METRICS_OPENMETRICS && strcmp(type, "counter") == 0)
        len -= strlen(TOTAL);
    (void)buf_printf(w->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)len, name, help, (int)len,
                     name, type);
}

static void label_value(const struct metrics_writer *w, const char *value)
{
    for (;;) {
        size_t plain = strcspn(value, "\n\"\\");
        (void)buf_append(w->out, value, plain);
        value += plain;
        if (*value == '\0')
            return;
        (void)buf_append_char(w->out, '\\');
        (void)buf_append_char(w->out, *value == '\n' ? 'n' : *value);
        value++;
    }
}

void metrics_sample(const struct metrics_writer *w, const char *name,
                    const struct metrics_label *labels, size_t count, const char *value)
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

void metrics_number(const struct metrics_writer *w, const char *name,
                    const struct metrics_label *labels, size_t count, uint64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    metrics_sample(w, name, labels, count, text);
}

void metrics_single(const struct metrics_writer *w, const char *name, const char *type,
                    const char *help, const char *value)
{
    metrics_family(w, name, type, help);
    metrics_sample(w, name, NULL, 0, value);
}

void metrics_single_number(const struct metrics_writer *w, const char *name, const char *type,
                           const char *help, uint64_t value)
{
    metrics_family(w, name, type, help);
    metrics_number(w, name, NULL, 0, value);
}

/* -- durations ------------------------------------------------------------------------------- */

#define BOUND_SIZE 32

/* As other exporters write it: 1e-05, 0.0025, 1.0. */
static void bound(uint64_t ns, char out[static BOUND_SIZE])
{
    int len = snprintf(out, BOUND_SIZE, "%g", (double)ns / (double)NS_PER_SECOND);
    if (strpbrk(out, ".e") == NULL)
        (void)snprintf(out + len, BOUND_SIZE - (size_t)len, ".0");
}

/* `name` with that suffix. */
static void suffixed(const struct metrics_writer *w, const char *name, const char *suffix,
                     const struct metrics_label *labels, size_t count, uint64_t value)
{
    char full[METRICS_NAME_SIZE];
    (void)snprintf(full, sizeof full, "%s%s", name, suffix);
    metrics_number(w, full, labels, count, value);
}

void metrics_histogram(const struct metrics_writer *w, const char *name, const char *help,
                       const uint64_t *bounds_ns, const uint64_t *counts, size_t buckets,
                       uint64_t sum_ns)
{
    uint64_t below = 0;
    char text[BOUND_SIZE];
    char full[METRICS_NAME_SIZE];
    char sum[48];
    metrics_family(w, name, "histogram", help);
    for (size_t i = 0; i < buckets; i++) {
        if (i < buckets - 1)
            bound(bounds_ns[i], text);
        below += counts[i];
        suffixed(w, name, "_bucket",
                 (struct metrics_label[]){{"le", i < buckets - 1 ? text : "+Inf"}}, 1, below);
    }
    (void)snprintf(sum, sizeof sum, "%" PRIu64 ".%09" PRIu64, sum_ns / NS_PER_SECOND,
                   sum_ns % NS_PER_SECOND);
    (void)snprintf(full, sizeof full, "%s_sum", name);
    metrics_sample(w, full, NULL, 0, sum);
    suffixed(w, name, "_count", NULL, 0, below);
}

/* -- times ----------------------------------------------------------------------------------- */

void metrics_single_seconds(const struct metrics_writer *w, const char *name, const char *help,
                            int64_t ms)
{
    char text[48];
    (void)snprintf(text, sizeof text, "%" PRId64 ".%03" PRId64, ms / 1000, ms % 1000);
    metrics_single(w, name, "gauge", help, text);
}
