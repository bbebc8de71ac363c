/*
 * status_json.c - the status as JSON. Written by hand: as a tree of cJSON ten thousand clusters would
 * take more memory than all else we have of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
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

/* -- members --------------------------------------------------------------------------------- */

/* What stands behind the start of an object or a list needs no comma. */
static void next(struct buf *out)
{
    char last = out->len > 0 ? out->data[out->len - 1] : '{';
    if (last != '{' && last != '[')
        (void)buf_append_char(out, ',');
}

static void name(struct buf *out, const char *key)
{
    next(out);
    (void)buf_printf(out, "\"%s\":", key);
}

static void open_as(struct buf *out, const char *key, const char *bracket)
{
    name(out, key);
    (void)buf_append_str(out, bracket);
}

static void close_as(struct buf *out, const char *bracket)
{
    (void)buf_append_str(out, bracket);
}

static void string(struct buf *out, const char *key, const char *value)
{
    name(out, key);
    escape_json(out, value);
}

/* null for what is not there. */
static void string_or_null(struct buf *out, const char *key, const char *value)
{
    if (value[0] != '\0') {
        string(out, key, value);
        return;
    }
    name(out, key);
    (void)buf_append_str(out, "null");
}

static void number(struct buf *out, const char *key, uint64_t value)
{
    name(out, key);
    (void)buf_printf(out, "%" PRIu64, value);
}

static void boolean(struct buf *out, const char *key, bool value)
{
    name(out, key);
    (void)buf_append_str(out, value ? "true" : "false");
}

/* 0: there is no such time. */
static void moment(struct buf *out, const char *key, int64_t wall_ms)
{
    char text[CLOCK_TEXT_SIZE] = "";
    if (wall_ms != 0)
        clock_format(wall_ms, text);
    string_or_null(out, key, text);
}

/* "a:p;b:p" as a list. */
static void addresses(struct buf *out, const char *key, const char *body)
{
    open_as(out, key, "[");
    while (*body != '\0') {
        size_t len = strcspn(body, ";");
        next(out);
        (void)buf_printf(out, "\"%.*s\"", (int)len, body);
        body += len + (body[len] == ';');
    }
    close_as(out, "]");
}

/* -- clusters -------------------------------------------------------------------------------- */

static void write_instance(const struct status_view *v, const struct report *r, struct buf *out)
{
    next(out);
    (void)buf_append_char(out, '{');
    string_or_null(out, "address", r->address);
    number(out, "port", r->port);
    string(out, "verdict", verdict_name(r->verdict));
    boolean(out, "served", verdict_is_served(r->verdict));
    boolean(out, "registered", r->registered);
    string_or_null(out, "node", r->node);
    string_or_null(out, "service_id", r->service_id);
    string_or_null(out, "check", r->check);
    string_or_null(out, "check_status", r->status);
    string_or_null(out, "detail", r->detail);
    moment(out, "since", r->since_ms != 0 ? status_wall_ms(v, r->since_ms) : 0);
    moment(out, "leaves_not_before",
           r->leaves_ms != 0 && r->leaves_ms != CLOCK_NEVER ? status_wall_ms(v, r->leaves_ms) : 0);
    close_as(out, "}");
}

static void write_change(const struct cluster_change *change, struct buf *out)
{
    number(out, "changes", change->count);
    if (change->wall_ms == 0) {
        string_or_null(out, "last_change", "");
        return;
    }
    open_as(out, "last_change", "{");
    moment(out, "time", change->wall_ms);
    string(out, "why", change->why);
    string(out, "old_state", cluster_state_name(change->was));
    addresses(out, "old_addresses", change->was_body);
    close_as(out, "}");
}

static void write_cluster(const struct status_view *v, const struct cluster *c, struct buf *out)
{
    struct reports all = c->notes->reports;
    struct report r;
    next(out);
    (void)buf_append_char(out, '{');
    string(out, "id", c->id);
    string(out, "state", cluster_state_name(c->state));
    moment(out, "since", c->since_wall_ms);
    moment(out, "confirmed", cluster_confirmed_ms(c));
    boolean(out, "static", c->pinned);
    addresses(out, "addresses", c->body);
    addresses(out, "withheld", c->withheld);
    write_change(&c->notes->change, out);
    open_as(out, "instances", "[");
    while (report_next(&all, &r))
        write_instance(v, &r, out);
    close_as(out, "]}");
}

