/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "config/config.h"
#include "config/load.h"
#include "config/option.h"
#include "model/cluster_id.h"
#include "model/network.h"

/* Of a service name's own part; Consul warns above 63 for the whole. */
#define NAME_MAX_BYTES 128

static enum rank rank_of(const struct loading *l, const char *key)
{
    return l->ranks[option_find(key, strlen(key)) - option_table];
}

static bool bad(const struct config *c, const char *key, struct error *reterr, const char *format,
                ...) PRINTF_LIKE(4, 5);

static bool bad(const struct config *c, const char *key, struct error *reterr, const char *format,
                ...)
{
    char text[ERROR_TEXT_MAX];
    char where[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    config_where(c, key, where, sizeof where);
    return error_set(reterr, "%s: %s", where, text);
}

static bool check_listen(const struct config *c, const char *key, const struct strings *list,
                         struct error *reterr)
{
    for (size_t i = 0; i < list->count; i++) {
        struct listen_address a;
        struct error cause;
        if (!listen_address_parse(list->items[i], &a, &cause))
            return bad(c, key, reterr, "%s", cause.text);
    }
    return true;
}

static bool check_listeners(const struct config *c, struct error *reterr)
{
    if (c->listen.count == 0)
        return bad(c, "listen", reterr,
                   "there is no address; right is at least one, such as \"0.0.0.0:8080\"");
    return check_listen(c, "listen", &c->listen, reterr) &&
           check_listen(c, "admin.listen", &c->admin.listen, reterr);
}

static bool check_networks(const struct config *c, struct error *reterr)
{
    struct network n;
    for (size_t i = 0; i < c->http.exempt_networks.count; i++)
        if (!network_parse(c->http.exempt_networks.items[i], &n))
            return bad(c, "http.exempt_networks", reterr,
                       "\"%s\" is not a network; right is an address, or its first one and a "
                       "number of bits, such as \"10.0.0.0/8\" or \"2001:db8::/32\"",
                       c->http.exempt_networks.items[i]);
    return true;
}

/* Characters that are safe in a URL path, a Consul service name and a fabio route. */
static bool plain_name(const char *text)
{
    return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
           strlen(text);
}

static bool printable(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if (*c < 0x20 || *c > 0x7e)
            return false;
    return true;
}

static bool check_readable(const struct config *c, const char *key, const char *path, bool folder,
                           struct error *reterr)
{
    struct stat st;
    if (path[0] == '\0')
        return true;
    if (stat(path, &st) != 0 || access(path, R_OK) != 0)
        return bad(c, key, reterr, "cannot read \"%s\": %s; right is a readable %s", path,
                   strerror(errno), folder ? "folder" : "file");
    if (S_ISDIR(st.st_mode) != folder)
        return bad(c, key, reterr, "\"%s\" is %s; right is a readable %s", path,
                   folder ? "not a folder" : "a folder", folder ? "folder" : "file");
    return true;
}

static bool check_tls(const struct config *c, struct error *reterr)
{
    bool cert = c->consul.tls.cert_file[0] != '\0';
    bool key = c->consul.tls.key_file[0] != '\0';
    if (cert != key)
        return bad(c, cert ? "consul.tls.cert_file" : "consul.tls.key_file", reterr,
                   "is set without %s; right is both or neither",
                   cert ? "consul.tls.key_file" : "consul.tls.cert_file");
    if (!plain_name(c->consul.tls.server_name))
        return bad(c, "consul.tls.server_name", reterr,
                   "\"%s\" is not a host name; right is the name in the server's certificate, such "
                   "as \"server.dc1.consul\"",
                   c->consul.tls.server_name);
    return check_readable(c, "consul.tls.ca_file", c->consul.tls.ca_file, false, reterr) &&
           check_readable(c, "consul.tls.ca_path", c->consul.tls.ca_path, true, reterr) &&
           check_readable(c, "consul.tls.cert_file", c->consul.tls.cert_file, false, reterr) &&
           check_readable(c, "consul.tls.key_file", c->consul.tls.key_file, false, reterr);
}

/* A token and a token file of different strength: the stronger one is meant, alone. */
static bool settle_token(struct loading *l, struct error *reterr)
{
    enum rank token = rank_of(l, "consul.token");
    enum rank file = rank_of(l, "consul.token_file");
    if (token == RANK_DEFAULT || file == RANK_DEFAULT || token == file)
        return true;
    const char *weaker = token > file ? "consul.token_file" : "consul.token";
    return option_set_text(l->config, option_find(weaker, strlen(weaker)), "", reterr);
}

static bool check_consul(struct loading *l, struct error *reterr)
{
    struct config *c = l->config;
    struct error cause;
    /* CONSUL_HTTP_SSL belongs to CONSUL_HTTP_ADDR: an address of our own config says itself. */
    bool force_tls = l->force_tls && rank_of(l, "consul.address") <= RANK_CONSUL_ENV;
    if (!consul_address_parse(c->consul.address, force_tls, &c->consul.target, &cause))
        return bad(c, "consul.address", reterr, "%s", cause.text);
    if (!settle_token(l, reterr) || !check_tls(c, reterr) ||
        !check_readable(c, "consul.token_file", c->consul.token_file, false, reterr))
        return false;
    if (!printable(c->consul.token))
        return bad(c, "consul.token", reterr, "has characters that no token has");
    size_t prefix = strlen(c->consul.service_prefix);
    if (!plain_name(c->consul.service_prefix) || prefix < 1 || prefix > NAME_MAX_BYTES)
        return bad(c, "consul.service_prefix", reterr,
                   "\"%.80s\" is not right; right is 1 to %d of A-Z a-z 0-9 . _ -",
                   c->consul.service_prefix, NAME_MAX_BYTES);
    if (!plain_name(c->consul.address_from) || c->consul.address_from[0] == '\0')
        return bad(c, "consul.address_from", reterr,
                   "\"%s\" is not right; right is auto, service, node, lan, wan or the name of a "
                   "tagged address",
                   c->consul.address_from);
    for (size_t i = 0; i < c->consul.exclude.count; i++)
        if (!cluster_id_valid(c->consul.exclude.items[i], strlen(c->consul.exclude.items[i])))
            return bad(c, "consul.exclude", reterr,
                       "\"%s\" is not a cluster id; right is 1 to %d of A-Z a-z 0-9 . _ -",
                       c->consul.exclude.items[i], CLUSTER_ID_MAX);
    return true;
}

/* fabio reads a tag up to its first quote or line end and then freezes its whole table. */
static bool tag_ok(const char *tag)
{
    return printable(tag) && strpbrk(tag, "\"[]{}*?") == NULL;
}

static bool check_register(const struct config *c, struct error *reterr)
{
    struct advertise_address a;
    struct error cause;
    if (c->reg.advertise[0] != '\0' && !advertise_address_parse(c->reg.advertise, &a, &cause))
        return bad(c, "register.advertise", reterr, "%s", cause.text);
    size_t name = strlen(c->reg.name);
    if (!plain_name(c->reg.name) || name < 1 || name > NAME_MAX_BYTES || c->reg.name[0] == '_')
        return bad(c, "register.name", reterr,
                   "\"%.80s\" is not right; right is 1 to %d of A-Z a-z 0-9 . _ -, not starting "
                   "with _",
                   c->reg.name, NAME_MAX_BYTES);
    if (!tag_ok(c->reg.tag) || strstr(c->reg.tag, "<cluster-id>") == NULL)
        return bad(c, "register.tag", reterr,
                   "\"%s\" is not right; right is a fabio tag with <cluster-id> in it, without "
                   "quotes and []{}*?, such as \"urlprefix-/rocketmq/<cluster-id>\"",
                   c->reg.tag);
    for (size_t i = 0; i < c->reg.tags.count; i++)
        if (!tag_ok(c->reg.tags.items[i]))
            return bad(c, "register.tags", reterr,
                       "\"%s\" is not right; right is printable text without quotes and []{}*?",
                       c->reg.tags.items[i]);
    /* Children carry the cluster id behind our own name; one that watches itself never ends. */
    if (c->reg.mode != REGISTER_OFF && c->consul.enabled &&
        strncmp(c->reg.name, c->consul.service_prefix, strlen(c->consul.service_prefix)) == 0)
        return bad(c, "register.name", reterr,
                   "\"%s\" starts with consul.service_prefix \"%s\", so we would serve ourselves "
                   "as a cluster; right is another name",
                   c->reg.name, c->consul.service_prefix);
    return true;
}

static bool check_state(const struct config *c, struct error *reterr)
{
    struct stat st;
    const char *dir = c->state.dir;
    if (dir[0] == '\0')
        return true;
    if (stat(dir, &st) != 0)
        return bad(c, "state.dir", reterr,
                   "\"%s\": %s; right is an existing folder that nsaddrd may write", dir,
                   strerror(errno));
    if (!S_ISDIR(st.st_mode) || access(dir, R_OK | W_OK | X_OK) != 0)
        return bad(c, "state.dir", reterr,
                   "\"%s\" is not a folder that nsaddrd may write; right is one that it may", dir);
    return true;
}

bool check_config(struct loading *l, struct error *reterr)
{
    const struct config *c = l->config;
    if (c->default_cluster[0] != '\0' &&
        !cluster_id_valid(c->default_cluster, strlen(c->default_cluster)))
        return bad(c, "default_cluster", reterr,
                   "\"%s\" is not a cluster id; right is 1 to %d of A-Z a-z 0-9 . _ -",
                   c->default_cluster, CLUSTER_ID_MAX);
    return check_listeners(c, reterr) && check_networks(c, reterr) && check_consul(l, reterr) &&
           check_register(c, reterr) && check_state(c, reterr);
}
