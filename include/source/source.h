/*
 * source.h - the kinds of sources, and how one is run.
 *
 * A source finds clusters and their lists and hands them to the merge (merge.h). A new kind of
 * source is one file with one row in the list of source.c.
 *
 * Threads  start, stop: the main thread, while httpc does not run. In between a source lives in
 *          callbacks of httpc.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H

#include <stdbool.h>

#include "base/attrs.h"

struct config;
struct error;
struct httpc;
struct merge;
struct source; /* each kind's own */

struct source_kind {
    bool (*enabled)(const struct config *config);
    /* NULL with *reterr filled on failure. Arguments are borrowed until stop. */
    struct source *(*start)(const struct config *config, struct httpc *httpc, struct merge *merge,
                            struct error *reterr);
    void (*stop)(struct source *source); /* NULL is allowed */
};

extern const struct source_kind source_static;
extern const struct source_kind source_consul;

/* All enabled sources, the strongest first. */
struct sources;

struct sources *sources_start(const struct config *config, struct httpc *httpc, struct merge *merge,
                              struct error *reterr) MUST_CHECK;
void sources_stop(struct sources *s);

#endif
