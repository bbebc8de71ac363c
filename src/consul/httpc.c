/* SPDX-License-Identifier: Apache-2.0 */
#include "consul/httpc.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/error.h"
#include "config/config.h"
#include "consul/call.h"
#include "consul/connection.h"
#include "consul/outcome.h"
#include "consul/sockets.h"
#include "consul/tasks.h"
#include "consul/token.h"

/* A wait without timers ends all the same: a thread that does not turn is taken for dead. */
#define IDLE_POLL_MS 1000

struct httpc {
    const struct config *config;
    CURLM *multi;
    struct sockets sockets;
    struct connection connection;
    struct token token;
    struct token next_token; /* between both steps of a reload */
    struct httpc_call *running;
    struct httpc_call *waiting; /* in the order in which they were sent; none of them is blocking */
    unsigned run_count;
    unsigned short_calls; /* of them */
    struct timers timers;
    int64_t now_ms;
    bool running_timers;
    int64_t polled_ns;             /* when the replies of this turn were there */
    atomic_int_fast64_t turned_ms; /* when the thread last showed that it goes on */
    struct consul_metrics metrics;
    pthread_t thread;
    bool started;
    struct tasks tasks;
};

/* -- the token ------------------------------------------------------------------------------- */

/* curl reads the headers of a call while it runs: a call in flight must not lose its list. */
static void rebind_headers(struct httpc *h)
{
    struct httpc_call *call;
    DL_FOREACH(h->running, call)
    call_set_headers(call, h->token.headers);
    DL_FOREACH(h->waiting, call)
    call_set_headers(call, h->token.headers);
}

bool httpc_reload_token(struct httpc *h, struct error *reterr)
{
    if (h->config->consul.token_file[0] == '\0')
        return false;
    char *before = strdup(h->token.text);
    bool ok = before != NULL && token_load(&h->token, h->config, reterr);
    if (before == NULL)
        error_set(reterr, "out of memory");
    rebind_headers(h);
    bool changed = ok && strcmp(before, h->token.text) != 0;
    free(before);
    return changed;
}

bool httpc_prepare_reload(struct httpc *h, const struct config *config, struct error *reterr)
{
    return token_load(&h->next_token, config, reterr);
}

bool httpc_end_reload(struct httpc *h, const struct config *config)
{
    struct token old = h->token;
    bool changed = config != NULL && strcmp(old.text, h->next_token.text) != 0;
    if (config != NULL) {
        h->config = config;
        h->token = h->next_token;
        h->next_token = old;
        rebind_headers(h);
    }
    token_clear(&h->next_token);
    return changed;
}

bool httpc_has_token(const struct httpc *h)
{
    return h->token.text[0] != '\0';
}

const char *httpc_library_version(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}

/* -- life ------------------------------------------------------------------------------------ */

struct httpc *httpc_new(const struct config *config, struct error *reterr)
{
    struct httpc *h = calloc(1, sizeof *h);
    if (h == NULL || !tasks_init(&h->tasks)) {
        error_set(reterr, "out of memory");
        free(h);
        return NULL;
    }
    h->config = config;
    consul_metrics_init(&h->metrics);
    h->now_ms = clock_mono_ms();
    atomic_init(&h->turned_ms, h->now_ms);
    if (!sockets_open(&h->sockets, reterr))
        goto fail;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
        (h->multi = curl_multi_init()) == NULL) {
        error_set(reterr, "cannot start libcurl");
        goto fail;
    }
    sockets_serve(&h->sockets, h->multi);
    (void)curl_multi_setopt(h->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)HTTPC_STREAMS);
    if (token_load(&h->token, config, reterr) && connection_init(&h->connection, config, reterr))
        return h;
fail:
    httpc_free(h);
    return NULL;
}

void httpc_free(struct httpc *h)
{
    if (h == NULL)
        return;
    httpc_stop(h);
    while (h->waiting != NULL)
        httpc_cancel(h, h->waiting);
    while (h->running != NULL)
        httpc_cancel(h, h->running);
    if (h->multi != NULL)
        (void)curl_multi_cleanup(h->multi);
    sockets_close(&h->sockets);
    connection_clear(&h->connection);
    token_clear(&h->token);
    token_clear(&h->next_token);
    tasks_clear(&h->tasks);
    consul_metrics_clear(&h->metrics);
    curl_global_cleanup();
    free(h);
}

/* -- calls ----------------------------------------------------------------------------------- */

static bool run(struct httpc *h, struct httpc_call *call)
{
    if (!sockets_reserve(&h->sockets, h->run_count + 1) ||
        curl_multi_add_handle(h->multi, call->easy) != CURLM_OK)
        return false;
    DL_APPEND(h->running, call);
    h->run_count++;
    h->short_calls += !call->blocking;
    consul_metrics_watches(&h->metrics, h->run_count - h->short_calls);
    return true;
}

/* Also behind those who wait, when a place has just become free: what the end of a call sends is not
 * to go first each time. */
static bool must_wait(const struct httpc *h, const struct httpc_call *call)
{
    return !call->blocking && (h->short_calls == HTTPC_SHORT_CALLS || h->waiting != NULL);
}

/* Takes it out of its list and, when it is running, out of curl's hands. */
static void end(struct httpc *h, struct httpc_call *call)
{
    if (call->waits) {
        DL_DELETE(h->waiting, call);
        return;
    }
    DL_DELETE(h->running, call);
    (void)curl_multi_remove_handle(h->multi, call->easy);
    h->run_count--;
    h->short_calls -= !call->blocking;
    consul_metrics_watches(&h->metrics, h->run_count - h->short_calls);
}

