/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "model/consul_metrics.h"
#include "model/metrics.h"
#include "model/report.h"
#include "model/table.h"
#include "serve/client_names.h"
#include "serve/escape.h"
#include "serve/status.h"

/* Addresses of one cluster that are shown in the table; its own page has all. */
#define SHOWN_ADDRESSES 12

/* Colours with a contrast of 4.5 or more, in both schemes; on a phone rows become blocks. */
#define STYLE                                                                                      \
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#57606a;--line:#d0d7de;"           \
    "--card:#f6f8fa;--ok:#116329;--warn:#8a4600;--bad:#b3171f;--link:#0550ae}"                     \
    "@media(prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--dim:#9da7b3;"             \
    "--line:#3d444d;--card:#161b22;--ok:#56d364;--warn:#e3b341;--bad:#ff7b72;--link:#79c0ff}}"     \
    "*{box-sizing:border-box}"                                                                     \
    "body{margin:0 auto;max-width:76rem;padding:1rem;background:var(--bg);color:var(--fg);"        \
    "font:15px/1.45 system-ui,sans-serif}"                                                         \
    "h1{font-size:1.3rem;margin:0}h2{font-size:1.05rem;margin:1.6rem 0 .5rem}"                     \
    "a{color:var(--link)}.dim{color:var(--dim)}p{margin:.4rem 0}"                                  \
    "code,pre{font:13px/1.45 ui-monospace,monospace;overflow-wrap:anywhere}"                       \
    "pre{white-space:pre-wrap;background:var(--card);border:1px solid var(--line);padding:.7rem}"  \
    ".all{font-size:1.15rem;font-weight:600;padding:.7rem 1rem;margin:.8rem 0;"                    \
    "border:1px solid var(--line);border-left:.4rem solid var(--c);background:var(--card)}"        \
    ".ok,.live{--c:var(--ok)}.attention,.starting,.restored,.unread,.stopping{--c:var(--warn)}"    \
    ".held,.empty,.bad{--c:var(--bad)}.s{color:var(--c);font-weight:600}"                          \
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:0}"              \
    "dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}"                                      \
    "form{display:flex;flex-wrap:wrap;gap:.5rem;margin:.5rem 0}"                                   \
    "input,select,button{font:inherit;padding:.35rem .6rem;border:1px solid var(--dim);"           \
    "border-radius:.3rem;background:var(--bg);color:var(--fg);max-width:100%}"                     \
    "table{border-collapse:collapse;width:100%}"                                                   \
    "th,td{text-align:left;vertical-align:top;padding:.4rem .8rem .4rem 0;"                        \
    "border-bottom:1px solid var(--line);overflow-wrap:anywhere}"                                  \
    "th{color:var(--dim);font-weight:600}tbody th{color:inherit}"                                  \
    "nav{display:flex;gap:1rem;margin:.6rem 0}"                                                    \
    "@media(max-width:44rem){thead{position:absolute;clip-path:inset(50%)}"                        \
    "tr{display:block;padding:.5rem 0;border-bottom:1px solid var(--line)}"                        \
    "tbody th,td{display:block;border:0;padding:.1rem 0}"                                          \
    "td::before{content:attr(data-l)\": \";color:var(--dim)}"                                      \
    "dl{grid-template-columns:1fr}dd{margin:0 0 .4rem}}"

/* The hash is of STYLE: printf %s STYLE | openssl sha256 -binary | base64 */
const char status_html_policy[] =
    "default-src 'none'; style-src 'sha256-fUE9gajLCkSYvuOg2LwY8g54eH8K9KcdNe1DQAUu2Po='; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'";

static void put(struct buf *out, const char *html)
{
    (void)buf_append_str(out, html);
}

/* -- times and lists ------------------------------------------------------------------------- */

/* "3 min ago", and when exactly for who asks. */
static void put_time(const struct status_view *v, int64_t wall_ms, struct buf *out)
{
    char text[CLOCK_TEXT_SIZE], age[STATUS_AGE_SIZE];
    clock_format(wall_ms, text);
    status_age(v->now_wall_ms - wall_ms, age);
    (void)buf_printf(out, "<time datetime=\"%s\" title=\"%s\">%s ago</time>", text, text, age);
}

/* "for 3 min" */
static void put_since(const struct status_view *v, int64_t wall_ms, struct buf *out)
{
    char text[CLOCK_TEXT_SIZE], age[STATUS_AGE_SIZE];
    clock_format(wall_ms, text);
    status_age(v->now_wall_ms - wall_ms, age);
    (void)buf_printf(out, " <time datetime=\"%s\" title=\"since %s\">for %s</time>", text, text,
                     age);
}

static void put_list(const char *body, size_t most, struct buf *out)
{
    size_t count = 0, left = 0;
    if (body[0] == '\0') {
        put(out, "<span class=\"dim\">none</span>");
        return;
    }
    for (; *body != '\0'; count++) {
        size_t len = strcspn(body, ";");
        if (count < most)
            (void)buf_printf(out, "%s<code>%.*s</code>", count > 0 ? " " : "", (int)len, body);
        else
            left++;
        body += len + (body[len] == ';');
    }
    if (left > 0)
        (void)buf_printf(out, " and %zu more", left);
}

/* -- what concerns all ----------------------------------------------------------------------- */

static void term(struct buf *out, const char *name)
{
    (void)buf_printf(out, "<dt>%s</dt><dd>", name);
}

static void put_error(const struct status_view *v, const struct metric_error *e, struct buf *out)
{
    if (e->since_wall_ms == 0)
        return;
    put(out, ": ");
    escape_html(out, e->text);
    put(out, " (");
    put_since(v, e->since_wall_ms, out);
    put(out, ")");
}

static void put_consul(const struct status_view *v, struct buf *out)
{
    const struct consul_report *c = v->consul;
    term(out, "Consul");
    if (!c->enabled) {
        put(out, "not used (consul.enabled)</dd>");
        return;
    }
    bool waiting = !c->up && c->error.last_wall_ms == 0;
    (void)buf_printf(out, "<span class=\"s %s\">%s</span>", c->up || waiting ? "ok" : "bad",
                     c->up     ? "answers"
                     : waiting ? "no answer yet"
                               : "gives no good answer");
    if (!c->up)
        put_error(v, &c->error, out);
    if (c->last_good_wall_ms != 0) {
        put(out, "; last good answer ");
        put_time(v, c->last_good_wall_ms, out);
    }
    put(out, "</dd>");
}

static void put_plan(const struct status_view *v, struct buf *out)
{
    static const char *const plans[CONSUL_PLANS] = {
        [CONSUL_PLAN_NONE] = "not decided yet",
        [CONSUL_PLAN_EACH] = "each cluster is watched by a query of its own",
        [CONSUL_PLAN_SCAN] = "the checks of the datacenter are scanned",
    };
    const struct consul_reading *r = &v->consul->reading;
    if (!v->consul->enabled)
        return;
    term(out, "Watching");
    (void)buf_printf(out, "%s; %" PRIu64 " blocking queries", plans[r->plan], v->consul->watches);
    if (r->scan_failing)
        put(out, "; <span class=\"s bad\">the scan fails, clusters are read in turn</span>");
    put(out, "</dd>");
    term(out, "Reading");
    (void)buf_printf(out, "%" PRIu64 " of %" PRIu64 " clusters were read", r->clusters - r->unread,
                     r->clusters);
    if (r->failing > 0)
        (void)buf_printf(out,
                         "; <a href=\"/status?state=problems\"><span class=\"s bad\">%" PRIu64
                         " cannot be read</span></a>",
                         r->failing);
    if (r->waiting + r->running > 0)
        (void)buf_printf(out, "; %" PRIu64 " reads wait, %" PRIu64 " are under way", r->waiting,
                         r->running);
    if (r->mass_loss_end > v->now_mono_ms)
        put(out, "; <span class=\"s attention\">most clusters lose members at once: nobody leaves "
                 "for now</span>");
    put(out, "</dd>");
}

static void put_registrations(const struct status_view *v, struct buf *out)
{
    const struct registration_numbers *n = &v->consul->registrations;
    term(out, "Our registrations");
    if (n->wanted + n->registered + n->leaving == 0) {
        put(out, "none</dd>");
        return;
    }
    (void)buf_printf(out, "%" PRIu64 " of %" PRIu64 " are in Consul as they should be",
                     n->registered, n->wanted);
    if (n->leaving > 0)
        (void)buf_printf(out, "; %" PRIu64 " are being removed", n->leaving);
    if (n->failing)
        put(out, "; <span class=\"s bad\">cannot be written</span>");
    put_error(v, &v->consul->registration_error, out);
    put(out, "</dd>");
}

static void put_state(const struct status_view *v, struct buf *out)
{
    const struct consul_report *c = v->consul;
    bool failing = c->state_error.since_wall_ms != 0;
    term(out, "State on disk");
    if (failing)
        put(out, "<span class=\"s bad\">cannot be written</span>");
    put_error(v, &c->state_error, out);
    if (c->state_last_write_wall_ms != 0) {
        put(out, failing ? "; last written " : "written ");
        put_time(v, c->state_last_write_wall_ms, out);
    } else if (!failing) {
        put(out, "none written (state.dir)");
    }
    put(out, "</dd>");
}

static void put_reload(const struct status_view *v, struct buf *out)
{
    term(out, "Config");
    if (v->reload_refused)
        put(out, "<span class=\"s bad\">the last reload was refused</span>: the log says why; what "
                 "is in use was ");
    put(out, "read ");
    put_time(v, v->config_wall_ms, out);
    put(out, "</dd>");
}

static void put_overview(const struct status_view *v, const struct status_selection *s,
                         struct buf *out)
{
    char summary[STATUS_SUMMARY_SIZE];
    enum status_health health = status_summary(v, s, summary);
    (void)buf_printf(out, "<p class=\"all %s\" id=\"summary\">%s</p><dl>",
                     status_health_name(health), summary);
    put_consul(v, out);
    put_plan(v, out);
    put_registrations(v, out);
    put_state(v, out);
    put_reload(v, out);
    term(out, "Running");
    put(out, "nsaddrd ");
    escape_html(out, v->build->version);
    put(out, ", started ");
    put_time(v, v->started_wall_ms, out);
    put(out, "</dd></dl>");
}

/* -- clusters -------------------------------------------------------------------------------- */

static void put_filter(const struct status_query *q, struct buf *out)
{
    put(out, "<form action=\"/status\" method=\"get\" role=\"search\"><label>Cluster or address "
             "<input type=\"search\" name=\"q\" maxlength=\"64\" value=\"");
    escape_html_lines(out, q->search);
    put(out, "\"></label> <label>State <select name=\"state\">");
    for (enum status_filter f = 0; f < STATUS_FILTERS; f++)
        (void)buf_printf(out, "<option value=\"%s\"%s>%s</option>", status_filter_name(f),
                         f == q->filter ? " selected" : "",
                         f == STATUS_ALL ? "all" : status_filter_name(f));
    put(out, "</select></label> <button>Show</button></form>");
}

static void put_change(const struct status_view *v, const struct cluster *c, struct buf *out)
{
    const struct cluster_change *change = &c->notes->change;
    if (change->wall_ms == 0) {
        put(out, "<span class=\"dim\">none</span>");
        return;
    }
    put_time(v, change->wall_ms, out);
    put(out, ", ");
    escape_html(out, change->why);
    if (change->was != c->state)
        (void)buf_printf(out, ", was %s", cluster_state_name(change->was));
    if (strcmp(change->was_body, c->body) != 0) {
        put(out, "; before: ");
        put_list(change->was_body, SHOWN_ADDRESSES, out);
    }
}

static void put_end(const struct status_view *v, const struct cluster *c, struct buf *out)
{
    if (!c->notes->unregistered)
        return;
    put(out, "; <span class=\"s bad\">");
    status_describe_end(v, c->notes->gone_ms, out);
    put(out, "</span>");
}

/* Ids have no character that would need escaping (cluster_id.h). */
static void put_cluster(const struct status_view *v, const struct cluster *c, struct buf *out)
{
    (void)buf_printf(out, "<tr><th scope=\"row\"><a href=\"/status?cluster=%s\">%s</a></th>", c->id,
                     c->id);
    (void)buf_printf(out, "<td data-l=\"State\"><span class=\"s %s\">%s</span>",
                     cluster_state_name(c->state), cluster_state_name(c->state));
    put_since(v, c->since_wall_ms, out);
    put_end(v, c, out);
    if (c->pinned)
        put(out, ", static");
    if (c->notes->troubles > 0)
        (void)buf_printf(out, ", %u instance%s to look at", c->notes->troubles,
                         c->notes->troubles > 1 ? "s" : "");
    if (status_is_failing(c)) {
        put(out, ", <span class=\"s bad\">cannot be read");
        put_since(v, c->notes->failure.since_wall_ms, out);
        put(out, "</span>");
    }
    put(out, "</td><td data-l=\"Addresses\">");
    put_list(c->body, SHOWN_ADDRESSES, out);
    put(out, "</td><td data-l=\"Last change\">");
    put_change(v, c, out);
    put(out, "</td></tr>\n");
}

static void put_link(const struct status_query *q, size_t page, const char *text, struct buf *out)
{
    put(out, "<a href=\"/status?q=");
    escape_url(out, q->search);
    (void)buf_printf(out, "&amp;state=%s&amp;page=%zu\">%s</a>", status_filter_name(q->filter),
                     page, text);
}

static void put_paging(const struct status_query *q, const struct status_selection *s,
                       struct buf *out)
{
    if (s->pages == 1)
        return;
    put(out, "<nav aria-label=\"Pages\">");
    if (s->page > 1)
        put_link(q, s->page - 1, "previous", out);
    (void)buf_printf(out, "<span>page %zu of %zu</span>", s->page, s->pages);
    if (s->page < s->pages)
        put_link(q, s->page + 1, "next", out);
    put(out, "</nav>");
}

static void put_clusters(const struct status_view *v, const struct status_query *q,
                         const struct status_selection *s, struct buf *out)
{
    put(out, "<h2>Clusters</h2>");
    put_filter(q, out);
    if (s->count == 0) {
        put(out, "<p>None.</p>");
        return;
    }
    (void)buf_printf(out, "<p class=\"dim\">%zu to %zu of %zu, problems first</p>", s->first + 1,
                     s->first + s->shown, s->count);
    put(out, "<table><thead><tr><th scope=\"col\">Cluster</th><th scope=\"col\">State</th>"
             "<th scope=\"col\">Addresses</th><th scope=\"col\">Last change</th></tr></thead>"
             "<tbody>\n");
    for (size_t i = s->first; i < s->first + s->shown; i++)
        put_cluster(v, s->clusters[i], out);
    put(out, "</tbody></table>");
    put_paging(q, s, out);
}

/* -- one cluster ----------------------------------------------------------------------------- */

static void put_instance(const struct status_view *v, const struct report *r, struct buf *out)
{
    put(out, "<tr><th scope=\"row\"><code>");
    escape_html(out, r->address[0] != '\0' ? r->address : "no address");
    if (r->port != 0)
        (void)buf_printf(out, " port %u", r->port);
    (void)buf_printf(out, "</code></th><td data-l=\"Verdict\"><span class=\"s %s\">",
                     !verdict_is_trouble(r->verdict) ? "ok"
                     : verdict_is_served(r->verdict) ? "attention"
                                                     : "bad");
    status_describe(v, r, escape_html, out);
    put(out, "</span></td><td data-l=\"Service ID\">");
    escape_html(out, r->service_id);
    put(out, "</td><td data-l=\"Node\">");
    escape_html(out, r->node);
    put(out, "</td></tr>\n");
}

static void put_instances(const struct status_view *v, const struct cluster *c, struct buf *out)
{
    struct reports all = c->notes->reports;
    struct report r;
    if (all.len == 0)
        return;
    put(out, "<h2>Instances</h2><table><thead><tr><th scope=\"col\">Registered address</th>"
             "<th scope=\"col\">Verdict</th><th scope=\"col\">Service ID</th>"
             "<th scope=\"col\">Node</th></tr></thead><tbody>\n");
    while (report_next(&all, &r))
        put_instance(v, &r, out);
    put(out, "</tbody></table>");
}

static void put_one(const struct status_view *v, const struct status_query *q, struct buf *out)
{
    const struct cluster *c = table_find(v->table, q->cluster, strlen(q->cluster));
    put(out, "<h2>Cluster ");
    escape_html(out, q->cluster);
    put(out, "</h2>");
    if (c == NULL) {
        put(out, "<p>is not known. <a href=\"/status\">All clusters</a></p>");
        return;
    }
    put(out, "<dl>");
    term(out, "State");
    (void)buf_printf(out, "<span class=\"s %s\">%s</span>", cluster_state_name(c->state),
                     cluster_state_name(c->state));
    put_since(v, c->since_wall_ms, out);
    put_end(v, c, out);
    put(out, c->pinned ? ", static</dd>" : "</dd>");
    term(out, "Served");
    put_list(c->body, SIZE_MAX, out);
    put(out, "</dd>");
    if (cluster_confirmed_ms(c) != 0) {
        term(out, "Confirmed");
        put_time(v, cluster_confirmed_ms(c), out);
        put(out, "</dd>");
    }
    if (status_is_failing(c)) {
        term(out, "Reading");
        put(out, "<span class=\"s bad\">fails</span>: ");
        escape_html(out, c->notes->failure.text);
        put(out, " (");
        put_since(v, c->notes->failure.since_wall_ms, out);
        put(out, ")</dd>");
    }
    term(out, "Last change");
    put_change(v, c, out);
    (void)buf_printf(out, "</dd><dt>Changes</dt><dd>%" PRIu64 "</dd></dl>", c->notes->change.count);
    put_instances(v, c, out);
    (void)buf_printf(out,
                     "<p><a href=\"/explain/%s\">As text</a> "
                     "<a href=\"/status\">All clusters</a></p>",
                     c->id);
}

/* -- the page -------------------------------------------------------------------------------- */

static void put_clients(const struct client_totals *clients, struct buf *out)
{
    put(out, "<h2>Clients</h2>");
    if (clients->count == 0) {
        put(out, "<p>None has asked for a list yet.</p>");
        return;
    }
    put(out, "<table><thead><tr><th scope=\"col\">User-Agent</th><th scope=\"col\">Client-Version"
             "</th><th scope=\"col\">Requests</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < clients->count; i++) {
        const struct client_name *n = &clients->names[i];
        put(out, "<tr><th scope=\"row\">");
        escape_html(out, n->agent[0] != '\0' ? n->agent : "none");
        put(out, "</th><td data-l=\"Client-Version\">");
        escape_html(out, n->version[0] != '\0' ? n->version : "none");
        (void)buf_printf(out, "</td><td data-l=\"Requests\">%" PRIu64 "</td></tr>\n", n->requests);
    }
    put(out, "</tbody></table>");
    if (clients->others > 0)
        (void)buf_printf(out, "<p>and %" PRIu64 " requests of further ones</p>", clients->others);
}

static void put_head(const struct status_query *q, struct buf *out)
{
    put(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>");
    if (q->cluster[0] != '\0') {
        escape_html(out, q->cluster);
        put(out, " - ");
    }
    put(out, "nsaddrd status</title><style>" STYLE "</style></head><body>"
             "<header><h1>nsaddrd <a href=\"/status\">status</a></h1></header><main>");
}

bool status_html(const struct status_view *v, const struct status_query *q, struct buf *out)
{
    struct status_selection s;
    if (!status_select(v, q, STATUS_PAGE, &s))
        return false;
    put_head(q, out);
    put_overview(v, &s, out);
    if (q->cluster[0] != '\0')
        put_one(v, q, out);
    else
        put_clusters(v, q, &s, out);
    put_clients(v->clients, out);
    put(out, "<h2>Config in use</h2><details><summary>Show (secrets are masked)</summary><pre>");
    escape_html_lines(out, v->config);
    put(out, "</pre></details></main><footer><p class=\"dim\"><a href=\"/status.json\">JSON</a> "
             "<a href=\"/metrics\">Metrics</a></p></footer></body></html>\n");
    status_selection_clear(&s);
    return !out->failed;
}
