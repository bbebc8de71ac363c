/* SPDX-License-Identifier: Apache-2.0 */
#include "model/admission.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define NONE_HEALTHY "no registered instance is healthy"

void admission_init(struct admission *a)
{
    *a = (struct admission){
        .state = CLUSTER_UNREAD, .emptied_ms = CLOCK_NEVER, .gone_at_ms = CLOCK_NEVER};
}

void admission_clear(struct admission *a)
{
    free(a->members);
    admission_init(a);
}

bool admission_restore(struct admission *a, const struct endpoint *list, size_t count)
{
    struct member *members = calloc(count + 1, sizeof *members);
    if (members == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        members[i].endpoint = list[i];
    admission_clear(a);
    a->members = members;
    a->count = count;
    a->state = CLUSTER_RESTORED;
    return true;
}

void admission_unpin(struct admission *a)
{
    for (size_t i = 0; i < a->count; i++)
        a->members[i].unpinned = true;
    a->unpinned = a->count > 0;
}

static bool all_unpinned(const struct member *members, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!members[i].unpinned)
            return false;
    return count > 0;
}

static bool any_unpinned(const struct member *members, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (members[i].unpinned)
            return true;
    return false;
}

static int64_t later(int64_t now_ms, int64_t delay_ms)
{
    return delay_ms > CLOCK_NEVER - now_ms ? CLOCK_NEVER : now_ms + delay_ms;
}

static int64_t change_delay(int64_t ends_ms, int64_t from_ms, int64_t to_ms, int64_t now_ms)
{
    if (ends_ms == CLOCK_NEVER)
        return CLOCK_NEVER;
    if (to_ms >= from_ms)
        return later(ends_ms, to_ms - from_ms);
    int64_t anew = later(now_ms, to_ms);
    return anew < ends_ms ? anew : ends_ms;
}

bool admission_change_delays(struct admission *a, const struct admission_options *from,
                             const struct admission_options *to, int64_t now_ms)
{
    bool runs = a->emptied_ms != CLOCK_NEVER;
    for (size_t i = 0; i < a->count; i++) {
        struct member *m = &a->members[i];
        if (!m->leaving)
            continue;
        runs = true;
        if (m->unpinned)
            continue;
        m->leave_at_ms =
            m->maintenance
                ? change_delay(m->leave_at_ms, from->settle_ms, to->settle_ms, now_ms)
                : change_delay(m->leave_at_ms, from->leave_delay_ms, to->leave_delay_ms, now_ms);
    }
    if (!all_unpinned(a->members, a->count))
        a->gone_at_ms = change_delay(a->gone_at_ms, from->gone_delay_ms, to->gone_delay_ms, now_ms);
    return runs;
}

/* By endpoint; of one endpoint the healthiest registration first: a ghost of a crashed
 * registration beside the living one must not take its address away. */
static int compare_instances(const void *a, const void *b)
{
    const struct instance *x = a, *y = b;
    int order = endpoint_compare(&x->endpoint, &y->endpoint);
    return order != 0 ? order : (int)y->health - (int)x->health;
}

static int compare_to_instance(const void *key, const void *item)
{
    return endpoint_compare(key, &((const struct instance *)item)->endpoint);
}

static int compare_to_member(const void *key, const void *item)
{
    return endpoint_compare(key, &((const struct member *)item)->endpoint);
}

static int compare_members(const void *a, const void *b)
{
    return endpoint_compare(&((const struct member *)a)->endpoint,
                            &((const struct member *)b)->endpoint);
}

static size_t drop_duplicates(struct instance *list, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || endpoint_compare(&list[kept - 1].endpoint, &list[i].endpoint) != 0)
            list[kept++] = list[i];
    return kept;
}

/* Rule U. Its first read proves already that Consul does not have it. */
static void judge_unpinned(struct member *m, int64_t asked_ms)
{
    if (m->leaving)
        return;
    m->leaving = true;
    m->since_ms = m->from_ms = m->leave_at_ms = asked_ms;
}