struct httpc_call *httpc_send(struct httpc *h, const struct httpc_request *request,
                              httpc_done *done, void *arg)
{
    struct httpc_call *call = call_new(request, &h->connection, h->token.headers, done, arg);
    if (call == NULL)
        return NULL;
    call->waits = must_wait(h, call);
    if (call->waits) {
        DL_APPEND(h->waiting, call);
    } else if (!run(h, call)) {
        call_free(call);
        return NULL;
    }
    return call;
}

void httpc_cancel(struct httpc *h, struct httpc_call *call)
{
    if (call == NULL)
        return;
    end(h, call);
    call_free(call);
}

void httpc_keep(struct httpc *h, unsigned connections)
{
    (void)curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)connections);
}

static void count_failure(struct httpc *h, const struct httpc_call *call, enum consul_failure why)
{
    const struct httpc_reply *r = &call->reply;
    char text[METRIC_ERROR_SIZE];
    if (r->status == 0)
        (void)snprintf(text, sizeof text, "%s", r->error);
    else
        (void)snprintf(text, sizeof text, "Consul answers %ld: %.200s", r->status, r->body);
    consul_metrics_failed(&h->metrics, call->op, r->status, why, text, clock_wall_ms());
}

/* The one end of every call that was not cancelled. Counted when it was taken: only then is known
 * of what use it was. */
static void deliver(struct httpc *h, struct httpc_call *call, CURLcode code)
{
    const struct httpc_reply *r = &call->reply;
    call->done(call->arg, r);
    if (consul_status_is_good(r->status))
        consul_metrics_answered(&h->metrics, call->op, r->status, clock_wall_ms());
    else
        count_failure(h, call, outcome_failure((int)code, call->body_in.failed, r->status));
    call_free(call);
}

static void run_waiting(struct httpc *h)
{
    while (h->waiting != NULL && h->short_calls < HTTPC_SHORT_CALLS) {
        struct httpc_call *call = h->waiting;
        DL_DELETE(h->waiting, call);
        call->waits = false;
        if (run(h, call))
            continue;
        call->reply = (struct httpc_reply){.error = "out of memory", .body = "", .local_ip = ""};
        deliver(h, call, CURLE_OUT_OF_MEMORY);
    }
}

struct consul_metrics *httpc_metrics(struct httpc *h)
{
    return &h->metrics;
}

/* -- time ------------------------------------------------------------------------------------ */

int64_t httpc_now(const struct httpc *h)
{
    return h->now_ms;
}

void httpc_timer_set(struct httpc *h, struct timer *timer, int64_t at_ms)
{
    /* Not within the run of timers that sets it: such a timer could keep the loop for itself. */
    if (h->running_timers && at_ms <= h->now_ms)
        at_ms = h->now_ms + 1;
    timers_set(&h->timers, timer, at_ms);
}

void httpc_timer_cancel(struct httpc *h, struct timer *timer)
{
    timers_cancel(&h->timers, timer);
}

/* -- the thread ------------------------------------------------------------------------------ */

bool httpc_alive(const struct httpc *h, int64_t within_ms)
{
    return clock_mono_ms() - atomic_load(&h->turned_ms) <= within_ms;
}

static int64_t note_turn(struct httpc *h)
{
    int64_t now_ms = clock_mono_ms();
    atomic_store(&h->turned_ms, now_ms);
    return now_ms;
}

bool httpc_post(struct httpc *h, void (*fn)(void *arg), void *arg)
{
    if (!tasks_post(&h->tasks, fn, arg))
        return false;
    sockets_wake(&h->sockets);
    return true;
}

/* True when there was one: what its callback sent is to go out before we sleep. */
static bool run_replies(struct httpc *h)
{
    bool any = false;
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(h->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        struct httpc_call *call = call_of(message->easy_handle);
        CURLcode code = message->data.result;
        consul_metrics_received(&h->metrics, h->polled_ns);
        call_end(call, code);
        end(h, call);
        deliver(h, call, code);
        (void)note_turn(h); /* thousands may have come at once */
        any = true;
    }
    consul_metrics_received(&h->metrics, 0);
    return any;
}

static int poll_timeout(const struct httpc *h)
{
    int64_t next = timers_next(&h->timers);
    if (h->sockets.due_ms < next)
        next = h->sockets.due_ms;
    int64_t wait = next == CLOCK_NEVER ? IDLE_POLL_MS : next - clock_mono_ms();
    return wait < 0 ? 0 : wait > IDLE_POLL_MS ? IDLE_POLL_MS : (int)wait;
}

static void *loop(void *arg)
{
    struct httpc *h = arg;
    for (;;) {
        h->polled_ns = clock_mono_ns();
        h->now_ms = note_turn(h);
        if (!tasks_run(&h->tasks))
            return NULL;
        h->running_timers = true;
        timers_run(&h->timers, h->now_ms);
        h->running_timers = false;
        run_waiting(h);
        sockets_run_due(&h->sockets);
        h->now_ms = note_turn(h);
        if (!run_replies(h))
            sockets_wait(&h->sockets, poll_timeout(h));
    }
}

bool httpc_start(struct httpc *h, struct error *reterr)
{
    int rc = pthread_create(&h->thread, NULL, loop, h);
    if (rc != 0)
        return error_set(reterr, "cannot start a thread: %s", strerror(rc));
    h->started = true;
    return true;
}

void httpc_stop(struct httpc *h)
{
    if (!h->started)
        return;
    tasks_end(&h->tasks);
    sockets_wake(&h->sockets);
    (void)pthread_join(h->thread, NULL);
    h->started = false;
}
