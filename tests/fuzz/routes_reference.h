/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes_reference.h - which answer a request is owed, by a second reading of its target.
 *
 * Ownership  The table lives as long as the process.
 */
#ifndef FUZZ_ROUTES_REFERENCE_H
#define FUZZ_ROUTES_REFERENCE_H

#include <stdbool.h>

struct registry_status;
struct table;

/* Clusters that are neighbours of each other, in every state; each list is of its own. */
const struct table *reference_table(void);

struct reference_answer {
    unsigned status;
    const char *id;   /* 200: whose list */
    const char *text; /* 200: else this body; with neither the metrics */
};

/* `path` is raw, without the query. A conditional request is not looked at. */
struct reference_answer reference_answer(const char *method, const char *path,
                                         const struct registry_status *status, bool admin,
                                         const char *default_cluster);

/* RFC 9110, 13.1.2 and 8.8.3: is `text` a well-formed If-None-Match, and does it name `etag`? */
bool reference_tag_list(const char *text, const char *etag, bool *named);

/* RFC 3986, 3.2.2 and 3.2.3, as far as characters go, for Host and for absolute targets; without
 * commas. What stands in brackets is not read further. */
bool reference_host(const char *text);

#endif
