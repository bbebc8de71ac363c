/*
 * announce.h - our own registrations in Consul, by which fabio finds us.
 *
 * per-cluster: a parent service with the only HTTP check, and for each cluster that has a list a
 * child with the cluster's route, whose one alias check follows the parent. single: the parent
 * alone, with one route for all. off: nothing.
 *
 * What is wanted is compared with what the agent has every 10 s (+-20 %), which is the authority.
 * Every 3 s one small question asks for the parent: an agent that lost all of ours is found out by
 * that. A change of the table is compared with what the last round left, at most once a second, and
 * costs one look-up per cluster; only if a child comes or goes is Consul asked for the parent, and
 * written to. In single mode the table does not matter at all. A child stays while its cluster is
 * held, and goes with the cluster.
 *
 * Only differences are written, one call at a time, the parent first, then changes, then repairs, at
 * most 100 a second after a burst of 10 (pace.h). So 1,000 lost children are back 10 s after the loss
 * was found out, or as soon as Consul can: for the first 1,000 a Consul 1.22 agent needs 7 to 10 ms
 * of a processor each, and the more children there are the more. 429 and 503 slow writing down, to one a second and less, and it grows back;
 * what is left to do stays.
 *
 * Stopping: the parent goes into maintenance first, for then every alias turns critical at once
 * (when a parent is merely deregistered its aliases stay passing: measured on Consul 1.22), then
 * the children are deregistered, at most 200 a second, then the parent. What cannot be deregistered
 * in time stays critical, beside its parent, until Consul deregisters it by itself: children after
 * register.deregister_after, the parent two minutes later (wanted.c).
 *
 * Threads  new, free: main thread, while httpc does not run. wake, reload, drain: httpc thread. drain_state: any.
 * Errors   Consul's refusals are logged once per kind and tried again, for ever.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ANNOUNCE_ANNOUNCE_H
#define ANNOUNCE_ANNOUNCE_H

#include <stdbool.h>

#include "base/attrs.h"

struct announce;
struct config;
struct error;
struct httpc;
struct registry;

/* Registers the first listen address. Arguments are borrowed. */
struct announce *announce_new(const struct config *config, struct httpc *httpc,
                              struct registry *registry, struct error *reterr) MUST_CHECK;

/* Cancels what is under way; does not deregister. NULL is allowed. */
void announce_free(struct announce *a);

/* The table or the status changed. NULL is allowed. */
void announce_wake(struct announce *a);

/* `config` (borrowed) is the one in use from now on: what is registered is compared with it. NULL
 * is allowed for `a`. */
void announce_reload(struct announce *a, const struct config *config);

enum drain_state {
    DRAIN_GOES_ON,
    DRAIN_NOTHING_TO_DO, /* nothing was ever registered */
    DRAIN_DONE,          /* deregistered, or Consul does not let us */
};

/* Deregisters what it can within 10 s. done(arg) is called when the state is no longer DRAIN_GOES_ON. */
void announce_drain(struct announce *a, void (*done)(void *arg), void *arg);
enum drain_state announce_drain_state(const struct announce *a);

#endif
