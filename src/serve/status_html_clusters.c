/*
 * status_html_clusters.c - clusters on the status page: the table of many, and all of one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "model/report.h"
#include "model/table.h"
#include "serve/escape.h"
#include "serve/status.h"
#include "serve/status_html.h"

/* Addresses of one cluster that are shown in the table; its own page has all. */
#define SHOWN_ADDRESSES 12

static void put_change(const struct status_view *v, const struct cluster *c, struct buf *out)
{
    const struct cluster_change *change = &c->notes->change;
    if (change->wall_ms == 0) {
        html_put(out, "<span class=\"dim\">none</span>");
        return;
    }
    html_put_time(v, change->wall_ms, out);
    html_put(out, ", ");
    escape_html(out, change->why);
    if (change->was != c->state)
        (void)buf_printf(out, ", was %s", cluster_state_name(change->was));
    if (strcmp(change->was_body, c->body) != 0) {
        html_put(out, "; before: ");
        html_put_list(change->was_body, SHOWN_ADDRESSES, out);
    }
}

static void put_end(const struct status_view *v, const struct cluster *c, struct buf *out)
{
    if (!c->notes->unregistered)
        return;
    html_put(out, "; <span class=\"s bad\">");
    status_describe_end(v, c->notes->gone_ms, out);
    html_put(out, "</span>");
}

/* -- the table ------------------------------------------------------------------------------- */

static void put_filter(const struct status_query *q, struct buf *out)
{
    html_put(out,
             "<form action=\"/status\" method=\"get\" role=\"search\"><label>Cluster or address "
             "<input type=\"search\" name=\"q\" maxlength=\"64\" value=\"");
    escape_html_lines(out, q->search);
    html_put(out, "\"></label> <label>State <select name=\"state\">");
    for (enum status_filter f = 0; f < STATUS_FILTERS; f++)
        (void)buf_printf(out, "<option value=\"%s\"%s>%s</option>", status_filter_name(f),
                         f == q->filter ? " selected" : "",
                         f == STATUS_ALL ? "all" : status_filter_name(f));
    html_put(out, "</select></label> <button>Show</button></form>");
}

/* Ids have no character that would need escaping (cluster_id.h). */
static void put_cluster(const struct status_view *v, const struct cluster *c, struct buf *out)
{
    (void)buf_printf(out, "<tr><th scope=\"row\"><a href=\"/status?cluster=%s\">%s</a></th>", c->id,
                     c->id);
    (void)buf_printf(out, "<td data-l=\"State\"><span class=\"s %s\">%s</span>",
                     cluster_state_name(c->state), cluster_state_name(c->state));
    html_put_since(v, c->since_wall_ms, out);
    put_end(v, c, out);
    if (c->pinned)
        html_put(out, ", static");
    if (c->notes->troubles > 0)
        (void)buf_printf(out, ", %u instance%s to look at", c->notes->troubles,
                         c->notes->troubles > 1 ? "s" : "");
    if (status_is_failing(c)) {
        html_put(out, ", <span class=\"s bad\">cannot be read");
        html_put_since(v, c->notes->failure.since_wall_ms, out);
        html_put(out, "</span>");
    }
    html_put(out, "</td><td data-l=\"Addresses\">");
    html_put_list(c->body, SHOWN_ADDRESSES, out);
    html_put(out, "</td><td data-l=\"Last change\">");
    put_change(v, c, out);
    html_put(out, "</td></tr>\n");
}

static void put_link(const struct status_query *q, size_t page, const char *text, struct buf *out)
{
    html_put(out, "<a href=\"/status?q=");
    escape_url(out, q->search);
    (void)buf_printf(out, "&amp;state=%s&amp;page=%zu\">%s</a>", status_filter_name(q->filter),
                     page, text);
}

static void put_paging(const struct status_query *q, const struct status_selection *s,
                       struct buf *out)
{
    if (s->pages == 1)
        return;
    html_put(out, "<nav aria-label=\"Pages\">");
    if (s->page > 1)
        put_link(q, s->page - 1, "previous", out);
    (void)buf_printf(out, "<span>page %zu of %zu</span>", s->page, s->pages);
    if (s->page < s->pages)
        put_link(q, s->page + 1, "next", out);
    html_put(out, "</nav>");
}

