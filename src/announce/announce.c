/* SPDX-License-Identifier: Apache-2.0 */
#include "announce/announce.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "announce/identity.h"
#include "announce/wanted.h"
#include "announce/writes.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/timers.h"
#include "config/config.h"
#include "consul/agent.h"
#include "consul/httpc.h"
#include "model/registry.h"
#include "model/table.h"

/* Out of memory leaves the element out; the caller sees that it is not found. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define RECONCILE_MS 15000
#define RECONCILE_SPREAD_PERCENT 20
/* A change of the table is looked at soon, but many changes only once. */
#define WAKE_DELAY_MS 50
#define WAKE_SPACING_MS 1000
#define RETRY_MS 2000
#define CALL_TIMEOUT_MS 5000
/* A Consul that does not answer while we stop is not waited for longer. */
#define DRAIN_TIMEOUT_MS 3000
#define DRAIN_TOTAL_MS 10000
#define CATALOG_VERIFY_MS (5 * 60 * 1000)
#define NAME_MAX_BYTES 1024
#define REPLY_MAX (64 * 1024 * 1024)

/* One round is a row of steps, each a call whose reply starts the next. */
enum step { STEP_IDLE, STEP_SERVICES, STEP_CHECKS, STEP_WRITE, STEP_VERIFY };

/* A service that Consul may have from us: it was seen there, or is being registered. */
struct present {
    UT_hash_handle hh;
    char id[]; /* NUL-terminated */
};

struct announce {
    const struct config *config;
    struct httpc *httpc;
    struct registry *registry;
    struct jitter jitter;
    struct timer timer;
    struct identity identity;
    char parent_id[NAME_MAX_BYTES];
    enum step step;
    struct httpc_call *call;
    struct agent_view *view;
    struct present *present; /* by id, the parent among them */
    struct writes writes;    /* the first one is under way */
    bool woken;              /* while a round was under way */
    bool failing;
    bool unlisted;    /* the catalog does not have us, and that was logged */
    int64_t round_ms; /* start of the last round */
    int64_t verify_at_ms;
    size_t registered_now; /* in this round */
    size_t removed_now;
    size_t refused_now;
    bool draining;
    void (*drained)(void *arg);
    void *drained_arg;
    atomic_int drain_state;
};

static void start_round(void *arg);
static void next_write(struct announce *a);
static void end_drain(struct announce *a);

/* -- what Consul may have from us ------------------------------------------------------------ */

static bool note_present(struct announce *a, const char *id)
{
    struct present *p;
    HASH_FIND_STR(a->present, id, p);
    if (p != NULL)
        return true;
    size_t size = strlen(id) + 1;
    p = calloc(1, sizeof *p + size);
    if (p == NULL)
        return false;
    memcpy(p->id, id, size);
    HASH_ADD_KEYPTR(hh, a->present, p->id, size - 1, p);
    if (p->hh.tbl != NULL)
        return true;
    free(p); /* out of memory: it was not added */
    return false;
}

static void forget_present(struct announce *a, const char *id)
{
    struct present *p;
    HASH_FIND_STR(a->present, id, p);
    if (p == NULL)
        return;
    HASH_DEL(a->present, p);
    free(p);
}

/* -- what we want ---------------------------------------------------------------------------- */

struct comparing {
    struct announce *announce;
    const struct table *table;
    bool failed;
};

static void want(struct comparing *cmp, const char *cluster)
{
    struct announce *a = cmp->announce;
    struct wanted w;
    bool ok = wanted_make(a->config, &a->identity, a->parent_id, cluster, &w) &&
              note_present(a, w.service.id);
    if (ok && !agent_view_has(a->view, &w.service))
        ok = writes_register(&a->writes, &w.service);
    cmp->failed |= !ok;
    wanted_clear(&w);
}

static bool want_child(const struct cluster *c, void *arg)
{
    struct comparing *cmp = arg;
    if (c->body_len > 0)
        want(cmp, c->id);
    return !cmp->failed;
}

/* The cluster of one of our children's IDs, or NULL when it is none. Not NUL-terminated. */
static const char *cluster_of(const struct announce *a, const char *id, size_t *len)
{
    size_t name = strlen(a->config->reg.name);
    size_t suffix = strlen(a->identity.suffix);
    size_t all = strlen(id);
    if (all <= name + 1 + suffix || strncmp(id, a->config->reg.name, name) != 0 || id[name] != '-')
        return NULL;
    *len = all - name - 1 - suffix;
    return id + name + 1;
}

