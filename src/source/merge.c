/* SPDX-License-Identifier: Apache-2.0 */
#include "source/merge.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "model/consul_metrics.h"
#include "model/registry.h"
#include "source/changes.h"
#include "source/spool.h"

struct merge {
    struct registry *registry;
    void (*changed)(void *arg);
    void *arg;
    struct spool *spool;            /* NULL: no state on disk */
    struct consul_metrics *metrics; /* NULL: nobody counts */
    struct table *next;             /* in the making, between begin and commit */
    bool next_differs;              /* in a list or a state */
    bool next_reports;              /* in what is reported of instances */
    bool next_has_list;             /* a change in it brought one */
    struct changes changes;         /* in it */
    unsigned expected;              /* sources */
    unsigned complete;              /* of them: read as a whole */
    bool ready;                     /* the registry knows */
    bool waiting_for_list;          /* the first one makes ready */
    struct log_limit memory_limit;
};

struct merge *merge_new(struct registry *registry, void (*changed)(void *arg), void *arg,
                        struct error *reterr)
{
    struct merge *m = calloc(1, sizeof *m);
    if (m == NULL) {
        error_set(reterr, "out of memory");
        return NULL;
    }
    *m = (struct merge){.registry = registry, .changed = changed, .arg = arg};
    return m;
}

void merge_count_in(struct merge *m, struct consul_metrics *metrics)
{
    m->metrics = metrics;
}

void merge_save_to(struct merge *m, struct spool *spool)
{
    m->spool = spool;
}

const struct table *merge_table(struct merge *m)
{
    return registry_acquire(m->registry, NULL);
}

void merge_expect(struct merge *m)
{
    m->expected++;
}

static bool has_a_list(const struct cluster *c, void *found)
{
    *(bool *)found |= c->body_len > 0;
    return !*(bool *)found;
}

static void become_ready_with_any_list(struct merge *m)
{
    const struct table *t = registry_acquire(m->registry, NULL);
    table_each(t, has_a_list, &m->ready);
    table_unref(t);
    if (m->ready)
        registry_set_ready(m->registry);
}

void merge_first_read(struct merge *m, enum first_read how)
{
    if (how == FIRST_READ_COMPLETE)
        m->complete++;
    else
        registry_set_failed(m->registry);
    m->waiting_for_list = how == FIRST_READ_PARTLY;
    if (m->complete >= m->expected) {
        m->ready = true;
        registry_set_complete(m->registry);
        registry_set_ready(m->registry);
    } else if (how != FIRST_READ_COMPLETE && !m->ready) {
        become_ready_with_any_list(m);
    }
    m->changed(m->arg);
}

/* `id` NULL: of no particular cluster. Tried again soon, for each cluster. */
static bool no_memory(struct merge *m, const char *id)
{
    unsigned left_out;
    if (log_limit_pass(&m->memory_limit, 1, clock_mono_ms(), &left_out))
        LOG_ERROR("out of memory: a change waits, what is served stays",
                  F_STR("cluster", id != NULL ? id : ""), F_SOME("left_out", left_out));
    return false;
}

bool merge_begin(struct merge *m)
{
    const struct table *now = registry_acquire(m->registry, NULL);
    m->next = table_copy(now);
    m->next_differs = false;
    m->next_reports = false;
    m->next_has_list = false;
    table_unref(now);
    return m->next != NULL || no_memory(m, NULL);
}

void merge_free(struct merge *m)
{
    if (m == NULL)
        return;
    table_unref(m->next);
    changes_drop(&m->changes);
    free(m);
}

/* `new` (borrowed; NULL: the cluster is gone) is in the place of `old`. */
static void note_change(struct merge *m, const struct cluster *old, const struct cluster *new,
                        const char *why)
{
    changes_note(&m->changes, old, new, why);
    if (m->spool != NULL)
        spool_note(m->spool, old, new);
    m->next_differs = true;
}

/* `c` (stolen) takes the place of `old` (NULL: there was none); `changed` if not only in its
 * reports. */
static bool put(struct merge *m, const struct cluster *old, const struct cluster *c, bool changed,
                const char *why)
{
    if (old != NULL) {
        if (!old->pinned && !c->pinned) /* Consul has no say in what the config has */
            cluster_confirm(c, cluster_confirmed_ms(old));
        (void)cluster_ref(old); /* noted when the table has it no more */
    }
    bool ok = table_set(m->next, c);
    if (ok && changed) {
        note_change(m, old, c, why);
        m->next_has_list |= c->body_len > 0;
    }
    m->next_reports |= ok && !changed;
    cluster_unref(old);
    return ok;
}

/* What about a cluster is new. */
enum news {
    NEWS_NONE,
    NEWS_REPORTS, /* only its notes: what is reported of its instances, and when it ends */
    NEWS_CLAIMS,  /* what is withheld: who came or went is not in the list */
    NEWS_LIST,    /* the list, the state, or why it is held */
};

static bool same_notes(const struct cluster_notes *n, const struct cluster_parts *p)
{
    return n->gone_ms == p->gone_ms && n->unpinned == p->unpinned &&
           n->reports.len == p->reports.len &&
           (p->reports.len == 0 || memcmp(n->reports.data, p->reports.data, p->reports.len) == 0);
}

static enum news compare(const struct cluster *old, const struct cluster_parts *p)
{
    if (old == NULL || old->state != p->state || !cluster_serves(old, p->list, p->count))
        return NEWS_LIST;
    if (!cluster_withholds(old, p->withheld, p->withheld_count))
        return NEWS_CLAIMS;
    if (old->pinned != p->pinned || old->notes->unregistered != p->unregistered)
        return NEWS_LIST;
    return same_notes(old->notes, p) ? NEWS_NONE : NEWS_REPORTS;
}

