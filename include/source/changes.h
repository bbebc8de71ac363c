/*
 * changes.h - the changes of one commit: what the log says of them, once they are served.
 *
 * For the merge, which notes each while a table is in the making, and logs or drops all of them
 * when that is served or abandoned.
 *
 * Ownership  struct changes is embedded in its owner; zeroed it is empty. Clusters and texts are
 *            borrowed; what is noted keeps its clusters until it is logged or dropped.
 * Threads    Those of the merge (merge.h).
 * Errors     Out of memory: a change is logged as it is noted.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_CHANGES_H
#define SOURCE_CHANGES_H

#include <stddef.h>

#include "model/cluster.h"

struct change;

struct changes {
    struct change *all;
    size_t count;
    size_t room;
};

/* `old` (NULL: it is new) becomes `new` (NULL: it is gone); `why` is a literal. What is restored is
 * logged at once, for debugging only; a cluster known by name alone is not. */
void changes_note(struct changes *c, const struct cluster *old, const struct cluster *new,
                  const char *why);

/* They are served. Empty afterwards. */
void changes_log(struct changes *c);

/* They are not. Empty afterwards. */
void changes_drop(struct changes *c);

/* What a cluster in the place of `old` (NULL: there is none) remembers as its last change, with
 * texts borrowed from `old`. What comes at the start, or is known by name alone, is none. */
struct cluster_change changes_next(const struct cluster *old, enum cluster_state state,
                                   const char *why);

#endif
