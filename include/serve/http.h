/*
 * http.h - the listeners: libmicrohttpd in front of routes.h.
 *
 * The form of answers, each for a client that needs it:
 *   200  Content-Length, never chunked, headers and body in one segment (C++ clients use only the
 *        bytes of their first read); closed after the body for HTTP/1.0.
 *   >=400  an empty body of unknown length (chunked, or closed at its end for HTTP/1.0): old Go
 *        clients take any body as the list, and Java reports an error with "Content-Length: 0" as a
 *        NullPointerException. It announces a trailer that is never sent: with one Go's ReverseProxy
 *        keeps the form, without one two of its goroutines race for it. Only /explain, which no
 *        client asks for, says more.
 *
 * Ownership  http_start()/http_stop(). Arguments are borrowed until http_stop().
 * Threads    start, alive, stop: main. Both steps of a reload: one, between start and stop. Answers are
 *            made by threads of their own, which only read.
 * Errors     One line that names the address.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_HTTP_H
#define SERVE_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"

struct config;
struct error;
struct http;
struct inherited_sockets;
struct metrics;
struct registry;

/* Listens on every address of `listen` and `admin.listen`. Where there are `inherited` sockets for
 * one of the two (for admin.listen those named "admin"), its addresses are theirs, in their order,
 * and they are used; http_stop() closes them. */
struct http *http_start(const struct config *config, struct registry *registry,
                        struct metrics *metrics, const struct inherited_sockets *inherited,
                        struct error *reterr) MUST_CHECK;

/* The config in use, `c`, as pages show it from now on: `text` (stolen, of malloc(); NULL: none) has no
 * secrets. Any thread. */
void http_show_config(struct http *h, const struct config *c, char *text);
/* Makes ready what `config` changes: timeouts, limits per address. Nothing is used before
 * http_end_reload(), which is to follow on success; `take`: it is used from now on, else forgotten.
 * What else answers depend on is in the table. */
bool http_prepare_reload(struct http *h, const struct config *config,
                         struct error *reterr) MUST_CHECK;
void http_end_reload(struct http *h, bool take);

/* Did every thread turn within the last `within_ms`? */
bool http_alive(const struct http *h, int64_t within_ms);

/* Stops answering. NULL is allowed. */
void http_stop(struct http *h);

/* "libmicrohttpd 0.9.75" of the library in use. */
const char *http_library_version(void);

#endif
