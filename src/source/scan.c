/* SPDX-License-Identifier: Apache-2.0 */
#include "source/scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "consul/catalog.h"
#include "consul/httpc.h"
#include "source/cluster_watch.h"
#include "source/scan_reply.h"

#define BACKOFF_FIRST_MS 500
#define BACKOFF_CAP_MS 30000
#define WAIT_SPREAD_PERCENT 20
#define WARNING_MS 1000
/* 100,000 clusters in ten times the time that 10,000 took to arrive here, and a slow network. */
#define VIEW_EXTRA_MS 45000
/* What Consul needs for one check of a reply, and for one name of a service, in microseconds. */
#define ROW_US 9
#define NAME_US 2
/* One part in so many of the time... */
#define SHARE 8
/* ... or that, when it is longer between two views than this. */
#define LARGE_SHARE 5
#define LATE_MS 1000

static const char *const states[VIEWS] = {
    [VIEW_ALL] = "any", [VIEW_CRITICAL] = "critical", [VIEW_WARNING] = "warning"};

static void send_view(void *arg);

/* How long after the start of something that took so long the next one may start. */
static int64_t spaced(int64_t took_ms)
{
    int64_t period = SHARE * took_ms;
    if (period <= LATE_MS)
        return period;
    return LARGE_SHARE * took_ms > LATE_MS ? LARGE_SHARE * took_ms : LATE_MS;
}

/* -- asking ---------------------------------------------------------------------------------- */

static void note_working(struct scan *s)
{
    bool fails = false;
    for (size_t i = 0; i < VIEWS; i++)
        fails |= s->views[i].failing;
    if (fails == s->context->scan_fails)
        return;
    s->context->scan_fails = fails;
    watch_context_report(s->context);
    if (!fails && log_complaint_ends(&s->complaint))
        LOG_INFO("the checks in Consul can be followed", F_INT("clusters", s->count));
    for (size_t i = 0; i < s->count; i++)
        cluster_watch_plan_sweep(s->seen[i].watch);
}

static void fail(struct view *v, const struct httpc_reply *reply, const char *error)
{
    struct watch_context *x = v->scan->context;
    unsigned left_out;
    if (reply != NULL)
        consul_metrics_unusable(httpc_metrics(x->httpc), error);
    if (reply != NULL && reply->status == 403 && watch_context_refused(x))
        backoff_reset(&v->backoff);
    int64_t wait = backoff_next_ms(&v->backoff, &x->jitter);
    scan_reply_forget(v);
    if (log_complaint_begins(&v->scan->complaint, httpc_now(x->httpc), &left_out))
        LOG_WARN(
            "cannot follow the checks in Consul: clusters are read in turn, what is served stays",
            F_STR("checks", states[v->kind]), F_STR("error", error), F_INT("next_try_ms", wait),
            F_SOME("left_out", left_out));
    v->index = 0;
    v->failing = true;
    note_working(v->scan);
    httpc_timer_set(x->httpc, &v->timer, httpc_now(x->httpc) + wait);
}

/* What Consul was busy with it, of the time it took: the rest may have been ours. */
static int64_t cost_ms(const struct view *v, int64_t took_ms)
{
    int64_t most = 1 + 3 * (int64_t)v->rows.count * ROW_US / 2000;
    return took_ms < most ? took_ms : most;
}

static void plan_registrations(struct view *v)
{
    int64_t names_ms = (int64_t)v->scan->names * NAME_US / 1000;
    v->due_ms = v->asked_ms + spaced(v->took_ms + names_ms);
}

/* When this view is asked for next. */
static int64_t next_ms(struct view *v, size_t changed)
{
    int64_t now = httpc_now(v->scan->context->httpc);
    int64_t rows = spaced((int64_t)v->rows.count * ROW_US / 1000);
    int64_t least = WARNING_MS;
    if (v->kind == VIEW_ALL) {
        v->took_ms = cost_ms(v, now - v->asked_ms);
        plan_registrations(v);
        return v->wanted ? v->due_ms : CLOCK_NEVER;
    }
    if (v->kind == VIEW_CRITICAL)
        least = wakes_wait_ms(&v->wakes, changed > 0, now);
    int64_t at = now + (rows > least ? rows : least);
    return v->kind == VIEW_WARNING ? clock_together(at - WARNING_MS + 1) : at;
}

static bool is_short(const struct view *v)
{
    return v->kind != VIEW_CRITICAL;
}

/* One short call of all views at a time. */
static bool has_turn(struct view *v)
{
    v->waiting = false;
    for (size_t i = 0; is_short(v) && i < VIEWS; i++)
        v->waiting |= is_short(&v->scan->views[i]) && v->scan->views[i].call != NULL;
    return !v->waiting;
}

static void send_waiting(struct scan *s)
{
    for (size_t i = 0; i < VIEWS; i++)
        if (s->views[i].waiting)
            send_view(&s->views[i]);
}

