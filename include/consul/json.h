/*
 * json.h - reading Consul's JSON without trusting it. Internal to the consul room.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONSUL_JSON_H
#define CONSUL_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"

struct error;

/* The whole body as one value, nothing behind it. cJSON_Delete() it. NULL with *reterr filled. */
cJSON *json_parse(const char *body, size_t len, struct error *reterr) MUST_CHECK;

/* The member of that exact name, or NULL when it is missing or there twice. */
const cJSON *json_member(const cJSON *object, const char *name);

/* Is a name there twice, so that nobody can tell which value is meant? */
bool json_has_duplicates(const cJSON *object);

/* The same when it is a string, else NULL. */
const char *json_string(const cJSON *object, const char *name);

/* A whole number of 0..65535, else -1. */
long json_port(const cJSON *item);

#endif
