/* SPDX-License-Identifier: Apache-2.0 */
#include "announce/calls.h"

#include <stdio.h>

#include "announce/drain.h"
#include "base/log.h"
#include "consul/agent.h"

#define RETRY_MS 2000
#define CALL_TIMEOUT_MS 5000
/* A Consul that does not answer while we stop is not waited for longer. */
#define DRAIN_TIMEOUT_MS 3000
#define REPLY_MAX (64 * 1024 * 1024)

void announce_note_failure(struct announce *a, const char *doing, const char *error)
{
    char text[METRIC_ERROR_SIZE];
    unsigned left_out;
    a->failing = true;
    if (log_complaint_begins(&a->complaint, httpc_now(a->httpc), &left_out))
        LOG_WARN("cannot register in Consul, trying again", F_STR("doing", doing),
                 F_STR("error", error), F_SOME("left_out", left_out));
    (void)snprintf(text, sizeof text, "%s: %s", doing, error);
    consul_metrics_registration_failed(httpc_metrics(a->httpc), text, clock_wall_ms());
}

void announce_fail_for(struct announce *a, const char *doing, const char *error, int64_t wait_ms)
{
    announce_note_failure(a, doing, error);
    agent_view_free(a->view);
    a->view = NULL;
    a->step = STEP_IDLE;
    a->known = a->parent_seen = false;
    httpc_timer_set(a->httpc, &a->round, httpc_now(a->httpc) + wait_ms);
}

void announce_fail(struct announce *a, const char *doing, const char *error)
{
    announce_fail_for(a, doing, error, RETRY_MS);
}

static int64_t timeout_ms(const struct announce *a)
{
    if (!a->draining)
        return CALL_TIMEOUT_MS;
    /* An agent that took the maintenance lives, and is busy with it: the end of the drain bounds
     * that. */
    return a->in_maintenance ? DRAIN_TOTAL_MS : DRAIN_TIMEOUT_MS;
}

bool announce_call(struct announce *a, enum step step, const char *method, const char *path,
                   const char *body, httpc_done *done)
{
    bool writes = step == STEP_WRITE;
    struct httpc_request request = {.method = method,
                                    .path = path,
                                    .body = body,
                                    .timeout_ms = timeout_ms(a),
                                    .max_body = REPLY_MAX,
                                    .op = writes ? CONSUL_OP_REGISTER : CONSUL_OP_REGISTRATIONS};
    a->call = path != NULL ? httpc_send(a->httpc, &request, done, a) : NULL;
    if (a->call != NULL)
        a->step = step;
    return a->call != NULL;
}

/* A refused token may be replaced in its file by now. The source, which meets the same refusal,
 * logs it. */
void announce_refused(struct announce *a, const struct httpc_reply *reply)
{
    if (reply->status == 403)
        (void)httpc_reload_token(a->httpc, NULL);
}

void announce_halt(struct announce *a)
{
    httpc_cancel(a->httpc, a->call);
    a->call = NULL;
    httpc_timer_cancel(a->httpc, &a->round);
    httpc_timer_cancel(a->httpc, &a->look);
    httpc_timer_cancel(a->httpc, &a->pulse);
    httpc_timer_cancel(a->httpc, &a->pause);
    agent_view_free(a->view);
    a->view = NULL;
    a->step = STEP_IDLE;
}
