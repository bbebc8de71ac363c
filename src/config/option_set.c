/*
 * option_set.c - an option gets its value, from text or typed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"
#include "config/duration.h"
#include "config/option.h"
#include "model/cluster_id.h"

static bool out_of_memory(struct error *reterr)
{
    return error_set(reterr, "out of memory");
}

static bool set_string(char **slot, const char *text, struct error *reterr)
{
    char *copy = strdup(text);
    if (copy == NULL)
        return out_of_memory(reterr);
    free(*slot);
    *slot = copy;
    return true;
}

static bool set_duration(struct config *c, const struct option *o, const char *text,
                         struct error *reterr)
{
    int64_t ms;
    if (!duration_parse(text, &ms))
        return error_set(reterr,
                         "\"%s\" is not a duration; right is a number with a unit, such as "
                         "\"500ms\", \"30s\", \"5m\" or \"1h\"",
                         text);
    if (ms < o->min || ms > o->max) {
        char min[DURATION_TEXT_SIZE], max[DURATION_TEXT_SIZE];
        duration_format(o->min, min);
        duration_format(o->max, max);
        return error_set(reterr, "\"%s\" is out of range; right is \"%s\" to \"%s\"", text, min,
                         max);
    }
    *(int64_t *)option_at(c, o) = ms;
    return true;
}

static bool set_enum(struct config *c, const struct option *o, const char *text,
                     struct error *reterr)
{
    struct buf all;
    buf_init(&all, 200);
    for (int64_t i = 0; o->words[i] != NULL; i++) {
        if (strcmp(o->words[i], text) == 0) {
            *(int64_t *)option_at(c, o) = i;
            buf_clear(&all);
            return true;
        }
        (void)buf_printf(&all, "%s\"%s\"",
                         i == 0                    ? ""
                         : o->words[i + 1] == NULL ? " or "
                                                   : ", ",
                         o->words[i]);
    }
    error_set(reterr, "\"%s\" is not known; right is %s", text, buf_text(&all));
    buf_clear(&all);
    return false;
}

bool option_set_number(struct config *c, const struct option *o, int64_t number,
                       struct error *reterr)
{
    if (o->type == OPTION_DURATION)
        return error_set(reterr,
                         "%" PRId64 " has no unit; right is a string with one, such as \"500ms\", "
                         "\"30s\" or \"5m\"",
                         number);
    if (o->type != OPTION_INT)
        return error_set(reterr, "%" PRId64 " is a number; right is a %s", number,
                         option_type_name(o));
    if (number < o->min || number > o->max)
        return error_set(reterr, "%" PRId64 " is out of range; right is %" PRId64 " to %" PRId64,
                         number, o->min, o->max);
    *(int64_t *)option_at(c, o) = number;
    return true;
}

bool option_set_bool(struct config *c, const struct option *o, bool on, struct error *reterr)
{
    if (o->type != OPTION_BOOL)
        return error_set(reterr, "%s is a truth value; right is a %s", on ? "true" : "false",
                         option_type_name(o));
    *(bool *)option_at(c, o) = on;
    return true;
}

void option_clear_list(struct config *c, const struct option *o)
{
    if (o->type == OPTION_STRINGS || o->type == OPTION_CLUSTERS)
        option_free_value(c, o);
}

bool option_add_string(struct config *c, const struct option *o, const char *text,
                       struct error *reterr)
{
    if (o->type != OPTION_STRINGS)
        return error_set(reterr, "a list is not right here; right is a %s", option_type_name(o));
    struct strings *list = option_at(c, o);
    char **items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (items == NULL)
        return out_of_memory(reterr);
    list->items = items;
    list->items[list->count] = NULL;
    if (!set_string(&list->items[list->count], text, reterr))
        return false;
    list->count++;
    return true;
}

bool option_add_cluster(struct config *c, const struct option *o, const char *id,
                        const char *const *addresses, size_t count, struct error *reterr)
{
    struct static_clusters *all = option_at(c, o);
    if (!cluster_id_valid(id, strlen(id)))
        return error_set(reterr,
                         "\"%s\" is not a cluster id; right is 1 to %d of A-Z a-z 0-9 . _ -", id,
                         CLUSTER_ID_MAX);
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->items[i].id, id) == 0)
            return error_set(reterr,
                             "cluster \"%s\" is there twice; right is one entry with all "
                             "its addresses",
                             id);
    if (count == 0)
        return error_set(reterr,
                         "cluster \"%s\" has no addresses; right is at least one, such as "
                         "\"10.0.0.1:9876\"",
                         id);

    struct static_cluster *items = realloc(all->items, (all->count + 1) * sizeof *items);
    if (items == NULL)
        return out_of_memory(reterr);
    all->items = items;
    struct static_cluster *new = &items[all->count];
    *new = (struct static_cluster){.id = strdup(id), .list = calloc(count, sizeof *new->list)};
    if (new->id == NULL || new->list == NULL) {
        free(new->id);
        free(new->list);
        return out_of_memory(reterr);
    }
    all->count++;
    for (size_t i = 0; i < count; i++) {
        if (!endpoint_parse(&new->list[i], addresses[i], strlen(addresses[i])))
            return error_set(reterr,
                             "\"%s\" of cluster \"%s\" is not an address; right is a literal IP "
                             "and a port, such as \"10.0.0.1:9876\" or \"[2001:db8::1]:9876\"",
                             addresses[i], id);
    }
    new->count = endpoint_sort(new->list, count);
    return true;
}

/* Splits a copy of `text` at `separator`; calls `add` for each part that is not empty. */
static bool each_part(const char *text, char separator,
                      bool (*add)(void *arg, char *part, struct error *reterr), void *arg,
                      struct error *reterr)
{
    bool ok = true;
    char *copy = strdup(text);
    if (copy == NULL)
        return out_of_memory(reterr);
    for (char *part = copy; ok && part != NULL;) {
        char *end = strchr(part, separator);
        if (end != NULL)
            *end = '\0';
        if (*part != '\0')
            ok = add(arg, part, reterr);
        part = end != NULL ? end + 1 : NULL;
    }
    free(copy);
    return ok;
}

