/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/config.h"
#include "config/load.h"
#include "config/option.h"

static const char *lookup(char **environment, const char *name)
{
    size_t len = strlen(name);
    for (char **e = environment; *e != NULL; e++)
        if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
            return *e + len + 1;
    return NULL;
}

/* "consul.tls.ca_file" -> "NSADDRD_CONSUL_TLS_CA_FILE" */
static void variable_name(const struct option *o, char *out, size_t size)
{
    (void)snprintf(out, size, "NSADDRD_%s", o->name);
    for (char *c = out; *c != '\0'; c++)
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
}

/* A name that matches no option is passed over in silence: Kubernetes puts variables like
 * NSADDRD_SERVICE_HOST into every pod beside a service called nsaddrd. */
bool load_environment(struct loading *l, char **environment, struct error *reterr)
{
    for (size_t i = 0; i < option_count; i++) {
        char name[64];
        variable_name(&option_table[i], name, sizeof name);
        const char *text = lookup(environment, name);
        if (text == NULL)
            continue;
        struct error cause;
        if (!option_set_text(l->config, &option_table[i], text, &cause))
            return error_set(reterr, "%s: %s", name, cause.text);
        if (!loading_note(l, &option_table[i], RANK_ENV, name, reterr))
            return false;
    }
    return true;
}

/* Go's strconv.ParseBool: what Consul's own client takes. */
static bool parse_go_bool(const char *text, bool *out)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *out = strcmp(text, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

static bool read_bool(char **environment, const char *name, bool *present, bool *out,
                      struct error *reterr)
{
    const char *text = lookup(environment, name);
    *present = text != NULL && text[0] != '\0';
    if (!*present || parse_go_bool(text, out))
        return true;
    /* Consul's client would silently turn verification off here. */
    return error_set(reterr, "%s: \"%s\" is not a truth value; right is true or false", name, text);
}

bool load_consul_environment(struct loading *l, char **environment, struct error *reterr)
{
    static const struct {
        const char *variable;
        const char *key;
    } rows[] = {
        {"CONSUL_HTTP_ADDR", "consul.address"},
        {"CONSUL_HTTP_TOKEN", "consul.token"},
        {"CONSUL_HTTP_TOKEN_FILE", "consul.token_file"},
        {"CONSUL_CACERT", "consul.tls.ca_file"},
        {"CONSUL_CAPATH", "consul.tls.ca_path"},
        {"CONSUL_CLIENT_CERT", "consul.tls.cert_file"},
        {"CONSUL_CLIENT_KEY", "consul.tls.key_file"},
        {"CONSUL_NAMESPACE", "consul.namespace"},
        {"CONSUL_PARTITION", "consul.partition"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *text = lookup(environment, rows[i].variable);
        const struct option *o = option_find(rows[i].key, strlen(rows[i].key));
        if (text == NULL || text[0] == '\0')
            continue;
        if (!loading_set_text(l, o, RANK_CONSUL_ENV, rows[i].variable, text, reterr))
            return false;
    }

    const char *name = lookup(environment, "CONSUL_TLS_SERVER_NAME");
    if (name != NULL && name[0] != '\0') {
        char host[256];
        (void)snprintf(host, sizeof host, "%.*s", (int)strcspn(name, ":"), name);
        const struct option *o = option_find("consul.tls.server_name", 22);
        if (!loading_set_text(l, o, RANK_CONSUL_ENV, "CONSUL_TLS_SERVER_NAME", host, reterr))
            return false;
    }

    bool present, on = false;
    if (!read_bool(environment, "CONSUL_HTTP_SSL", &present, &on, reterr))
        return false;
    l->force_tls = present && on;
    if (!read_bool(environment, "CONSUL_HTTP_SSL_VERIFY", &present, &on, reterr))
        return false;
    if (present) {
        const struct option *o = option_find("consul.tls.verify", 17);
        if (!loading_set_text(l, o, RANK_CONSUL_ENV, "CONSUL_HTTP_SSL_VERIFY",
                              on ? "true" : "false", reterr))
            return false;
    }

    const char *auth = lookup(environment, "CONSUL_HTTP_AUTH");
    if (auth != NULL && auth[0] != '\0') {
        l->config->consul.http_auth = strdup(auth);
        if (l->config->consul.http_auth == NULL)
            return error_set(reterr, "out of memory");
    }
    return true;
}
