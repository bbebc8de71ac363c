/*
 * utf8.h - characters in text that may be any bytes. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The character at `text` (NUL-terminated) goes to *out, and its length is returned; 0 when its bytes
 * are none: cut, overlong, a surrogate or beyond U+10FFFF (RFC 3629). */
size_t utf8_decode(const char *text, uint32_t *out);

#endif
