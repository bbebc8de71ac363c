/*
 * load.h - the parts config_load() is made of. Internal to the config room.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"

struct error;
struct option;
struct config;

/* Where values come from, weakest first. */
enum rank { RANK_DEFAULT, RANK_CONSUL_ENV, RANK_FILE, RANK_ENV, RANK_ARGUMENT };

/* A config in the making: the values, and per option how strong its present value is. */
struct loading {
    struct config *config;
    enum rank *ranks;
    bool force_tls; /* CONSUL_HTTP_SSL=true */
};

/* Notes that `o` got its value from `where` ("file:line", "-o", a variable's name). */
bool loading_note(struct loading *l, const struct option *o, enum rank rank, const char *where,
                  struct error *reterr) MUST_CHECK;

/* Sets from text and notes; an error gets `where: key: ` in front. */
bool loading_set_text(struct loading *l, const struct option *o, enum rank rank, const char *where,
                      const char *text, struct error *reterr) MUST_CHECK;

bool load_file(struct loading *l, const char *path, struct error *reterr) MUST_CHECK;
bool load_consul_environment(struct loading *l, char **environment,
                             struct error *reterr) MUST_CHECK;
bool load_environment(struct loading *l, char **environment, struct error *reterr) MUST_CHECK;

/* Everything that no single value shows: pairs, addresses, files that must be readable. */
bool check_config(struct loading *l, struct error *reterr) MUST_CHECK;

#endif
