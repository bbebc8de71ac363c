/*
 * sim.h - a world with a Consul and our daemon in it, run by a clock of its own.
 *
 * Source, admission, claims, merge, registry, spool and routes are the real ones; sim.c is another
 * implementation of consul/httpc.h and source/state_writer.h, and stands in for the clocks, for
 * randomness and for fsync (see CMakeLists.txt). A run is repeated exactly by its seed.
 *
 * Consul is modelled as far as its reads go: instances and their checks, an index per service, one
 * for the names and one for all checks, blocking queries that wait, replies that take their time each
 * way (so that they cross), lookup of names without regard to case. Of a query for the checks of one
 * status it is modelled what was measured: it waits until one of that status comes, changes or goes,
 * or, when there is none, until any changes; and its index is that of all checks. Faults can be put
 * on each kind of read.
 *
 * Everything that happens is written as history, one event per line:
 *
 *   <ms> options <name> settle=<ms> leave=<ms> gone=<ms> state=<yes|no> slack=0 [static=<id>:<list>]
 *   <ms> start | stop | kill
 *   <ms> names <asked> <index> <id>,<id>...
 *   <ms> says <id> <asked> <read|watch> <index> <address>=<good|bad|maint|odd>,...
 *   <ms> view <all|critical|warning> <asked> <index> <id>=<number of checks>,...
 *   <ms> serves <id> <asked> <status> <live|held|restored|-> <body|->
 *
 * An answer is written when it changed, and once more after each reply about its cluster, so that
 * what did not change in time can be seen.
 *
 * Memory   sim.c allocates nothing: it can be used where allocations of the daemon are made to
 *          fail. sim_fail_hook is asked where httpc itself would allocate.
 * Threads  One, and one world at a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/timers.h"
#include "consul/httpc.h"
#include "model/cluster_id.h"

struct config;
struct merge;
struct registry;
struct sources;
struct spool;
struct state_writer;
struct table;

#define SIM_CLUSTERS_MAX 64
#define SIM_INSTANCES_MAX 16
#define SIM_CALLS_MAX 256
#define SIM_ADDRESS_SIZE 48

/* When the first run begins. */
#define SIM_BEGIN_MS 1000000

/* The checks of one status, and of all. */
enum sim_view { SIM_ANY, SIM_FAILING, SIM_WARNED, SIM_VIEWS };

enum sim_health { SIM_PASSING, SIM_WARNING, SIM_CRITICAL, SIM_MAINTENANCE, SIM_NODE_MAINTENANCE };

struct sim_instance {
    char address[SIM_ADDRESS_SIZE]; /* as Consul has it; need not be one that can be served */
    long port;
    enum sim_health health;
    bool on_node;   /* only the node has the address, the service none */
    bool unchecked; /* the service has no check */
};

struct sim_service {
    struct sim_instance list[SIM_INSTANCES_MAX];
    size_t count; /* 0: no such service */
    uint64_t index;
};

struct sim_catalog {
    struct sim_service services[SIM_CLUSTERS_MAX]; /* by cluster number */
    uint64_t raft;
    uint64_t names_index;
    uint64_t extinct_index; /* a service lost its last instance: what absent ones answer with */
    uint64_t checks_index;
    uint64_t view_index[SIM_VIEWS]; /* when what waits for that status was last woken */
    bool others_fail;               /* of another service and of another node a check is critical */
};

/* What goes wrong with a read. */
enum sim_fault {
    SIM_NO_FAULT,
    SIM_REFUSED,     /* nobody listens */
    SIM_HANGS,       /* no reply ever */
    SIM_RESET,       /* cut off, those under way too */
    SIM_STATUS,      /* an error status, with an empty list */
    SIM_GARBAGE,     /* 200 with HTML */
    SIM_CUT,         /* 200 with the first half of the JSON */
    SIM_EMPTY,       /* 200 [] with index 1: a reset stream */
    SIM_LIES_EMPTY,  /* 200 [] with the right index */
    SIM_FILTERED,    /* cut by ACLs, and marked so */
    SIM_DENIED,      /* emptied by ACLs for the anonymous token: only the default policy shows it */
    SIM_NO_LEADER,   /* X-Consul-KnownLeader: false */
    SIM_INDEX_BACK,  /* X-Consul-Index lower than it was */
    SIM_INDEX_ZERO,  /* X-Consul-Index: 0 */
    SIM_INDEX_STUCK, /* the index as it was when the fault began, with the body of now */
    SIM_STALE,       /* index and body as they were when the fault began */
    SIM_PARTIAL,     /* every second instance or name, and nothing marks it */
    SIM_ODD_ROW,     /* one row is not what Consul sends */
};

enum sim_kind {
    SIM_NAMES,
    SIM_READ,
    SIM_WATCH,
    SIM_VIEW_ALL,
    SIM_VIEW_CRITICAL,
    SIM_VIEW_WARNING,
    SIM_KINDS
};

struct sim_fault_setting {
    enum sim_fault fault;
    long status; /* of SIM_STATUS */
};

enum sim_stage {
    SIM_CALL_FREE,
    SIM_CALL_QUEUED, /* for one of the connections of short calls */
    SIM_CALL_SENT,
    SIM_CALL_BLOCKED,
    SIM_CALL_ANSWERED
};

/* One row of a health reply; a lookup finds every spelling of the name. */
struct sim_row {
    size_t cluster;
    unsigned twin; /* of those of its address */
    struct sim_instance instance;
};

#define SIM_ROWS_MAX (2 * SIM_INSTANCES_MAX)

