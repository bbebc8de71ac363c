/*
 * connection.h - how Consul is reached: its URL, and the options of libcurl that go with the
 * config. Internal to httpc.
 *
 * Ownership  struct connection is embedded; connection_clear() frees what it holds. The config is
 *            borrowed.
 * Threads    One at a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONSUL_CONNECTION_H
#define CONSUL_CONNECTION_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "config/address.h"

struct config;
struct error;

struct connection {
    const struct config *config;
    char base_url[CONSUL_URL_MAX];
    struct curl_slist *connect_to;
    bool compress; /* replies may be */
};

bool connection_init(struct connection *c, const struct config *config,
                     struct error *reterr) MUST_CHECK;
void connection_clear(struct connection *c);

/* Not CURLE_OK: out of memory, or an option this libcurl does not have. */
CURLcode connection_apply(const struct connection *c, CURL *easy) MUST_CHECK;

#endif
