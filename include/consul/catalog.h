/*
 * catalog.h - what is registered: Consul's words for it, as URLs and as values. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONSUL_CATALOG_H
#define CONSUL_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "consul/check_rows.h"
#include "model/admission.h"
#include "model/consul_report.h"

struct config;
struct error;
struct httpc_reply;

/* How a read is made. index > 0: wait for something newer, at most wait_ms. */
struct catalog_read {
    uint64_t index;
    int64_t wait_ms;
    bool authoritative; /* from the leader: never stale, whatever consul.consistency says */
    bool consistent;    /* and with a quorum check */
};

/* Appends "/v1/catalog/services?..." or "/v1/health/service/<service>?...". */
bool catalog_services_path(struct buf *out, const struct config *c,
                           const struct catalog_read *read) MUST_CHECK;
bool catalog_health_path(struct buf *out, const struct config *c, const char *service,
                         const struct catalog_read *read) MUST_CHECK;

/* Appends "/v1/health/state/<state>?...": all checks ("any") or those of one status, of services with
 * our prefix; `of_nodes`: and the checks of whole nodes. A filter saves bytes, never wake-ups. */
bool catalog_checks_path(struct buf *out, const struct config *c, const char *state, bool of_nodes,
                         const struct catalog_read *read) MUST_CHECK;

/* Longest such a request may take: Consul adds up to wait/16 of its own, and holds a request up
 * to 7 s when there is no leader (agent/consul/rpc.go RPCQueryTimeout, canRetry). */
int64_t catalog_timeout_ms(const struct catalog_read *read);

/* Is the reply a complete answer at all? 200, with an index, by a server that knows its leader
 * (streaming replies never fill that in). */
bool catalog_reply_ok(const struct httpc_reply *reply, struct error *reterr) MUST_CHECK;

/* May ACLs have cut this reply, so that "nothing there" proves nothing? Consul marks such replies,
 * but not for the anonymous token (agent/consul/rpc.go maskResultsFilteredByACLs); `has_token`:
 * whether we sent one of our own. */
bool catalog_maybe_cut(const struct httpc_reply *reply, bool has_token);

/* Calls `visit` with every service name of a /v1/catalog/services body, NUL-terminated. */
bool catalog_parse_services(const struct httpc_reply *reply,
                            void (*visit)(const char *name, void *arg), void *arg,
                            struct error *reterr) MUST_CHECK;

struct catalog_health {
    struct instance *instances; /* with an address that can be served */
    size_t count;
    size_t unusable;                  /* registered under exactly this name, but not servable */
    unsigned skipped[INSTANCE_SKIPS]; /* the same by reason */
    char example[256];                /* of those: which, and why */
    uint64_t *nodes; /* hash_bytes() of the names of all their nodes, with repetitions */
    size_t node_count;
    struct buf reports;          /* of all of them, in the reply's order, not judged (report.h) */
    bool unchecked;              /* one of them has no check of its own */
    struct rows_sum rows[VIEWS]; /* their checks, as each of these lists would show them */
};

/* The instances of exactly `service`: Consul finds names without regard to case, so rows of
 * another spelling are dropped. A reply that may have been cut by ACLs is an error, for it looks
 * like "nothing registered". On success pair with catalog_health_clear(). */
bool catalog_parse_health(const struct httpc_reply *reply, const struct config *c,
                          const char *service, bool has_token, struct catalog_health *out,
                          struct error *reterr) MUST_CHECK;
void catalog_health_clear(struct catalog_health *h);

#endif
