/* SPDX-License-Identifier: Apache-2.0 */
#include "config/option.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"
#include "model/cluster_id.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static void *value(struct config *c, const struct option *o)
{
    return (char *)c + o->offset;
}

static const void *const_value(const struct config *c, const struct option *o)
{
    return (const char *)c + o->offset;
}

const struct option *option_find(const char *name, size_t len)
{
    for (size_t i = 0; i < option_count; i++)
        if (strlen(option_table[i].name) == len && memcmp(option_table[i].name, name, len) == 0)
            return &option_table[i];
    return NULL;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Levenshtein distance; names longer than the row are simply far. */
static size_t distance(const char *a, const char *b)
{
    size_t row[64];
    size_t la = strlen(a), lb = strlen(b);
    if (la >= 64 || lb >= 64)
        return SIZE_MAX;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t cost = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = min3(cost, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[lb];
}

/* Compares with one name and remembers it when it is the nearest so far. */
static void consider(const char *name, const char *known, size_t len, size_t *best,
                     char out[static OPTION_NAME_SIZE])
{
    char candidate[OPTION_NAME_SIZE];
    (void)snprintf(candidate, sizeof candidate, "%.*s", (int)len, known);
    size_t d = distance(name, candidate);
    if (d >= *best)
        return;
    *best = d;
    memcpy(out, candidate, sizeof candidate);
}

bool option_nearest(const char *name, char out[static OPTION_NAME_SIZE])
{
    size_t best = strlen(name) / 2 + 1;
    out[0] = '\0';
    for (size_t i = 0; i < option_count; i++) {
        const char *known = option_table[i].name;
        const char *last = strrchr(known, '.');
        /* "token" for "consul.token": the right key outside its group. */
        if (last != NULL && strcmp(last + 1, name) == 0) {
            (void)snprintf(out, OPTION_NAME_SIZE, "%s", known);
            return true;
        }
        for (const char *dot = strchr(known, '.'); dot != NULL; dot = strchr(dot + 1, '.'))
            consider(name, known, (size_t)(dot - known), &best, out);
        consider(name, known, strlen(known), &best, out);
    }
    return out[0] != '\0';
}

const char *option_type_name(const struct option *o)
{
    switch (o->type) {
    case OPTION_STRING:
        return "string";
    case OPTION_BOOL:
        return "true|false";
    case OPTION_INT:
        return "number";
    case OPTION_DURATION:
        return "duration";
    case OPTION_ENUM:
        return "word";
    case OPTION_STRINGS:
        return "string or list";
    case OPTION_CLUSTERS:
        return "clusters";
    }
    return "";
}

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

struct unit {
    const char *name;
    int64_t ms;
};

/* Longer names first where one starts like another. */
static const struct unit units[] = {
    {"ms", 1}, {"s", SECOND}, {"m", MINUTE}, {"h", HOUR}, {"d", DAY}};

/* "1m30s": numbers with units, the sum of them. */
static bool parse_duration(const char *text, int64_t *out)
{
    int64_t sum = 0;
    const char *c = text;
    do {
        size_t digits = strspn(c, "0123456789");
        if (digits == 0 || digits > 12)
            return false;
        int64_t n = strtoll(c, NULL, 10);
        c += digits;
        const struct unit *u = NULL;
        for (size_t i = 0; i < sizeof units / sizeof units[0] && u == NULL; i++)
            if (strncmp(c, units[i].name, strlen(units[i].name)) == 0)
                u = &units[i];
        if (u == NULL || n > (INT64_MAX - sum) / u->ms)
            return false;
        c += strlen(u->name);
        sum += n * u->ms;
    } while (*c != '\0');
    *out = sum;
    return true;
}

#define DURATION_TEXT_SIZE 32

static void format_duration(int64_t ms, char out[static DURATION_TEXT_SIZE])
{
    const struct unit *u = &units[0];
    for (size_t i = 1; i < sizeof units / sizeof units[0]; i++)
        if (ms != 0 && ms % units[i].ms == 0)
            u = &units[i];
    (void)snprintf(out, DURATION_TEXT_SIZE, "%" PRId64 "%s", ms / u->ms, u->name);
}

static bool set_duration(struct config *c, const struct option *o, const char *text,
                         struct error *reterr)
{
    int64_t ms;
    if (!parse_duration(text, &ms))
        return error_set(reterr,
                         "\"%s\" is not a duration; right is a number with a unit, such as "
                         "\"500ms\", \"30s\", \"5m\" or \"1h\"",
                         text);
    if (ms < o->min || ms > o->max) {
        char min[DURATION_TEXT_SIZE], max[DURATION_TEXT_SIZE];
        format_duration(o->min, min);
        format_duration(o->max, max);
        return error_set(reterr, "\"%s\" is out of range; right is \"%s\" to \"%s\"", text, min,
                         max);
    }
    *(int64_t *)value(c, o) = ms;
    return true;
}

static bool set_enum(struct config *c, const struct option *o, const char *text,
                     struct error *reterr)
{
    struct buf all;
    buf_init(&all, 200);
    for (int64_t i = 0; o->words[i] != NULL; i++) {
        if (strcmp(o->words[i], text) == 0) {
            *(int64_t *)value(c, o) = i;
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
    *(int64_t *)value(c, o) = number;
    return true;
}

bool option_set_bool(struct config *c, const struct option *o, bool on, struct error *reterr)
{
    if (o->type != OPTION_BOOL)
        return error_set(reterr, "%s is a truth value; right is a %s", on ? "true" : "false",
                         option_type_name(o));
    *(bool *)value(c, o) = on;
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
    struct strings *list = value(c, o);
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
    struct static_clusters *all = value(c, o);
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
        return set_string(value(c, o), text, reterr);
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

/* -- as text --------------------------------------------------------------------------------- */

static void format_string(struct buf *out, const char *text)
{
    (void)buf_append_char(out, '"');
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            (void)buf_append_char(out, '\\');
        if (*c == '\n')
            (void)buf_append_str(out, "\\n");
        else
            (void)buf_append_char(out, *c);
    }
    (void)buf_append_char(out, '"');
}

static void format_clusters(const struct static_clusters *all, struct buf *out)
{
    (void)buf_append_char(out, '(');
    for (size_t i = 0; i < all->count; i++) {
        (void)buf_printf(out, "%s\n    { id = \"%s\"; addresses = [ ", i == 0 ? "" : ",",
                         all->items[i].id);
        for (size_t k = 0; k < all->items[i].count; k++) {
            char text[ENDPOINT_TEXT_SIZE];
            (void)endpoint_format(&all->items[i].list[k], text);
            (void)buf_printf(out, "%s\"%s\"", k == 0 ? "" : ", ", text);
        }
        (void)buf_append_str(out, " ]; }");
    }
    (void)buf_append_str(out, all->count > 0 ? "\n)" : ")");
}

void option_format(const struct config *c, const struct option *o, struct buf *out)
{
    const void *v = const_value(c, o);
    char duration[DURATION_TEXT_SIZE];
    switch (o->type) {
    case OPTION_STRING: {
        const char *text = *(char *const *)v;
        format_string(out, o->secret && text[0] != '\0' ? "(masked)" : text);
        break;
    }
    case OPTION_BOOL:
        (void)buf_append_str(out, *(const bool *)v ? "true" : "false");
        break;
    case OPTION_INT:
        (void)buf_printf(out, "%" PRId64, *(const int64_t *)v);
        break;
    case OPTION_DURATION:
        format_duration(*(const int64_t *)v, duration);
        format_string(out, duration);
        break;
    case OPTION_ENUM:
        format_string(out, o->words[*(const int64_t *)v]);
        break;
    case OPTION_STRINGS: {
        const struct strings *list = v;
        (void)buf_append_str(out, "[");
        for (size_t i = 0; i < list->count; i++) {
            (void)buf_append_str(out, i == 0 ? " " : ", ");
            format_string(out, list->items[i]);
        }
        (void)buf_append_str(out, list->count > 0 ? " ]" : "]");
        break;
    }
    case OPTION_CLUSTERS:
        format_clusters(v, out);
        break;
    }
}

void option_free_value(struct config *c, const struct option *o)
{
    if (o->type == OPTION_STRING) {
        char **text = value(c, o);
        free(*text);
        *text = NULL;
    } else if (o->type == OPTION_STRINGS) {
        struct strings *list = value(c, o);
        for (size_t i = 0; i < list->count; i++)
            free(list->items[i]);
        free(list->items);
        *list = (struct strings){0};
    } else if (o->type == OPTION_CLUSTERS) {
        struct static_clusters *all = value(c, o);
        for (size_t i = 0; i < all->count; i++) {
            free(all->items[i].id);
            free(all->items[i].list);
        }
        free(all->items);
        *all = (struct static_clusters){0};
    }
}
