/*
 * daemon.h - the parts of a running daemon, and the order in which they start and stop.
 *
 * Ownership  The caller's config and arguments outlive daemon_stop(); all else is owned here.
 * Threads    Main's alone; see events.h for what other threads may do.
 * Errors     One line for people.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/service_manager.h"

struct announce;
struct arguments;
struct config;
struct http;
struct httpc;
struct merge;
struct metrics;
struct registry;
struct sources;
struct spool;

/* A config that was read anew, on its way to where it is used. One at a time. */
struct reload {
    struct config *config; /* NULL: none is under way */
    unsigned number;       /* it does what was asked up to this one */
    atomic_bool done;      /* the httpc thread is; the rest is main's again */
    bool used;             /* else: error */
    bool new_token;
    struct error error;
};

struct daemon {
    struct config *config; /* in use */
    struct config *first;  /* what takes a restart is read from this one, as long as we run */
    struct arguments *arguments;
    struct registry *registry;
    struct metrics *metrics;
    struct httpc *httpc;
    struct merge *merge;
    struct spool *spool;
    struct sources *sources;
    struct http *http;
    struct announce *announce;
    int signals; /* signalfd */
    int event;   /* eventfd: the httpc thread tells main of a change, or of the end of the drain */
    struct inherited_sockets inherited;
    struct service_manager manager;
    bool manager_fails;
    unsigned reloads_asked;
    unsigned reloads_done;
    struct reload reload;
    unsigned settled;  /* how much of the start is behind us, see daemon_run.c */
    bool changed;      /* the table, since it was counted */
    int64_t count_ms;  /* not again before */
    char counted[200]; /* "clusters: 11 live, 1 held, ..." */
};

/* Nothing is started. */
void daemon_init(struct daemon *d, struct arguments *arguments, struct config *config);

/* What reads Consul, for --once; or all. daemon_stop() in any case. */
bool daemon_start_sources(struct daemon *d, struct error *reterr) MUST_CHECK;
bool daemon_start(struct daemon *d, struct error *reterr) MUST_CHECK;

/* The same backwards, whatever was started. */
void daemon_stop(struct daemon *d);

/* The whole life of a daemon, up to the signal that ends it. False: it could not start. */
bool daemon_run(struct daemon *d, struct error *reterr) MUST_CHECK;

#endif
