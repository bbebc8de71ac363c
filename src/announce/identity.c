/* SPDX-License-Identifier: Apache-2.0 */
#include "announce/identity.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"

#define PLACEHOLDER "<cluster-id>"

static bool is_loopback(const char *ip)
{
    return ip[0] == '\0' || strncmp(ip, "127.", 4) == 0 || strcmp(ip, "::1") == 0;
}

/* IDs go into URLs and logs: an IPv6 address' colons become dashes. */
static void make_suffix(struct identity *i, const char *host)
{
    (void)snprintf(i->suffix, sizeof i->suffix, "-%s-%u", host, (unsigned)i->port);
    for (char *c = i->suffix; *c != '\0'; c++)
        if (*c == ':' || *c == '%')
            *c = '-';
}

static void make_check_url(struct identity *i, const char *host, uint16_t port)
{
    bool v6 = strchr(host, ':') != NULL;
    (void)snprintf(i->check_url, sizeof i->check_url, "http://%s%s%s:%u/readyz", v6 ? "[" : "",
                   host, v6 ? "]" : "", (unsigned)port);
}

void identity_make(const struct config *config, const char *local_ip, struct identity *out)
{
    struct error ignored; /* both were checked when the config was loaded */
    struct listen_address listen;
    struct advertise_address advertise;
    struct identity i = {.port = 0};
    if (!listen_address_parse(config->listen.items[0], &listen, &ignored))
        return;
    i.port = listen.port;

    if (config->reg.advertise[0] != '\0') {
        if (!advertise_address_parse(config->reg.advertise, &advertise, &ignored))
            return;
        if (advertise.port != 0)
            i.port = advertise.port;
        (void)snprintf(i.address, sizeof i.address, "%s", advertise.host);
    } else if (!listen.wildcard) {
        (void)snprintf(i.address, sizeof i.address, "%s", listen.host);
    } else if (!is_loopback(local_ip)) {
        (void)snprintf(i.address, sizeof i.address, "%s", local_ip);
    }

    if (i.address[0] != '\0') {
        make_suffix(&i, i.address);
        make_check_url(&i, i.address, i.port);
    } else {
        char host[256] = "localhost";
        (void)gethostname(host, sizeof host - 1); /* keeps the default when it fails */
        host[sizeof host - 1] = '\0';
        make_suffix(&i, host);
        make_check_url(&i, strchr(listen.host, ':') != NULL ? "::1" : "127.0.0.1", listen.port);
    }
    *out = i;
}

bool identity_service_name(const struct config *config, const char *cluster, struct buf *out)
{
    (void)buf_append_str(out, config->reg.name);
    if (cluster != NULL)
        (void)buf_printf(out, "-%s", cluster);
    return !out->failed;
}

bool identity_service_id(const struct config *config, const struct identity *i, const char *cluster,
                         struct buf *out)
{
    return identity_service_name(config, cluster, out) && buf_append_str(out, i->suffix);
}

bool identity_tag(const struct config *config, const char *cluster, struct buf *out)
{
    const char *tag = config->reg.tag;
    const char *place = strstr(tag, PLACEHOLDER);
    if (place == NULL)
        return false;
    (void)buf_append(out, tag, (size_t)(place - tag));
    if (cluster != NULL)
        (void)buf_printf(out, "%s%s", cluster, place + strlen(PLACEHOLDER));
    else
        /* What follows the path are fabio's options: they hold for the one route too. */
        (void)buf_append_str(out, place + strlen(PLACEHOLDER));
    return !out->failed;
}
