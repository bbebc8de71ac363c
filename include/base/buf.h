/*
 * buf.h - a growing byte buffer that is born with its maximum.
 *
 * Invariants  data is NUL-terminated whenever it is not NULL (the NUL is not counted in len);
 *             len <= max always.
 * Errors      The first append that does not fit (or finds no memory) fails and sets `failed`;
 *             later appends fail too, so a caller may check once, at the end.
 * Ownership   buf_clear() frees; buf_detach() hands the bytes to the caller.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"

struct buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max;
    bool failed;
};

/* Nothing is allocated before the first append. */
void buf_init(struct buf *b, size_t max);
void buf_clear(struct buf *b);

/* Empty again; its memory is kept for what comes next. */
void buf_reset(struct buf *b);

bool buf_append(struct buf *b, const void *bytes, size_t len);
bool buf_append_str(struct buf *b, const char *text);
bool buf_append_char(struct buf *b, char c);
bool buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);

/* The bytes as text, "" when nothing was ever appended. Borrowed. */
const char *buf_text(const struct buf *b);

/* The bytes (new, free() them) and an empty buffer; NULL if the buffer failed or has none. */
char *buf_detach(struct buf *b) MUST_CHECK;

#endif