void status_html_clusters(const struct status_view *v, const struct status_query *q,
                          const struct status_selection *s, struct buf *out)
{
    html_put(out, "<h2>Clusters</h2>");
    put_filter(q, out);
    if (s->count == 0) {
        html_put(out, "<p>None.</p>");
        return;
    }
    (void)buf_printf(out, "<p class=\"dim\">%zu to %zu of %zu, problems first</p>", s->first + 1,
                     s->first + s->shown, s->count);
    html_put(out, "<table><thead><tr><th scope=\"col\">Cluster</th><th scope=\"col\">State</th>"
                  "<th scope=\"col\">Addresses</th><th scope=\"col\">Last change</th></tr></thead>"
                  "<tbody>\n");
    for (size_t i = s->first; i < s->first + s->shown; i++)
        put_cluster(v, s->clusters[i], out);
    html_put(out, "</tbody></table>");
    put_paging(q, s, out);
}

/* -- one cluster ----------------------------------------------------------------------------- */

static void put_instance(const struct status_view *v, const struct report *r, struct buf *out)
{
    html_put(out, "<tr><th scope=\"row\"><code>");
    escape_html(out, r->address[0] != '\0' ? r->address : "no address");
    if (r->port != 0)
        (void)buf_printf(out, " port %u", r->port);
    (void)buf_printf(out, "</code></th><td data-l=\"Verdict\"><span class=\"s %s\">",
                     !verdict_is_trouble(r->verdict) ? "ok"
                     : verdict_is_served(r->verdict) ? "attention"
                                                     : "bad");
    status_describe(v, r, escape_html, out);
    html_put(out, "</span></td><td data-l=\"Service ID\">");
    escape_html(out, r->service_id);
    html_put(out, "</td><td data-l=\"Node\">");
    escape_html(out, r->node);
    html_put(out, "</td></tr>\n");
}

static void put_instances(const struct status_view *v, const struct cluster *c, struct buf *out)
{
    struct reports all = c->notes->reports;
    struct report r;
    if (all.len == 0)
        return;
    html_put(out, "<h2>Instances</h2><table><thead><tr><th scope=\"col\">Registered address</th>"
                  "<th scope=\"col\">Verdict</th><th scope=\"col\">Service ID</th>"
                  "<th scope=\"col\">Node</th></tr></thead><tbody>\n");
    while (report_next(&all, &r))
        put_instance(v, &r, out);
    html_put(out, "</tbody></table>");
}

void status_html_cluster(const struct status_view *v, const struct status_query *q, struct buf *out)
{
    const struct cluster *c = table_find(v->table, q->cluster, strlen(q->cluster));
    html_put(out, "<h2>Cluster ");
    escape_html(out, q->cluster);
    html_put(out, "</h2>");
    if (c == NULL) {
        html_put(out, "<p>is not known. <a href=\"/status\">All clusters</a></p>");
        return;
    }
    html_put(out, "<dl>");
    html_put_term(out, "State");
    (void)buf_printf(out, "<span class=\"s %s\">%s</span>", cluster_state_name(c->state),
                     cluster_state_name(c->state));
    html_put_since(v, c->since_wall_ms, out);
    put_end(v, c, out);
    html_put(out, c->pinned ? ", static</dd>" : "</dd>");
    html_put_term(out, "Served");
    html_put_list(c->body, SIZE_MAX, out);
    html_put(out, "</dd>");
    if (cluster_confirmed_ms(c) != 0) {
        html_put_term(out, "Confirmed");
        html_put_time(v, cluster_confirmed_ms(c), out);
        html_put(out, "</dd>");
    }
    if (status_is_failing(c)) {
        html_put_term(out, "Reading");
        html_put(out, "<span class=\"s bad\">fails</span>: ");
        escape_html(out, c->notes->failure.text);
        html_put(out, " (");
        html_put_since(v, c->notes->failure.since_wall_ms, out);
        html_put(out, ")</dd>");
    }
    html_put_term(out, "Last change");
    put_change(v, c, out);
    (void)buf_printf(out, "</dd><dt>Changes</dt><dd>%" PRIu64 "</dd></dl>", c->notes->change.count);
    put_instances(v, c, out);
    (void)buf_printf(out,
                     "<p><a href=\"/explain/%s\">As text</a> "
                     "<a href=\"/status\">All clusters</a></p>",
                     c->id);
}
