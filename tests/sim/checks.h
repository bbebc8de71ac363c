/*
 * checks.h - the checks of what is registered in the simulated Consul. Pure.
 *
 * Each instance has a node of its own, named for its cluster and its address, and a service ID of the
 * same name: an instance that only gets another port is the same one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_CHECKS_H
#define SIM_CHECKS_H

#include <stdbool.h>
#include <stddef.h>

#include "sim.h"

enum sim_check_kind { SIM_OF_SERVICE, SIM_OF_MAINTENANCE, SIM_OF_NODE };

struct sim_check {
    const char *address;
    unsigned twin; /* of those of one address in one cluster, from 0 */
    enum sim_check_kind kind;
    enum sim_view status; /* SIM_ANY: passing */
};

#define SIM_CHECKS_MAX (2 * SIM_INSTANCES_MAX)

/* How many of the list have the address of its k-th before it. */
unsigned sim_twin_of(const struct sim_instance *list, size_t k);

/* All checks of one cluster but those of its nodes that are passing. Returns how many. */
size_t sim_checks_of(const struct sim_instance *list, size_t count,
                     struct sim_check out[static SIM_CHECKS_MAX]);

/* Do the checks change from one list to the other? `touched`: those of which status. */
bool sim_checks_change(const struct sim_instance *from, size_t from_count,
                       const struct sim_instance *to, size_t to_count,
                       bool touched[static SIM_VIEWS]);

/* Is one that was registered no longer so? */
bool sim_someone_left(const struct sim_instance *from, size_t from_count,
                      const struct sim_instance *to, size_t to_count);

#endif
