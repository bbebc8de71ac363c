/*
 * wanted.h - one of our registrations as it shall be. Pure; internal to announce.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ANNOUNCE_WANTED_H
#define ANNOUNCE_WANTED_H

#include <stdbool.h>

#include "announce/identity.h"
#include "base/attrs.h"
#include "base/buf.h"
#include "consul/agent.h"

/* `service` points into the rest and into the arguments of wanted_make(). */
struct wanted {
    struct agent_service service;
    struct buf id;
    struct buf name;
    struct buf tag;
    const char **tags;
};

/* The child of `cluster`, or with NULL the parent, whose ID is `parent_id`. False when out of
 * memory; clear it in any case. */
bool wanted_make(const struct config *config, const struct identity *identity,
                 const char *parent_id, const char *cluster, struct wanted *out) MUST_CHECK;
void wanted_clear(struct wanted *w);

/* Would wanted_make() with either make the same of what a reload can change? */
bool wanted_alike(const struct config *a, const struct config *b);

#endif
