/*
 * cluster_publish.h - from what the admission of one cluster decided to the table: its claims on
 * addresses, and what of its list is granted.
 *
 * What one cluster claims may change what others are granted; those are published along with it.
 * A change that found no memory stays noted (unpublished) and is made with the next reply, which
 * is then wanted soon.
 *
 * Threads  Those of watch_context.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_CLUSTER_PUBLISH_H
#define SOURCE_CLUSTER_PUBLISH_H

#include <stdbool.h>

#include "base/attrs.h"

struct buf;
struct cluster_watch;

/* When to try again what found no memory. */
#define UNPUBLISHED_RETRY_MS 1000

/* After a reply with these reports, not judged. `why` the cluster changed, a literal, or NULL when it
 * did not. */
void publish_observed(struct cluster_watch *w, const struct buf *reports, const char *why);

/* The claims alone: the list itself is in the table already. */
bool publish_claims(struct cluster_watch *w) MUST_CHECK;

#endif
