/* SPDX-License-Identifier: Apache-2.0 */
#include "config/duration.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

struct unit {
    const char *name;
    int64_t ms;
};

/* Longer names first where one starts like another. */
static const struct unit units[] = {
    {"ms", 1}, {"s", SECOND}, {"m", MINUTE}, {"h", HOUR}, {"d", DAY}};

bool duration_parse(const char *text, int64_t *out)
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

void duration_format(int64_t ms, char out[static DURATION_TEXT_SIZE])
{
    const struct unit *u = &units[0];
    for (size_t i = 1; i < sizeof units / sizeof units[0]; i++)
        if (ms != 0 && ms % units[i].ms == 0)
            u = &units[i];
    (void)snprintf(out, DURATION_TEXT_SIZE, "%" PRId64 "%s", ms / u->ms, u->name);
}
