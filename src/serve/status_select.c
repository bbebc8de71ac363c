/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "model/table.h"
#include "serve/status.h"

#define RANK_HEALTHY 5

bool status_is_failing(const struct cluster *c)
{
    return c->notes->failure.since_wall_ms != 0;
}

unsigned status_rank(const struct cluster *c)
{
    static const unsigned ranks[] = {
        [CLUSTER_HELD] = 0,     [CLUSTER_EMPTY] = 1, [CLUSTER_UNREAD] = 2,
        [CLUSTER_RESTORED] = 3, [CLUSTER_LIVE] = 4,  [CLUSTER_GONE] = 0,
    };
    bool healthy = c->state == CLUSTER_LIVE && c->notes->troubles == 0 && !status_is_failing(c);
    return healthy ? RANK_HEALTHY : ranks[c->state];
}

struct selecting {
    const struct status_query *query;
    struct status_selection *out;
};

static bool is_in(const struct cluster *c, enum status_filter f)
{
    static const enum cluster_state states[STATUS_FILTERS] = {
        [STATUS_UNREAD] = CLUSTER_UNREAD,     [STATUS_EMPTY] = CLUSTER_EMPTY,
        [STATUS_LIVE] = CLUSTER_LIVE,         [STATUS_HELD] = CLUSTER_HELD,
        [STATUS_RESTORED] = CLUSTER_RESTORED,
    };
    if (f == STATUS_ALL)
        return true;
    return f == STATUS_PROBLEMS ? status_rank(c) < RANK_HEALTHY : c->state == states[f];
}

/* As it would be in a list. */
static bool is_of(const struct report *r, const char *search)
{
    char text[STATUS_ADDRESS_SIZE];
    status_address(r, text);
    return strstr(text, search) != NULL || strstr(r->address, search) != NULL;
}

static bool has_address(const struct cluster *c, const char *search)
{
    struct reports all = c->notes->reports;
    struct report r;
    if (strstr(c->body, search) != NULL || strstr(c->withheld, search) != NULL)
        return true;
    while (report_next(&all, &r))
        if (is_of(&r, search))
            return true;
    return false;
}

static bool matches(const struct cluster *c, const struct status_query *q)
{
    return (q->cluster[0] == '\0' || strcmp(c->id, q->cluster) == 0) && is_in(c, q->filter) &&
           (q->search[0] == '\0' || strcasestr(c->id, q->search) != NULL ||
            has_address(c, q->search));
}

static bool look_at(const struct cluster *c, void *arg)
{
    struct selecting *s = arg;
    s->out->in_state[c->state]++;
    s->out->ending += c->notes->unregistered;
    s->out->troubled += c->state == CLUSTER_LIVE && c->notes->troubles > 0;
    s->out->failing += status_is_failing(c);
    if (matches(c, s->query))
        s->out->clusters[s->out->count++] = c;
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct cluster *const *x = a, *const *y = b;
    unsigned left = status_rank(*x), right = status_rank(*y);
    return left != right ? (left > right) - (left < right) : strcmp((*x)->id, (*y)->id);
}

bool status_select(const struct status_view *v, const struct status_query *q, size_t page_size,
                   struct status_selection *out)
{
    struct selecting s = {.query = q, .out = out};
    *out = (struct status_selection){.clusters =
                                         calloc(table_count(v->table) + 1, sizeof *out->clusters)};
    if (out->clusters == NULL)
        return false;
    table_each(v->table, look_at, &s);
    qsort(out->clusters, out->count, sizeof *out->clusters, compare);
    if (page_size == 0)
        page_size = out->count + 1;
    out->pages = out->count > 0 ? (out->count - 1) / page_size + 1 : 1;
    out->page = q->page == 0 ? 1 : q->page < out->pages ? q->page : out->pages;
    out->first = (out->page - 1) * page_size;
    size_t left = out->count - out->first;
    out->shown = left < page_size ? left : page_size;
    return true;
}

void status_selection_clear(struct status_selection *s)
{
    free(s->clusters);
    *s = (struct status_selection){.clusters = NULL};
}
