/*
 * writes.h - the row of calls that change our registrations, in the order they are to be made.
 * Internal to announce.
 *
 * Ownership  A queue owns its writes; the first one is the one under way.
 * Errors     Only memory: false, and nothing was added.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ANNOUNCE_WRITES_H
#define ANNOUNCE_WRITES_H

#include <stdbool.h>

#include "base/attrs.h"

struct agent_service;

enum write_kind { WRITE_REGISTER, WRITE_DEREGISTER, WRITE_MAINTENANCE };

struct write {
    struct write *next;
    enum write_kind kind;
    char *id; /* of the service */
    char *path;
    char *body; /* NULL: none */
};

struct writes {
    struct write *first;
    struct write *last;
};

bool writes_register(struct writes *q, const struct agent_service *service) MUST_CHECK;
bool writes_deregister(struct writes *q, const char *id) MUST_CHECK;
bool writes_maintenance(struct writes *q, const char *id, bool enable) MUST_CHECK;

/* Drops the first one; nothing if there is none. */
void writes_pop(struct writes *q);
void writes_clear(struct writes *q);

#endif
