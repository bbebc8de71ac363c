/*
 * consul_report.h - what there is to tell of Consul, at one moment: requests, how far reading is, our
 * registrations, the state on disk. Values only; consul_metrics.h counts them, metrics_consul() of
 * metrics.h fills a report.
 *
 * Texts   They may hold what a peer said: who shows one escapes it.
 * Units   As the names say.
 * Errors  None.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MODEL_CONSUL_REPORT_H
#define MODEL_CONSUL_REPORT_H

#include <stdbool.h>
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

/* -- the report ----------------------------------------------------------------------------- */

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

#endif
