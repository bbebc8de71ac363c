/*
 * identity.h - under which names and addresses we register. Pure; internal to announce.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ANNOUNCE_IDENTITY_H
#define ANNOUNCE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct config;

struct identity {
    char address[256]; /* that fabio uses; "": the address of the agent's node */
    uint16_t port;
    char check_url[512]; /* that the agent uses */
    char suffix[300];    /* "-<host>-<port>": tells replicas apart */
};

/*
 * In this order: register.advertise; the listen address, if it is a particular one; else the
 * address by which we reach Consul (`local_ip`); and when that is loopback (or "", a unix socket),
 * the agent is on this host: then its node's address is ours too, and the check goes to loopback.
 */
void identity_make(const struct config *config, const char *local_ip, struct identity *out);

/* "<register.name>[-<cluster-id>]<suffix>" and "<register.name>[-<cluster-id>]"; `cluster` NULL for
 * the parent. */
bool identity_service_id(const struct config *config, const struct identity *i, const char *cluster,
                         struct buf *out);
bool identity_service_name(const struct config *config, const char *cluster, struct buf *out);

/* register.tag for one cluster, or, with NULL, without its "<cluster-id>". */
bool identity_tag(const struct config *config, const char *cluster, struct buf *out);

#endif
