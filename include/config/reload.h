/*
 * reload.h - what a config that was read anew changes in the one in use.
 *
 * Options that are not marked reloadable keep the value that they have: the rest of what was read is
 * used without them, and a restart brings them.
 *
 * Threads  Pure: any, one per config that is changed.
 * Errors   Only memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONFIG_RELOAD_H
#define CONFIG_RELOAD_H

#include <stdbool.h>

#include "base/attrs.h"

struct config;
struct error;

/* One option that has another value now. Texts are borrowed for the time of the call. */
struct config_change {
    const char *key;
    const char *was; /* for people; secrets masked */
    const char *is;
    const char *where;    /* "file:line" or the like, of the new value */
    bool needs_a_restart; /* else it is used from now on */
};

bool config_each_change(const struct config *running, const struct config *read,
                        void (*visit)(const struct config_change *change, void *arg), void *arg,
                        struct error *reterr) MUST_CHECK;

/* Gives `read`, which is not in use yet, the values of `running` wherever a change needs a restart.
 * After a failure it is good for config_free() alone. */
bool config_keep_started(struct config *read, const struct config *running,
                         struct error *reterr) MUST_CHECK;

#endif
