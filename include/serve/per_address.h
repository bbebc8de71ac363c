/*
 * per_address.h - how many connections one client address may hold. Internal to serve.
 *
 * IPv6 is counted by /64, which is what one host is given. Networks that stand for many clients
 * (fabio, NAT) can be exempt.
 *
 * Threads  Any.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_PER_ADDRESS_H
#define SERVE_PER_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/attrs.h"

struct error;
struct per_address;
struct per_address_rules;
struct strings;

/* At most `max` connections (0: no limit) of each address outside of the networks `exempt`
 * ("10.0.0.0/8"). NULL: no memory. */
struct per_address_rules *per_address_rules_new(unsigned max, const struct strings *exempt,
                                                struct error *reterr) MUST_CHECK;
/* NULL is allowed. */
void per_address_rules_free(struct per_address_rules *r);

/* The rules are stolen, on success. */
struct per_address *per_address_new(struct per_address_rules *rules,
                                    struct error *reterr) MUST_CHECK;
/* NULL is allowed. */
void per_address_free(struct per_address *p);

/* Other rules (stolen) from now on. Connections that the old ones did not count stay uncounted. */
void per_address_change(struct per_address *p, struct per_address_rules *rules);

/* One more of that address; false when it has too many. *counted: per_address_leave() is to follow,
 * whatever the rules are by then. Without memory to count in: true, and not counted. */
bool per_address_enter(struct per_address *p, const struct sockaddr *from, bool *counted);
void per_address_leave(struct per_address *p, const struct sockaddr *from);

#endif
