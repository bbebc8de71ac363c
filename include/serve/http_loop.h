/*
 * http_loop.h - one thread that answers: a libmicrohttpd daemon of its own, driven from here, so
 * that its connections are under our own deadlines and limits. Internal to serve.
 *
 * Threads    start, finish, stop, free: main. alive: any.
 * Ownership  What a struct http_limits or http_answers points to is borrowed until http_loop_free().
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_HTTP_LOOP_H
#define SERVE_HTTP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "serve/http_answer.h"

struct error;
struct http_limits;
struct http_loop;

/* Answers connections to `fd`, a listening socket that does not block and that several loops may
 * share; it stays its owner's. */
struct http_loop *http_loop_start(int fd, struct http_limits *limits,
                                  const struct http_answers *answers,
                                  struct error *reterr) MUST_CHECK;

/* Looks at its limits now. Any thread. */
void http_loop_wake(const struct http_loop *l);

/* Accepts no more. Ends by itself when every connection is closed, and soon: who has begun a request
 * is waited for up to a second, unless slow already; who is idle for a tenth, as a request may be on
 * its way. */
void http_loop_finish(struct http_loop *l);

/* Waits for the end of http_loop_finish(). */
void http_loop_stop(struct http_loop *l);

/* Only when all that share its limits were stopped: they ask each other to make room. */
void http_loop_free(struct http_loop *l);

/* Did it turn within the last `within_ms`? It turns at least once a second. */
bool http_loop_alive(const struct http_loop *l, int64_t within_ms);

#endif
