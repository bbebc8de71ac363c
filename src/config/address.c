/* SPDX-License-Identifier: Apache-2.0 */
#include "config/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "base/error.h"

static bool parse_port(const char *text, uint16_t *out)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return false;
    long port = strtol(text, NULL, 10);
    if (port < 1 || port > 65535)
        return false;
    *out = (uint16_t)port;
    return true;
}

/* "host:port" or "[v6]:port" or, when the port may be missing, "host". Host without brackets. */
static bool split(const char *text, char *host, size_t size, const char **port)
{
    const char *start = text;
    const char *end;
    if (text[0] == '[') {
        start = text + 1;
        end = strchr(start, ']');
        if (end == NULL || (end[1] != ':' && end[1] != '\0'))
            return false;
        *port = end[1] == ':' ? end + 2 : NULL;
    } else {
        end = strchr(text, ':');
        if (end != NULL && strchr(end + 1, ':') != NULL)
            return false; /* an IPv6 address without brackets */
        *port = end != NULL ? end + 1 : NULL;
        if (end == NULL)
            end = text + strlen(text);
    }
    size_t len = (size_t)(end - start);
    if (len == 0 || len >= size)
        return false;
    memcpy(host, start, len);
    host[len] = '\0';
    return true;
}

bool listen_address_parse(const char *text, struct listen_address *out, struct error *reterr)
{
    struct listen_address a = {.port = 0};
    const char *port = NULL;
    struct in_addr v4;
    struct in6_addr v6;

    if (!split(text, a.host, sizeof a.host, &port) || port == NULL || !parse_port(port, &a.port))
        goto bad;
    if (text[0] != '[' && inet_pton(AF_INET, a.host, &v4) == 1) {
        struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(a.port), .sin_addr = v4};
        memcpy(&a.sockaddr, &sin, sizeof sin);
        a.len = sizeof sin;
        a.wildcard = v4.s_addr == htonl(INADDR_ANY);
    } else if (text[0] == '[' && inet_pton(AF_INET6, a.host, &v6) == 1) {
        struct sockaddr_in6 sin6 = {
            .sin6_family = AF_INET6, .sin6_port = htons(a.port), .sin6_addr = v6};
        memcpy(&a.sockaddr, &sin6, sizeof sin6);
        a.len = sizeof sin6;
        a.wildcard = IN6_IS_ADDR_UNSPECIFIED(&v6);
    } else {
        goto bad;
    }
    *out = a;
    return true;
bad:
    return error_set(reterr,
                     "\"%s\" is not an address to listen on; right is a literal IP and a port from "
                     "1 to 65535, such as \"0.0.0.0:8080\" or \"[::]:8080\"",
                     text);
}

static bool host_name_ok(const char *host)
{
    for (const char *c = host; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && *c != '.' && *c != '-' && *c != '_' && *c != ':')
            return false;
    return host[0] != '\0';
}

static bool parse_unix(const char *text, struct consul_address *a)
{
    const char *path = text + strlen("unix://");
    if (path[0] != '/' || strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return false;
    (void)snprintf(a->unix_socket, sizeof a->unix_socket, "%s", path);
    (void)snprintf(a->base_url, sizeof a->base_url, "http://localhost");
    return true;
}

bool consul_address_parse(const char *text, bool force_tls, struct consul_address *out,
                          struct error *reterr)
{
    struct consul_address a = {.tls = force_tls};
    const char *rest = text;

    if (strchr(text, '@') != NULL) /* not echoed: there may be a password in it */
        return error_set(reterr, "an address of Consul has no user and password in it; right is to "
                                 "set the variable CONSUL_HTTP_AUTH");
    if (strlen(text) >= CONSUL_URL_MAX - sizeof "https://:8500")
        goto bad;
    if (strncasecmp(text, "unix://", 7) == 0) {
        if (!parse_unix(text, &a))
            goto bad;
        *out = a;
        return true;
    }
    if (strncasecmp(text, "https://", 8) == 0) {
        a.tls = true;
        rest = text + 8;
    } else if (strncasecmp(text, "http://", 7) == 0) {
        rest = text + 7;
    } else if (strstr(text, "://") != NULL) {
        goto bad;
    }

    char authority[CONSUL_URL_MAX];
    size_t len = strcspn(rest, "/");
    memcpy(authority, rest, len);
    authority[len] = '\0';
    const char *prefix = rest + len;
    const char *port_text = NULL;
    uint16_t port = 8500;
    if (!split(authority, a.host, sizeof a.host, &port_text) || !host_name_ok(a.host) ||
        (port_text != NULL && !parse_port(port_text, &port)))
        goto bad;
    if (strspn(prefix, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._~-") !=
        strlen(prefix))
        goto bad;
    size_t prefix_len = strlen(prefix);
    while (prefix_len > 0 && prefix[prefix_len - 1] == '/')
        prefix_len--;
    bool v6 = strchr(a.host, ':') != NULL;
    int n = snprintf(a.base_url, sizeof a.base_url, "%s://%s%s%s:%u%.*s", a.tls ? "https" : "http",
                     v6 ? "[" : "", a.host, v6 ? "]" : "", (unsigned)port, (int)prefix_len, prefix);
    if (n < 0 || (size_t)n >= sizeof a.base_url)
        goto bad;
    *out = a;
    return true;
bad:
    return error_set(reterr,
                     "\"%s\" is not an address of Consul; right is \"http://host:8500\", "
                     "\"https://host:8501\", \"host:8500\" or \"unix:///path/to/socket\"",
                     text);
}

bool advertise_address_parse(const char *text, struct advertise_address *out, struct error *reterr)
{
    struct advertise_address a = {.port = 0};
    const char *port = NULL;
    struct in_addr v4;
    struct in6_addr v6;

    /* A bare IPv6 literal needs no brackets here: there is no port to tell it from. */
    bool bare_v6 = inet_pton(AF_INET6, text, &v6) == 1 && strlen(text) < sizeof a.host;
    if (bare_v6)
        (void)snprintf(a.host, sizeof a.host, "%s", text);
    else if (!split(text, a.host, sizeof a.host, &port) || !host_name_ok(a.host) ||
             (port != NULL && !parse_port(port, &a.port)))
        goto bad;
    if (inet_pton(AF_INET, a.host, &v4) == 1
            ? v4.s_addr == htonl(INADDR_ANY)
            : inet_pton(AF_INET6, a.host, &v6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&v6))
        goto bad;
    *out = a;
    return true;
bad:
    return error_set(reterr,
                     "\"%s\" cannot be advertised; right is an address that Consul and fabio reach "
                     "this host by, such as \"10.0.0.5\" or \"10.0.0.5:8080\"",
                     text);
}
