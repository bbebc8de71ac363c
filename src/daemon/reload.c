/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reload.h"

#include <unistd.h>

#include "announce/announce.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "config/argv.h"
#include "config/config.h"
#include "config/reload.h"
#include "consul/httpc.h"
#include "daemon/daemon.h"
#include "daemon/events.h"
#include "daemon/manager.h"
#include "model/metrics.h"
#include "serve/http.h"
#include "source/source.h"

#define DEFAULT_CONFIG "/etc/nsaddrd/nsaddrd.conf"

void reload_find_config(struct arguments *arguments)
{
    if (arguments->config_path == NULL && access(DEFAULT_CONFIG, F_OK) == 0)
        arguments->config_path = DEFAULT_CONFIG;
}

static void warn_of_restart(const struct config_change *change, void *arg)
{
    (void)arg;
    if (change->needs_a_restart)
        LOG_WARN("a changed option takes a restart, until then it stays as it was",
                 F_STR("option", change->key), F_STR("was", change->was), F_STR("is", change->is),
                 F_STR("where", change->where));
}

/* As at the start: the same file, environment and -o, and the same sockets of the service manager. */
static struct config *read_config(struct daemon *d, struct error *reterr)
{
    reload_find_config(d->arguments);
    struct config *c =
        config_load(d->arguments->config_path, environ, &d->arguments->overrides, reterr);
    if (c != NULL && manager_use_sockets(d, c, reterr) &&
        config_each_change(d->config, c, warn_of_restart, d, reterr) &&
        config_keep_started(c, d->config, reterr))
        return c;
    config_free(c);
    return NULL;
}

/* Everything that can fail. */
static bool prepare_reload(struct daemon *d, const struct config *c, struct error *reterr)
{
    if (!http_prepare_reload(d->http, c, reterr))
        return false;
    if (!httpc_prepare_reload(d->httpc, c, reterr))
        goto no_http;
    if (sources_prepare_reload(d->sources, c, reterr))
        return true;
    (void)httpc_end_reload(d->httpc, NULL);
no_http:
    http_end_reload(d->http, false);
    return false;
}

/* On the httpc thread, between its callbacks: nothing there holds anything of the old config. */
static void use_reload(void *arg)
{
    struct daemon *d = arg;
    struct reload *r = &d->reload;
    const struct config *c = r->config;
    r->used = prepare_reload(d, c, &r->error);
    if (r->used) {
        r->new_token = httpc_end_reload(d->httpc, c);
        http_end_reload(d->http, true);
        sources_end_reload(d->sources, c);
        announce_reload(d->announce, c);
    }
    atomic_store(&r->done, true);
    events_notify(d);
}

static void note_bad_config(struct daemon *d, const struct error *error)
{
    LOG_ERROR("SIGHUP: the config is not good, what was in use stays", F_STR("error", error->text));
    metrics_note_reload(d->metrics, false, clock_wall_ms());
}

static void list_change(const struct config_change *change, void *arg)
{
    struct buf *names = arg;
    LOG_INFO("option changed", F_STR("option", change->key), F_STR("was", change->was),
             F_STR("is", change->is), F_STR("where", change->where));
    (void)buf_printf(names, "%s%s", names->len > 0 ? " " : "", change->key);
}

/* All the others use it by now; here main does, and whoever main tells of it. What was logged before, or
 * will be, has this told. */
static void take_config(struct daemon *d, struct config *next)
{
    struct error error;
    struct buf names;
    struct config *old = d->config;
    d->config = next;
    buf_init(&names, 4096);
    int64_t level = old->log.level < next->log.level ? old->log.level : next->log.level;
    log_configure((enum log_level)level, (enum log_format)next->log.format);
    metrics_note_reload(d->metrics, true, clock_wall_ms());
    http_show_config(d->http, next, config_text(next));
    if (!config_each_change(old, next, list_change, &names, &error))
        LOG_WARN("cannot tell all that is changed", F_STR("error", error.text));
    const char *path = d->arguments->config_path;
    LOG_INFO("SIGHUP: config reloaded", F_STR("file", path != NULL ? path : "none"),
             F_STR("changed", names.len > 0 ? names.data : "nothing"));
    if (d->reload.new_token && next->consul.token_file[0] != '\0')
        LOG_INFO("SIGHUP: using the new token of the token file",
                 F_STR("file", next->consul.token_file));
    log_configure((enum log_level)next->log.level, (enum log_format)next->log.format);
    buf_clear(&names);
    if (old != d->first)
        config_free(old);
}

/* For what was asked meanwhile the config is read once more. */
static void begin_reload(struct daemon *d)
{
    struct reload *r = &d->reload;
    while (r->config == NULL && d->reloads_done != d->reloads_asked) {
        r->number = d->reloads_asked;
        r->config = read_config(d, &r->error);
        atomic_store(&r->done, false);
        if (r->config != NULL && httpc_post(d->httpc, use_reload, d))
            return;
        if (r->config != NULL)
            error_set(&r->error, "out of memory");
        config_free(r->config);
        r->config = NULL;
        note_bad_config(d, &r->error);
        d->reloads_done = r->number;
    }
}

void reload_end(struct daemon *d)
{
    struct reload *r = &d->reload;
    struct config *next = r->config;
    if (next == NULL || !atomic_load(&r->done))
        return;
    r->config = NULL;
    d->reloads_done = r->number;
    if (r->used) {
        take_config(d, next);
    } else {
        note_bad_config(d, &r->error);
        config_free(next);
    }
    begin_reload(d);
}

void reload_ask(struct daemon *d)
{
    d->reloads_asked++;
    begin_reload(d);
}
