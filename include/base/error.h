/*
 * error.h - what went wrong, in words an operator can act on.
 *
 * The caller owns the struct (usually on its stack); nothing here allocates. A function that
 * takes `struct error *reterr` fills it exactly when it fails, so it needs no initial value.
 * Library rooms fill errors; only source/, announce/, serve/ and main.c log them, once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/attrs.h"

#define ERROR_TEXT_MAX 512

struct error {
    char text[ERROR_TEXT_MAX]; /* one line: control characters become '?'; cut when too long */
};

/* Fills *reterr (which may be NULL). Always returns false: `return error_set(e, ...)`. */
_Bool error_set(struct error *reterr, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
