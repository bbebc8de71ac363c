/*
 * scan_reply.h - the reply of one view of the scan: which clusters are not as they were. Internal to
 * scan, which asks for it.
 *
 * Ownership  The reply's memory is the view's, from scan_reply_begin() to scan_reply_clear().
 * Threads    The httpc thread.
 * Errors     What cannot be read is in view->rows.error; what such a reply said is nothing to go by.
 *            Out of memory for checks of nodes leaves them out: regular reads find what they told.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_SCAN_REPLY_H
#define SOURCE_SCAN_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"

struct view;

/* One is asked for. */
void scan_reply_begin(struct view *v);

/* Bytes of it, as they arrive: a httpc_body, its argument is the view. */
bool scan_reply_on_body(void *arg, const char *bytes, size_t len) MUST_CHECK;

/* It is complete: clusters that are not as they were are read again. Returns how many. None is before
 * all that lose members here are noted. */
size_t scan_reply_take(struct view *v);

/* It did not come to its end, or cannot be used: what it said of clusters is forgotten. */
void scan_reply_forget(struct view *v);

/* Frees what it took. */
void scan_reply_clear(struct view *v);

#endif
