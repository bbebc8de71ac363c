/*
 * http_limits.h - which connections stay, and which end: those that are late, and the worst one when
 * there are too many. Several threads keep to one limit together. Internal to serve.
 *
 * Each thread has its own connections (connections.h) and ends only those. At the limit it looks
 * whose worst is the worst of all, by what each tells of its own, and asks that thread to end it.
 * A connection is ended by shutdown(): whoever has the socket sees its end, and closes it.
 *
 * Ownership  What a struct http_limits points to is borrowed. A share is its owner's memory, and is in
 *            the list of its limits from http_share_join() on: it is freed when all that share them
 *            have stopped.
 * Threads    http_share_wake(): any. init, join: one at a time for all that share the limits. The
 *            rest: the share's own thread.
 * Units      Milliseconds of clock_mono_ms().
 * Errors     None. Drops are counted, and told in the log once in a while.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_HTTP_LIMITS_H
#define SERVE_HTTP_LIMITS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/log.h"
#include "serve/connections.h"

struct http_metrics;
struct http_share;
struct per_address;
struct sockaddr;

/* At the limit the library stops accepting. Ours comes first, so that a new connection finds room
 * by the end of a worse one; the library closes that one only in its next turn. */
#define HTTP_SPARE_CONNECTIONS 64u

/* What the threads of one kind (clients, admin) share. */
struct http_limits {
    unsigned max_connections;
    atomic_int_fast64_t header_timeout_ms; /* looked at by http_share_tend() */
    atomic_int_fast64_t idle_timeout_ms;
    struct per_address *per_address; /* NULL: no limit */
    atomic_uint connections;         /* open now, without those told to end */
    struct log_limit drops;
    _Atomic(struct http_share *) shares; /* all of them; starts with NULL */
};

/* One thread's part. */
struct http_share {
    struct http_limits *limits;
    struct http_metrics *counters;
    struct connections connections;
    int wake;                       /* eventfd that ends its thread's wait; its owner's */
    struct http_share *next;        /* of the same limits */
    atomic_uint asked;              /* connections that others want it to make room for */
    atomic_int_fast64_t waiting_ms; /* connections_oldest(), for the others */
    atomic_int_fast64_t idle_ms;
};

/* Both are borrowed. `wake` is to be set before it joins. */
void http_share_init(struct http_share *s, struct http_limits *limits,
                     struct http_metrics *counters);

/* From now on others may ask it to make room. */
void http_share_join(struct http_share *s);

/* Ends the wait of its thread. Any thread. */
void http_share_wake(const struct http_share *s);

/* A new connection, which may be dropped at once. *counted is set when its address is counted. Both are
 * NULL when there is no memory for it, and it is ended. */
void http_share_opened(struct http_share *s, struct connection *c, int fd,
                       const struct sockaddr *from, bool *counted, int64_t now_ms);

/* It is closed. `counted`: its address, NULL when that is not counted. */
void http_share_closed(struct http_share *s, struct connection *c, const struct sockaddr *counted);

/* To be called with each turn of the thread: looks at deadlines, and drops who is late. */
void http_share_tend(struct http_share *s, int64_t now_ms);

/* Likewise: makes the room that others asked for, and tells them of its oldest. */
void http_share_do_asked(struct http_share *s, int64_t now_ms);

/* Somebody else took the files or the memory: makes room by the end of a connection. False: there is
 * none. */
bool http_share_out_of_files(struct http_share *s, int64_t now_ms) MUST_CHECK;

#endif
