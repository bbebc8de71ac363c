/* SPDX-License-Identifier: Apache-2.0 */
#include "source/scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "config/config.h"
#include "consul/catalog.h"
#include "consul/httpc.h"
#include "source/cluster_watch.h"

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

/* A hundred times as many clusters as were measured. */
#define VIEW_BODY_MAX ((size_t)1536 * 1024 * 1024)

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

/* -- rows of nodes --------------------------------------------------------------------------- */

/* Checks of whole nodes: each counts for every cluster with an instance there. There are few that
 * are not passing, and of the others none is asked for. */
struct node_row {
    uint64_t node;
    uint64_t sum;
};

struct node_rows {
    size_t count;
    size_t room;
    struct node_row row[];
};

static int compare_nodes(const void *a, const void *b)
{
    const struct node_row *x = a, *y = b;
    return (x->node > y->node) - (x->node < y->node);
}

/* Out of memory leaves it out: then the regular read finds what it would have told. */
static void add_node_row(struct view *v, const char *node, uint64_t sum)
{
    struct node_rows *n = v->nodes;
    if (n == NULL || n->count == n->room) {
        size_t room = n == NULL ? 16 : 2 * n->room;
        struct node_rows *more = realloc(n, sizeof *n + room * sizeof n->row[0]);
        if (more == NULL)
            return;
        more->count = n == NULL ? 0 : more->count;
        more->room = room;
        v->nodes = n = more;
    }
    n->row[n->count++] = (struct node_row){.node = hash_bytes(node, strlen(node)), .sum = sum};
}

/* Of the same node they stand side by side. */
static void add_rows_of_node(const struct node_rows *n, uint64_t node, struct sight *out)
{
    size_t low = 0, high = n->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (n->row[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < n->count && n->row[low].node == node; low++) {
        out->rows.sum += n->row[low].sum;
        out->rows.count++;
    }
}

static void add_rows_of_nodes(const struct view *v, const struct cluster_watch *w,
                              struct sight *out)
{
    if (v->nodes == NULL)
        return;
    for (size_t i = 0; i < w->node_count; i++)
        add_rows_of_node(v->nodes, w->nodes[i], out);
}

/* -- what a reply says ----------------------------------------------------------------------- */

/* Filters are ignored by what does not know them: the prefix is looked at here, too. */
static void on_row(const struct check_row *row, void *arg)
{
    struct view *v = arg;
    struct watch_context *x = v->scan->context;
    const char *prefix = x->config->consul.service_prefix;
    size_t len = strlen(prefix);
    if (row->service_id[0] == '\0') {
        struct rows_sum one = {.count = 0};
        rows_sum_add(&one, row);
        if (v->kind != VIEW_ALL)
            add_node_row(v, row->node, one.sum);
        return;
    }
    if (strncmp(row->service, prefix, len) != 0)
        return;
    const struct cluster_watch *w = x->find(x->arg, row->service + len);
    if (w == NULL)
        return; /* its name will be heard of, if it is a cluster */
    rows_sum_add(&v->scan->seen[w->seen].next[v->kind].rows, row);
}

static bool on_body(void *arg, const char *bytes, size_t len)
{
    struct view *v = arg;
    v->bytes += len;
    if (v->bytes > VIEW_BODY_MAX)
        return error_set(&v->rows.error, "the reply is larger than any sane one");
    return check_rows_feed(&v->rows, bytes, len);
}

static bool is_worse(enum view_kind kind, const struct rows_sum *was, const struct rows_sum *is)
{
    return kind == VIEW_ALL ? is->count < was->count : is->count > was->count;
}

/* Fewer instances, or more that are not passing; and no read has told of that already. */
static bool is_loss(const struct cluster_watch *w, enum view_kind kind, const struct sight *was,
                    const struct sight *is)
{
    return was->known && is_worse(kind, &was->rows, &is->rows) &&
           (!w->moved[kind] || is_worse(kind, &w->read[kind], &is->rows));
}

/* Was the cluster read since it looks so? What is queued for its first read will be. */
static bool compare(struct view *v, struct seen *seen)
{
    struct cluster_watch *w = seen->watch;
    struct sight *now = &seen->now[v->kind];
    struct sight is = seen->next[v->kind];
    seen->next[v->kind] = (struct sight){.known = false};
    add_rows_of_nodes(v, w, &is);
    is.known = true;
    bool differs = !now->known || !rows_sum_equal(&now->rows, &is.rows);
    if (w->moved[v->kind])
        differs |= !rows_sum_equal(&w->read[v->kind], &is.rows);
    if (is_loss(w, v->kind, now, &is))
        cluster_watch_note_loss(w);
    w->moved[v->kind] = false;
    *now = is;
    if (v->kind == VIEW_ALL)
        w->rows = is.rows.count;
    return differs && (w->was_read || w->read_call != NULL);
}

/* Returns how many clusters are to be read. None is before all that lose members here are noted. */
static size_t take_view(struct view *v)
{
    struct scan *s = v->scan;
    size_t changed = 0;
    if (v->nodes != NULL)
        qsort(v->nodes->row, v->nodes->count, sizeof v->nodes->row[0], compare_nodes);
    for (size_t i = 0; i < s->count; i++) {
        if (!compare(v, &s->seen[i]))
            continue;
        changed++;
        cluster_watch_check(s->seen[i].watch);
    }
    return changed;
}

/* -- asking ---------------------------------------------------------------------------------- */

/* What a reply that did not come to its end said is forgotten. */
static void clear_reply(struct view *v)
{
    check_rows_clear(&v->rows);
    free(v->nodes);
    v->nodes = NULL;
}

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
    for (size_t i = 0; i < v->scan->count; i++)
        v->scan->seen[i].next[v->kind] = (struct sight){.known = false};
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
        changed = take_view(v);
        /* Back: a restored snapshot, or another server. That one is not to be waited for. */
        v->index = reply->index < v->index ? 0 : reply->index;
        int64_t at = next_ms(v, changed);
        if (at != CLOCK_NEVER)
            httpc_timer_set(v->scan->context->httpc, &v->timer, at);
    }
    clear_reply(v);
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
    v->bytes = 0;
    plan_registrations(v);
    check_rows_init(&v->rows, on_row, v);
    if (catalog_checks_path(&path, x->config, states[v->kind], v->kind != VIEW_ALL, &read)) {
        struct httpc_request request = {.method = "GET",
                                        .path = buf_text(&path),
                                        .timeout_ms = catalog_timeout_ms(&read) + VIEW_EXTRA_MS,
                                        .blocking = !is_short(v),
                                        .on_body = on_body,
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
        clear_reply(v);
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
