/*
 * duration.h - durations as people write them in the config. Pure.
 *
 * Units   Milliseconds.
 * Errors  Text that is no duration: false.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONFIG_DURATION_H
#define CONFIG_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"

/* "1m30s": numbers with units (ms, s, m, h, d), the sum of them. */
bool duration_parse(const char *text, int64_t *out) MUST_CHECK;

#define DURATION_TEXT_SIZE 32

/* In the largest unit of which it is a multiple. */
void duration_format(int64_t ms, char out[static DURATION_TEXT_SIZE]);

#endif
