/*
 * argv.h - the command line, taken apart. Does nothing by itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONFIG_ARGV_H
#define CONFIG_ARGV_H

#include <stdbool.h>
#include <stdio.h>

#include "base/attrs.h"
#include "config/config.h"

struct error;

enum action {
    ACTION_RUN,
    ACTION_CHECK,
    ACTION_PRINT_CONFIG,
    ACTION_ONCE,
    ACTION_VERSION,
    ACTION_HELP,
    ACTION_EXPLAIN,
    ACTION_PROBE
};

struct arguments {
    enum action action;
    const char *config_path;           /* NULL: not given */
    struct config_overrides overrides; /* points into argv; the array is owned here */
    const char *url;                   /* EXPLAIN, PROBE: NULL: not given */
    const char *cluster;               /* EXPLAIN */
};

/* On success pair with arguments_clear(). */
bool arguments_parse(int argc, char **argv, struct arguments *out, struct error *reterr) MUST_CHECK;
void arguments_clear(struct arguments *a);

bool arguments_print_help(FILE *out);

#endif
