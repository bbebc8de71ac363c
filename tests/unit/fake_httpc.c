/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_httpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* A test that runs out of memory has nothing more to say. */
static void *checked(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

static char *copy_of(const char *text)
{
    return checked(strdup(text));
}

/* -- what modules call ----------------------------------------------------------------------- */

struct httpc *httpc_new(const struct config *config, struct error *reterr)
{
    (void)reterr;
    struct httpc *h = checked(calloc(1, sizeof *h));
    h->config = config;
    h->now_ms = clock_mono_ms();
    h->local_ip = "127.0.0.1";
    consul_metrics_init(&h->metrics);
    return h;
}

static void call_free(struct httpc_call *call)
{
    free(call->path);
    free(call);
}

void httpc_free(struct httpc *h)
{
    if (h == NULL)
        return;
    while (h->calls != NULL)
        httpc_cancel(h, h->calls);
    for (size_t i = 0; i < h->request_count; i++) {
        free(h->requests[i].method);
        free(h->requests[i].path);
        free(h->requests[i].body);
    }
    free(h->requests);
    for (size_t i = 0; i < h->rule_count; i++) {
        free(h->rules[i].prefix);
        free(h->rules[i].body);
    }
    consul_metrics_clear(&h->metrics);
    free(h);
}

bool httpc_start(struct httpc *h, struct error *reterr)
{
    (void)h;
    (void)reterr;
    return true;
}

void httpc_stop(struct httpc *h)
{
    (void)h;
}

bool httpc_post(struct httpc *h, void (*fn)(void *arg), void *arg)
{
    (void)h;
    fn(arg);
    return true;
}

static bool is_read(const char *path)
{
    return starts_with(path, "/v1/health/service/") && strstr(path, "index=") == NULL;
}

static void note_pending_reads(struct httpc *h)
{
    size_t reads = 0;
    for (const struct httpc_call *c = h->calls; c != NULL; c = c->next)
        reads += is_read(c->path);
    if (reads > h->most_pending_reads)
        h->most_pending_reads = reads;
}

struct httpc_call *httpc_send(struct httpc *h, const struct httpc_request *request,
                              httpc_done *done, void *arg)
{
    struct httpc_call *call = calloc(1, sizeof *call);
    if (call == NULL) /* as the real one */
        return NULL;
    size_t room = h->request_count;
    if ((room & (room - 1)) == 0) { /* a power of two: full */
        size_t size = (room == 0 ? 1 : 2 * room) * sizeof *h->requests;
        h->requests = checked(realloc(h->requests, size));
    }
    h->requests[h->request_count++] =
        (struct fake_request){.method = copy_of(request->method),
                              .path = copy_of(request->path),
                              .body = request->body != NULL ? copy_of(request->body) : NULL,
                              .at_ms = h->now_ms};
    *call = (struct httpc_call){.done = done,
                                .on_body = request->on_body,
                                .arg = arg,
                                .path = copy_of(request->path),
                                .timeout_ms = request->timeout_ms,
                                .sent_ms = h->now_ms};
    struct httpc_call **end = &h->calls;
    while (*end != NULL)
        end = &(*end)->next;
    *end = call;
    note_pending_reads(h);
    return call;
}

static void unlink_call(struct httpc *h, const struct httpc_call *call)
{
    struct httpc_call **at = &h->calls;
    while (*at != NULL && *at != call)
        at = &(*at)->next;
    if (*at == NULL)
        abort(); /* not a call of ours, or no longer: the module under test is wrong */
    *at = call->next;
}

void httpc_cancel(struct httpc *h, struct httpc_call *call)
{
    if (call == NULL)
        return;
    unlink_call(h, call);
    call_free(call);
}

struct consul_metrics *httpc_metrics(struct httpc *h)
{
    return &h->metrics;
}

void httpc_keep(struct httpc *h, unsigned connections)
{
    h->kept = connections;
}

int64_t httpc_now(const struct httpc *h)
{
    return h->now_ms;
}

void httpc_timer_set(struct httpc *h, struct timer *timer, int64_t at_ms)
{
    if (h->running_timers && at_ms <= h->now_ms)
        at_ms = h->now_ms + 1;
    timers_set(&h->timers, timer, at_ms);
}

void httpc_timer_cancel(struct httpc *h, struct timer *timer)
{
    timers_cancel(&h->timers, timer);
}

bool httpc_reload_token(struct httpc *h, struct error *reterr)
{
    (void)reterr;
    h->reloads++;
    bool changed = h->next_token;
    h->next_token = false;
    h->has_token |= changed;
    return changed;
}

bool httpc_has_token(const struct httpc *h)
{
    return h->has_token;
}

const char *httpc_library_version(void)
{
    return "none";
}

/* -- what tests call ------------------------------------------------------------------------- */

void fake_no_rule(struct httpc *h, const char *prefix)
{
    for (size_t i = 0; i < h->rule_count; i++) {
        if (strcmp(h->rules[i].prefix, prefix) != 0)
            continue;
        free(h->rules[i].prefix);
        free(h->rules[i].body);
        h->rules[i] = h->rules[--h->rule_count];
        return;
    }
}

void fake_rule(struct httpc *h, const char *prefix, long status, uint64_t index, const char *body)
{
    fake_no_rule(h, prefix);
    if (h->rule_count == FAKE_RULES_MAX)
        abort();
    struct fake_rule *r = &h->rules[h->rule_count++];
    *r = (struct fake_rule){.prefix = copy_of(prefix), .body = copy_of(body)};
    r->reply = (struct httpc_reply){.status = status,
                                    .error = status == 0 ? "connection refused" : NULL,
                                    .body = r->body,
                                    .body_len = strlen(r->body),
                                    .index = index,
                                    .local_ip = h->local_ip};
}

struct httpc_reply *fake_reply_of(struct httpc *h, const char *prefix)
{
    for (size_t i = 0; i < h->rule_count; i++)
        if (strcmp(h->rules[i].prefix, prefix) == 0)
            return &h->rules[i].reply;
    abort();
}

static const struct fake_rule *rule_for(const struct httpc *h, const char *path)
{
    const struct fake_rule *best = NULL;
    for (size_t i = 0; i < h->rule_count; i++)
        if (starts_with(path, h->rules[i].prefix) &&
            (best == NULL || strlen(h->rules[i].prefix) > strlen(best->prefix)))
            best = &h->rules[i];
    return best;
}

static bool is_due(const struct fake_rule *rule, const struct httpc_call *call)
{
    const char *index = strstr(call->path, "index=");
    if (rule == NULL)
        return false;
    return index == NULL || rule->reply.status != 200 ||
           strtoull(index + 6, NULL, 10) != rule->reply.index;
}

/* In pieces of several sizes, so that every seam is somewhere. */
static bool hand_over(const struct httpc_call *call, const struct httpc_reply *reply)
{
    size_t step = 1;
    for (size_t at = 0; at < reply->body_len; at += step) {
        step = step * 3 % 101;
        size_t left = reply->body_len - at;
        if (!call->on_body(call->arg, reply->body + at, step < left ? step : left))
            return false;
    }
    return true;
}

static void deliver(struct httpc *h, struct httpc_call *call, const struct httpc_reply *reply)
{
    struct httpc_reply taken = *reply;
    unlink_call(h, call);
    if (call->on_body != NULL && reply->status == 200) {
        taken.body = "";
        taken.body_len = 0;
        if (!hand_over(call, reply)) {
            taken.status = 0;
            taken.error = "the reply is not what Consul sends";
        }
    }
    call->done(call->arg, &taken);
    call_free(call);
}

/* The callback may change rules and calls: start over after each. */
static void answer_all(struct httpc *h)
{
    for (int rounds = 0;; rounds++) {
        struct httpc_call *call = h->calls;
        while (call != NULL && !is_due(rule_for(h, call->path), call))
            call = call->next;
        if (call == NULL)
            return;
        if (rounds > 100000)
            abort(); /* a loop without time passing: the module under test is wrong */
        struct httpc_reply reply = rule_for(h, call->path)->reply;
        char *body = copy_of(reply.body);
        reply.body = body;
        deliver(h, call, &reply);
        free(body);
    }
}

void fake_run(struct httpc *h, int64_t ms)
{
    int64_t end = h->now_ms + ms;
    answer_all(h);
    while (timers_next(&h->timers) <= end) {
        int64_t next = timers_next(&h->timers);
        h->now_ms = next > h->now_ms ? next : h->now_ms;
        h->running_timers = true;
        timers_run(&h->timers, h->now_ms);
        h->running_timers = false;
        answer_all(h);
    }
    h->now_ms = end;
}

struct httpc_call *fake_pending(struct httpc *h, const char *prefix)
{
    struct httpc_call *call = h->calls;
    while (call != NULL && !starts_with(call->path, prefix))
        call = call->next;
    return call;
}

size_t fake_count_pending(const struct httpc *h, const char *prefix)
{
    size_t count = 0;
    for (const struct httpc_call *c = h->calls; c != NULL; c = c->next)
        count += starts_with(c->path, prefix);
    return count;
}

void fake_answer(struct httpc *h, struct httpc_call *call, long status, uint64_t index,
                 const char *body)
{
    struct httpc_reply reply = {.status = status,
                                .error = status == 0 ? "connection refused" : NULL,
                                .body = body,
                                .body_len = strlen(body),
                                .index = index,
                                .local_ip = h->local_ip};
    deliver(h, call, &reply);
}

size_t fake_find(const struct httpc *h, const char *line, size_t from)
{
    for (size_t i = from; i < h->request_count; i++) {
        char text[8192];
        (void)snprintf(text, sizeof text, "%s %s", h->requests[i].method, h->requests[i].path);
        if (starts_with(text, line))
            return i;
    }
    return SIZE_MAX;
}

size_t fake_count(const struct httpc *h, const char *line)
{
    size_t count = 0;
    for (size_t at = fake_find(h, line, 0); at != SIZE_MAX; at = fake_find(h, line, at + 1))
        count++;
    return count;
}
