/*
 * announce.h - our own registrations in Consul, by which fabio finds us.
 *
 * per-cluster: a parent service with the only HTTP check, and for each cluster that has a list a
 * child with the cluster's route, whose one alias check follows the parent. single: the parent
 * alone, with one route for all. off: nothing.
 *
 * Wanted and present registrations are compared every 15 s, and soon after the table changed; only
 * differences are written, one at a time. A child stays while its cluster is held, and goes with
 * the cluster.
 *
 * Stopping: the parent goes into maintenance first, for then every alias turns critical at once
 * (when a parent is merely deregistered its aliases stay passing: measured on Consul 1.22), then
 * the children are deregistered, then the parent.
 *
 * Threads  new, free: main thread, while httpc does not run. wake, drain: httpc thread. drain_state: any.
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

enum drain_state {
    DRAIN_GOES_ON,
    DRAIN_NOTHING_TO_DO, /* nothing was ever registered */
    DRAIN_DONE,          /* deregistered, or Consul does not let us */
};

/* Deregisters all within 10 s. done(arg) is called when the state is no longer DRAIN_GOES_ON. */
void announce_drain(struct announce *a, void (*done)(void *arg), void *arg);
enum drain_state announce_drain_state(const struct announce *a);

#endif