/* Rule L, the start of leaving and its end. `seen` is NULL when not registered any more. */
static void judge_member(struct member *m, const struct instance *seen,
                         const struct admission_options *options, int64_t now_ms)
{
    bool good = seen != NULL && seen->health == HEALTH_GOOD;
    if (good || m->unpinned)
        m->leaving = m->unpinned = false;
    if (good)
        return;
    bool maintenance = seen != NULL && seen->health == HEALTH_MAINTENANCE;
    bool failing = seen != NULL && seen->health == HEALTH_BAD;
    int64_t at = later(now_ms, maintenance ? options->settle_ms : options->leave_delay_ms);

    /* Back from maintenance but failing is a new reason, with the whole delay of its own. */
    if (!m->leaving || (m->maintenance && failing)) {
        m->leaving = true;
        m->since_ms = m->from_ms = now_ms;
        m->leave_at_ms = at;
        m->maintenance = maintenance;
    } else if (maintenance && !m->maintenance) {
        m->maintenance = true;
        if (at < m->leave_at_ms)
            m->leave_at_ms = at;
    }
}

/* One observation being judged: the members as they will be, and what came of it. */
struct judging {
    const struct observation *observation;
    const struct admission_options *options;
    int64_t now_ms;
    struct instance *seen; /* sorted, one per endpoint */
    size_t seen_count;
    struct member *members;
    size_t count;
    bool any_good;
    bool any_registered;     /* of the members */
    bool any_was_registered; /* of the members, before */
    bool joined;
    bool left;
    bool replaced; /* one of them by rule U */
    bool losing;
    int64_t floor_ms;
    int64_t next_leave_ms;
};

/* Copies what is to be worked on; the owner's state stays as it is until all is decided. */
static bool judging_init(struct judging *j, const struct admission *a)
{
    const struct observation *o = j->observation;
    j->next_leave_ms = CLOCK_NEVER;
    j->members = calloc(a->count + o->count + 1, sizeof *j->members);
    j->seen = calloc(o->count + 1, sizeof *j->seen);
    if (j->members == NULL || j->seen == NULL)
        return false;
    if (a->count > 0)
        memcpy(j->members, a->members, a->count * sizeof *j->members);
    j->count = a->count;
    if (o->count > 0)
        memcpy(j->seen, o->instances, o->count * sizeof *j->seen);
    qsort(j->seen, o->count, sizeof *j->seen, compare_instances);
    j->seen_count = drop_duplicates(j->seen, o->count);
    return true;
}

static void judge_members(struct judging *j)
{
    for (size_t i = 0; i < j->count; i++) {
        struct member *m = &j->members[i];
        bool was_leaving = m->leaving;
        const struct instance *seen =
            bsearch(&m->endpoint, j->seen, j->seen_count, sizeof *j->seen, compare_to_instance);
        j->any_was_registered |= m->registered;
        m->registered = seen != NULL;
        j->any_registered |= m->registered;
        if (m->unpinned && seen == NULL) {
            judge_unpinned(m, j->observation->asked_ms);
            continue;
        }
        judge_member(m, seen, j->options, j->now_ms);
        j->losing |= m->leaving && !was_leaving;
    }
    j->floor_ms = j->losing ? j->observation->losing_floor_ms : j->observation->leave_floor_ms;
}

/* Rule J. */
static void join(struct judging *j)
{
    size_t old_count = j->count;
    for (size_t i = 0; i < j->seen_count; i++) {
        if (j->seen[i].health != HEALTH_GOOD)
            continue;
        j->any_good = true;
        if (bsearch(&j->seen[i].endpoint, j->members, old_count, sizeof *j->members,
                    compare_to_member) != NULL)
            continue;
        j->members[j->count++] =
            (struct member){.endpoint = j->seen[i].endpoint, .registered = true};
        j->joined = true;
    }
}

/* Rule H, its end, or its turn from "nothing registered" to some that are: what was held up starts
 * its delay anew. Checks recover, and instances come back, one by one, and the first of them must
 * not send the others away. */
static void end_hold(struct judging *j)
{
    for (size_t i = 0; i < j->count; i++) {
        struct member *m = &j->members[i];
        if (!m->leaving || m->unpinned)
            continue;
        m->from_ms = j->now_ms;
        m->leave_at_ms =
            later(j->now_ms, m->maintenance ? j->options->settle_ms : j->options->leave_delay_ms);
    }
}

/* Rules L, H and U: may this member leave at all, as things stand? */
static bool may_leave(const struct judging *j, const struct member *m)
{
    if (m->unpinned)
        return j->any_good;
    return m->leaving && (j->any_good || (j->any_registered && !m->registered));
}

/* By a read that was asked for then, or later. */
static int64_t due_at(const struct judging *j, const struct member *m)
{
    if (!may_leave(j, m))
        return CLOCK_NEVER;
    int64_t floor = later(m->from_ms, j->floor_ms);
    return m->leave_at_ms > floor ? m->leave_at_ms : floor;
}

