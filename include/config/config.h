/*
 * config.h - every setting of one run, checked and read-only.
 *
 * Values come from, in rising order: defaults, CONSUL_* variables, the file, NSADDRD_* variables,
 * -o. A config is built aside, checked whole and then never changed.
 *
 * Ownership  config_load() gives a new config; config_free() it. All pointers inside are its own.
 * Threads    Read-only after loading: any thread.
 * Units      *_ms are milliseconds.
 * Errors     One line: where (file:line, variable or -o), which key, what is wrong, what would be
 *            right. Nothing is half-applied.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/attrs.h"
#include "config/address.h"
#include "model/endpoint.h"

struct error;

enum accept { ACCEPT_PASSING, ACCEPT_WARNING };
enum consistency { CONSISTENCY_DEFAULT, CONSISTENCY_STALE, CONSISTENCY_CONSISTENT };
enum register_mode { REGISTER_PER_CLUSTER, REGISTER_SINGLE, REGISTER_OFF };

struct strings {
    char **items;
    size_t count;
};

struct static_cluster {
    char *id;
    struct endpoint *list; /* sorted, no duplicates, at least one */
    size_t count;
};

struct static_clusters {
    struct static_cluster *items;
    size_t count;
};

struct config {
    struct strings listen;
    struct {
        struct strings listen; /* empty: no admin listener */
    } admin;
    struct {
        int64_t threads; /* 0: one per core */
        int64_t max_connections;
        int64_t max_connections_per_address; /* 0: no limit */
        struct strings exempt_networks;      /* each can be read by network_parse() */
        int64_t header_timeout_ms;
        int64_t idle_timeout_ms;
    } http;
    struct {
        bool enabled;
        char *address;
        char *token;
        char *token_file;
        char *datacenter;
        char *namespace;
        char *partition;
        char *service_prefix;
        struct strings exclude;
        int64_t accept;
        char *address_from;
        int64_t consistency;
        int64_t wait_ms;
        int64_t max_watches;
        int64_t max_watches_http2;
        struct {
            char *ca_file;
            char *ca_path;
            char *cert_file;
            char *key_file;
            char *server_name;
            bool verify;
        } tls;
        char *http_auth;              /* "user:password", from CONSUL_HTTP_AUTH only */
        struct consul_address target; /* `address`, taken apart */
    } consul;
    struct {
        int64_t settle_ms;
        int64_t leave_delay_ms;
        int64_t gone_delay_ms;
    } admission;
    struct {
        int64_t mode;
        char *name;
        char *advertise;
        char *tag;
        struct strings tags;
        int64_t check_interval_ms;
        int64_t check_timeout_ms;
        int64_t deregister_after_ms;
        int64_t drain_ms;
    } reg; /* "register" is a word of C */
    struct static_clusters static_clusters;
    char *default_cluster;
    struct {
        char *dir;
    } state;
    struct {
        int64_t level;
        int64_t format;
    } log;
    char **origins; /* per option: where its value came from */
};

/* One -o argument, "key=value". */
struct config_overrides {
    const char **items;
    size_t count;
};

/* `path` NULL: no file. `environment` is a NULL-terminated "NAME=value" list such as environ. */
struct config *config_load(const char *path, char **environment,
                           const struct config_overrides *overrides,
                           struct error *reterr) MUST_CHECK;
void config_free(struct config *c);

/* Puts `items` in place of a list option's value, before the config is in use. `where` is what
 * errors call the place they come from. */
bool config_replace_list(struct config *c, const char *key, const char *const *items, size_t count,
                         const char *where, struct error *reterr) MUST_CHECK;

/* "file:line: key" of where a key's value came from, for errors that only show later. */
void config_where(const struct config *c, const char *key, char *out, size_t size);

/* Every option with its value, as a file that config_load() takes; secrets masked. */
bool config_print(const struct config *c, FILE *out);

/* The same as text. New, free() it; NULL: no memory. */
char *config_text(const struct config *c) MUST_CHECK;

/* Version of libconfig built against; the library does not tell its own. */
const char *config_library_version(void);

/* One line per option: name, type, "reload" or "restart" (what it takes to change it), default, help. */
bool config_print_options(FILE *out);

#endif
