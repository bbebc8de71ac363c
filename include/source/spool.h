/*
 * spool.h - the last good lists on disk, so that a restart without Consul still answers.
 *
 * Two text files in state.dir:
 *
 *   nsaddrd.state    all lists, replaced atomically and synced
 *     nsaddrd-state 2
 *     source <service_prefix> <datacenter> <namespace> <partition>      ("-" for an empty one)
 *     sequence <number of the last change that is in it>
 *     cluster <id> <live or held since, ms since 1970, for people> <list>[ <withheld>]
 *     end <number of clusters> <FNV-1a of all bytes before this line, 16 hex digits>
 *
 *   nsaddrd.journal  the changes since then, each written before it is served, and synced within a
 *                    second (journal.h)
 *     <number of the change> cluster <id> <since> <list>[ <withheld>]
 *     <number of the change> gone <id>
 *
 * What is withheld is what another cluster claims, too (claims.h): it is still known to be so after
 * a restart.
 *
 * So what was served is what is restored, whenever the process ends; a power failure may take what
 * was not synced yet. A journal is only followed from where the state file ends; whichever of both a
 * crash leaves older, the outcome is the same.
 *
 * The whole is written when there is no state file yet, when the journal has outgrown both it and
 * 256 KiB, at a clean stop, after a start that found a journal, and after a failure. So what is
 * written in all is in proportion to what changes, however many lists there are.
 *
 * A file that is damaged, cut, of another version or of another source is refused as a whole with
 * one line, and kept aside with ".damaged" behind its name. Of the journal's end, which was never
 * synced, what is not right is left out with a warning: that is what a power failure leaves.
 *
 * Ownership  The folder belongs to one process: spool_open() locks it.
 * Threads    open, restore, start, close: main thread, while httpc does not run. The rest: those
 *            of the merge (merge.h).
 * Errors     A write that fails is logged once and tried again; serving goes on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_SPOOL_H
#define SOURCE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"

struct cluster;
struct config;
struct error;
struct httpc;
struct merge;
struct registry;
struct spool;

/* Locks the folder. */
struct spool *spool_open(const struct config *config, struct error *reterr) MUST_CHECK;

/* Puts what was good into the table as CLUSTER_RESTORED. False when memory or descriptors were
 * lacking: then nothing was set aside, and a later start may find all of it. */
bool spool_restore(struct spool *s, struct merge *merge, struct registry *registry,
                   struct error *reterr) MUST_CHECK;

/* From now on what `merge` changes is written, by timers of `httpc`. */
void spool_start(struct spool *s, struct httpc *httpc, struct merge *merge);

/* For the merge. A cluster becomes another (NULL: there was, there will be none)... */
void spool_note(struct spool *s, const struct cluster *old, const struct cluster *new);
/* ... what was noted is about to be served: it is on disk afterwards, or the log says why not... */
void spool_commit(struct spool *s);
/* ... or it is not served after all. */
void spool_abandon(struct spool *s);

/* Writes what is still to be written and unlocks. NULL is allowed. */
void spool_close(struct spool *s);

#endif
