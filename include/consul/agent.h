/*
 * agent.h - our own services at the local agent: Consul's words for it. Pure.
 *
 * Rules from agent/structs/service_definition.go and agent/agent.go of Consul 1.22: unknown fields
 * are refused; registering the same again restarts the HTTP check, so the caller compares first;
 * an alias check names the *ID* of the service it follows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONSUL_AGENT_H
#define CONSUL_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

struct buf;
struct error;
struct httpc_reply;

struct agent_service {
    const char *id;
    const char *name;
    const char *owner;   /* Meta.owner: the parent's ID, on parent and children */
    const char *address; /* "": the node's */
    uint16_t port;
    const char *const *tags;
    size_t tag_count;
    /* Exactly one check: an HTTP check of `check_url`, or else an alias of service `alias_of`. */
    const char *check_url;
    const char *alias_of;
    int64_t interval_ms;
    int64_t timeout_ms;
    int64_t deregister_after_ms;
};

/* Paths of the calls, IDs encoded. */
#define AGENT_REGISTER_PATH "/v1/agent/service/register?replace-existing-checks=true"
bool agent_deregister_path(struct buf *out, const char *service_id) MUST_CHECK;
bool agent_maintenance_path(struct buf *out, const char *service_id, bool enable) MUST_CHECK;
bool agent_services_path(struct buf *out, const char *owner) MUST_CHECK;
bool agent_checks_path(struct buf *out, const char *name_prefix) MUST_CHECK;
/* 404 if the agent does not have it. */
bool agent_service_path(struct buf *out, const char *service_id) MUST_CHECK;
bool agent_catalog_path(struct buf *out, const char *service) MUST_CHECK;

/* The body of a registration. Its Meta carries a hash of itself, so that any difference between
 * what we want and what the agent has is one comparison. */
bool agent_register_body(const struct agent_service *s, struct buf *out) MUST_CHECK;

/* What the agent has. */
struct agent_view;

/* From the replies to the paths above; both must be 200. `checks_reply` may be NULL (then every
 * check counts as missing). agent_view_free() it. NULL with *reterr filled. */
struct agent_view *agent_view_new(const struct httpc_reply *services_reply,
                                  struct error *reterr) MUST_CHECK;
bool agent_view_add_checks(struct agent_view *v, const struct httpc_reply *reply,
                           struct error *reterr) MUST_CHECK;
void agent_view_free(struct agent_view *v);

/* Is there a service with that ID? */
bool agent_view_lists(const struct agent_view *v, const char *service_id);

/* Is `s` there exactly so, with its check? */
bool agent_view_has(const struct agent_view *v, const struct agent_service *s);

/* Is the service in the maintenance that we put it into ourselves? */
bool agent_view_in_own_maintenance(const struct agent_view *v, const char *service_id);

/* Calls `visit` with the ID of every service of `owner`. */
void agent_view_each(const struct agent_view *v, const char *owner,
                     void (*visit)(const char *service_id, void *arg), void *arg);

/* Version of cJSON in use. */
const char *agent_library_version(void);

/* Does a /v1/health/service body list that service ID? */
bool agent_catalog_lists(const struct httpc_reply *reply, const char *service_id);

#endif
