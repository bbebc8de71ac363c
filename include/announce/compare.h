/*
 * compare.h - what shall be registered, against what is: who gets a turn. Pure; internal to
 * announce.
 *
 * Errors  Only memory: false. What got its turn keeps it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ANNOUNCE_COMPARE_H
#define ANNOUNCE_COMPARE_H

#include <stdbool.h>

#include "announce/identity.h"
#include "announce/registrations.h"
#include "base/attrs.h"

struct agent_view;
struct config;
struct table;
struct wanted;

#define SERVICE_ID_SIZE 1024

/* Who registers. */
struct announcer {
    const struct config *config;
    struct identity identity;
    char parent_id[SERVICE_ID_SIZE];
};

/* Names us by the address at which Consul saw us come (identity.h). True if that made us another. */
bool announcer_identify(struct announcer *who, const char *local_ip);

/*
 * The parent, and each cluster that has a list, are wanted, others no more; those for whom that is
 * new get `turn`. One look-up per cluster, nothing is built. With one route for all the table does
 * not matter.
 */
bool compare_table(struct registrations *set, const struct announcer *who,
                   const struct table *table, enum turn turn) MUST_CHECK;

/* What the agent has is the authority: all that differs from it gets a turn, behind changes. Only
 * after compare_table(). */
bool compare_view(struct registrations *set, const struct announcer *who,
                  const struct agent_view *view) MUST_CHECK;

/* A wanted one as it shall be; wanted_clear() it in any case. */
bool wanted_for(const struct announcer *who, const struct registration *r,
                struct wanted *out) MUST_CHECK;

#endif
