/*
 * option_table.c - every option: one row each.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>

#include "config/config.h"
#include "config/option.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static const char *const accept_words[] = {"passing", "warning", NULL};
static const char *const consistency_words[] = {"default", "stale", "consistent", NULL};
static const char *const mode_words[] = {"per-cluster", "single", "off", NULL};
static const char *const level_words[] = {"debug", "info", "warn", "error", NULL};
static const char *const format_words[] = {"logfmt", "json", NULL};

#define AT(field) .offset = offsetof(struct config, field)
/* clang-format off: it takes a row for a block */
#define RELOAD true
#define RESTART false
#define ROW(r, n, t, f, d, h)                                                                      \
    .reloadable = (r), .name = (n), .type = (t), AT(f), .def = (d), .help = (h)
#define STRING(r, n, f, d, h)                                                                      \
    {                                                                                              \
        ROW(r, n, OPTION_STRING, f, d, h)                                                          \
    }
#define STRINGS(r, n, f, d, h)                                                                     \
    {                                                                                              \
        ROW(r, n, OPTION_STRINGS, f, d, h)                                                         \
    }
#define BOOL(r, n, f, d, h)                                                                        \
    {                                                                                              \
        ROW(r, n, OPTION_BOOL, f, d, h)                                                            \
    }
#define INT(r, n, f, d, lo, hi, h)                                                                 \
    {                                                                                              \
        ROW(r, n, OPTION_INT, f, d, h), .min = (lo), .max = (hi)                                   \
    }
#define DURATION(r, n, f, d, lo, hi, h)                                                            \
    {                                                                                              \
        ROW(r, n, OPTION_DURATION, f, d, h), .min = (lo), .max = (hi)                              \
    }
#define ENUM(r, n, f, d, w, h)                                                                     \
    {                                                                                              \
        ROW(r, n, OPTION_ENUM, f, d, h), .words = (w)                                              \
    }
#define SECRET(r, n, f, d, h)                                                                      \
    {                                                                                              \
        ROW(r, n, OPTION_STRING, f, d, h), .secret = true                                          \
    }
#define CLUSTERS(r, n, f, d, h)                                                                    \
    {                                                                                              \
        ROW(r, n, OPTION_CLUSTERS, f, d, h)                                                        \
    }
/* clang-format on */

