/*
 * metrics_lines.h - the lines of the metrics page, in either format. Internal to metrics.
 *
 * What does not fit, or finds no memory, is left out, and the buffer says so (buf.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_METRICS_LINES_H
#define SERVE_METRICS_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "serve/metrics_text.h"

struct buf;

#define METRICS_NAME_SIZE 80

struct metrics_writer {
    struct buf *out;
    enum metrics_format format;
};

struct metrics_label {
    const char *name;
    const char *value; /* escaped here */
};

/* What is said once about all samples of a name, in front of them. Help has no quote, backslash or
 * line end: the formats escape them differently. */
void metrics_family(const struct metrics_writer *w, const char *name, const char *type,
                    const char *help);

void metrics_sample(const struct metrics_writer *w, const char *name,
                    const struct metrics_label *labels, size_t count, const char *value);
void metrics_number(const struct metrics_writer *w, const char *name,
                    const struct metrics_label *labels, size_t count, uint64_t value);

/* A metric of one sample without labels. */
void metrics_single(const struct metrics_writer *w, const char *name, const char *type,
                    const char *help, const char *value);
void metrics_single_number(const struct metrics_writer *w, const char *name, const char *type,
                           const char *help, uint64_t value);
/* A gauge: a time since 1970, or a duration. */
void metrics_single_seconds(const struct metrics_writer *w, const char *name, const char *help,
                            int64_t ms);

/* A histogram of durations. `counts` of `buckets`, each for itself; the last one has no bound. */
void metrics_histogram(const struct metrics_writer *w, const char *name, const char *help,
                       const uint64_t *bounds_ns, const uint64_t *counts, size_t buckets,
                       uint64_t sum_ns);

#endif
