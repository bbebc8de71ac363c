/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner.h - runs something once per point of the product that can fail in it, each time in a child.
 *
 * A run is good when it ends by itself and no sanitizer has something to say. A bad one is made
 * again, with the stack of what failed, and shown.
 *
 * From the environment:
 *   TORTURE_FULL      every point, not only one for each call stack
 *   TORTURE_STRIDE    of those only every n-th
 *   TORTURE_PART      "i/n": the i-th (from 0) of n shares of them, for running shares in parallel
 *   TORTURE_POINT     this one alone, and shows what came of it
 */
#ifndef TORTURE_RUNNER_H
#define TORTURE_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "torture.h"

struct runner {
    /* In the child. The result is its exit code: 0 or 1, and 0 when nothing fails. */
    int (*body)(void *arg, uint64_t number);
    /* In the parent, after each good run: its exit code and what it wrote. NULL is allowed. */
    void (*after)(void *arg, uint64_t number, int code, const char *output);
    bool leaks_count;  /* the body frees what it took, even when something failed */
    bool sites_of_all; /* a call stack of an earlier runner_torture() is not new */

    struct torture_log *log;
    int output;
    bool full;
    size_t stride;
    uint64_t only;
    size_t part;
    size_t parts;
    uint64_t *seen; /* sites, sorted */
    size_t seen_count;
    size_t seen_room;
    size_t wanted; /* points so far that stride and part choose from */
    size_t points;
    size_t injected;
    size_t bad;
};

/* Sets all but the four above. */
void runner_init(struct runner *r);

/* Tortures one thing. `name` is for messages. */
void runner_torture(struct runner *r, const char *name, void *arg);

/* Prints "<things> <points> <failures injected> <bad>" as the last line; returns the exit code. */
int runner_end(struct runner *r, size_t things);

#endif
