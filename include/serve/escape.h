/*
 * escape.h - other people's text inside a page of ours: what it may do there is to be read.
 *
 * Names in Consul, of nodes, services and checks, and what clients call themselves may hold any bytes.
 * Bytes that are no UTF-8, and characters that would not show or that change how others show
 * (controls, directions of writing), are never passed on as they are.
 *
 * Errors  As base/buf.h: `out` fails.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_ESCAPE_H
#define SERVE_ESCAPE_H

#include "base/buf.h"

/* For people: such a character becomes \xNN or \u{NNNN}, a backslash is doubled. */
void escape_plain(struct buf *out, const char *text);

/* The same, for an element's content or a quoted attribute's value. */
void escape_html(struct buf *out, const char *text);

/* The same for text that only ever is in HTML: lines end, and a backslash is one. */
void escape_html_lines(struct buf *out, const char *text);

/* A string with its quotes. Bytes that are no UTF-8 become U+FFFD. */
void escape_json(struct buf *out, const char *text);

/* Into a URL's path or query: all but letters, digits, and . _ - */
void escape_url(struct buf *out, const char *text);

#endif
