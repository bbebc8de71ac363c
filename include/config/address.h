/*
 * address.h - the three kinds of address a config may hold, taken apart.
 *
 * All parsers are pure; on failure *reterr says what would be right and nothing else is written.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONFIG_ADDRESS_H
#define CONFIG_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attrs.h"

struct error;

/* Where we listen: a literal IP (0.0.0.0 and [::] for all) and a port. */
struct listen_address {
    struct sockaddr_storage sockaddr;
    socklen_t len;
    char host[64]; /* without brackets */
    uint16_t port;
    bool wildcard;
};

bool listen_address_parse(const char *text, struct listen_address *out,
                          struct error *reterr) MUST_CHECK;

/*
 * Where Consul's HTTP API is: "host:port", "http://...", "https://...", "unix:///path", as in
 * Consul's own client (api.go, NewClient). A path behind the host is a prefix of every URL.
 */
#define CONSUL_URL_MAX 512

struct consul_address {
    char base_url[CONSUL_URL_MAX];    /* "http://host:port/prefix", no trailing slash */
    char host[CONSUL_URL_MAX];        /* "" with a unix socket */
    char unix_socket[CONSUL_URL_MAX]; /* "" without */
    bool tls;
};

/* `force_tls` makes a plain address https (CONSUL_HTTP_SSL). */
bool consul_address_parse(const char *text, bool force_tls, struct consul_address *out,
                          struct error *reterr) MUST_CHECK;

/* What others reach us by: "host" or "host:port"; port 0 when not given. */
struct advertise_address {
    char host[256]; /* literal IP without brackets, or a host name */
    uint16_t port;
};

bool advertise_address_parse(const char *text, struct advertise_address *out,
                             struct error *reterr) MUST_CHECK;

#endif