/* Rows of one group stand together: config_print() writes them in this order. */
const struct option option_table[] = {
    STRINGS(RESTART, "listen", listen, "0.0.0.0:8080", "where clients ask: one address or a list"),
    STRINGS(RESTART, "admin.listen", admin.listen, "127.0.0.1:8081",
            "health, metrics and status; \"\" turns it off"),
    INT(RESTART, "http.threads", http.threads, "0", 0, 64,
        "threads that answer; 0 means one per core"),
    INT(RESTART, "http.max_connections", http.max_connections, "10000", 16, 1000000,
        "open connections of clients at most; for another the slowest is dropped"),
    INT(RELOAD, "http.max_connections_per_address", http.max_connections_per_address, "0", 0,
        1000000, "open connections of one client address (IPv6: /64) at most; 0 means no limit"),
    STRINGS(RELOAD, "http.exempt_networks", http.exempt_networks, "",
            "not held to it: addresses of proxies and NAT, such as \"10.0.0.0/8\""),
    DURATION(RELOAD, "http.header_timeout", http.header_timeout_ms, "10s", SECOND, HOUR,
             "a request must be there, and its answer taken, within this time"),
    DURATION(RELOAD, "http.idle_timeout", http.idle_timeout_ms, "60s", SECOND, HOUR,
             "a connection without a request for this long is closed; fabio keeps its own for 15s"),
    BOOL(RESTART, "consul.enabled", consul.enabled, "true",
         "watch Consul; false leaves static_clusters"),
    STRING(RESTART, "consul.address", consul.address, "http://127.0.0.1:8500",
           "Consul's HTTP API: http://, https://, host:port or unix:///path"),
    SECRET(RELOAD, "consul.token", consul.token, "", "ACL token"),
    STRING(RELOAD, "consul.token_file", consul.token_file, "",
           "file with the ACL token; read again after a 403 and on SIGHUP"),
    STRING(RESTART, "consul.datacenter", consul.datacenter, "",
           "watch this datacenter; \"\" is the agent's"),
    STRING(RESTART, "consul.namespace", consul.namespace, "", "Consul Enterprise namespace"),
    STRING(RESTART, "consul.partition", consul.partition, "", "Consul Enterprise partition"),
    STRING(RESTART, "consul.service_prefix", consul.service_prefix, "nameServer",
           "a cluster's NameServers are the service <prefix><cluster-id>"),
    STRINGS(RELOAD, "consul.exclude", consul.exclude, "", "cluster ids that are not served"),
    ENUM(RELOAD, "consul.accept", consul.accept, "passing", accept_words,
         "worst check status an instance may have: passing or warning"),
    STRING(RELOAD, "consul.address_from", consul.address_from, "auto",
           "auto (service, else node), service, node, lan, wan or a tagged address"),
    ENUM(RELOAD, "consul.consistency", consul.consistency, "default", consistency_words,
         "of the watches: default, stale or consistent; confirming reads are never stale"),
    DURATION(RELOAD, "consul.wait", consul.wait_ms, "55s", SECOND, 10 * MINUTE,
             "how long one blocking query waits for a change"),
    INT(RELOAD, "consul.max_watches", consul.max_watches, "100", 0, 10000,
        "with more clusters than this Consul is asked by four connections, not one for each"),
    INT(RELOAD, "consul.max_watches_http2", consul.max_watches_http2, "2000", 0, 10000,
        "the same where Consul speaks TLS, and so HTTP/2: 250 clusters share a connection"),
    STRING(RESTART, "consul.tls.ca_file", consul.tls.ca_file, "", "CA certificates (PEM) to trust"),
    STRING(RESTART, "consul.tls.ca_path", consul.tls.ca_path, "",
           "folder of hashed CA certificates"),
    STRING(RESTART, "consul.tls.cert_file", consul.tls.cert_file, "", "client certificate (PEM)"),
    STRING(RESTART, "consul.tls.key_file", consul.tls.key_file, "", "its private key (PEM)"),
    STRING(RESTART, "consul.tls.server_name", consul.tls.server_name, "",
           "name that the server's certificate must have; \"\" is the host"),
    BOOL(RESTART, "consul.tls.verify", consul.tls.verify, "true",
         "verify the server's certificate"),
    DURATION(RELOAD, "admission.settle", admission.settle_ms, "2s", 0, HOUR,
             "an instance in maintenance leaves after this; also between confirming reads"),
    DURATION(RELOAD, "admission.leave_delay", admission.leave_delay_ms, "30s", 0, DAY,
             "a failing or deregistered instance leaves after this"),
    DURATION(RELOAD, "admission.gone_delay", admission.gone_delay_ms, "5m", 0, 7 * DAY,
             "a cluster with nothing registered is held for this, then unknown"),
    ENUM(RESTART, "register.mode", reg.mode, "per-cluster", mode_words,
         "register ourselves in Consul: per-cluster, single or off"),
    STRING(RESTART, "register.name", reg.name, "nameSvrIndex", "name of our own service"),
    STRING(RESTART, "register.advertise", reg.advertise, "",
           "host or host:port that fabio reaches us by; \"\" is the listen address or the node's"),
    STRING(RELOAD, "register.tag", reg.tag, "urlprefix-/rocketmq/<cluster-id>",
           "fabio's route; single mode leaves <cluster-id> out"),
    STRINGS(RELOAD, "register.tags", reg.tags, "", "further tags"),
    DURATION(RELOAD, "register.check_interval", reg.check_interval_ms, "5s", SECOND, HOUR,
             "how often Consul checks us"),
    DURATION(RELOAD, "register.check_timeout", reg.check_timeout_ms, "2s", 100, HOUR,
             "how long Consul waits for our answer"),
    DURATION(RELOAD, "register.deregister_after", reg.deregister_after_ms, "30m", MINUTE, 30 * DAY,
             "Consul forgets us when critical for this long"),
    DURATION(RELOAD, "register.drain", reg.drain_ms, "5s", 0, HOUR,
             "how long to answer on after deregistering, or with mode off after SIGTERM"),
    CLUSTERS(RELOAD, "static_clusters", static_clusters, "",
             "clusters with a fixed list; they win over Consul"),
    STRING(RELOAD, "default_cluster", default_cluster, "",
           "the cluster that /rocketmq/nsaddr gives"),
    STRING(RESTART, "state.dir", state.dir, "",
           "folder that keeps the last good lists; \"\" keeps none"),
    ENUM(RELOAD, "log.level", log.level, "info", level_words, "debug, info, warn or error"),
    ENUM(RELOAD, "log.format", log.format, "logfmt", format_words, "logfmt or json"),
};
const size_t option_count = sizeof option_table / sizeof option_table[0];
