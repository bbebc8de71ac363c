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
struct strings;

/* At most `max` connections of each address outside of the networks `exempt` ("10.0.0.0/8"). */
struct per_address *per_address_new(unsigned max, const struct strings *exempt,
                                    struct error *reterr) MUST_CHECK;
void per_address_free(struct per_address *p);

/* One more of that address; false when it has too many (it is not counted then). Each true is to be
 * followed by one per_address_leave(). Without memory to count in: true. */
bool per_address_enter(struct per_address *p, const struct sockaddr *from);
void per_address_leave(struct per_address *p, const struct sockaddr *from);

#endif
