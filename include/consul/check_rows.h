/*
 * check_rows.h - the checks of a datacenter, taken from a reply as it arrives. Pure.
 *
 * A /v1/health/state/... reply of 30,000 checks is 14 MB. It is never held whole: each row is
 * parsed when its last byte is there, and forgotten.
 *
 * Ownership  struct check_rows is embedded in its owner; check_rows_clear() frees what it holds.
 * Threads    One at a time.
 * Errors     check_rows_feed() stops at the first row that is not what Consul sends, or when out of
 *            memory; what the rows before it said is then nothing to go by. *error says why.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONSUL_CHECK_ROWS_H
#define CONSUL_CHECK_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"

/* Borrowed for the time of the callback. Rows of Consul's agent/structs HealthCheck. */
struct check_row {
    const char *node;
    const char *check_id;
    const char *service_id; /* "": a check of the whole node */
    const char *service;    /* its name; "" with a check of the node */
    const char *status;
};

/* Lists of checks that are looked at: all of services; all that are critical, or warnings, of nodes too. */
enum view_kind { VIEW_ALL, VIEW_CRITICAL, VIEW_WARNING, VIEWS };

/* What tells some rows from others, whatever their order; all zeros: none. */
struct rows_sum {
    uint64_t sum; /* of their hashes */
    uint32_t count;
};

void rows_sum_add(struct rows_sum *s, const struct check_row *row);
bool rows_sum_equal(const struct rows_sum *a, const struct rows_sum *b);

struct check_rows {
    void (*row)(const struct check_row *row, void *arg);
    void *arg;
    struct buf text; /* of the row that is arriving */
    size_t count;    /* of rows so far */
    enum { BEFORE_LIST, BEFORE_FIRST, BEFORE_ROW, IN_ROW, AFTER_ROW, AFTER_LIST } at;
    size_t blanks;  /* since the last row */
    unsigned depth; /* of braces and brackets, within a row */
    bool in_string;
    bool escaped; /* the next byte of that string */
    struct error error;
};

void check_rows_init(struct check_rows *r, void (*row)(const struct check_row *row, void *arg),
                     void *arg);
void check_rows_clear(struct check_rows *r);

bool check_rows_feed(struct check_rows *r, const char *bytes, size_t len) MUST_CHECK;

/* No more bytes will come: was that the whole list? */
bool check_rows_end(struct check_rows *r) MUST_CHECK;

#endif
