/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/buf.h"
#include "model/consul_report.h"
#include "model/metrics.h"
#include "serve/client_names.h"
#include "serve/escape.h"
#include "serve/status.h"
#include "serve/status_html.h"

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

/* -- what concerns all ----------------------------------------------------------------------- */

static void put_error(const struct status_view *v, const struct metric_error *e, struct buf *out)
{
    if (e->since_wall_ms == 0)
        return;
    html_put(out, ": ");
    escape_html(out, e->text);
    html_put(out, " (");
    html_put_since(v, e->since_wall_ms, out);
    html_put(out, ")");
}

static void put_consul(const struct status_view *v, struct buf *out)
{
    const struct consul_report *c = v->consul;
    html_put_term(out, "Consul");
    if (!c->enabled) {
        html_put(out, "not used (consul.enabled)</dd>");
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
        html_put(out, "; last good answer ");
        html_put_time(v, c->last_good_wall_ms, out);
    }
    html_put(out, "</dd>");
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
    html_put_term(out, "Watching");
    (void)buf_printf(out, "%s; %" PRIu64 " blocking queries", plans[r->plan], v->consul->watches);
    if (r->scan_failing)
        html_put(out, "; <span class=\"s bad\">the scan fails, clusters are read in turn</span>");
    html_put(out, "</dd>");
    html_put_term(out, "Reading");
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
        html_put(out,
                 "; <span class=\"s attention\">most clusters lose members at once: nobody leaves "
                 "for now</span>");
    html_put(out, "</dd>");
}

static void put_registrations(const struct status_view *v, struct buf *out)
{
    const struct registration_numbers *n = &v->consul->registrations;
    html_put_term(out, "Our registrations");
    if (n->wanted + n->registered + n->leaving == 0) {
        html_put(out, "none</dd>");
        return;
    }
    (void)buf_printf(out, "%" PRIu64 " of %" PRIu64 " are in Consul as they should be",
                     n->registered, n->wanted);
    if (n->leaving > 0)
        (void)buf_printf(out, "; %" PRIu64 " are being removed", n->leaving);
    if (n->failing)
        html_put(out, "; <span class=\"s bad\">cannot be written</span>");
    put_error(v, &v->consul->registration_error, out);
    html_put(out, "</dd>");
}

static void put_state(const struct status_view *v, struct buf *out)
{
    const struct consul_report *c = v->consul;
    bool failing = c->state_error.since_wall_ms != 0;
    html_put_term(out, "State on disk");
    if (failing)
        html_put(out, "<span class=\"s bad\">cannot be written</span>");
    put_error(v, &c->state_error, out);
    if (c->state_last_write_wall_ms != 0) {
        html_put(out, failing ? "; last written " : "written ");
        html_put_time(v, c->state_last_write_wall_ms, out);
    } else if (!failing) {
        html_put(out, "none written (state.dir)");
    }
    html_put(out, "</dd>");
}

static void put_reload(const struct status_view *v, struct buf *out)
{
    html_put_term(out, "Config");
    if (v->reload_refused)
        html_put(out,
                 "<span class=\"s bad\">the last reload was refused</span>: the log says why; what "
                 "is in use was ");
    html_put(out, "read ");
    html_put_time(v, v->config_wall_ms, out);
    html_put(out, "</dd>");
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
    html_put_term(out, "Running");
    html_put(out, "nsaddrd ");
    escape_html(out, v->build->version);
    html_put(out, ", started ");
    html_put_time(v, v->started_wall_ms, out);
    html_put(out, "</dd></dl>");
}

/* -- the page -------------------------------------------------------------------------------- */

static void put_clients(const struct client_totals *clients, struct buf *out)
{
    html_put(out, "<h2>Clients</h2>");
    if (clients->count == 0) {
        html_put(out, "<p>None has asked for a list yet.</p>");
        return;
    }
    html_put(out,
             "<table><thead><tr><th scope=\"col\">User-Agent</th><th scope=\"col\">Client-Version"
             "</th><th scope=\"col\">Requests</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < clients->count; i++) {
        const struct client_name *n = &clients->names[i];
        html_put(out, "<tr><th scope=\"row\">");
        escape_html(out, n->agent[0] != '\0' ? n->agent : "none");
        html_put(out, "</th><td data-l=\"Client-Version\">");
        escape_html(out, n->version[0] != '\0' ? n->version : "none");
        (void)buf_printf(out, "</td><td data-l=\"Requests\">%" PRIu64 "</td></tr>\n", n->requests);
    }
    html_put(out, "</tbody></table>");
    if (clients->others > 0)
        (void)buf_printf(out, "<p>and %" PRIu64 " requests of further ones</p>", clients->others);
}

static void put_head(const struct status_query *q, struct buf *out)
{
    html_put(out,
             "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>");
    if (q->cluster[0] != '\0') {
        escape_html(out, q->cluster);
        html_put(out, " - ");
    }
    html_put(out, "nsaddrd status</title><style>" STYLE "</style></head><body>"
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
        status_html_cluster(v, q, out);
    else
        status_html_clusters(v, q, &s, out);
    put_clients(v->clients, out);
    html_put(out,
             "<h2>Config in use</h2><details><summary>Show (secrets are masked)</summary><pre>");
    escape_html_lines(out, v->config);
    html_put(out,
             "</pre></details></main><footer><p class=\"dim\"><a href=\"/status.json\">JSON</a> "
             "<a href=\"/metrics\">Metrics</a></p></footer></body></html>\n");
    status_selection_clear(&s);
    return !out->failed;
}
