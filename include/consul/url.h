/*
 * url.h - building request targets. Internal to the consul room.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONSUL_URL_H
#define CONSUL_URL_H

struct buf;

/* Appends `text` with all but RFC 3986's unreserved characters percent-encoded. */
void url_append_encoded(struct buf *out, const char *text);

/* Appends "?name" or, when there is a query already, "&name". */
void url_append_flag(struct buf *out, const char *name);

/* The same with "=value", encoded. */
void url_append_param(struct buf *out, const char *name, const char *value);

#endif