static void remove_unwanted(const char *id, void *arg)
{
    struct comparing *cmp = arg;
    struct announce *a = cmp->announce;
    size_t len = 0;
    if (strcmp(id, a->parent_id) == 0)
        return;
    const char *cluster =
        a->config->reg.mode == REGISTER_PER_CLUSTER ? cluster_of(a, id, &len) : NULL;
    const struct cluster *c = cluster != NULL ? table_find(cmp->table, cluster, len) : NULL;
    if (c == NULL || c->body_len == 0)
        cmp->failed |= !note_present(a, id) || !writes_deregister(&a->writes, id);
}

/* Fills the queue with what is to be written. */
static bool compare(struct announce *a)
{
    struct comparing cmp = {.announce = a, .table = registry_acquire(a->registry, NULL)};
    if (agent_view_in_own_maintenance(a->view, a->parent_id))
        cmp.failed |= !writes_maintenance(&a->writes, a->parent_id, false);
    want(&cmp, NULL); /* first: children follow it */
    if (a->config->reg.mode == REGISTER_PER_CLUSTER)
        table_each(cmp.table, want_child, &cmp);
    agent_view_each(a->view, a->parent_id, remove_unwanted, &cmp);
    table_unref(cmp.table);
    return !cmp.failed;
}

/* -- a round --------------------------------------------------------------------------------- */

static void plan_round(struct announce *a, int64_t wait_ms)
{
    httpc_timer_set(a->httpc, &a->timer, httpc_now(a->httpc) + wait_ms);
}

static void end_round(struct announce *a)
{
    agent_view_free(a->view);
    a->view = NULL;
    writes_clear(&a->writes);
    a->step = STEP_IDLE;
    bool again = a->woken;
    a->woken = false;
    plan_round(a, jitter_spread(&a->jitter, RECONCILE_MS, RECONCILE_SPREAD_PERCENT));
    if (again)
        announce_wake(a);
}

/* One line until all is well again. */
static void note_failure(struct announce *a, const char *doing, const char *error)
{
    if (!a->failing)
        LOG_WARN("cannot register in Consul, trying again", F_STR("doing", doing),
                 F_STR("error", error));
    a->failing = true;
}

static void fail_round(struct announce *a, const char *doing, const char *error)
{
    note_failure(a, doing, error);
    end_round(a);
    plan_round(a, RETRY_MS);
}

static bool send_call(struct announce *a, const char *method, const char *path, const char *body,
                      httpc_done *done)
{
    struct httpc_request request = {.method = method,
                                    .path = path,
                                    .body = body,
                                    .timeout_ms = a->draining ? DRAIN_TIMEOUT_MS : CALL_TIMEOUT_MS,
                                    .max_body = REPLY_MAX};
    a->call = httpc_send(a->httpc, &request, done, a);
    return a->call != NULL;
}

/* Consul's refusal in one text; true for a 2xx reply. */
static bool reply_ok(const struct httpc_reply *reply, struct error *reterr)
{
    if (reply->status >= 200 && reply->status < 300)
        return true;
    if (reply->status == 0)
        return error_set(reterr, "%s", reply->error);
    return error_set(reterr, "Consul answers %ld: %.200s", reply->status, reply->body);
}

/* A refused token may be replaced in its file by now. The source, which meets the same refusal,
 * logs it. */
static void refused(struct announce *a, const struct httpc_reply *reply)
{
    if (reply->status == 403)
        (void)httpc_reload_token(a->httpc, NULL);
}

static void on_verified(void *arg, const struct httpc_reply *reply)
{
    struct announce *a = arg;
    a->call = NULL;
    bool listed = agent_catalog_lists(reply, a->parent_id);
    if (!listed && !a->unlisted)
        LOG_WARN("the agent has our registration, but Consul's catalog does not list it: may the "
                 "token write it?",
                 F_STR("service", a->parent_id));
    if (listed && a->unlisted)
        LOG_INFO("Consul's catalog lists our registration", F_STR("service", a->parent_id));
    a->unlisted = !listed;
    end_round(a);
}

/* An agent says 200 to a registration that the servers refuse (agent/local/state.go). */
static bool start_verify(struct announce *a)
{
    struct buf path;
    int64_t now = httpc_now(a->httpc);
    if (now < a->verify_at_ms)
        return false;
    a->verify_at_ms = now + CATALOG_VERIFY_MS;
    a->step = STEP_VERIFY;
    buf_init(&path, 4096);
    bool sent = agent_catalog_path(&path, a->config->reg.name) &&
                send_call(a, "GET", buf_text(&path), NULL, on_verified);
    buf_clear(&path);
    return sent;
}