static void on_view(void *arg, const struct httpc_reply *reply)
{
    struct view *v = arg;
    struct error error;
    size_t changed = 0;
    v->call = NULL;
    if (v->rows.error.text[0] != '\0') { /* the reply says that it broke off, this says why */
        fail(v, reply, v->rows.error.text);
    } else if (!catalog_reply_ok(reply, &error)) {
        fail(v, reply, error.text);
    } else if (!check_rows_end(&v->rows)) {
        fail(v, reply, v->rows.error.text);
    } else {
        backoff_reset(&v->backoff);
        v->failing = false;
        note_working(v->scan);
        changed = scan_reply_take(v);
        /* Back: a restored snapshot, or another server. That one is not to be waited for. */
        v->index = reply->index < v->index ? 0 : reply->index;
        int64_t at = next_ms(v, changed);
        if (at != CLOCK_NEVER)
            httpc_timer_set(v->scan->context->httpc, &v->timer, at);
    }
    scan_reply_clear(v);
    send_waiting(v->scan);
}

static void send_view(void *arg)
{
    struct view *v = arg;
    struct watch_context *x = v->scan->context;
    bool blocks = !is_short(v) && v->index > 0;
    struct catalog_read read = {
        .index = blocks ? v->index : 0,
        .wait_ms = jitter_spread(&x->jitter, x->config->consul.wait_ms, WAIT_SPREAD_PERCENT),
        /* A server that is behind would not show what the index of the services has told. */
        .authoritative = is_short(v)};
    struct buf path;
    if (!has_turn(v))
        return;
    buf_init(&path, 8192);
    v->asked_ms = httpc_now(x->httpc);
    v->wanted = false;
    plan_registrations(v);
    scan_reply_begin(v);
    if (catalog_checks_path(&path, x->config, states[v->kind], v->kind != VIEW_ALL, &read)) {
        struct httpc_request request = {.method = "GET",
                                        .path = buf_text(&path),
                                        .timeout_ms = catalog_timeout_ms(&read) + VIEW_EXTRA_MS,
                                        .blocking = !is_short(v),
                                        .on_body = scan_reply_on_body,
                                        .op = CONSUL_OP_CHECKS};
        v->call = httpc_send(x->httpc, &request, on_view, v);
    }
    if (v->call == NULL)
        fail(v, NULL, "out of memory");
    buf_clear(&path);
}

void scan_retry(struct scan *s)
{
    for (size_t i = 0; i < VIEWS; i++)
        if (s->views[i].failing && s->views[i].timer.set)
            httpc_timer_set(s->context->httpc, &s->views[i].timer, httpc_now(s->context->httpc));
}

int64_t scan_registrations(struct scan *s, size_t names)
{
    struct view *v = &s->views[VIEW_ALL];
    int64_t now = httpc_now(s->context->httpc);
    int64_t due = v->due_ms > now ? v->due_ms : now;
    s->names = names;
    v->wanted = v->call != NULL;
    if (v->call == NULL && !v->waiting && !v->timer.set)
        httpc_timer_set(s->context->httpc, &v->timer, due);
    return due;
}

/* -- life ------------------------------------------------------------------------------------ */

void scan_init(struct scan *s, struct watch_context *context)
{
    *s = (struct scan){.context = context};
    for (size_t i = 0; i < VIEWS; i++) {
        struct view *v = &s->views[i];
        *v = (struct view){.scan = s, .kind = (enum view_kind)i};
        v->timer = TIMER(send_view, v);
        backoff_init(&v->backoff, BACKOFF_FIRST_MS, BACKOFF_CAP_MS);
        wakes_init(&v->wakes);
    }
}

void scan_clear(struct scan *s)
{
    scan_stop(s);
    free(s->seen);
    s->seen = NULL;
}

bool scan_add(struct scan *s, struct cluster_watch *w)
{
    if (s->count == s->room) {
        size_t room = s->room == 0 ? 16 : 2 * s->room;
        struct seen *more = realloc(s->seen, room * sizeof *more);
        if (more == NULL)
            return false;
        s->seen = more;
        s->room = room;
    }
    w->seen = s->count;
    s->seen[s->count++] = (struct seen){.watch = w};
    return true;
}

void scan_drop(struct scan *s, struct cluster_watch *w)
{
    struct seen *last = &s->seen[--s->count];
    s->seen[w->seen] = *last;
    last->watch->seen = w->seen;
}

void scan_start(struct scan *s)
{
    for (size_t i = 0; i < VIEWS; i++)
        if (i != VIEW_WARNING || s->context->config->consul.accept == ACCEPT_PASSING)
            send_view(&s->views[i]);
}

/* What was seen is of no use later, for nobody looked in between. */
void scan_stop(struct scan *s)
{
    for (size_t i = 0; i < VIEWS; i++) {
        struct view *v = &s->views[i];
        httpc_cancel(s->context->httpc, v->call);
        httpc_timer_cancel(s->context->httpc, &v->timer);
        scan_reply_clear(v);
        v->call = NULL;
        v->waiting = false;
        v->index = 0;
        v->failing = false;
    }
    s->context->scan_fails = false;
    (void)log_complaint_ends(&s->complaint);
    for (size_t i = 0; i < s->count; i++) {
        memset(s->seen[i].now, 0, sizeof s->seen[i].now);
        memset(s->seen[i].next, 0, sizeof s->seen[i].next);
        s->seen[i].watch->rows = SIZE_MAX;
    }
}
