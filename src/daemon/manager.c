/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/manager.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "consul/httpc.h"
#include "daemon/daemon.h"
#include "model/consul_metrics.h"
#include "model/metrics.h"
#include "model/registry.h"
#include "model/table.h"
#include "serve/http.h"

#define COUNT_EVERY_MS 1000

struct counts {
    size_t of[CLUSTER_GONE + 1]; /* by state */
};

static bool count(const struct cluster *c, void *arg)
{
    struct counts *counts = arg;
    counts->of[c->state]++;
    return true;
}

/* "reading clusters: 3000 of 10000; ", or nothing once each was read. */
static void describe_reading(const struct daemon *d, char *out, size_t size)
{
    struct consul_report consul;
    metrics_consul(d->metrics, &consul);
    const struct consul_reading *now = &consul.reading;
    out[0] = '\0';
    if (now->unread > 0)
        (void)snprintf(out, size, "reading clusters: %" PRIu64 " of %" PRIu64 "; ",
                       now->clusters - now->unread, now->clusters);
}

static void count_clusters(struct daemon *d)
{
    struct counts n = {.of = {0}};
    const struct table *t = registry_acquire(d->registry, NULL);
    table_each(t, count, &n);
    table_unref(t);
    char reading[64];
    describe_reading(d, reading, sizeof reading);
    (void)snprintf(d->counted, sizeof d->counted,
                   "%sclusters: %zu live, %zu held, %zu restored, %zu without a list", reading,
                   n.of[CLUSTER_LIVE], n.of[CLUSTER_HELD], n.of[CLUSTER_RESTORED],
                   n.of[CLUSTER_UNREAD] + n.of[CLUSTER_EMPTY]);
}

/* One line for people. Thousands of clusters are not counted anew with every change. */
static void describe(struct daemon *d, enum service_phase phase, int64_t now_ms,
                     char out[static SERVICE_STATUS_SIZE])
{
    static const char *const doing[] = {
        [SERVICE_STARTING] = "waiting for the first complete read from Consul; ",
        [SERVICE_READY] = "",
        [SERVICE_STOPPING] = "stopping, answering those who still come; ",
    };
    const char *consul = !d->config->consul.enabled ? ""
                         : consul_metrics_is_up(httpc_metrics(d->httpc))
                             ? "; Consul answers"
                             : "; Consul gives no good answer";
    if (d->changed && (now_ms >= d->count_ms || phase != d->manager.phase)) {
        count_clusters(d);
        d->changed = false;
        d->count_ms = now_ms + COUNT_EVERY_MS;
    }
    (void)snprintf(out, SERVICE_STATUS_SIZE, "%s%s%s", doing[phase], d->counted, consul);
}

/* What is new to it. A thread that hangs keeps the watchdog waiting. */
void manager_tell(struct daemon *d)
{
    struct error error;
    char status[SERVICE_STATUS_SIZE];
    if (!service_manager_listens(&d->manager))
        return;
    int64_t now_ms = clock_mono_ms();
    struct registry_status registry = registry_status(d->registry);
    int64_t patience_ms = service_manager_patience_ms(&d->manager);
    struct service_state state = {
        .phase = registry.draining ? SERVICE_STOPPING
                 : registry.ready  ? SERVICE_READY
                                   : SERVICE_STARTING,
        .reloads_asked = d->reloads_asked,
        .reloads_done = d->reloads_done,
        .alive = httpc_alive(d->httpc, patience_ms) && http_alive(d->http, patience_ms),
        .status = status,
    };
    describe(d, state.phase, now_ms, status);
    bool ok = service_manager_tell(&d->manager, &state, now_ms, &error);
    if (!ok && !d->manager_fails)
        LOG_WARN("cannot tell the service manager, trying again", F_STR("error", error.text));
    d->manager_fails = !ok;
}

/* Where it listens for us takes the place of what is configured: it is what gets registered. */
static bool use_inherited(const struct inherited_sockets *all, bool admin, struct config *config,
                          struct error *reterr)
{
    const char *items[INHERITED_SOCKETS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < all->count; i++)
        if ((strcmp(all->items[i].name, "admin") == 0) == admin)
            items[n++] = all->items[i].address;
    return n == 0 || config_replace_list(config, admin ? "admin.listen" : "listen", items, n,
                                         "LISTEN_FDS", reterr);
}

bool manager_use_sockets(const struct daemon *d, struct config *config, struct error *reterr)
{
    return use_inherited(&d->inherited, false, config, reterr) &&
           use_inherited(&d->inherited, true, config, reterr);
}

bool manager_meet(struct daemon *d, struct error *reterr)
{
    struct error error;
    if (!service_manager_open(&d->manager, &error))
        LOG_WARN("the service manager cannot be told anything of it", F_STR("error", error.text));
    return service_manager_listen_fds(&d->inherited, reterr) &&
           manager_use_sockets(d, d->config, reterr);
}
