/*
 * status_json.c - the status as JSON. Written by hand: as a tree of cJSON ten thousand clusters would
 * take more memory than all else we have of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "model/consul_report.h"
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

static int64_t wall_time(const struct status_view *v, int64_t mono_ms)
{
    return mono_ms != 0 && mono_ms != CLOCK_NEVER ? status_wall_ms(v, mono_ms) : 0;
}

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
    moment(out, "leaves_not_before", wall_time(v, r->leaves_ms));
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

static void write_failure(const struct cluster_failure *failure, struct buf *out)
{
    if (failure->since_wall_ms == 0) {
        string_or_null(out, "read_error", "");
        return;
    }
    open_as(out, "read_error", "{");
    string(out, "text", failure->text);
    moment(out, "since", failure->since_wall_ms);
    close_as(out, "}");
}

/* Whoever writes the next one puts a comma before it. */
static void write_cluster(const struct status_view *v, const struct cluster *c, struct buf *out)
{
    struct reports all = c->notes->reports;
    struct report r;
    (void)buf_append_char(out, '{');
    string(out, "id", c->id);
    string(out, "state", cluster_state_name(c->state));
    moment(out, "since", c->since_wall_ms);
    moment(out, "confirmed", cluster_confirmed_ms(c));
    write_failure(&c->notes->failure, out);
    boolean(out, "unregistered", c->notes->unregistered);
    moment(out, "gone_not_before", wall_time(v, c->notes->gone_ms));
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
    open_as(out, "reload", "{");
    boolean(out, "successful", !v->reload_refused);
    moment(out, "last_success", v->config_wall_ms);
    close_as(out, "}");
    open_as(out, "cluster_states", "{");
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        number(out, cluster_state_name(states[i]), s->in_state[states[i]]);
    close_as(out, "}");
}

/* -- piece by piece -------------------------------------------------------------------------- */

/* So much is made at a time, and one cluster more. */
#define PIECE (32 * 1024)

struct status_json {
    struct status_view view;
    struct status_selection selection;
    size_t next; /* cluster of the selection */
    bool ended;  /* all is in the last piece */
    struct buf piece;
    size_t taken; /* of it */
};

static void write_start(const struct status_view *v, const struct status_selection *s,
                        struct buf *out)
{
    (void)buf_append_char(out, '{');
    write_overview(v, s, out);
    write_consul(v->consul, out);
    write_clients(v->clients, out);
    string(out, "config", v->config);
    number(out, "matching", s->count);
    number(out, "page", s->page);
    number(out, "pages", s->pages);
    open_as(out, "clusters", "[");
}

struct status_json *status_json_new(const struct status_view *v, const struct status_query *q)
{
    struct status_json *j = calloc(1, sizeof *j);
    if (j == NULL)
        return NULL;
    buf_init(&j->piece, STATUS_MAX);
    if (!status_select(v, q, q->page == 0 ? 0 : STATUS_PAGE, &j->selection)) {
        free(j);
        return NULL;
    }
    j->view = (struct status_view){
        .now_wall_ms = v->now_wall_ms, .now_mono_ms = v->now_mono_ms, .table = table_ref(v->table)};
    j->next = j->selection.first;
    write_start(v, &j->selection, &j->piece);
    return j;
}

void status_json_free(struct status_json *j)
{
    if (j == NULL)
        return;
    status_selection_clear(&j->selection);
    table_unref(j->view.table);
    buf_clear(&j->piece);
    free(j);
}

/* What is not said yet, up to a piece. */
static void fill(struct status_json *j)
{
    size_t end = j->selection.first + j->selection.shown;
    bool first = j->next == j->selection.first;
    if (j->taken == j->piece.len) {
        buf_reset(&j->piece);
        j->taken = 0;
    }
    while (j->next < end && j->piece.len < PIECE) {
        if (!first)
            (void)buf_append_char(&j->piece, ',');
        write_cluster(&j->view, j->selection.clusters[j->next++], &j->piece);
        first = false;
    }
    if (j->next == end && !j->ended) {
        (void)buf_append_str(&j->piece, "]}\n");
        j->ended = true;
    }
}

bool status_json_read(struct status_json *j, char *out, size_t max, size_t *len)
{
    if (j->taken == j->piece.len || j->next == j->selection.first)
        fill(j);
    if (j->piece.failed)
        return false;
    size_t left = j->piece.len - j->taken;
    *len = left < max ? left : max;
    if (*len > 0)
        memcpy(out, j->piece.data + j->taken, *len);
    j->taken += *len;
    return true;
}