/* Rule L, the end of leaving. */
static void let_go(struct judging *j)
{
    size_t kept = 0;
    for (size_t i = 0; i < j->count; i++) {
        const struct member *m = &j->members[i];
        int64_t due = due_at(j, m);
        if (j->observation->authoritative && due <= j->observation->asked_ms) {
            j->left = true;
            j->replaced |= m->unpinned;
            continue;
        }
        if (due < j->next_leave_ms)
            j->next_leave_ms = due;
        j->members[kept++] = *m;
    }
    j->count = kept;
    qsort(j->members, kept, sizeof *j->members, compare_members);
}

/* Rules C and G. Returns when to read again. */
static int64_t judge_emptiness(struct admission *a, const struct judging *j)
{
    const struct observation *o = j->observation;
    const struct admission_options *options = j->options;
    int64_t now_ms = j->now_ms;
    if (o->authoritative && a->emptied_ms == CLOCK_NEVER)
        a->emptied_ms = now_ms;
    else if (o->authoritative && a->gone_at_ms == CLOCK_NEVER &&
             o->asked_ms - a->emptied_ms >= options->settle_ms)
        a->gone_at_ms = a->count == 0 || all_unpinned(a->members, a->count)
                            ? o->asked_ms
                            : later(now_ms, options->gone_delay_ms);

    if (a->emptied_ms == CLOCK_NEVER)
        return now_ms;
    if (a->gone_at_ms == CLOCK_NEVER)
        return later(a->emptied_ms, options->settle_ms);
    int64_t floor = later(a->emptied_ms, j->floor_ms);
    int64_t due = a->gone_at_ms > floor ? a->gone_at_ms : floor;
    if (o->authoritative && o->asked_ms >= due) {
        a->state = CLUSTER_GONE;
        a->unpinned = all_unpinned(a->members, a->count);
        a->count = 0;
        return CLOCK_NEVER;
    }
    return due;
}

static const char *explain(const struct judging *j, enum cluster_state state, bool registered,
                           bool unpinned)
{
    if (j->replaced)
        return "static_clusters no more, Consul's list instead";
    if (unpinned && !registered)
        return "static_clusters no more, and nothing is registered";
    if (state == CLUSTER_GONE)
        return "nothing registered for the whole gone_delay";
    if (state == CLUSTER_HELD)
        return registered ? NONE_HEALTHY : "nothing registered any more";
    if (state == CLUSTER_LIVE && j->joined)
        return j->left ? "instances joined and left" : "instance joined";
    if (state == CLUSTER_LIVE)
        return j->left ? "instance left" : "confirmed by Consul";
    return registered ? NONE_HEALTHY : "nothing registered";
}

bool admission_observe(struct admission *a, const struct observation *o,
                       const struct admission_options *options, int64_t now_ms,
                       struct decision *decision)
{
    struct judging j = {.observation = o, .options = options, .now_ms = now_ms};
    enum cluster_state old_state = a->state;
    bool registered = o->count + o->unusable > 0;
    bool other_reason = a->unregistered == registered;
    bool ok = judging_init(&j, a);
    if (!ok)
        goto out;
    judge_members(&j);
    join(&j);
    if (old_state == CLUSTER_HELD && (j.any_good || (j.any_registered && !j.any_was_registered)))
        end_hold(&j);
    let_go(&j);

    free(a->members);
    a->members = j.members;
    a->count = j.count;
    j.members = NULL;
    a->state = j.any_good ? CLUSTER_LIVE : a->count > 0 ? CLUSTER_HELD : CLUSTER_EMPTY;
    a->unregistered = !registered;
    a->unpinned = any_unpinned(a->members, a->count);
    int64_t ask_at = j.next_leave_ms;
    if (registered)
        a->emptied_ms = a->gone_at_ms = CLOCK_NEVER;
    else
        ask_at = judge_emptiness(a, &j);

    *decision = (struct decision){
        .changed = j.joined || j.left || a->state != old_state ||
                   (a->state == CLUSTER_HELD && other_reason),
        .losing = j.losing,
        .why = explain(&j, a->state, registered, a->unpinned),
        .ask_at_ms = ask_at,
        .ask_consistent = !registered && a->emptied_ms != CLOCK_NEVER,
    };
out:
    free(j.members);
    free(j.seen);
    return ok;
}
