/* SPDX-License-Identifier: Apache-2.0 */
#include "announce/writing.h"

#include "announce/calls.h"
#include "announce/drain.h"
#include "announce/inner.h"
#include "announce/report.h"
#include "announce/steps.h"
#include "announce/wanted.h"
#include "announce/writes.h"
#include "base/error.h"
#include "base/log.h"
#include "consul/agent.h"

/* More writes than this are work whose progress is logged. */
#define LONG_WORK 100
#define PROGRESS_MS 10000
#define REFUSALS_LOGGED 10

/* A line at the start of long work, and now and then. */
static void log_progress(struct announce *a)
{
    int64_t now = httpc_now(a->httpc);
    size_t left = registrations_queued(a->set);
    if (a->progress_at_ms == CLOCK_NEVER && left > LONG_WORK) {
        LOG_INFO("many registrations in Consul to bring up to date", F_INT("left", left));
        a->progress_at_ms = now + PROGRESS_MS;
    } else if (now >= a->progress_at_ms) {
        LOG_INFO("registrations in Consul are being brought up to date",
                 F_INT("registered", a->registered_now), F_INT("removed", a->removed_now),
                 F_INT("left", left));
        a->progress_at_ms = now + PROGRESS_MS;
    }
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

/* What the write that ended has changed. The cluster may have come or gone meanwhile: then it has
 * its turn already. */
static void note_written(struct announce *a, enum need done)
{
    struct registration *r = a->writing;
    pace_succeeded(&a->pace);
    a->unanswered = 0;
    if (r == NULL) {
        a->maintain = false;
        a->in_maintenance = a->draining;
        return;
    }
    a->registered_now += done == NEED_REGISTER;
    a->removed_now += done == NEED_DEREGISTER;
    if (done != NEED_REGISTER)
        r->presence = PRESENCE_NONE;
    else if (!a->outdated)
        r->presence = PRESENCE_SAME;
    if (!r->wanted && r->presence == PRESENCE_NONE && r->turn == TURN_NONE)
        registrations_remove(a->set, r);
    announce_report_written(a);
}

/* Consul wants fewer writes: this one keeps its turn. */
static void note_pace(struct announce *a, const char *id, const char *error)
{
    unsigned left_out;
    (void)pace_refused(&a->pace, &a->jitter, httpc_now(a->httpc));
    if (a->writing != NULL)
        registrations_queue(a->set, a->writing, a->writing_turn);
    a->failing = true;
    if (log_complaint_begins(&a->complaint, httpc_now(a->httpc), &left_out))
        LOG_WARN("Consul wants fewer writes, slowing down", F_STR("service", id),
                 F_STR("error", error), F_SOME("left_out", left_out));
    consul_metrics_registration_failed(httpc_metrics(a->httpc), error, clock_wall_ms());
}

/* There may be thousands. How many are left is said at the end. */
static void note_refusal(struct announce *a, const char *id, const char *error)
{
    unsigned left_out;
    if (log_limit_pass(&a->refusals, REFUSALS_LOGGED, httpc_now(a->httpc), &left_out))
        LOG_WARN("cannot deregister while stopping", F_STR("service", id), F_STR("error", error),
                 F_SOME("left_out", left_out));
}

/* Without a reply the rest would only wait for the same. But an agent that has just put a thousand
 * children into maintenance is busy with that for seconds: then one is tried again. */
static bool answers_again(struct announce *a)
{
    if (!a->in_maintenance || ++a->unanswered > 1)
        return false;
    registrations_queue(a->set, a->writing, a->writing_turn);
    return true;
}

static void on_written(struct announce *a, const struct httpc_reply *reply, enum need done)
{
    struct error error;
    struct registration *r = a->writing;
    const char *id = r != NULL ? r->id : a->who.parent_id;
    a->call = NULL;
    a->step = STEP_IDLE;
    /* What is not there is as good as deregistered (agent/agent_endpoint.go says 404). */
    if (reply_ok(reply, &error) || (done != NEED_REGISTER && reply->status == 404)) {
        note_written(a, done);
    } else if (pace_is_refusal(reply->status)) {
        note_pace(a, id, error.text);
    } else if (a->draining) {
        note_refusal(a, id, error.text);
        if (reply->status == 0 && !answers_again(a)) {
            announce_end_drain(a);
            return;
        }
        a->maintain = false;
    } else {
        announce_refused(a, reply);
        /* Without their parent children must not be: an alias of nothing passes for ever. What
         * Consul refuses for one child says nothing of the others. */
        if (reply->status == 0 || r == NULL || r->parent) {
            if (r != NULL)
                registrations_queue(a->set, r, a->writing_turn);
            announce_fail(a, id, error.text);
            return;
        }
        announce_note_failure(a, id, error.text);
        a->refused_now++;
    }
    announce_go_on(a);
}

static void on_registered(void *arg, const struct httpc_reply *reply)
{
    on_written(arg, reply, NEED_REGISTER);
}

static void on_deregistered(void *arg, const struct httpc_reply *reply)
{
    on_written(arg, reply, NEED_DEREGISTER);
}

static void on_maintained(void *arg, const struct httpc_reply *reply)
{
    on_written(arg, reply, NEED_NOTHING);
}

static bool send_register(struct announce *a, const struct registration *r)
{
    struct wanted w;
    struct write write = {.path = NULL};
    bool made = wanted_for(&a->who, r, &w) && write_register(&write, &w.service);
    bool sent = made && announce_call(a, STEP_WRITE, "PUT", write.path, write.body, on_registered);
    write_clear(&write);
    wanted_clear(&w);
    return sent;
}

static bool send_deregister(struct announce *a, const struct registration *r)
{
    struct write write = {.path = NULL};
    bool sent = write_deregister(&write, r->id) &&
                announce_call(a, STEP_WRITE, "PUT", write.path, NULL, on_deregistered);
    write_clear(&write);
    return sent;
}

static bool send_maintenance(struct announce *a)
{
    struct write write = {.path = NULL};
    bool sent = write_maintenance(&write, a->who.parent_id, a->draining) &&
                announce_call(a, STEP_WRITE, "PUT", write.path, NULL, on_maintained);
    write_clear(&write);
    return sent;
}

static void send_write(struct announce *a)
{
    struct registration *r = a->maintain ? NULL : registrations_next(a->set);
    bool sent;
    if (!a->maintain && r == NULL) { /* it is not needed any more */
        announce_go_on(a);
        return;
    }
    log_progress(a);
    a->writing = r;
    a->outdated = false;
    if (r == NULL) {
        sent = send_maintenance(a);
    } else {
        a->writing_turn = r->turn;
        sent = registration_need(r) == NEED_REGISTER ? send_register(a, r) : send_deregister(a, r);
    }
    if (!sent && a->draining) {
        announce_end_drain(a);
    } else if (!sent) {
        announce_fail(a, r != NULL ? r->id : a->who.parent_id, "out of memory");
    } else if (r != NULL) {
        registrations_queue(a->set, r, TURN_NONE);
        r->presence = PRESENCE_UNSURE;
    }
}

void announce_on_paused(void *arg)
{
    struct announce *a = arg;
    a->step = STEP_IDLE;
    if (a->due)
        announce_go_on(a);
    else
        send_write(a);
}

void announce_write(struct announce *a)
{
    int64_t now = httpc_now(a->httpc);
    int64_t wait = pace_take(&a->pace, now);
    if (wait == 0) {
        send_write(a);
        return;
    }
    a->step = STEP_PAUSE;
    httpc_timer_set(a->httpc, &a->pause, now + wait);
}
