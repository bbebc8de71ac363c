/*
 * registrations.h - each service that is, or may be, ours in Consul: what it shall be, what is
 * known of it, and whose turn to be written it is. Pure; internal to announce.
 *
 * A turn says only "look at this one". What is to be written, if anything, is decided when the
 * turn comes: a cluster that comes and goes meanwhile costs no write.
 *
 * Ownership  A set owns its registrations.
 * Errors     Only memory: NULL.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ANNOUNCE_REGISTRATIONS_H
#define ANNOUNCE_REGISTRATIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"

/* What Consul has, as far as is known. */
enum presence {
    PRESENCE_NONE,
    PRESENCE_UNSURE, /* another definition, or a write whose end is unknown */
    PRESENCE_SAME,   /* exactly what is wanted */
};

enum need { NEED_NOTHING, NEED_REGISTER, NEED_DEREGISTER };

/* A lower one goes first. */
enum turn {
    TURN_PARENT, /* its children follow it */
    TURN_CHANGE, /* a cluster came or went: it does not wait for repairs */
    TURN_REPAIR,
    TURN_LAST, /* a parent that goes: without it its children would pass for ever */
    TURN_COUNT,
    TURN_NONE = TURN_COUNT,
};

struct registration {
    const char *id; /* of the service */
    enum presence presence;
    enum turn turn;
    bool wanted;
    bool parent;
    bool seen; /* for the caller's sweeps */
};

struct registrations;

struct registrations *registrations_new(void) MUST_CHECK;
/* NULL is allowed. */
void registrations_free(struct registrations *set);

/* Borrowed from the set. */
struct registration *registrations_find(const struct registrations *set, const char *id);
/* The one with that ID; a new one is not wanted, absent and without a turn. */
struct registration *registrations_add(struct registrations *set, const char *id) MUST_CHECK;
void registrations_remove(struct registrations *set, struct registration *r);

/* `visit` may remove the one it is called with. */
void registrations_each(struct registrations *set, void (*visit)(struct registration *r, void *arg),
                        void *arg);

/* To the end of that turn, unless it has an earlier one already. TURN_NONE takes its turn away. */
void registrations_queue(struct registrations *set, struct registration *r, enum turn turn);

/* The next one that needs to be written, or NULL; it keeps its turn. Those that need nothing lose
 * theirs, and are forgotten if Consul does not have them. */
struct registration *registrations_next(struct registrations *set);

/* How many have a turn. */
size_t registrations_queued(const struct registrations *set);

/* How many Consul has, or may have; and how many of them are children. */
size_t registrations_present(const struct registrations *set);
size_t registrations_children(const struct registrations *set);

enum need registration_need(const struct registration *r);

#endif
