/*
 * consul_metrics.h - what the thread that talks to Consul counts, for others to read as a report
 * (consul_report.h).
 *
 * Writers  One thread: the one of httpc, or main while that one does not run. Counting is a load
 *          and a store of a number that no other thread writes. Gauges are stored after every event
 *          that may have changed them, so they are never older than the last reply or timer.
 * Readers  Any thread, at any time, by metrics_consul() (metrics.h): it copies the numbers, and
 *          waits for nobody's work. Each number is whole; two of them may be of slightly different
 *          moments. Only a text of an error has a lock, for the time of a copy.
 * Texts    They may hold what a peer said: who shows one escapes it.
 * Time     As the names say. This module reads no clock.
 * Errors   None.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MODEL_CONSUL_METRICS_H
#define MODEL_CONSUL_METRICS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/consul_report.h"

/* -- counting: the one writer ---------------------------------------------------------------- */

typedef _Atomic(uint64_t) metric_number;
typedef _Atomic(int64_t) metric_time;

struct metric_failure {
    metric_time since_wall_ms;
    metric_time last_wall_ms;
    char text[METRIC_ERROR_SIZE]; /* under the lock of its consul_metrics */
};

struct consul_metrics {
    metric_number enabled;
    metric_number bad_in_a_row;
    metric_time last_good_wall_ms;
    metric_number requests[CONSUL_OPS][CONSUL_CODES];
    metric_number failures[CONSUL_OPS][CONSUL_FAILURES];
    metric_number watches;
    metric_number plan;
    metric_number scan_failing;
    metric_number clusters;
    metric_number unread;
    metric_number failing;
    metric_number waiting;
    metric_number running;
    metric_time spacing_ms;
    metric_time mass_loss_end;
    metric_number skipped[INSTANCE_SKIPS];
    metric_number gone;
    metric_number registrations_wanted;
    metric_number registrations_registered;
    metric_number registrations_pending;
    metric_number registrations_leaving;
    metric_number registrations_failing;
    metric_number draining;
    metric_number state_writes;
    metric_number state_write_failures;
    metric_time state_last_write_wall_ms;
    metric_number propagation[PROPAGATION_BUCKETS];
    metric_number propagation_ns;
    /* The writer's own: when the replies being taken came (0: none is), and what is wrong with the
     * one that is not counted yet. */
    int64_t received_ns;
    char unusable[METRIC_ERROR_SIZE];
    pthread_mutex_t lock; /* guards the texts */
    struct metric_failure error;
    struct metric_failure registration_error;
    struct metric_failure state_error;
};

void consul_metrics_init(struct consul_metrics *m);
void consul_metrics_clear(struct consul_metrics *m);

/* There is a Consul to ask. */
void consul_metrics_enable(struct consul_metrics *m);

/* Whoever takes a reply says that it cannot be used, and why; before the reply is counted. */
void consul_metrics_unusable(struct consul_metrics *m, const char *text);

/* A good reply was taken. */
void consul_metrics_answered(struct consul_metrics *m, enum consul_op op, long status,
                             int64_t wall_ms);
/* None came, or a refusal. `text` counts when nobody has said it better. */
void consul_metrics_failed(struct consul_metrics *m, enum consul_op op, long status,
                           enum consul_failure why, const char *text, int64_t wall_ms);

/* Had one of the last three requests a useful answer? Not counted is what Consul refuses of one
 * cluster (403, 500, or nothing that can be used) while others can be read. Any thread. */
bool consul_metrics_is_up(const struct consul_metrics *m);

void consul_metrics_watches(struct consul_metrics *m, uint64_t watches);
/* The queue of reads, and all else of `now`. */
void consul_metrics_reads(struct consul_metrics *m, uint64_t waiting, uint64_t running,
                          int64_t spacing_ms);
void consul_metrics_reading(struct consul_metrics *m, const struct consul_reading *now);

/* So many further instances have no address for clients. */
void consul_metrics_skipped(struct consul_metrics *m, enum instance_skip why, uint64_t count);
/* A cluster that had a list has ended, for nothing is registered. */
void consul_metrics_gone(struct consul_metrics *m);

void consul_metrics_registrations(struct consul_metrics *m, const struct registration_numbers *now);
void consul_metrics_registration_failed(struct consul_metrics *m, const char *text,
                                        int64_t wall_ms);
/* All that was tried since has worked. */
void consul_metrics_registration_works(struct consul_metrics *m);

void consul_metrics_state_written(struct consul_metrics *m, int64_t wall_ms);
void consul_metrics_state_failed(struct consul_metrics *m, const char *text, int64_t wall_ms);

/* The replies that are taken from now on had come at that time; 0: no more of them. */
void consul_metrics_received(struct consul_metrics *m, int64_t mono_ns);
/* What one of them said is served. Nothing when no reply is being taken. */
void consul_metrics_published(struct consul_metrics *m, int64_t mono_ns);

/* -- reading: any thread --------------------------------------------------------------------- */

void consul_metrics_read(struct consul_metrics *m, struct consul_report *out);

#endif