static void finish_writes(struct announce *a)
{
    if (a->registered_now + a->removed_now > 0)
        LOG_INFO("registrations in Consul brought up to date", F_STR("service", a->parent_id),
                 F_INT("registered", a->registered_now), F_INT("removed", a->removed_now));
    else if (a->failing && a->refused_now == 0)
        LOG_INFO("registrations in Consul are as they should be", F_STR("service", a->parent_id));
    a->failing = a->refused_now > 0;
    /* What was written now reaches the catalog a little later: the next round verifies. */
    if (a->registered_now > 0)
        a->verify_at_ms = httpc_now(a->httpc);
    else if (start_verify(a))
        return;
    end_round(a);
}

static void on_written(void *arg, const struct httpc_reply *reply)
{
    struct announce *a = arg;
    struct error error;
    const struct write *w = a->writes.first;
    a->call = NULL;
    /* What is not there is as good as deregistered (agent/agent_endpoint.go says 404). */
    bool ok = reply_ok(reply, &error) || (w->kind != WRITE_REGISTER && reply->status == 404);
    if (!ok && !a->draining) {
        refused(a, reply);
        /* Without their parent children must not be: an alias of nothing passes for ever. What
         * Consul refuses for one child says nothing of the others. */
        if (reply->status == 0 || strcmp(w->id, a->parent_id) == 0) {
            fail_round(a, w->id, error.text);
            return;
        }
        note_failure(a, w->id, error.text);
        a->refused_now++;
    }
    if (ok && w->kind == WRITE_REGISTER) {
        a->registered_now++;
    } else if (ok && w->kind == WRITE_DEREGISTER) {
        a->removed_now++;
        forget_present(a, w->id);
    }
    if (!ok && a->draining)
        LOG_WARN("cannot deregister while stopping", F_STR("service", w->id),
                 F_STR("error", error.text));
    writes_pop(&a->writes);
    /* No reply at all while stopping: the rest would only wait for the same. */
    if (!ok && reply->status == 0)
        writes_clear(&a->writes);
    next_write(a);
}

static void next_write(struct announce *a)
{
    const struct write *w = a->writes.first;
    if (w == NULL) {
        if (a->draining)
            end_drain(a);
        else
            finish_writes(a);
        return;
    }
    a->step = STEP_WRITE;
    if (send_call(a, "PUT", w->path, w->body, on_written))
        return;
    if (a->draining)
        end_drain(a);
    else
        fail_round(a, w->id, "out of memory");
}

static void on_checks(void *arg, const struct httpc_reply *reply)
{
    struct announce *a = arg;
    struct error error;
    a->call = NULL;
    if (!agent_view_add_checks(a->view, reply, &error)) {
        refused(a, reply);
        fail_round(a, "reading our checks", error.text);
        return;
    }
    if (!compare(a)) {
        fail_round(a, "comparing", "out of memory");
        return;
    }
    a->registered_now = a->removed_now = a->refused_now = 0;
    next_write(a);
}

static void on_services(void *arg, const struct httpc_reply *reply)
{
    struct announce *a = arg;
    struct error error;
    struct buf path;
    buf_init(&path, 4096);
    a->call = NULL;
    a->view = agent_view_new(reply, &error);
    if (a->view == NULL) {
        refused(a, reply);
        fail_round(a, "reading our services", error.text);
        goto out;
    }
    a->step = STEP_CHECKS;
    if (!agent_checks_path(&path, a->config->reg.name) ||
        !send_call(a, "GET", buf_text(&path), NULL, on_checks))
        fail_round(a, "reading our checks", "out of memory");
out:
    buf_clear(&path);
}

static void ask_services(struct announce *a, httpc_done *done)
{
    struct buf path;
    buf_init(&path, 4096);
    if (!agent_services_path(&path, a->parent_id) ||
        !send_call(a, "GET", buf_text(&path), NULL, done))
        fail_round(a, "reading our services", "out of memory");
    buf_clear(&path);
}

static bool identify(struct announce *a, const char *local_ip)
{
    char before[NAME_MAX_BYTES];
    struct buf id;
    buf_init(&id, NAME_MAX_BYTES - 1);
    memcpy(before, a->parent_id, sizeof before);
    identity_make(a->config, local_ip, &a->identity);
    if (identity_service_id(a->config, &a->identity, NULL, &id))
        memcpy(a->parent_id, buf_text(&id), id.len + 1);
    buf_clear(&id);
    return strcmp(before, a->parent_id) != 0;
}

