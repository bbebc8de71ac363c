/* SPDX-License-Identifier: Apache-2.0 */
/* unit.h - what every unit test includes: cmocka, and a short form of a test's first line. */
#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* The headers above must stand before it. */
#include <cmocka.h>

#include "base/error.h"

#define TEST(name) static void name(__attribute__((unused)) void **state)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The error text holds `part`: prints both when it does not. */
static inline void assert_says(const struct error *error, const char *part)
{
    if (strstr(error->text, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, error->text);
}

#endif