/* -- the rest -------------------------------------------------------------------------------- */

static void write_error(const char *key, const struct metric_error *e, struct buf *out)
{
    if (e->last_wall_ms == 0) {
        string_or_null(out, key, "");
        return;
    }
    open_as(out, key, "{");
    string(out, "text", e->text);
    moment(out, "since", e->since_wall_ms);
    moment(out, "last", e->last_wall_ms);
    close_as(out, "}");
}

static void write_consul(const struct consul_report *c, struct buf *out)
{
    const struct consul_reading *r = &c->reading;
    open_as(out, "consul", "{");
    boolean(out, "enabled", c->enabled);
    boolean(out, "up", c->up);
    moment(out, "last_good_answer", c->last_good_wall_ms);
    write_error("error", &c->error, out);
    string(out, "plan", consul_plan_name(r->plan));
    boolean(out, "scan_failing", r->scan_failing);
    number(out, "watches", c->watches);
    number(out, "clusters", r->clusters);
    number(out, "clusters_unread", r->unread);
    number(out, "clusters_failing", r->failing);
    number(out, "reads_waiting", r->waiting);
    number(out, "reads_running", r->running);
    close_as(out, "}");

    open_as(out, "registrations", "{");
    number(out, "wanted", c->registrations.wanted);
    number(out, "registered", c->registrations.registered);
    number(out, "pending", c->registrations.pending);
    number(out, "leaving", c->registrations.leaving);
    boolean(out, "failing", c->registrations.failing);
    write_error("error", &c->registration_error, out);
    close_as(out, "}");

    open_as(out, "state_on_disk", "{");
    number(out, "writes", c->state_writes);
    number(out, "write_failures", c->state_write_failures);
    moment(out, "last_write", c->state_last_write_wall_ms);
    write_error("error", &c->state_error, out);
    close_as(out, "}");
}

static void write_clients(const struct client_totals *clients, struct buf *out)
{
    open_as(out, "clients", "[");
    for (size_t i = 0; i < clients->count; i++) {
        const struct client_name *n = &clients->names[i];
        next(out);
        (void)buf_append_char(out, '{');
        string_or_null(out, "client_version", n->version);
        string_or_null(out, "user_agent", n->agent);
        number(out, "requests", n->requests);
        close_as(out, "}");
    }
    close_as(out, "]");
    number(out, "requests_of_other_clients", clients->others);
}

static void write_overview(const struct status_view *v, const struct status_selection *s,
                           struct buf *out)
{
    static const enum cluster_state states[] = {CLUSTER_LIVE, CLUSTER_HELD, CLUSTER_RESTORED,
                                                CLUSTER_EMPTY, CLUSTER_UNREAD};
    char summary[STATUS_SUMMARY_SIZE];
    string(out, "status", status_health_name(status_summary(v, s, summary)));
    string(out, "summary", summary);
    string(out, "version", v->build->version);
    moment(out, "time", v->now_wall_ms);
    moment(out, "started", v->started_wall_ms);
    boolean(out, "complete", v->registry.complete);
    boolean(out, "ready", v->registry.ready && !v->registry.draining);
    boolean(out, "draining", v->registry.draining);
    open_as(out, "cluster_states", "{");
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        number(out, cluster_state_name(states[i]), s->in_state[states[i]]);
    close_as(out, "}");
}

bool status_json(const struct status_view *v, const struct status_query *q, struct buf *out)
{
    struct status_selection s;
    if (!status_select(v, q, q->page == 0 ? 0 : STATUS_PAGE, &s))
        return false;
    (void)buf_append_char(out, '{');
    write_overview(v, &s, out);
    write_consul(v->consul, out);
    write_clients(v->clients, out);
    string(out, "config", v->config);
    number(out, "matching", s.count);
    number(out, "page", s.page);
    number(out, "pages", s.pages);
    open_as(out, "clusters", "[");
    for (size_t i = s.first; i < s.first + s.shown; i++)
        write_cluster(v, s.clusters[i], out);
    close_as(out, "]}");
    (void)buf_append_char(out, '\n');
    status_selection_clear(&s);
    return !out->failed;
}
