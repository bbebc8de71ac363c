/*
 * accept.h - which of our media types suits an Accept header best (RFC 9110, 12.5.1). Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_ACCEPT_H
#define SERVE_ACCEPT_H

#include <stddef.h>

/* The place in `offers` of the one the header gives the highest weight, of equal ones the first.
 * Each offer is a media type as in Content-Type, "text/plain; charset=utf-8", with plain values. A
 * media range with parameters means only what has all of them, with these values. `count` when the
 * header is malformed, not there (NULL) or wants none of them. */
size_t accept_choose(const char *header, const char *const *offers, size_t count);

#endif
