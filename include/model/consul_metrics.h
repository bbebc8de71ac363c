/*
 * consul_metrics.h - what the thread that talks to Consul counts and shows: its requests, how far
 * it is with reading, our registrations, the state on disk.
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
#include <stddef.h>
#include <stdint.h>

/* -- what is told apart ---------------------------------------------------------------------- */

/* What a request is for. Zero is "other", so that what nobody set counts as that. */
enum consul_op {
    CONSUL_OP_OTHER,
    CONSUL_OP_NAMES,         /* which services there are */
    CONSUL_OP_CLUSTER_READ,  /* one cluster, from the servers themselves */
    CONSUL_OP_CLUSTER_WATCH, /* one cluster, waiting for news */
    CONSUL_OP_CHECKS,        /* the checks of all clusters: a view of the scan */
    CONSUL_OP_REGISTRATIONS, /* what the agent has of ours */
    CONSUL_OP_REGISTER,      /* our services are written: registered, removed, maintenance */
    CONSUL_OPS,
};

enum consul_code {
    CONSUL_CODE_NONE, /* no complete reply */
    CONSUL_CODE_200,
    CONSUL_CODE_400,
    CONSUL_CODE_403,
    CONSUL_CODE_404,
    CONSUL_CODE_429,
    CONSUL_CODE_500,
    CONSUL_CODE_503,
    CONSUL_CODE_OTHER,
    CONSUL_CODES,
};

/* Why a request was of no use. */
enum consul_failure {
    CONSUL_FAILURE_OTHER,
    CONSUL_FAILURE_CONNECT, /* no connection, or no address for the name */
    CONSUL_FAILURE_TIMEOUT,
    CONSUL_FAILURE_TLS,
    CONSUL_FAILURE_TRANSFER, /* the connection broke, or does not speak HTTP */
    CONSUL_FAILURE_TOO_LARGE,
    CONSUL_FAILURE_CONTENT, /* a complete reply that cannot be used: see its text */
    CONSUL_FAILURE_ACL,     /* 403 */
    CONSUL_FAILURE_BUSY,    /* 429 */
    CONSUL_FAILURE_STATUS,  /* any other status that is no answer */
    CONSUL_FAILURES,
};

/* How changes are noticed. */
enum consul_plan {
    CONSUL_PLAN_NONE, /* not yet: nobody knows how many clusters there are */
    CONSUL_PLAN_EACH, /* every cluster has a blocking query */
    CONSUL_PLAN_SCAN, /* the checks of the datacenter say which clusters to read again */
    CONSUL_PLANS,
};

/* Why an instance has no address for clients. */
enum instance_skip {
    INSTANCE_SKIP_ADDRESS,   /* none, or none that is a literal IP clients could use */
    INSTANCE_SKIP_PORT,      /* not one of 1 to 65535 */
    INSTANCE_SKIP_MALFORMED, /* not what Consul sends */
    INSTANCE_SKIPS,
};

/* The words that label values have. */
const char *instance_skip_name(enum instance_skip why);
const char *consul_op_name(enum consul_op op);
const char *consul_code_name(enum consul_code code);
const char *consul_failure_name(enum consul_failure why);
const char *consul_plan_name(enum consul_plan plan);

/* 0: there was no complete reply. */
enum consul_code consul_code_of(long status);

/* Does that status answer the question? 404 does: it is not there. */
bool consul_status_is_good(long status);

/* Upper bounds of the propagation's buckets, in nanoseconds, inclusive; the last bucket has none. */
#define PROPAGATION_BUCKETS 16
extern const uint64_t propagation_bucket_ns[PROPAGATION_BUCKETS - 1];

/* -- what is read ---------------------------------------------------------------------------- */

#define METRIC_ERROR_SIZE 256

/* The last failure of a kind, and whether it is over. */
struct metric_error {
    char text[METRIC_ERROR_SIZE]; /* "": there was none; peers' words */
    int64_t since_wall_ms;        /* the first of those in a row; 0: it is over */
    int64_t last_wall_ms;         /* 0: there was none */
};

/* How far the reading of clusters is. */
struct consul_reading {
    enum consul_plan plan;
    bool scan_failing;     /* CONSUL_PLAN_SCAN without its scan: clusters are read in turn */
    uint64_t clusters;     /* known by name, or of an earlier run */
    uint64_t unread;       /* of them: never read so far */
    uint64_t failing;      /* of them: the last try failed */
    uint64_t waiting;      /* reads that wait for their turn */
    uint64_t running;      /* reads that were sent */
    int64_t spacing_ms;    /* between two reads, for Consul refuses; 0: none */
    int64_t mass_loss_end; /* monotonic ms: nobody leaves before, for most clusters lose members */
};

/* Our own services. Those wanted are present or pending. */
struct registration_numbers {
    uint64_t wanted;
    uint64_t registered; /* exactly as wanted, when the agent was last asked or written to */
    uint64_t pending;    /* wanted, and not (or not known to be) so */
    uint64_t leaving;    /* still there, but not wanted */
    bool failing;        /* the last one that was tried was refused, or there was no answer */
    bool draining;
};

struct consul_report {
    bool enabled;
    bool up;                   /* see consul_metrics_is_up() */
    int64_t last_good_wall_ms; /* 0: never */
    struct metric_error error;
    uint64_t requests[CONSUL_OPS][CONSUL_CODES];
    uint64_t failures[CONSUL_OPS][CONSUL_FAILURES];
    uint64_t watches; /* blocking queries under way, of any kind */
    struct consul_reading reading;

    uint64_t skipped[INSTANCE_SKIPS];
    uint64_t gone; /* clusters that had a list */

    struct registration_numbers registrations;
    struct metric_error registration_error;

    uint64_t state_writes; /* that are on disk */
    uint64_t state_write_failures;
    int64_t state_last_write_wall_ms; /* 0: never */
    struct metric_error state_error;

    uint64_t propagation[PROPAGATION_BUCKETS]; /* each bucket for itself: not cumulative */
    uint64_t propagation_ns;
};

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