/* Only the connection shows by which address Consul is reached; when that changes our name, the
 * question was for the wrong one. */
static void on_reached(void *arg, const struct httpc_reply *reply)
{
    struct announce *a = arg;
    a->call = NULL;
    if (reply->status == 200 && identify(a, reply->local_ip))
        ask_services(a, on_services);
    else
        on_services(a, reply);
}

static void start_round(void *arg)
{
    struct announce *a = arg;
    struct registry_status status = registry_status(a->registry);
    if (a->step != STEP_IDLE || !status.ready || a->draining)
        return;
    a->step = STEP_SERVICES;
    a->round_ms = httpc_now(a->httpc);
    ask_services(a, on_reached);
}

/* -- the outside ----------------------------------------------------------------------------- */

struct announce *announce_new(const struct config *config, struct httpc *httpc,
                              struct registry *registry, struct error *reterr)
{
    struct announce *a = calloc(1, sizeof *a);
    if (a == NULL) {
        error_set(reterr, "out of memory");
        return NULL;
    }
    a->config = config;
    a->httpc = httpc;
    a->registry = registry;
    a->timer = TIMER(start_round, a);
    a->round_ms = httpc_now(httpc) - WAKE_SPACING_MS;
    jitter_seed(&a->jitter, jitter_system_seed());
    (void)identify(a, "");
    return a;
}

void announce_free(struct announce *a)
{
    if (a == NULL)
        return;
    httpc_cancel(a->httpc, a->call);
    httpc_timer_cancel(a->httpc, &a->timer);
    agent_view_free(a->view);
    writes_clear(&a->writes);
    struct present *p, *next;
    HASH_ITER(hh, a->present, p, next)
    {
        HASH_DEL(a->present, p);
        free(p);
    }
    free(a);
}

void announce_wake(struct announce *a)
{
    if (a == NULL || a->draining)
        return;
    if (a->step != STEP_IDLE) {
        a->woken = true;
        return;
    }
    int64_t soon = httpc_now(a->httpc) + WAKE_DELAY_MS;
    int64_t spaced = a->round_ms + WAKE_SPACING_MS;
    int64_t at = soon > spaced ? soon : spaced;
    if (!a->timer.set || at < a->timer.at_ms)
        httpc_timer_set(a->httpc, &a->timer, at);
}

/* -- stopping -------------------------------------------------------------------------------- */

static void end_drain(struct announce *a)
{
    httpc_cancel(a->httpc, a->call);
    a->call = NULL;
    httpc_timer_cancel(a->httpc, &a->timer);
    writes_clear(&a->writes);
    a->step = STEP_IDLE;
    if (atomic_load(&a->drain_state) == DRAIN_GOES_ON)
        atomic_store(&a->drain_state, DRAIN_DONE);
    a->drained(a->drained_arg);
}

/* The parent is in maintenance by now and with it every child, so nobody is routed here. */
static void on_drain_timeout(void *arg)
{
    struct announce *a = arg;
    LOG_WARN("Consul is too slow: not everything is deregistered, but all is in maintenance",
             F_STR("service", a->parent_id));
    end_drain(a);
}

enum drain_state announce_drain_state(const struct announce *a)
{
    return (enum drain_state)atomic_load(&a->drain_state);
}

void announce_drain(struct announce *a, void (*done)(void *arg), void *arg)
{
    httpc_cancel(a->httpc, a->call);
    a->call = NULL;
    httpc_timer_cancel(a->httpc, &a->timer);
    agent_view_free(a->view);
    a->view = NULL;
    writes_clear(&a->writes);
    a->draining = true;
    a->drained = done;
    a->drained_arg = arg;
    if (a->present == NULL) {
        atomic_store(&a->drain_state, DRAIN_NOTHING_TO_DO);
        end_drain(a);
        return;
    }
    a->timer.fire = on_drain_timeout;
    httpc_timer_set(a->httpc, &a->timer, httpc_now(a->httpc) + DRAIN_TOTAL_MS);
    /* All that Consul may have, whatever the table says by now: a child that stays behind would be
     * routed to for ever. */
    bool ok = writes_maintenance(&a->writes, a->parent_id, true);
    struct present *p, *next;
    HASH_ITER(hh, a->present, p, next)
    {
        if (strcmp(p->id, a->parent_id) != 0)
            ok = writes_deregister(&a->writes, p->id) && ok;
    }
    ok = writes_deregister(&a->writes, a->parent_id) && ok;
    if (!ok)
        LOG_ERROR("out of memory: not everything will be deregistered",
                  F_STR("service", a->parent_id));
    next_write(a);
}
