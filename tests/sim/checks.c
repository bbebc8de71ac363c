/* SPDX-License-Identifier: Apache-2.0 */
#include "checks.h"

#include <string.h>

unsigned sim_twin_of(const struct sim_instance *list, size_t k)
{
    unsigned twin = 0;
    for (size_t i = 0; i < k; i++)
        twin += strcmp(list[i].address, list[k].address) == 0;
    return twin;
}

/* Maintenance is a further check that is critical; the others stay as they are. */
size_t sim_checks_of(const struct sim_instance *list, size_t count,
                     struct sim_check out[static SIM_CHECKS_MAX])
{
    size_t made = 0;
    for (size_t k = 0; k < count; k++) {
        const struct sim_instance *i = &list[k];
        struct sim_check check = {.address = i->address, .twin = sim_twin_of(list, k)};
        if (i->health == SIM_CRITICAL)
            check.status = SIM_FAILING;
        else if (i->health == SIM_WARNING)
            check.status = SIM_WARNED;
        if (!i->unchecked)
            out[made++] = check;
        check.status = SIM_FAILING;
        check.kind = i->health == SIM_MAINTENANCE ? SIM_OF_MAINTENANCE : SIM_OF_NODE;
        if (i->health == SIM_MAINTENANCE || i->health == SIM_NODE_MAINTENANCE)
            out[made++] = check;
    }
    return made;
}

static bool has_check(const struct sim_check *list, size_t count, const struct sim_check *wanted)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].twin == wanted->twin && list[i].kind == wanted->kind &&
            list[i].status == wanted->status && strcmp(list[i].address, wanted->address) == 0)
            return true;
    return false;
}

/* Marks what is in the one and not in the other. */
static bool mark_missing(const struct sim_check *list, size_t count, const struct sim_check *other,
                         size_t other_count, bool touched[static SIM_VIEWS])
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (has_check(other, other_count, &list[i]))
            continue;
        touched[list[i].status] = true;
        any = true;
    }
    return any;
}

bool sim_checks_change(const struct sim_instance *from, size_t from_count,
                       const struct sim_instance *to, size_t to_count,
                       bool touched[static SIM_VIEWS])
{
    struct sim_check before[SIM_CHECKS_MAX], after[SIM_CHECKS_MAX];
    size_t n = sim_checks_of(from, from_count, before);
    size_t m = sim_checks_of(to, to_count, after);
    bool gone = mark_missing(before, n, after, m, touched);
    bool come = mark_missing(after, m, before, n, touched);
    return gone || come;
}

bool sim_someone_left(const struct sim_instance *from, size_t from_count,
                      const struct sim_instance *to, size_t to_count)
{
    for (size_t i = 0; i < from_count; i++) {
        unsigned twins = 0;
        for (size_t k = 0; k < to_count; k++)
            twins += strcmp(to[k].address, from[i].address) == 0;
        if (twins <= sim_twin_of(from, i))
            return true;
    }
    return false;
}
