/* SPDX-License-Identifier: Apache-2.0 */
#include "consul/connection.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"

#define CONNECT_TIMEOUT_MS 3000L

/* CONSUL_TLS_SERVER_NAME is the name of SNI and verification: make it the URL's host and tell
 * curl where that really is. */
static bool set_base_url(struct connection *c, struct error *reterr)
{
    const struct consul_address *a = &c->config->consul.target;
    const char *name = c->config->consul.tls.server_name;
    (void)snprintf(c->base_url, sizeof c->base_url, "%s", a->base_url);
    if (name[0] == '\0' || !a->tls)
        return true;
    const char *rest = a->base_url + strlen("https://");
    size_t authority = strcspn(rest, "/");
    const char *port = rest + authority;
    while (*port != ':')
        port--;
    int port_len = (int)(rest + authority - port);
    struct buf mapping;
    buf_init(&mapping, 2 * CONSUL_URL_MAX);
    int n = snprintf(c->base_url, sizeof c->base_url, "https://%s%s", name, port);
    bool fits = n > 0 && (size_t)n < sizeof c->base_url;
    if (fits && buf_printf(&mapping, "%s%.*s:%.*s", name, port_len, port, (int)authority, rest))
        c->connect_to = curl_slist_append(NULL, buf_text(&mapping));
    buf_clear(&mapping);
    if (c->connect_to == NULL)
        return error_set(reterr, "cannot use consul.tls.server_name \"%s\"", name);
    return true;
}

/* On this host packing a reply costs more than it saves: the names of 10,000 services take 78 ms of
 * Consul's CPU time instead of 20 (Consul 1.22, measured). */
static bool is_here(const struct consul_address *a)
{
    static const char *const hosts[] = {"127.", "localhost:", "[::1]:"};
    const char *host = strstr(a->base_url, "://") + 3;
    bool here = a->unix_socket[0] != '\0';
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        here |= strncmp(host, hosts[i], strlen(hosts[i])) == 0;
    return here;
}

bool connection_init(struct connection *c, const struct config *config, struct error *reterr)
{
    *c = (struct connection){.config = config, .compress = !is_here(&config->consul.target)};
    return set_base_url(c, reterr);
}

void connection_clear(struct connection *c)
{
    curl_slist_free_all(c->connect_to);
    c->connect_to = NULL;
}

/* curl_easy_setopt() for a string that may be empty, which means "leave the default". */
static CURLcode set_text(CURL *easy, CURLoption option, const char *text)
{
    return text[0] == '\0' ? CURLE_OK : curl_easy_setopt(easy, option, text);
}

static CURLcode set_tls(CURL *easy, const struct config *c)
{
    CURLcode rc = CURLE_OK;
    bool own_ca = c->consul.tls.ca_file[0] != '\0' || c->consul.tls.ca_path[0] != '\0';
    if (own_ca) {
        /* Only the named ones: curl would trust the system's beside them. */
        rc |= curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
        rc |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        rc |= set_text(easy, CURLOPT_CAINFO, c->consul.tls.ca_file);
        rc |= set_text(easy, CURLOPT_CAPATH, c->consul.tls.ca_path);
    }
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Else a replaced ca_file is not looked at for a day. */
    rc |= curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
#endif
    rc |= set_text(easy, CURLOPT_SSLCERT, c->consul.tls.cert_file);
    rc |= set_text(easy, CURLOPT_SSLKEY, c->consul.tls.key_file);
    rc |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, c->consul.tls.verify ? 1L : 0L);
    rc |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, c->consul.tls.verify ? 2L : 0L);
    return rc;
}

CURLcode connection_apply(const struct connection *connection, CURL *easy)
{
    const struct config *c = connection->config;
    CURLcode rc = CURLE_OK;
    rc |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    rc |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    rc |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    rc |= curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* not the environment's */
    /* Over TLS what both sides speak; without, Consul knows no HTTP/2. A further connection is only
     * made when the streams of the first are used up. */
    long version = c->consul.target.tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;
    rc |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);
    rc |= curl_easy_setopt(easy, CURLOPT_PIPEWAIT, c->consul.target.tls ? 1L : 0L);
    rc |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    rc |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    rc |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
    rc |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 10L);
    rc |= curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 30L);
    if (connection->compress)
        rc |= curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, ""); /* what curl can unpack */
    rc |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "nsaddrd/" NSADDRD_VERSION);
    rc |= set_text(easy, CURLOPT_UNIX_SOCKET_PATH, c->consul.target.unix_socket);
    if (connection->connect_to != NULL)
        rc |= curl_easy_setopt(easy, CURLOPT_CONNECT_TO, connection->connect_to);
    if (c->consul.http_auth != NULL) {
        rc |= curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        rc |= curl_easy_setopt(easy, CURLOPT_USERPWD, c->consul.http_auth);
    }
    return rc | set_tls(easy, c);
}
