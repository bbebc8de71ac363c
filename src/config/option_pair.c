/*
 * option_pair.c - one option in two configs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "base/error.h"
#include "config/config.h"
#include "config/option.h"

static bool same_strings(const struct strings *a, const struct strings *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

static bool same_clusters(const struct static_clusters *a, const struct static_clusters *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct static_cluster *x = &a->items[i], *y = &b->items[i];
        if (strcmp(x->id, y->id) != 0 || x->count != y->count)
            return false;
        for (size_t k = 0; k < x->count; k++)
            if (endpoint_compare(&x->list[k], &y->list[k]) != 0)
                return false;
    }
    return true;
}

bool option_same(const struct config *a, const struct config *b, const struct option *o)
{
    const void *x = option_const_at(a, o), *y = option_const_at(b, o);
    switch (o->type) {
    case OPTION_STRING:
        return strcmp(*(char *const *)x, *(char *const *)y) == 0;
    case OPTION_BOOL:
        return *(const bool *)x == *(const bool *)y;
    case OPTION_INT:
    case OPTION_DURATION:
    case OPTION_ENUM:
        return *(const int64_t *)x == *(const int64_t *)y;
    case OPTION_STRINGS:
        return same_strings(x, y);
    case OPTION_CLUSTERS:
        return same_clusters(x, y);
    }
    return false;
}

static bool copy_strings(struct config *c, const struct option *o, const struct strings *from,
                         struct error *reterr)
{
    option_clear_list(c, o);
    for (size_t i = 0; i < from->count; i++)
        if (!option_add_string(c, o, from->items[i], reterr))
            return false;
    return true;
}

bool option_copy(struct config *c, const struct config *from, const struct option *o,
                 struct error *reterr)
{
    const void *v = option_const_at(from, o);
    switch (o->type) {
    case OPTION_STRING:
        return option_set_text(c, o, *(char *const *)v, reterr);
    case OPTION_BOOL:
        *(bool *)option_at(c, o) = *(const bool *)v;
        return true;
    case OPTION_INT:
    case OPTION_DURATION:
    case OPTION_ENUM:
        *(int64_t *)option_at(c, o) = *(const int64_t *)v;
        return true;
    case OPTION_STRINGS:
        return copy_strings(c, o, v, reterr);
    case OPTION_CLUSTERS:
        break;
    }
    return error_set(reterr, "a %s cannot be copied", option_type_name(o));
}
