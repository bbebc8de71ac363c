/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "base/process.h"
#include "model/metrics.h"
#include "serve/metrics_families.h"
#include "serve/metrics_lines.h"

void metrics_write_build(const struct metrics_writer *w, const struct build_info *build)
{
    static const char name[] = "nsaddrd_build_info";
    const struct metrics_label labels[] = {
        {"version", build->version},     {"mhd", build->mhd},
        {"curl", build->curl},           {"cjson", build->cjson},
        {"libconfig", build->libconfig},
    };
    metrics_family(w, name, "gauge",
                   "Always 1; the labels are the versions of nsaddrd and its libraries.");
    metrics_number(w, name, labels, sizeof labels / sizeof *labels, 1);
}

static void process_number(const struct metrics_writer *w, const char *name, const char *help,
                           int64_t value)
{
    if (value != PROCESS_UNKNOWN)
        metrics_single_number(w, name, "gauge", help, (uint64_t)value);
}

void metrics_write_process(const struct metrics_writer *w, const struct process_usage *p,
                           int64_t started_wall_ms)
{
    char text[48];
    if (p->cpu_us != PROCESS_UNKNOWN) {
        (void)snprintf(text, sizeof text, "%" PRId64 ".%06" PRId64, p->cpu_us / 1000000,
                       p->cpu_us % 1000000);
        metrics_single(w, "process_cpu_seconds_total", "counter",
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
    metrics_single_seconds(w, "process_start_time_seconds",
                           "When the process started, in seconds since 1970.", started_wall_ms);
}

void metrics_write_reload(const struct metrics_writer *w, const struct reload_outcome *reload)
{
    metrics_single_number(
        w, "nsaddrd_config_last_reload_successful", "gauge",
        "1 if the config was good when it was read last, 0 if an older one is in use.",
        reload->successful);
    metrics_single_seconds(w, "nsaddrd_config_last_reload_success_timestamp_seconds",
                           "When the config in use was read, in seconds since 1970.",
                           reload->success_wall_ms);
}
