/*
 * utf8.h - characters in text that may be any bytes, and which of them deceive who reads it. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The character at `text` (NUL-terminated) goes to *out, and its length is returned; 0 when its bytes
 * are none: cut, overlong, a surrogate or beyond U+10FFFF (RFC 3629). */
size_t utf8_decode(const char *text, uint32_t *out);

/* Does it show, and leave how others show as it is? Controls, ends of lines, directions of writing,
 * what takes no room, and tags do not. */
bool utf8_is_shown(uint32_t c);

#define UTF8_ESCAPED_SIZE 13

/* As JSON has it: \uXXXX, beyond 16 bits two of them. */
void utf8_escape(uint32_t c, char out[static UTF8_ESCAPED_SIZE]);

#endif
