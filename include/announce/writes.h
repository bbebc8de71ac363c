/*
 * writes.h - one call that changes our registrations. Internal to announce.
 *
 * Ownership  write_clear() frees; a write starts zeroed and may be cleared in any state.
 * Errors     Only memory: false.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ANNOUNCE_WRITES_H
#define ANNOUNCE_WRITES_H

#include <stdbool.h>

#include "base/attrs.h"

struct agent_service;

struct write {
    char *path;
    char *body; /* NULL: none */
};

bool write_register(struct write *w, const struct agent_service *service) MUST_CHECK;
bool write_deregister(struct write *w, const char *id) MUST_CHECK;
bool write_maintenance(struct write *w, const char *id, bool enable) MUST_CHECK;

void write_clear(struct write *w);

#endif
