/* SPDX-License-Identifier: Apache-2.0 */
#include "source/changes.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

/* Owns both references. */
struct change {
    const struct cluster *old; /* NULL: it is new */
    const struct cluster *new; /* NULL: it is gone */
    const char *why;           /* a literal */
};

/* What is restored is no change: the same lists as before, and a line for each of thousands would delay
 * their service. */
static bool is_restored(const struct cluster *old, const struct cluster *new)
{
    if (new == NULL || new->state != CLUSTER_RESTORED)
        return false;
    return old == NULL || !old->pinned;
}

static void log_restored(const struct cluster *new, const char *why)
{
    LOG_DEBUG("cluster restored", F_STR("cluster", new->id), F_INT("addresses", new->count),
              F_STR("list", new->body), F_STR("why", why));
}

static void log_change(const struct change *c)
{
    const struct cluster *old = c->old, *new = c->new;
    if (new == NULL)
        LOG_INFO("cluster gone", F_STR("cluster", old->id),
                 F_STR("was", cluster_state_name(old->state)), F_STR("old", old->body),
                 F_STR("why", c->why));
    else
        LOG_INFO("cluster changed", F_STR("cluster", new->id),
                 F_STR("state", cluster_state_name(new->state)),
                 F_STR("was", old != NULL ? cluster_state_name(old->state) : "unknown"),
                 F_INT("addresses", new->count), F_STR("old", old != NULL ? old->body : ""),
                 F_STR("new", new->body), F_STR("why", c->why));
}

static bool has_room(struct changes *c)
{
    if (c->count < c->room)
        return true;
    size_t room = c->room > 0 ? 2 * c->room : 4;
    struct change *more = realloc(c->all, room * sizeof *more);
    if (more == NULL)
        return false;
    c->all = more;
    c->room = room;
    return true;
}

/* Without memory it is logged at once: it will most likely be served. */
static void keep(struct changes *c, const struct change *change)
{
    if (!has_room(c)) {
        log_change(change);
        return;
    }
    c->all[c->count++] = *change;
    if (change->old != NULL)
        (void)cluster_ref(change->old);
    if (change->new != NULL)
        (void)cluster_ref(change->new);
}

void changes_note(struct changes *c, const struct cluster *old, const struct cluster *new,
                  const char *why)
{
    /* Names without a list come and go with the names watch; only lists are news. */
    bool news = new == NULL || new->state != CLUSTER_UNREAD;
    if (is_restored(old, new))
        log_restored(new, why);
    else if (news)
        keep(c, &(struct change){.old = old, .new = new, .why = why});
}

void changes_log(struct changes *c)
{
    for (size_t i = 0; i < c->count; i++)
        log_change(&c->all[i]);
    changes_drop(c);
}

void changes_drop(struct changes *c)
{
    for (size_t i = 0; i < c->count; i++) {
        cluster_unref(c->all[i].old);
        cluster_unref(c->all[i].new);
    }
    free(c->all);
    *c = (struct changes){.all = NULL};
}

struct cluster_change changes_next(const struct cluster *old, enum cluster_state state,
                                   const char *why)
{
    struct cluster_change change = {.why = "", .was_body = ""};
    if (old != NULL)
        change = old->notes->change;
    bool unpinned = old != NULL && old->pinned;
    if (state == CLUSTER_UNREAD || (state == CLUSTER_RESTORED && !unpinned))
        return change;
    return (struct cluster_change){
        .count = change.count + 1,
        .wall_ms = clock_wall_ms(),
        .why = why,
        .was = old != NULL ? old->state : CLUSTER_UNREAD,
        .was_body = old != NULL ? old->body : "",
    };
}
