/*
 * verdicts.h - of what a cluster's reply has, and of what is served no longer registered: what
 * became of each instance, and why. Says what admission and claims decided, decides nothing. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MODEL_VERDICTS_H
#define MODEL_VERDICTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "model/report.h"

struct admission;
struct buf;
struct claims;
struct endpoint;

/* What is known of one cluster. All borrowed. */
struct judged {
    const char *cluster;
    const struct admission *admission;
    const struct claims *claims;    /* NULL: no other has a good claim on the list */
    const struct endpoint *granted; /* sorted: what is served */
    size_t granted_count;
    struct reports before; /* as judged last: the names of those that are registered no longer */
};

/* Appends the reports of `seen`, each with its verdict, then those that are only served. `seen` is
 * what a reply has (report.h, not judged), or what was judged before. False: no memory. */
bool verdicts_append(const struct judged *j, struct reports seen, struct buf *out) MUST_CHECK;

#endif
