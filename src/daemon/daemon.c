/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/daemon.h"

#include "announce/announce.h"
#include "base/clock.h"
#include "config/config.h"
#include "consul/agent.h"
#include "consul/httpc.h"
#include "daemon/events.h"
#include "model/metrics.h"
#include "model/registry.h"
#include "serve/http.h"
#include "source/merge.h"
#include "source/source.h"
#include "source/spool.h"

void daemon_init(struct daemon *d, struct arguments *arguments, struct config *config)
{
    *d = (struct daemon){.config = config,
                         .first = config,
                         .arguments = arguments,
                         .signals = -1,
                         .event = -1,
                         .manager = {.fd = -1},
                         .changed = true};
}

static void on_change(void *arg)
{
    const struct daemon *d = arg;
    announce_wake(d->announce);
    events_notify(arg);
}

bool daemon_start_sources(struct daemon *d, struct error *reterr)
{
    const struct build_info build = {
        .version = NSADDRD_VERSION,
        .mhd = http_library_version(),
        .curl = httpc_library_version(),
        .cjson = agent_library_version(),
        .libconfig = config_library_version(),
    };
    d->registry = registry_new(reterr);
    d->metrics = d->registry != NULL ? metrics_new(&build, clock_wall_ms(), reterr) : NULL;
    d->merge = d->metrics != NULL ? merge_new(d->registry, on_change, d, reterr) : NULL;
    d->httpc = d->merge != NULL ? httpc_new(d->config, reterr) : NULL;
    if (d->httpc == NULL)
        return false;
    metrics_add_consul(d->metrics, httpc_metrics(d->httpc));
    merge_count_in(d->merge, httpc_metrics(d->httpc));
    if (d->spool != NULL) {
        if (!spool_restore(d->spool, d->merge, d->registry, reterr))
            return false;
        spool_start(d->spool, d->httpc, d->merge);
    }
    d->sources = sources_start(d->config, d->httpc, d->merge, reterr);
    return d->sources != NULL;
}

bool daemon_start(struct daemon *d, struct error *reterr)
{
    const struct config *c = d->config;
    /* Only what Consul says is kept: without it nothing could ever confirm or end a list. */
    if (c->state.dir[0] != '\0' && c->consul.enabled && (d->spool = spool_open(c, reterr)) == NULL)
        return false;
    if (!daemon_start_sources(d, reterr))
        return false;
    d->http = http_start(c, d->registry, d->metrics, &d->inherited, reterr);
    if (d->http == NULL)
        return false;
    http_show_config(d->http, c, config_text(c));
    if (c->consul.enabled && c->reg.mode != REGISTER_OFF &&
        (d->announce = announce_new(c, d->httpc, d->registry, reterr)) == NULL)
        return false;
    return httpc_start(d->httpc, reterr);
}

void daemon_stop(struct daemon *d)
{
    if (d->httpc != NULL)
        httpc_stop(d->httpc);
    http_stop(d->http);
    announce_free(d->announce);
    sources_stop(d->sources);
    spool_close(d->spool);
    httpc_free(d->httpc);
    merge_free(d->merge);
    metrics_free(d->metrics);
    registry_free(d->registry);
    service_manager_close(&d->manager);
    config_free(d->reload.config);
    if (d->config != d->first)
        config_free(d->config);
}
