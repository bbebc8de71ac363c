/* SPDX-License-Identifier: Apache-2.0 */
#include "model/verdicts.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/admission.h"
#include "model/claims.h"

/* A registered instance with an address, and its place in the reply. */
struct candidate {
    struct endpoint endpoint;
    enum health health;
    size_t place;
    const char *service_id;
};

static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    int order = endpoint_compare(&x->endpoint, &y->endpoint);
    if (order == 0)
        order = (int)y->health - (int)x->health;
    return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

static int compare_endpoint_to_candidate(const void *key, const void *item)
{
    return endpoint_compare(key, &((const struct candidate *)item)->endpoint);
}

static int compare_endpoint_to_member(const void *key, const void *item)
{
    return endpoint_compare(key, &((const struct member *)item)->endpoint);
}

static int compare_endpoints(const void *a, const void *b)
{
    return endpoint_compare(a, b);
}

/* Of several of one address the healthiest, the first of those: the one that admission goes by. */
static size_t keep_best(struct candidate *all, size_t count)
{
    size_t kept = 0;
    qsort(all, count, sizeof *all, compare_candidates);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || endpoint_compare(&all[kept - 1].endpoint, &all[i].endpoint) != 0)
            all[kept++] = all[i];
    return kept;
}

static bool is_granted(const struct judged *j, const struct endpoint *e)
{
    return bsearch(e, j->granted, j->granted_count, sizeof *e, compare_endpoints) != NULL;
}

static bool any_registered(const struct admission *a)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->members[i].registered)
            return true;
    return false;
}

/* Who is no longer registered leaves even a held list, down to those that are (rule H); who never was
 * stays (rule U). */
static bool is_held(const struct admission *a, const struct member *m)
{
    return a->state == CLUSTER_HELD && (m->registered || m->unpinned || !any_registered(a));
}

/* Of a member of the list, registered or not. */
static void judge_member(const struct judged *j, const struct member *m, struct report *r)
{
    const char *other =
        j->claims != NULL ? claims_other(j->claims, j->cluster, &m->endpoint) : NULL;
    if (other != NULL) {
        r->verdict = is_granted(j, &m->endpoint) ? VERDICT_SHARED : VERDICT_CONTESTED;
        r->detail = other;
    } else if (!m->leaving) {
        r->verdict = VERDICT_SERVED;
    } else {
        r->verdict = is_held(j->admission, m) ? VERDICT_HELD
                     : !m->registered         ? VERDICT_DEREGISTERED
                     : m->maintenance         ? VERDICT_LEAVING
                                              : VERDICT_FAILING;
        r->since_ms = m->since_ms;
        r->leaves_ms = r->verdict != VERDICT_HELD   ? m->leave_at_ms
                       : j->admission->unregistered ? j->admission->gone_at_ms
                                                    : 0;
    }
}

static void judge(const struct judged *j, const struct candidate *best, const struct endpoint *e,
                  size_t place, struct report *r)
{
    const struct admission *a = j->admission;
    const struct member *m = a->count == 0 ? NULL
                                           : bsearch(e, a->members, a->count, sizeof *a->members,
                                                     compare_endpoint_to_member);
    if (best->place != place) {
        r->verdict = VERDICT_DUPLICATE;
        r->detail = best->service_id;
    } else if (m != NULL) {
        judge_member(j, m, r);
    } else {
        r->verdict = r->health == HEALTH_MAINTENANCE ? VERDICT_MAINTENANCE : VERDICT_UNHEALTHY;
    }
}

static size_t collect(struct reports seen, struct candidate *out)
{
    size_t count = 0, place = 0;
    struct report r;
    for (; report_next(&seen, &r); place++)
        if (r.registered && r.verdict != VERDICT_UNUSABLE &&
            endpoint_make(&out[count].endpoint, r.address, (long)r.port)) {
            out[count].health = r.health;
            out[count].place = place;
            out[count++].service_id = r.service_id;
        }
    return keep_best(out, count);
}

static bool append_registered(const struct judged *j, struct reports seen,
                              const struct candidate *all, size_t count, struct buf *out)
{
    struct report r;
    bool ok = true;
    for (size_t place = 0; ok && report_next(&seen, &r); place++) {
        struct endpoint e;
        if (!r.registered)
            continue;
        const struct candidate *best = NULL;
        if (r.verdict != VERDICT_UNUSABLE && endpoint_make(&e, r.address, (long)r.port))
            best = bsearch(&e, all, count, sizeof *all, compare_endpoint_to_candidate);
        if (best != NULL) {
            r.since_ms = r.leaves_ms = 0;
            r.detail = "";
            judge(j, best, &e, place, &r);
        }
        ok = report_append(out, &r);
    }
    return ok;
}

static bool append_unregistered(const struct judged *j, const struct member *m, struct buf *out)
{
    char text[ENDPOINT_TEXT_SIZE];
    struct reports before = j->before;
    struct report known, r = {.address = "",
                              .port = m->endpoint.port,
                              .health = HEALTH_BAD,
                              .node = "",
                              .service_id = "",
                              .check = "",
                              .status = "",
                              .detail = ""};
    struct endpoint e;
    (void)endpoint_format(&m->endpoint, text);
    char *port = strrchr(text, ':');
    *port = '\0';
    r.address = text;
    if (text[0] == '[') { /* the report has the address alone */
        r.address++;
        port[-1] = '\0';
    }
    while (report_next(&before, &known))
        if (known.verdict != VERDICT_UNUSABLE && known.verdict != VERDICT_DUPLICATE &&
            endpoint_make(&e, known.address, (long)known.port) &&
            endpoint_compare(&e, &m->endpoint) == 0) {
            r.node = known.node;
            r.service_id = known.service_id;
            break;
        }
    judge_member(j, m, &r);
    if (m->unpinned && r.detail[0] == '\0')
        r.detail = REPORT_UNPINNED;
    return report_append(out, &r);
}

bool verdicts_append(const struct judged *j, struct reports seen, struct buf *out)
{
    struct reports counted = seen;
    struct report r;
    size_t count = 0;
    while (report_next(&counted, &r))
        count++;
    struct candidate *all = calloc(count + 1, sizeof *all);
    if (all == NULL)
        return false;
    bool ok = append_registered(j, seen, all, collect(seen, all), out);
    const struct admission *a = j->admission;
    for (size_t i = 0; ok && i < a->count; i++)
        if (!a->members[i].registered && a->state != CLUSTER_RESTORED)
            ok = append_unregistered(j, &a->members[i], out);
    free(all);
    return ok;
}
