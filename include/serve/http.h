/*
 * http.h - the listeners: libmicrohttpd in front of routes.h.
 *
 * The form of answers, each for a client that needs it:
 *   200  Content-Length, never chunked, headers and body in one segment (C++ clients use only the
 *        bytes of their first read); closed after the body for HTTP/1.0.
 *   >=400  an empty body of unknown length (chunked, or closed at its end for HTTP/1.0): old Go
 *        clients take any body as the list, and Java reports an error with "Content-Length: 0" as a
 *        NullPointerException.
 *
 * Ownership  http_start()/http_stop(). Arguments are borrowed until http_stop().
 * Threads    start, stop: main. Handlers run on libmicrohttpd's threads and only read.
 * Errors     One line that names the address.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_HTTP_H
#define SERVE_HTTP_H

#include <stdbool.h>

#include "base/attrs.h"

struct config;
struct error;
struct http;
struct registry;

/* Listens on every address of `listen` and `admin.listen`. */
struct http *http_start(const struct config *config, struct registry *registry,
                        struct error *reterr) MUST_CHECK;

/* Stops answering. NULL is allowed. */
void http_stop(struct http *h);

/* "libmicrohttpd 0.9.75" of the library in use. */
const char *http_library_version(void);

#endif
