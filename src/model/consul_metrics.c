/* SPDX-License-Identifier: Apache-2.0 */
#include "model/consul_metrics.h"

#include <stdio.h>
#include <string.h>

/* So many failures in a row, and it is not just one request that Consul does not like. */
#define FAILURES_MEAN_AWAY 3

/* -- numbers --------------------------------------------------------------------------------- */

static void set(metric_number *to, uint64_t value)
{
    atomic_store_explicit(to, value, memory_order_relaxed);
}

static uint64_t get(const metric_number *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

static void add(metric_number *to, uint64_t n)
{
    set(to, get(to) + n);
}

static void set_time(metric_time *to, int64_t value)
{
    atomic_store_explicit(to, value, memory_order_relaxed);
}

static int64_t get_time(const metric_time *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

/* -- failures -------------------------------------------------------------------------------- */

static void note_failure(struct consul_metrics *m, struct metric_failure *f, const char *text,
                         int64_t wall_ms)
{
    pthread_mutex_lock(&m->lock);
    (void)snprintf(f->text, sizeof f->text, "%s", text);
    pthread_mutex_unlock(&m->lock);
    if (get_time(&f->since_wall_ms) == 0)
        set_time(&f->since_wall_ms, wall_ms);
    set_time(&f->last_wall_ms, wall_ms);
}

static void end_failure(struct metric_failure *f)
{
    set_time(&f->since_wall_ms, 0);
}

static void read_failure(struct consul_metrics *m, const struct metric_failure *f,
                         struct metric_error *out)
{
    pthread_mutex_lock(&m->lock);
    memcpy(out->text, f->text, sizeof out->text);
    pthread_mutex_unlock(&m->lock);
    out->since_wall_ms = get_time(&f->since_wall_ms);
    out->last_wall_ms = get_time(&f->last_wall_ms);
}

/* -- life ------------------------------------------------------------------------------------ */

void consul_metrics_init(struct consul_metrics *m)
{
    memset(m, 0, sizeof *m);
    m->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    set(&m->bad_in_a_row, FAILURES_MEAN_AWAY); /* nobody knows yet */
}

void consul_metrics_clear(struct consul_metrics *m)
{
    (void)pthread_mutex_destroy(&m->lock);
}

/* -- Consul ---------------------------------------------------------------------------------- */

void consul_metrics_enable(struct consul_metrics *m)
{
    set(&m->enabled, 1);
}

void consul_metrics_unusable(struct consul_metrics *m, const char *text)
{
    (void)snprintf(m->unusable, sizeof m->unusable, "%s", text);
}

void consul_metrics_answered(struct consul_metrics *m, enum consul_op op, long status,
                             int64_t wall_ms)
{
    if (m->unusable[0] != '\0') {
        consul_metrics_failed(m, op, status, CONSUL_FAILURE_CONTENT, "", wall_ms);
        return;
    }
    add(&m->requests[op][consul_code_of(status)], 1);
    set(&m->bad_in_a_row, 0);
    set_time(&m->last_good_wall_ms, wall_ms);
    end_failure(&m->error);
}

/* Consul is there, and has said something; only not what is in one cluster. 429 and what is above 500
 * (the word of proxies, and of a Consul that has enough) concern all. */
static bool is_about_one_cluster(const struct consul_metrics *m, enum consul_op op, long status)
{
    return (op == CONSUL_OP_CLUSTER_READ || op == CONSUL_OP_CLUSTER_WATCH) && status > 0 &&
           status <= 500 && status != 429 && get(&m->failing) < get(&m->clusters);
}

void consul_metrics_failed(struct consul_metrics *m, enum consul_op op, long status,
                           enum consul_failure why, const char *text, int64_t wall_ms)
{
    add(&m->requests[op][consul_code_of(status)], 1);
    add(&m->failures[op][why], 1);
    if (!is_about_one_cluster(m, op, status))
        add(&m->bad_in_a_row, 1);
    note_failure(m, &m->error, m->unusable[0] != '\0' ? m->unusable : text, wall_ms);
    m->unusable[0] = '\0';
}

bool consul_metrics_is_up(const struct consul_metrics *m)
{
    return get(&m->bad_in_a_row) < FAILURES_MEAN_AWAY;
}

void consul_metrics_watches(struct consul_metrics *m, uint64_t watches)
{
    set(&m->watches, watches);
}

void consul_metrics_reads(struct consul_metrics *m, uint64_t waiting, uint64_t running,
                          int64_t spacing_ms)
{
    set(&m->waiting, waiting);
    set(&m->running, running);
    set_time(&m->spacing_ms, spacing_ms);
}

void consul_metrics_reading(struct consul_metrics *m, const struct consul_reading *now)
{
    set(&m->plan, (uint64_t)now->plan);
    set(&m->scan_failing, now->scan_failing);
    set(&m->clusters, now->clusters);
    set(&m->unread, now->unread);
    set(&m->failing, now->failing);
    set_time(&m->mass_loss_end, now->mass_loss_end);
}

static void read_reading(const struct consul_metrics *m, struct consul_reading *out)
{
    *out = (struct consul_reading){
        .plan = (enum consul_plan)get(&m->plan),
        .scan_failing = get(&m->scan_failing) != 0,
        .clusters = get(&m->clusters),
        .unread = get(&m->unread),
        .failing = get(&m->failing),
        .waiting = get(&m->waiting),
        .running = get(&m->running),
        .spacing_ms = get_time(&m->spacing_ms),
        .mass_loss_end = get_time(&m->mass_loss_end),
    };
}

/* -- registrations --------------------------------------------------------------------------- */

void consul_metrics_skipped(struct consul_metrics *m, enum instance_skip why, uint64_t count)
{
    add(&m->skipped[why], count);
}

void consul_metrics_gone(struct consul_metrics *m)
{
    add(&m->gone, 1);
}

void consul_metrics_registrations(struct consul_metrics *m, const struct registration_numbers *now)
{
    set(&m->registrations_wanted, now->wanted);
    set(&m->registrations_registered, now->registered);
    set(&m->registrations_pending, now->pending);
    set(&m->registrations_leaving, now->leaving);
    set(&m->registrations_failing, now->failing);
    set(&m->draining, now->draining);
}

void consul_metrics_registration_failed(struct consul_metrics *m, const char *text, int64_t wall_ms)
{
    set(&m->registrations_failing, 1);
    note_failure(m, &m->registration_error, text, wall_ms);
}

void consul_metrics_registration_works(struct consul_metrics *m)
{
    set(&m->registrations_failing, 0);
    end_failure(&m->registration_error);
}

static void read_registrations(const struct consul_metrics *m, struct registration_numbers *out)
{
    *out = (struct registration_numbers){
        .wanted = get(&m->registrations_wanted),
        .registered = get(&m->registrations_registered),
        .pending = get(&m->registrations_pending),
        .leaving = get(&m->registrations_leaving),
        .failing = get(&m->registrations_failing) != 0,
        .draining = get(&m->draining) != 0,
    };
}

/* -- the state on disk ----------------------------------------------------------------------- */

void consul_metrics_state_written(struct consul_metrics *m, int64_t wall_ms)
{
    add(&m->state_writes, 1);
    set_time(&m->state_last_write_wall_ms, wall_ms);
    end_failure(&m->state_error);
}

void consul_metrics_state_failed(struct consul_metrics *m, const char *text, int64_t wall_ms)
{
    add(&m->state_write_failures, 1);
    note_failure(m, &m->state_error, text, wall_ms);
}

/* -- propagation ----------------------------------------------------------------------------- */

void consul_metrics_received(struct consul_metrics *m, int64_t mono_ns)
{
    m->received_ns = mono_ns;
}

void consul_metrics_published(struct consul_metrics *m, int64_t mono_ns)
{
    if (m->received_ns == 0)
        return;
    uint64_t took = (uint64_t)(mono_ns - m->received_ns);
    size_t bucket = 0;
    while (bucket < PROPAGATION_BUCKETS - 1 && took > propagation_bucket_ns[bucket])
        bucket++;
    add(&m->propagation[bucket], 1);
    add(&m->propagation_ns, took);
}

/* -- reading --------------------------------------------------------------------------------- */

void consul_metrics_read(struct consul_metrics *m, struct consul_report *out)
{
    *out =
        (struct consul_report){.enabled = get(&m->enabled) != 0,
                               .up = consul_metrics_is_up(m),
                               .last_good_wall_ms = get_time(&m->last_good_wall_ms),
                               .watches = get(&m->watches),
                               .gone = get(&m->gone),
                               .state_writes = get(&m->state_writes),
                               .state_write_failures = get(&m->state_write_failures),
                               .state_last_write_wall_ms = get_time(&m->state_last_write_wall_ms),
                               .propagation_ns = get(&m->propagation_ns)};
    for (size_t op = 0; op < CONSUL_OPS; op++) {
        for (size_t code = 0; code < CONSUL_CODES; code++)
            out->requests[op][code] = get(&m->requests[op][code]);
        for (size_t why = 0; why < CONSUL_FAILURES; why++)
            out->failures[op][why] = get(&m->failures[op][why]);
    }
    for (size_t i = 0; i < PROPAGATION_BUCKETS; i++)
        out->propagation[i] = get(&m->propagation[i]);
    for (size_t i = 0; i < INSTANCE_SKIPS; i++)
        out->skipped[i] = get(&m->skipped[i]);
    read_reading(m, &out->reading);
    read_registrations(m, &out->registrations);
    read_failure(m, &m->error, &out->error);
    read_failure(m, &m->registration_error, &out->registration_error);
    read_failure(m, &m->state_error, &out->state_error);
}