struct adding {
    struct config *config;
    const struct option *option;
    const char *addresses[256];
    size_t count;
};

static bool add_item(void *arg, char *part, struct error *reterr)
{
    struct adding *a = arg;
    return option_add_string(a->config, a->option, part, reterr);
}

static bool add_address(void *arg, char *part, struct error *reterr)
{
    struct adding *a = arg;
    if (a->count == sizeof a->addresses / sizeof a->addresses[0])
        return error_set(reterr, "more than %zu addresses; right is to set them in the file",
                         a->count);
    char *copy = strdup(part);
    if (copy == NULL)
        return out_of_memory(reterr);
    a->addresses[a->count++] = copy;
    return true;
}

/* "id=ip:port;ip:port" */
static bool add_cluster(void *arg, char *part, struct error *reterr)
{
    const struct adding *a = arg;
    char *equals = strchr(part, '=');
    if (equals == NULL)
        return error_set(reterr, "\"%s\" is not a cluster; right is \"id=ip:port;ip:port\"", part);
    *equals = '\0';
    struct adding inner = {.count = 0};
    bool ok = each_part(equals + 1, ';', add_address, &inner, reterr) &&
              option_add_cluster(a->config, a->option, part, inner.addresses, inner.count, reterr);
    for (size_t i = 0; i < inner.count; i++)
        free((void *)(uintptr_t)inner.addresses[i]);
    return ok;
}

static bool set_int_text(struct config *c, const struct option *o, const char *text,
                         struct error *reterr)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0)
        return error_set(reterr, "\"%s\" is not a number; right is %" PRId64 " to %" PRId64, text,
                         o->min, o->max);
    return option_set_number(c, o, number, reterr);
}

bool option_set_text(struct config *c, const struct option *o, const char *text,
                     struct error *reterr)
{
    struct adding adding = {.config = c, .option = o};
    switch (o->type) {
    case OPTION_STRING:
        return set_string(option_at(c, o), text, reterr);
    case OPTION_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return error_set(reterr, "\"%s\" is not a truth value; right is true or false", text);
        return option_set_bool(c, o, strcmp(text, "true") == 0, reterr);
    case OPTION_INT:
        return set_int_text(c, o, text, reterr);
    case OPTION_DURATION:
        return set_duration(c, o, text, reterr);
    case OPTION_ENUM:
        return set_enum(c, o, text, reterr);
    case OPTION_STRINGS:
        option_clear_list(c, o);
        return each_part(text, ',', add_item, &adding, reterr);
    case OPTION_CLUSTERS:
        option_clear_list(c, o);
        return each_part(text, ',', add_cluster, &adding, reterr);
    }
    return false;
}
