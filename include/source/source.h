/*
 * source.h - the kinds of sources, and how one is run.
 *
 * A source finds clusters and their lists and hands them to the merge (merge.h). A new kind of
 * source is one file with one row in the list of source.c.
 *
 * Reload  sources_prepare_reload(), then sources_end_reload(): what the new config changes is
 *         served by one commit of the merge, with the second, or not at all.
 *
 * Threads  start, stop: the main thread, while httpc does not run. In between a source lives in
 *          callbacks of httpc; so do both steps of a reload, without another callback in between.
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
    /* Makes in the merge, between its begin and commit, the changes that `config` makes. False: out
     * of memory, and the source is as before. */
    bool (*prepare_reload)(struct source *source, const struct config *config);
    /* Those were committed. `config` is borrowed until stop or the next reload. */
    void (*reload)(struct source *source, const struct config *config);
    void (*stop)(struct source *source); /* NULL is allowed */
};

extern const struct source_kind source_static;
extern const struct source_kind source_consul;

/* All enabled sources, the strongest first. */
struct sources;

struct sources *sources_start(const struct config *config, struct httpc *httpc, struct merge *merge,
                              struct error *reterr) MUST_CHECK;

/* Which sources are enabled is decided at the start. */
bool sources_prepare_reload(struct sources *s, const struct config *config,
                            struct error *reterr) MUST_CHECK;
/* `config` is the one in use from now on; NULL: what was prepared is forgotten. */
void sources_end_reload(struct sources *s, const struct config *config);

void sources_stop(struct sources *s);

#endif
