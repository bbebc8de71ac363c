/* SPDX-License-Identifier: Apache-2.0 */
#include "announce/reading.h"

#include "announce/calls.h"
#include "announce/inner.h"
#include "announce/report.h"
#include "announce/steps.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "consul/agent.h"
#include "model/registry.h"
#include "model/table.h"

#define RECONCILE_MS 10000
#define RECONCILE_SPREAD_PERCENT 20
#define RETRY_MS 2000
#define CATALOG_VERIFY_MS (5 * 60 * 1000)

static void fail_read(struct announce *a, const struct httpc_reply *reply, const char *doing,
                      const char *error)
{
    int64_t wait = RETRY_MS;
    consul_metrics_unusable(httpc_metrics(a->httpc), error);
    announce_refused(a, reply);
    if (pace_is_refusal(reply->status)) {
        int64_t rest = pace_refused(&a->pace, &a->jitter, httpc_now(a->httpc));
        wait = rest > wait ? rest : wait;
    }
    announce_fail_for(a, doing, error, wait);
}

static void on_verified(void *arg, const struct httpc_reply *reply)
{
    struct announce *a = arg;
    a->call = NULL;
    a->step = STEP_IDLE;
    bool listed = agent_catalog_lists(reply, a->who.parent_id);
    if (!listed && !a->unlisted)
        LOG_WARN("the agent has our registration, but Consul's catalog does not list it: may the "
                 "token write it?",
                 F_STR("service", a->who.parent_id));
    if (listed && a->unlisted)
        LOG_INFO("Consul's catalog lists our registration", F_STR("service", a->who.parent_id));
    a->unlisted = !listed;
    announce_go_on(a);
}

/* An agent says 200 to a registration that the servers refuse (agent/local/state.go). */
bool announce_verify(struct announce *a)
{
    struct buf path;
    int64_t now = httpc_now(a->httpc);
    if (now < a->verify_at_ms)
        return false;
    a->verify_at_ms = now + CATALOG_VERIFY_MS;
    buf_init(&path, PATH_MAX_BYTES);
    bool sent = agent_catalog_path(&path, a->who.config->reg.name) &&
                announce_call(a, STEP_VERIFY, "GET", buf_text(&path), NULL, on_verified);
    buf_clear(&path);
    return sent;
}

bool announce_look_at_table(struct announce *a, enum turn turn)
{
    const struct table *table = registry_acquire(a->registry, NULL);
    bool ok = compare_table(a->set, &a->who, table, turn);
    table_unref(table);
    a->look_ms = httpc_now(a->httpc);
    announce_report(a);
    return ok;
}

static void on_checks(void *arg, const struct httpc_reply *reply)
{
    struct announce *a = arg;
    struct error error;
    a->call = NULL;
    if (!agent_view_add_checks(a->view, reply, &error)) {
        fail_read(a, reply, "reading our checks", error.text);
        return;
    }
    if (!announce_look_at_table(a, TURN_REPAIR) || !compare_view(a->set, &a->who, a->view)) {
        announce_fail(a, "comparing", "out of memory");
        return;
    }
    a->maintain = agent_view_in_own_maintenance(a->view, a->who.parent_id);
    agent_view_free(a->view);
    a->view = NULL;
    a->known = a->read_now = a->parent_seen = true;
    a->refused_now = 0;
    a->step = STEP_IDLE;
    announce_go_on(a);
}

static void on_services(void *arg, const struct httpc_reply *reply)
{
    struct announce *a = arg;
    struct error error;
    struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    a->call = NULL;
    a->view = agent_view_new(reply, &error);
    if (a->view == NULL) {
        fail_read(a, reply, "reading our services", error.text);
        goto out;
    }
    if (!agent_checks_path(&path, a->who.config->reg.name) ||
        !announce_call(a, STEP_CHECKS, "GET", buf_text(&path), NULL, on_checks))
        announce_fail(a, "reading our checks", "out of memory");
out:
    buf_clear(&path);
}

static void ask_services(struct announce *a, httpc_done *done)
{
    struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    if (!agent_services_path(&path, a->who.parent_id) ||
        !announce_call(a, STEP_SERVICES, "GET", buf_text(&path), NULL, done))
        announce_fail(a, "reading our services", "out of memory");
    buf_clear(&path);
}

/* Only the connection shows by which address Consul is reached; when that changes our name, the
 * question was for the wrong one. */
static void on_reached(void *arg, const struct httpc_reply *reply)
{
    struct announce *a = arg;
    a->call = NULL;
    if (reply->status == 200 && announcer_identify(&a->who, reply->local_ip))
        ask_services(a, on_services);
    else
        on_services(a, reply);
}

void announce_read_all(struct announce *a)
{
    a->due = false;
    httpc_timer_set(a->httpc, &a->round,
                    httpc_now(a->httpc) +
                        jitter_spread(&a->jitter, RECONCILE_MS, RECONCILE_SPREAD_PERCENT));
    ask_services(a, on_reached);
}

static void on_parent(void *arg, const struct httpc_reply *reply)
{
    struct announce *a = arg;
    a->call = NULL;
    a->step = STEP_IDLE;
    a->parent_seen = reply->status == 200;
    /* Whatever else the agent says: reading all finds out more, and logs it. */
    a->due = !a->parent_seen;
    announce_go_on(a);
}

/* No child is written to an agent that has lost its parent. */
void announce_ask_parent(struct announce *a)
{
    struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    if (!agent_service_path(&path, a->who.parent_id) ||
        !announce_call(a, STEP_PARENT, "GET", buf_text(&path), NULL, on_parent))
        announce_fail(a, "reading our parent", "out of memory");
    buf_clear(&path);
}