/* Whether pinned or not. */
static bool place(struct merge *m, const struct cluster_parts *parts, const char *why)
{
    const struct cluster *old = table_find(m->next, parts->id, strlen(parts->id));
    enum news news = compare(old, parts);
    if (news == NEWS_NONE)
        return true;
    if (news == NEWS_CLAIMS)
        why = MERGE_CLAIMS_CHANGED;
    bool changed = news != NEWS_REPORTS;
    struct cluster_parts p = *parts;
    p.since_wall_ms = old != NULL && old->state == p.state ? old->since_wall_ms : clock_wall_ms();
    p.change = changed ? changes_next(old, p.state, why) : old->notes->change;
    if (old != NULL && !p.pinned)
        p.failure = old->notes->failure;
    struct cluster *c = cluster_make(&p);
    return (c != NULL && put(m, old, c, changed, why)) || no_memory(m, p.id);
}

static bool is_pinned(const struct merge *m, const char *id)
{
    const struct cluster *old = table_find(m->next, id, strlen(id));
    return old != NULL && old->pinned;
}

bool merge_put(struct merge *m, const struct cluster_parts *parts, const char *why)
{
    return (!parts->pinned && is_pinned(m, parts->id)) || place(m, parts, why);
}

bool merge_set(struct merge *m, const char *id, enum cluster_state state, bool pinned,
               const struct endpoint *list, size_t count, const char *why)
{
    struct cluster_parts parts = {
        .id = id, .state = state, .pinned = pinned, .list = list, .count = count};
    return merge_put(m, &parts, why);
}

bool merge_unpin(struct merge *m, const char *id, const struct endpoint *list, size_t count,
                 const char *why)
{
    struct cluster_parts parts = {
        .id = id, .state = CLUSTER_RESTORED, .unpinned = true, .list = list, .count = count};
    return !is_pinned(m, id) || place(m, &parts, why);
}

bool merge_remove(struct merge *m, const char *id, const char *why)
{
    return is_pinned(m, id) || merge_remove_pinned(m, id, why);
}

bool merge_remove_restored(struct merge *m, const char *id)
{
    const struct cluster *old = table_find(m->next, id, strlen(id));
    if (old == NULL || old->pinned)
        return true;
    if (!table_remove(m->next, id))
        return no_memory(m, id);
    m->next_differs = true;
    LOG_DEBUG("a cluster had ended in an earlier run", F_STR("cluster", id));
    return true;
}

bool merge_remove_pinned(struct merge *m, const char *id, const char *why)
{
    const struct cluster *old = table_find(m->next, id, strlen(id));
    if (old == NULL)
        return true;
    (void)cluster_ref(old);
    bool ok = table_remove(m->next, id) || no_memory(m, id);
    if (ok)
        note_change(m, old, NULL, why);
    cluster_unref(old);
    return ok;
}

void merge_set_default(struct merge *m, const char *id)
{
    if (strcmp(table_default(m->next), id) == 0)
        return;
    table_set_default(m->next, id);
    m->next_differs = true;
}

void merge_commit(struct merge *m)
{
    struct table *next = m->next;
    m->next = NULL;
    if (!m->next_reports && !m->next_differs) {
        table_unref(next);
        return;
    }
    if (m->spool != NULL)
        spool_commit(m->spool);
    registry_publish(m->registry, next);
    changes_log(&m->changes);
    if (!m->next_differs)
        return;
    if (m->metrics != NULL)
        consul_metrics_published(m->metrics, clock_mono_ns());
    if (m->waiting_for_list && !m->ready && m->next_has_list)
        become_ready_with_any_list(m);
    m->changed(m->arg);
}

void merge_abandon(struct merge *m)
{
    if (m->spool != NULL)
        spool_abandon(m->spool);
    changes_drop(&m->changes);
    table_unref(m->next);
    m->next = NULL;
}

/* NULL: no memory. */
static const struct cluster *failing(const struct cluster *c, const char *text)
{
    struct cluster_failure failure = {.text = text};
    if (text[0] != '\0') {
        int64_t since = c->notes->failure.since_wall_ms;
        failure.since_wall_ms = since != 0 ? since : clock_wall_ms();
    }
    return cluster_with_failure(c, &failure);
}

void merge_note_failure(struct merge *m, const char *id, const char *text)
{
    const struct cluster *old = merge_find(m, id);
    if (old == NULL || old->pinned || (text[0] == '\0' && old->notes->failure.since_wall_ms == 0))
        return;
    const struct cluster *c = failing(old, text);
    if (c == NULL) {
        (void)no_memory(m, id);
        return;
    }
    bool noted = old->notes->failure.since_wall_ms != 0 &&
                 strcmp(c->notes->failure.text, old->notes->failure.text) == 0;
    if (noted || !merge_begin(m)) {
        cluster_unref(c);
        return;
    }
    if (!put(m, old, c, false, ""))
        (void)no_memory(m, id);
    merge_commit(m);
}

const struct cluster *merge_find(struct merge *m, const char *id)
{
    if (m->next != NULL)
        return table_find(m->next, id, strlen(id));
    const struct table *t = registry_acquire(m->registry, NULL);
    const struct cluster *c = table_find(t, id, strlen(id));
    table_unref(t); /* the registry keeps it until the next commit */
    return c;
}

void merge_confirm(struct merge *m, const char *id)
{
    const struct cluster *c = merge_find(m, id);
    if (c != NULL && !c->pinned)
        cluster_confirm(c, clock_wall_ms());
}
