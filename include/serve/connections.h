/*
 * connections.h - the open connections of one thread: who is late, and whom to drop first.
 * Internal to serve. Pure: time is a parameter, sockets are numbers.
 *
 * A connection is `waiting` while its peer owes us something: the rest of a request, or to take
 * the answer. It is `idle` between an answer and the next request. libmicrohttpd's own timeout
 * starts anew with each byte, so a peer that sends one now and then holds its place for ever; here
 * a request has one deadline, from the connection's start, or from when its first byte was seen on
 * a kept connection, until the answer was taken.
 *
 * Nobody tells of the first byte of a request on a kept connection: whoever drives this asks the
 * kernel, for each idle connection from time to time (connections_next_look).
 *
 * Ownership  A connection is its owner's memory; it is in here from add to remove.
 * Threads    One. Units: milliseconds of a monotonic clock.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_CONNECTIONS_H
#define SERVE_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum connection_state {
    CONNECTION_WAITING,
    CONNECTION_IDLE,
    CONNECTION_DROPPED, /* told to end; only its removal is still to come */
};

struct connection {
    struct connection *prev, *next;           /* in the order of `since_ms` */
    struct connection *look_prev, *look_next; /* idle: in the order of `look_ms` */
    int64_t since_ms;                         /* in this state since */
    int64_t look_ms;
    enum connection_state state;
    int fd;
};

struct connections {
    struct connection *waiting;
    struct connection *idle;
    struct connection *looks;
    size_t count; /* all, the dropped ones as well */
    int64_t header_timeout_ms;
    int64_t idle_timeout_ms;
};

void connections_init(struct connections *all, int64_t header_timeout_ms, int64_t idle_timeout_ms);

/* The same from now on, for those that are open, too. */
void connections_set_timeouts(struct connections *all, int64_t header_timeout_ms,
                              int64_t idle_timeout_ms, int64_t now_ms);

/* A new one; waiting. */
void connections_add(struct connections *all, struct connection *c, int fd, int64_t now_ms);

/* A request of it is being read or answered: waiting, unless it was. */
void connections_asked(struct connections *all, struct connection *c, int64_t now_ms);

/* It has its answer: idle. */
void connections_answered(struct connections *all, struct connection *c, int64_t now_ms);

/* It was told to end. */
void connections_dropped(struct connections *all, struct connection *c);

/* It is closed. */
void connections_remove(struct connections *all, struct connection *c);

/* Is one of them waiting that was not slow already at `then_ms`? */
bool connections_waits(const struct connections *all, int64_t then_ms);

/* One that is past its time, or NULL. */
struct connection *connections_late(const struct connections *all, int64_t now_ms);

/* When one of them will be late or is to be looked at; CLOCK_NEVER: none. */
int64_t connections_next_ms(const struct connections *all);

/* An idle one that should be looked at now, or NULL. Each is looked at four times within
 * header_timeout; the next look is arranged with this. */
struct connection *connections_next_look(struct connections *all, int64_t now_ms);

/* Whom to drop so that another finds room, or NULL: who makes us wait for longer than a good
 * client ever does, the slowest first; then who is idle, the longest first, as it may come again;
 * then whoever makes us wait. Never `but`. */
struct connection *connections_victim(const struct connections *all, const struct connection *but,
                                      int64_t now_ms);

/* Since when those have been waiting and idle that have been so for longest; CLOCK_NEVER: none. It
 * tells another thread, which may not look at them. */
struct connections_oldest {
    int64_t waiting_ms;
    int64_t idle_ms;
};

struct connections_oldest connections_oldest(const struct connections *all,
                                             const struct connection *but);

/* How much they should be dropped from, to compare several threads' with: the greater the more, 0
 * is not at all. The order is that of connections_victim(). */
int64_t connections_urgency(struct connections_oldest oldest, int64_t now_ms);

#endif
