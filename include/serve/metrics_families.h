/*
 * metrics_families.h - what the metrics page is made of, a part each. Internal to metrics.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_METRICS_FAMILIES_H
#define SERVE_METRICS_FAMILIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"

struct build_info;
struct consul_report;
struct http_totals;
struct metrics_writer;
struct process_usage;
struct reload_outcome;
struct table;

void metrics_write_build(const struct metrics_writer *w, const struct build_info *build);
void metrics_write_reload(const struct metrics_writer *w, const struct reload_outcome *reload);
/* False: no memory. */
bool metrics_write_clusters(const struct metrics_writer *w, const struct table *table) MUST_CHECK;
/* Nothing of Consul and our registrations there when no Consul is asked. */
void metrics_write_consul(const struct metrics_writer *w, const struct consul_report *r,
                          int64_t now_mono_ms);
void metrics_write_state(const struct metrics_writer *w, const struct consul_report *r);
void metrics_write_http(const struct metrics_writer *w, const struct http_totals *http);
/* Numbers that are not known are left out. */
void metrics_write_process(const struct metrics_writer *w, const struct process_usage *p,
                           int64_t started_wall_ms);

#endif
