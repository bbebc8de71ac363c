/* SPDX-License-Identifier: Apache-2.0 */
#include "model/consul_report.h"
#include "serve/metrics_families.h"
#include "serve/metrics_lines.h"

static void gauge(const struct metrics_writer *w, const char *name, const char *help,
                  uint64_t value)
{
    metrics_single_number(w, name, "gauge", help, value);
}

static void counter(const struct metrics_writer *w, const char *name, const char *help,
                    uint64_t value)
{
    metrics_single_number(w, name, "counter", help, value);
}

/* -- requests -------------------------------------------------------------------------------- */

static void write_requests(const struct metrics_writer *w, const struct consul_report *r)
{
    static const char requests[] = "nsaddrd_consul_requests_total";
    static const char failures[] = "nsaddrd_consul_request_failures_total";
    metrics_family(w, requests, "counter",
                   "Requests to Consul that ended, by what they were for and the status.");
    for (enum consul_op op = 0; op < CONSUL_OPS; op++)
        for (enum consul_code code = 0; code < CONSUL_CODES; code++)
            metrics_number(w, requests,
                           (struct metrics_label[]){{"op", consul_op_name(op)},
                                                    {"code", consul_code_name(code)}},
                           2, r->requests[op][code]);
    metrics_family(w, failures, "counter",
                   "Those that were of no use, by what they were for and the reason.");
    for (enum consul_op op = 0; op < CONSUL_OPS; op++)
        for (enum consul_failure why = 0; why < CONSUL_FAILURES; why++)
            metrics_number(w, failures,
                           (struct metrics_label[]){{"op", consul_op_name(op)},
                                                    {"reason", consul_failure_name(why)}},
                           2, r->failures[op][why]);
}

/* -- reading --------------------------------------------------------------------------------- */

static void write_plan(const struct metrics_writer *w, const struct consul_reading *now)
{
    static const char name[] = "nsaddrd_consul_plan";
    metrics_family(w, name, "gauge",
                   "1 for how changes are noticed: by a query for each cluster, or by a scan.");
    for (enum consul_plan plan = 0; plan < CONSUL_PLANS; plan++)
        metrics_number(w, name, (struct metrics_label[]){{"plan", consul_plan_name(plan)}}, 1,
                       now->plan == plan);
    gauge(w, "nsaddrd_consul_scan_failing",
          "1 while the scan does not work and clusters are read in turn.", now->scan_failing);
}

static void write_reading(const struct metrics_writer *w, const struct consul_reading *now,
                          int64_t now_mono_ms)
{
    gauge(w, "nsaddrd_consul_clusters", "Clusters that are read from Consul.", now->clusters);
    gauge(w, "nsaddrd_consul_clusters_unread", "Of them, those that were never read so far.",
          now->unread);
    gauge(w, "nsaddrd_consul_clusters_failing", "Of them, those that could not be read last time.",
          now->failing);
    gauge(w, "nsaddrd_consul_reads_waiting", "Reads of clusters that wait for their turn.",
          now->waiting);
    gauge(w, "nsaddrd_consul_reads_running", "Reads of clusters that are under way.", now->running);
    metrics_single_seconds(w, "nsaddrd_consul_read_spacing_seconds",
                           "Time between two reads, as Consul refuses; 0 when it does not.",
                           now->spacing_ms);
    gauge(w, "nsaddrd_mass_loss", "1 while nobody leaves, as most clusters lose members at once.",
          now->mass_loss_end > now_mono_ms);
}

static void write_skipped(const struct metrics_writer *w, const struct consul_report *r)
{
    static const char name[] = "nsaddrd_instances_skipped_total";
    metrics_family(w, name, "counter",
                   "Registered instances that came without an address that clients could use.");
    for (enum instance_skip why = 0; why < INSTANCE_SKIPS; why++)
        metrics_number(w, name, (struct metrics_label[]){{"reason", instance_skip_name(why)}}, 1,
                       r->skipped[why]);
}

static void write_gone(const struct metrics_writer *w, const struct consul_report *r)
{
    counter(w, "nsaddrd_clusters_gone_total",
            "Clusters that had a list and ended, as nothing was registered any more.", r->gone);
}

/* -- registrations --------------------------------------------------------------------------- */

static void write_registrations(const struct metrics_writer *w,
                                const struct registration_numbers *n)
{
    static const char name[] = "nsaddrd_registrations";
    const struct {
        const char *state;
        uint64_t value;
    } rows[] = {{"registered", n->registered}, {"pending", n->pending}, {"leaving", n->leaving}};
    metrics_family(
        w, name, "gauge",
        "Our own services in Consul: as they shall be, wanted but not so, to be removed.");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        metrics_number(w, name, (struct metrics_label[]){{"state", rows[i].state}}, 1,
                       rows[i].value);
    gauge(w, "nsaddrd_registrations_failing",
          "1 while Consul refuses our registrations, or cannot be reached for them.", n->failing);
}

/* -- all of it ------------------------------------------------------------------------------- */

void metrics_write_consul(const struct metrics_writer *w, const struct consul_report *r,
                          int64_t now_mono_ms)
{
    if (!r->enabled)
        return;
    gauge(w, "nsaddrd_consul_up", "1 while Consul gives useful answers.", r->up);
    metrics_single_seconds(w, "nsaddrd_consul_last_answer_timestamp_seconds",
                           "When the last useful answer came, in seconds since 1970; 0: never.",
                           r->last_good_wall_ms);
    write_requests(w, r);
    gauge(w, "nsaddrd_consul_watches", "Requests under way that wait for news.", r->watches);
    write_plan(w, &r->reading);
    write_reading(w, &r->reading, now_mono_ms);
    metrics_histogram(w, "nsaddrd_propagation_seconds",
                      "Time from a reply of Consul to the table that has it, in seconds.",
                      propagation_bucket_ns, r->propagation, PROPAGATION_BUCKETS,
                      r->propagation_ns);
    write_skipped(w, r);
    write_gone(w, r);
    write_registrations(w, &r->registrations);
}

void metrics_write_state(const struct metrics_writer *w, const struct consul_report *r)
{
    counter(w, "nsaddrd_state_writes_total", "Times that the state was written to disk.",
            r->state_writes);
    counter(w, "nsaddrd_state_write_failures_total",
            "Times that the state could not be written to disk.", r->state_write_failures);
    metrics_single_seconds(w, "nsaddrd_state_last_write_timestamp_seconds",
                           "When the state was written last, in seconds since 1970; 0: never.",
                           r->state_last_write_wall_ms);
}