struct sim_answer {
    struct sim_fault_setting fault;
    uint64_t index;
    uint64_t names;                    /* bits, by cluster number */
    struct sim_row rows[SIM_ROWS_MAX]; /* not of views: see sim.viewed */
    size_t row_count;
};

struct httpc_call {
    enum sim_stage stage;
    httpc_done *done;
    httpc_body *on_body;
    void *arg;
    bool blocking;
    bool of_nodes; /* the checks of nodes, too */
    enum sim_kind kind;
    size_t cluster; /* SIM_READ, SIM_WATCH */
    uint64_t index;
    int64_t wait_ms;
    int64_t sent_ms;
    int64_t timeout_ms;
    int64_t expires_ms; /* by the caller's timeout */
    uint64_t ran_index; /* of the query, when it began to wait */
    int64_t at_ms;      /* arrives, is answered for want of news, or is delivered */
    struct sim_answer answer;
};

struct httpc {
    struct timers timers;
    bool running_timers;
    struct httpc_call calls[SIM_CALLS_MAX];
    struct httpc_call *pending[SIM_CALLS_MAX]; /* oldest first */
    size_t pending_count;
    struct consul_metrics metrics; /* what the source reports; requests are not counted */
};

/* The caller's: text is appended until it is full, which ends the program. */
struct sim_history {
    char *text;
    size_t len;
    size_t size;
};

struct sim {
    const struct config *config; /* borrowed */
    struct sim_history *history; /* borrowed */
    struct jitter random;        /* of the world and of the daemon */
    int64_t now_ms;
    int64_t wall_offset_ms;
    int64_t latency_low_ms; /* each way */
    int64_t latency_high_ms;

    char ids[SIM_CLUSTERS_MAX][CLUSTER_ID_SIZE];
    size_t cluster_count;
    struct sim_catalog catalog;
    struct sim_catalog remembered;
    struct sim_catalog stale; /* as it was when the last fault began */
    struct sim_fault_setting faults[SIM_KINDS];
    struct sim_fault_setting cluster_faults[SIM_CLUSTERS_MAX][SIM_KINDS];
    uint64_t hidden_names; /* bits: left out of the names list */
    char extra_names[256]; /* further services, separated by blanks */

    bool up;
    bool frozen; /* the process is stopped, Consul is not */
    bool late_replies_expire;
    uint64_t requests[SIM_KINDS];         /* sent so far */
    struct sim_catalog viewed[SIM_VIEWS]; /* what the view that is on its way shows */
    struct httpc httpc;
    struct state_writer *writer; /* a write is under way; else NULL */
    int64_t written_at_ms;
    int64_t write_ms; /* how long the disk takes */
    struct spool *spool;
    struct registry *registry;
    struct merge *merge;
    struct sources *sources;
    const struct table *seen; /* what the history tells so far */
    struct {
        bool complete;
        size_t clusters;
    } seen_with;
    uint64_t told; /* bits: clusters whose answer is to be written again */
    int64_t told_ms;
};

/* NULL: nothing fails. Else asked where memory is needed: true means there is none. */
extern bool (*sim_fail_hook)(const char *what);

/* Begins a world without clusters and without the daemon, and writes the options line. */
void sim_init(struct sim *s, const struct config *config, struct sim_history *history,
              const char *name, uint64_t seed);

/* Ends what is up. */
void sim_clear(struct sim *s);

/* The daemon: as main.c starts and stops it. False when it could not start. */
bool sim_start(struct sim *s, struct error *reterr) MUST_CHECK;
void sim_stop(struct sim *s);
/* The same without anything that is done at the end: what is on disk stays as it is. A write of the
 * state that is under way is done, or was never begun. */
void sim_kill(struct sim *s);

/* Runs the world for `ms`. */
void sim_run(struct sim *s, int64_t ms);

/* Stops the process, and lets it go on. What Consul answered in between is delivered late, or has
 * run into its timeout if `late_replies_expire`. */
void sim_freeze(struct sim *s);
void sim_thaw(struct sim *s, bool late_replies_expire);

/* The number of that cluster, new or not; the id is a valid one. */
size_t sim_cluster(struct sim *s, const char *id);

/* What is registered in Consul from now on. */
void sim_register(struct sim *s, size_t cluster, const struct sim_instance *list, size_t count);
void sim_forget_all(struct sim *s);
/* A check of another service, and one of a node without any of ours. */
void sim_others_fail(struct sim *s, bool fail);
/* A snapshot: taken, and restored with its indexes. */
void sim_remember(struct sim *s);
void sim_go_back(struct sim *s);

/* Faults from now on; those of one cluster come before those of all. */
void sim_fail(struct sim *s, enum sim_kind kind, struct sim_fault_setting fault);
void sim_fail_cluster(struct sim *s, size_t cluster, enum sim_kind kind,
                      struct sim_fault_setting fault);
void sim_recover(struct sim *s);
void sim_hide_names(struct sim *s, uint64_t clusters);

/* A folder for the state, in memory where there is such a file system. */
#define SIM_FOLDER_SIZE 64
void sim_make_folder(char dir[static SIM_FOLDER_SIZE]);
void sim_empty_folder(const char *dir);
void sim_remove_folder(const char *dir);

#define SIM_BODY_SIZE 4096

/* What a client gets. */
struct sim_served {
    unsigned status;
    const char *state; /* "live", "held", "restored", "-" */
    const char *reason;
    char body[SIM_BODY_SIZE];
};

void sim_ask(struct sim *s, const char *id, struct sim_served *out);
bool sim_ready(const struct sim *s);

#endif
