/* SPDX-License-Identifier: Apache-2.0 */
#include "config/option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

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

void option_free_value(struct config *c, const struct option *o)
{
    if (o->type == OPTION_STRING) {
        char **text = option_at(c, o);
        free(*text);
        *text = NULL;
    } else if (o->type == OPTION_STRINGS) {
        struct strings *list = option_at(c, o);
        for (size_t i = 0; i < list->count; i++)
            free(list->items[i]);
        free(list->items);
        *list = (struct strings){0};
    } else if (o->type == OPTION_CLUSTERS) {
        struct static_clusters *all = option_at(c, o);
        for (size_t i = 0; i < all->count; i++) {
            free(all->items[i].id);
            free(all->items[i].list);
        }
        free(all->items);
        *all = (struct static_clusters){0};
    }
}
