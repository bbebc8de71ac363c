/*
 * status.h - what is shown to who looks inside: the status page, the same as JSON, and why each
 * instance of a cluster is in its list or is not. Pure: all that is shown is in the view.
 *
 * Other people's text is escaped (escape.h); no page has a script or asks anybody for anything.
 *
 * Threads  Any; what the view points to is borrowed and does not change meanwhile.
 * Errors   Only memory: false.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_STATUS_H
#define SERVE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "model/cluster.h"
#include "model/cluster_id.h"
#include "model/registry.h"

struct buf;
struct build_info;
struct client_totals;
struct consul_report;
struct report;
struct status_json;
struct table;

/* Clusters on one page. */
#define STATUS_PAGE 100
/* More than a page of clusters of the most instances takes. */
#define STATUS_MAX ((size_t)64 * 1024 * 1024)

struct status_view {
    const struct build_info *build;
    int64_t started_wall_ms;
    int64_t now_wall_ms;
    int64_t now_mono_ms;
    const struct table *table;
    struct registry_status registry;
    const struct consul_report *consul;
    const struct client_totals *clients;
    const char *config;     /* in use, secrets masked */
    const char *excluded;   /* ";id;id;" of consul.exclude */
    int64_t config_wall_ms; /* when that was read */
    bool reload_refused;    /* a later one was not good */
};

/* -- what is asked for: ?q=TEXT&state=STATE&page=N&cluster=ID -------------------------------- */

#define STATUS_SEARCH_SIZE 65

enum status_filter {
    STATUS_ALL,
    STATUS_PROBLEMS, /* not live, cannot be read, or with an instance that somebody may want to
                      * look at */
    STATUS_UNREAD,
    STATUS_EMPTY,
    STATUS_LIVE,
    STATUS_HELD,
    STATUS_RESTORED,
    STATUS_FILTERS,
};

/* "", "problems", "unread", ... */
const char *status_filter_name(enum status_filter f);

struct status_query {
    char search[STATUS_SEARCH_SIZE]; /* part of the id or of an address; "": any */
    char cluster[CLUSTER_ID_SIZE];   /* exactly this one; "": any */
    enum status_filter filter;
    size_t page; /* from 1; 0: not said */
};

/* What is not understood is as if it were not there. */
void status_query_parse(const char *text, size_t len, struct status_query *out);

/* -- the clusters that are meant ------------------------------------------------------------- */

struct status_selection {
    const struct cluster **clusters;   /* problems first, then by id */
    size_t count;                      /* that match */
    size_t first;                      /* of those, on the page... */
    size_t shown;                      /* ... and how many */
    size_t page;                       /* from 1 */
    size_t pages;                      /* at least 1 */
    size_t in_state[CLUSTER_GONE + 1]; /* of all clusters */
    size_t troubled;                   /* of all: live, but with a report that is trouble */
    size_t failing;                    /* of all: cannot be read */
    size_t ending;                     /* of all: held with nothing registered */
};

/* Pair with status_selection_clear(). `page_size` 0: all on one page. */
bool status_select(const struct status_view *v, const struct status_query *q, size_t page_size,
                   struct status_selection *out) MUST_CHECK;
void status_selection_clear(struct status_selection *s);

/* 0 is the worst. */
unsigned status_rank(const struct cluster *c);

/* It cannot be read: what is shown of it is what Consul said last. */
bool status_is_failing(const struct cluster *c);

/* -- words ----------------------------------------------------------------------------------- */

enum status_health { STATUS_OK, STATUS_ATTENTION, STATUS_STARTING, STATUS_STOPPING };

/* "ok", "attention", "starting", "stopping". */
const char *status_health_name(enum status_health h);

#define STATUS_SUMMARY_SIZE 720

/* One line on all of it. */
enum status_health status_summary(const struct status_view *v, const struct status_selection *s,
                                  char out[static STATUS_SUMMARY_SIZE]);

/* "3 min", "2 d 4 h": the time between two moments, roughly. */
#define STATUS_AGE_SIZE 32
void status_age(int64_t ms, char out[static STATUS_AGE_SIZE]);

/* "10.0.0.1:9876" as registered, brackets where they are needed, cut where it is long; without a port
 * when there is none. */
#define STATUS_ADDRESS_SIZE 96
void status_address(const struct report *r, char out[static STATUS_ADDRESS_SIZE]);

/* The wall time of a moment of the monotonic clock. */
int64_t status_wall_ms(const struct status_view *v, int64_t mono_ms);

/* Until when a cluster with nothing registered is held (struct cluster_notes). */
void status_describe_end(const struct status_view *v, int64_t gone_ms, struct buf *out);

/* Why the instance is in the list or is not; `escape` is for other people's text. */
void status_describe(const struct status_view *v, const struct report *r,
                     void (*escape)(struct buf *out, const char *text), struct buf *out);

/* -- the pages ------------------------------------------------------------------------------- */

bool status_html(const struct status_view *v, const struct status_query *q,
                 struct buf *out) MUST_CHECK;

/* What the browser may do with that page: show it with its own style. */
extern const char status_html_policy[];

/* The same as JSON, all that match on one page unless one is asked for: piece by piece, as all of ten
 * thousand clusters would take more memory than else the whole process. New; NULL: no memory. Of the
 * view only the table is needed for longer, and kept. */
struct status_json *status_json_new(const struct status_view *v,
                                    const struct status_query *q) MUST_CHECK;
void status_json_free(struct status_json *j);

/* Up to `max` (> 0) further bytes; *len is 0 at the end. False: no memory, and the rest is missing. */
bool status_json_read(struct status_json *j, char *out, size_t max, size_t *len) MUST_CHECK;

/* The cluster, or what is nearest to such an id. *found: is there one? */
bool status_explain(const struct status_view *v, const char *id, bool *found,
                    struct buf *out) MUST_CHECK;

#endif
