/*
 * authority.h - host[:port], as in Host and in absolute-form targets. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_AUTHORITY_H
#define SERVE_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>

/* Is it host[:port] of RFC 3986, 3.2.2? The host may be empty (RFC 9110, 7.2, for Host). There is no
 * comma in it, which would be legal: it shows that somebody joined two headers. What stands in
 * brackets is not parsed, as zones come in more than one form. */
bool authority_valid(const char *text, size_t len);

#endif
