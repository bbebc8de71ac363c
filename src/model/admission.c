/* SPDX-License-Identifier: Apache-2.0 */
#include "model/admission.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

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

static int64_t later(int64_t now_ms, int64_t delay_ms)
{
    return delay_ms > CLOCK_NEVER - now_ms ? CLOCK_NEVER : now_ms + delay_ms;
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

/* Rule L, the start of leaving and its end. `seen` is NULL when not registered any more. */
static void judge_member(struct member *m, const struct instance *seen,
                         const struct admission_options *options, int64_t now_ms)
{
    m->registered = seen != NULL;
    if (seen != NULL && seen->health == HEALTH_GOOD) {
        m->leaving = false;
        return;
    }
    bool maintenance = seen != NULL && seen->health == HEALTH_MAINTENANCE;
    bool failing = seen != NULL && seen->health == HEALTH_BAD;
    int64_t at = later(now_ms, maintenance ? options->settle_ms : options->leave_delay_ms);

    /* Back from maintenance but failing is a new reason, with the whole delay of its own. */
    if (!m->leaving || (m->maintenance && failing)) {
        m->leaving = true;
        m->since_ms = now_ms;
        m->leave_at_ms = at;
        m->maintenance = maintenance;
    } else if (maintenance && !m->maintenance) {
        m->maintenance = true;
        if (at < m->leave_at_ms)
            m->leave_at_ms = at;
    }
}

static int64_t due_at(const struct member *m, int64_t floor_ms)
{
    int64_t floor = later(m->since_ms, floor_ms);
    return m->leave_at_ms > floor ? m->leave_at_ms : floor;
}

/* Rules L and H: may this member leave at all, as things stand? */
static bool may_leave(const struct member *m, bool any_good, bool any_registered)
{
    if (!m->leaving)
        return false;
    return any_good || (any_registered && !m->registered);
}

struct outcome {
    bool joined;
    bool left;
    bool losing;
    int64_t next_leave_ms;
};

/* Rules C and G. Returns when to read again. */
static int64_t judge_emptiness(struct admission *a, bool authoritative,
                               const struct admission_options *options, int64_t now_ms)
{
    if (authoritative && a->emptied_ms == CLOCK_NEVER)
        a->emptied_ms = now_ms;
    else if (authoritative && a->gone_at_ms == CLOCK_NEVER &&
             now_ms - a->emptied_ms >= options->settle_ms)
        a->gone_at_ms = a->count == 0 ? now_ms : later(now_ms, options->gone_delay_ms);

    if (a->emptied_ms == CLOCK_NEVER)
        return now_ms;
    if (a->gone_at_ms == CLOCK_NEVER)
        return later(a->emptied_ms, options->settle_ms);
    if (authoritative && now_ms >= a->gone_at_ms) {
        a->state = CLUSTER_GONE;
        a->count = 0;
        return CLOCK_NEVER;
    }
    return a->gone_at_ms;
}

static const char *explain(const struct admission *a, const struct outcome *out, bool registered)
{
    if (a->state == CLUSTER_GONE)
        return "nothing registered for the whole gone_delay";
    if (a->state == CLUSTER_HELD)
        return registered ? "no registered instance is healthy" : "nothing registered any more";
    if (a->state == CLUSTER_EMPTY)
        return registered ? "no instance has been healthy yet" : "nothing registered";
    if (out->joined && out->left)
        return "instances joined and left";
    if (out->joined)
        return "instance joined";
    return out->left ? "instance left" : "confirmed by consul";
}

bool admission_observe(struct admission *a, const struct observation *o,
                       const struct admission_options *options, int64_t now_ms,
                       struct decision *decision)
{
    bool ok = false;
    struct outcome out = {.next_leave_ms = CLOCK_NEVER};
    enum cluster_state old_state = a->state;
    struct member *members = calloc(a->count + o->count + 1, sizeof *members);
    struct instance *seen = calloc(o->count + 1, sizeof *seen);
    if (members == NULL || seen == NULL)
        goto out;
    if (o->count > 0)
        memcpy(seen, o->instances, o->count * sizeof *seen);
    qsort(seen, o->count, sizeof *seen, compare_instances);
    size_t seen_count = drop_duplicates(seen, o->count);

    size_t count = a->count;
    if (count > 0)
        memcpy(members, a->members, count * sizeof *members);
    bool any_registered_member = false;
    for (size_t i = 0; i < count; i++) {
        const struct instance *found = bsearch(&members[i].endpoint, seen, seen_count,
                                               sizeof *seen, compare_to_instance);
        bool was_leaving = members[i].leaving;
        judge_member(&members[i], found, options, now_ms);
        out.losing |= members[i].leaving && !was_leaving;
        any_registered_member |= members[i].registered;
    }

    bool any_good = false;
    for (size_t i = 0; i < seen_count; i++) {
        if (seen[i].health != HEALTH_GOOD)
            continue;
        any_good = true;
        if (a->count > 0 && bsearch(&seen[i].endpoint, a->members, a->count, sizeof *a->members,
                                    compare_to_member) != NULL)
            continue;
        members[count++] = (struct member){.endpoint = seen[i].endpoint, .registered = true};
        out.joined = true;
    }

    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (may_leave(&members[i], any_good, any_registered_member)) {
            int64_t due = due_at(&members[i], o->leave_floor_ms);
            if (o->authoritative && due <= now_ms) {
                out.left = true;
                continue;
            }
            if (due < out.next_leave_ms)
                out.next_leave_ms = due;
        }
        members[kept++] = members[i];
    }
    qsort(members, kept, sizeof *members, compare_members);

    free(a->members);
    a->members = members;
    members = NULL;
    a->count = kept;

    bool registered = o->count + o->unusable > 0;
    a->state = any_good ? CLUSTER_LIVE : kept > 0 ? CLUSTER_HELD : CLUSTER_EMPTY;
    int64_t ask_at = out.next_leave_ms;
    if (registered)
        a->emptied_ms = a->gone_at_ms = CLOCK_NEVER;
    else
        ask_at = judge_emptiness(a, o->authoritative, options, now_ms);

    *decision = (struct decision){
        .changed = out.joined || out.left || a->state != old_state,
        .losing = out.losing,
        .why = explain(a, &out, registered),
        .ask_at_ms = ask_at,
        .ask_consistent = !registered && a->emptied_ms != CLOCK_NEVER,
    };
    ok = true;
out:
    free(members);
    free(seen);
    return ok;
}
