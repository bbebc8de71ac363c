/*
 * spool.h - the last good lists on disk, so that a restart without Consul still answers.
 *
 * One text file in state.dir, replaced atomically, at most once a second:
 *
 *   nsaddrd-state 1
 *   source <service_prefix> <datacenter> <namespace> <partition>      ("-" for an empty one)
 *   cluster <id> <since, ms since 1970> <list>
 *   end <number of clusters> <FNV-1a of all bytes before this line, 16 hex digits>
 *
 * A file that is damaged, cut, of another version or of another source is refused as a whole with
 * one line, and kept aside as nsaddrd.state.damaged.
 *
 * Ownership  The folder belongs to one process: spool_open() locks it.
 * Threads    open, restore, close: main thread, while httpc does not run. mark: httpc thread.
 * Errors     A write that fails is logged once and tried again; serving goes on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_SPOOL_H
#define SOURCE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"

struct config;
struct error;
struct httpc;
struct merge;
struct registry;
struct spool;

/* Locks the folder. */
struct spool *spool_open(const struct config *config, struct error *reterr) MUST_CHECK;

/* Puts what was good into the table as CLUSTER_RESTORED. Returns how many. */
size_t spool_restore(struct spool *s, struct merge *merge, struct registry *registry);

/* Something changed: it is written within a second. NULL is allowed (no state.dir). */
void spool_mark(struct spool *s);

/* From now on marks are written, by timers of `httpc`. */
void spool_start(struct spool *s, struct httpc *httpc, struct registry *registry);

/* Writes what is still to be written and unlocks. NULL is allowed. */
void spool_close(struct spool *s);

#endif
