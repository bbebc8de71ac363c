/* SPDX-License-Identifier: Apache-2.0 */
#include "source/scan_reply.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "config/config.h"
#include "source/cluster_watch.h"
#include "source/scan.h"

/* A hundred times as many clusters as were measured. */
#define VIEW_BODY_MAX ((size_t)1536 * 1024 * 1024)

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

bool scan_reply_on_body(void *arg, const char *bytes, size_t len)
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
        watch_context_note_loss(w->context, &w->loss);
    w->moved[v->kind] = false;
    *now = is;
    if (v->kind == VIEW_ALL)
        w->rows = is.rows.count;
    return differs && (w->was_read || w->read_call != NULL);
}

size_t scan_reply_take(struct view *v)
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

void scan_reply_begin(struct view *v)
{
    v->bytes = 0;
    check_rows_init(&v->rows, on_row, v);
}

void scan_reply_forget(struct view *v)
{
    for (size_t i = 0; i < v->scan->count; i++)
        v->scan->seen[i].next[v->kind] = (struct sight){.known = false};
}

void scan_reply_clear(struct view *v)
{
    check_rows_clear(&v->rows);
    free(v->nodes);
    v->nodes = NULL;
}
