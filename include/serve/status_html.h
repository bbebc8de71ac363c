/*
 * status_html.h - the parts of the status page, and the pieces they are made of. Internal to
 * status_html*.c; the page as a whole is status_html() of status.h.
 *
 * Whoever puts other people's text escapes it (escape.h): html_put() takes what is HTML already.
 *
 * Threads  Any; the view is borrowed and does not change meanwhile.
 * Errors   As base/buf.h: `out` fails.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_STATUS_HTML_H
#define SERVE_STATUS_HTML_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct status_query;
struct status_selection;
struct status_view;

/* -- pieces ---------------------------------------------------------------------------------- */

void html_put(struct buf *out, const char *html);

/* "3 min ago", and when exactly for who asks. */
void html_put_time(const struct status_view *v, int64_t wall_ms, struct buf *out);

/* " for 3 min", the same way. */
void html_put_since(const struct status_view *v, int64_t wall_ms, struct buf *out);

/* "ip:port;ip:port": the first `most` of them, and how many more there are. */
void html_put_list(const char *body, size_t most, struct buf *out);

/* A row of <dl>: its name. What follows is its text, which ends with "</dd>". */
void html_put_term(struct buf *out, const char *name);

/* -- parts ----------------------------------------------------------------------------------- */

/* The clusters that were selected, with the form to select others. */
void status_html_clusters(const struct status_view *v, const struct status_query *q,
                          const struct status_selection *s, struct buf *out);

/* All that is known of q->cluster. */
void status_html_cluster(const struct status_view *v, const struct status_query *q,
                         struct buf *out);

#endif
