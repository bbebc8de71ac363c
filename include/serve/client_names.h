/*
 * client_names.h - which clients ask for lists, by what they call themselves.
 *
 * Every HTTP thread has names of its own and is the only one to write them; a name is there for
 * others as soon as it is whole. What a client sends is kept as it is, cut: whoever shows it escapes
 * it. Of more names than there is room for, the rest is counted together.
 *
 * Ownership  client_names_new() gives new ones, client_names_free() all of a list.
 * Threads    note: the thread they belong to. total: any. new, free: main.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_CLIENT_NAMES_H
#define SERVE_CLIENT_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

#define CLIENT_NAMES_MAX 32
#define CLIENT_VERSION_SIZE 25
#define CLIENT_AGENT_SIZE 41

struct client_names;

/* One more thread's, in front of `list`, which may be NULL. NULL: no memory. */
struct client_names *client_names_new(struct client_names *list) MUST_CHECK;
void client_names_free(struct client_names *list);

/* A request for a list by who sends these headers; NULL: not sent. */
void client_names_note(struct client_names *n, const char *client_version, const char *user_agent);

struct client_name {
    uint64_t requests;
    char version[CLIENT_VERSION_SIZE]; /* Client-Version, "" when there was none */
    char agent[CLIENT_AGENT_SIZE];     /* User-Agent */
};

struct client_totals {
    struct client_name names[CLIENT_NAMES_MAX]; /* most requests first */
    size_t count;
    uint64_t others; /* requests of further names */
};

/* Of all threads of a list together. */
void client_names_total(const struct client_names *list, struct client_totals *out);

#endif
