/* SPDX-License-Identifier: Apache-2.0 */
/* config_of.h - a config from defaults and "key=value" texts. */
#ifndef UNIT_CONFIG_OF_H
#define UNIT_CONFIG_OF_H

#include "config/config.h"
#include "unit.h"

/* New; the list ends with NULL. */
static inline struct config *config_of(const char *first, ...)
{
    const char *items[16];
    size_t count = 0;
    char *environment[] = {NULL};
    struct error error;
    va_list args;
    va_start(args, first);
    for (const char *item = first; item != NULL && count < COUNT_OF(items);
         item = va_arg(args, const char *))
        items[count++] = item;
    va_end(args);
    struct config_overrides overrides = {.items = items, .count = count};
    struct config *c = config_load(NULL, environment, &overrides, &error);
    if (c == NULL)
        fail_msg("%s", error.text);
    return c;
}

#endif
