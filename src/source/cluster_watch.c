/* SPDX-License-Identifier: Apache-2.0 */
#include "source/cluster_watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "consul/catalog.h"
#include "consul/httpc.h"
#include "model/claims.h"
#include "source/cluster_publish.h"
#include "source/merge.h"

/* Between two reads of one cluster, however often it flaps. */
#define READ_SPACING_MS 100
/* Every cluster is read this often, whatever happens; all together not more than 22 times a second.
 * With 10,000 clusters all that is done while nothing changes was 1 % of a core here, and 2.4 % in
 * Consul (measured). */
#define SWEEP_MS (5 * 60 * 1000)
#define SWEEP_SPACING_MS 45
/* The same for clusters that a scan does not show: together 40 times a second... */
#define UNSEEN_SWEEP_MS (10 * 1000)
#define UNSEEN_SPACING_MS 25
/* ... and 200 when there is no scan at all. */
#define BLIND_SPACING_MS 5
#define SPREAD_PERCENT 20
#define BACKOFF_FIRST_MS 500
#define BACKOFF_CAP_MS 30000
/* Of all watches together: each wake-up costs the agent about 0.5 ms of CPU. */
#define ALL_WAKES_BURST 500
#define ALL_WAKES_REFILL_MS 5
#define HEALTH_BODY_MAX (16 * 1024 * 1024)

static bool send_read(struct cluster_watch *w);
static void start_watch(struct cluster_watch *w);

bool watch_context_init(struct watch_context *x, const struct config *config, struct httpc *httpc,
                        struct merge *merge)
{
    *x = (struct watch_context){.config = config, .httpc = httpc, .merge = merge};
    mass_loss_init(&x->mass_loss);
    jitter_seed(&x->jitter, jitter_system_seed());
    bucket_init(&x->wakes, ALL_WAKES_BURST, ALL_WAKES_REFILL_MS);
    reads_init(&x->reads, httpc, send_read);
    x->claims = claims_new();
    return x->claims != NULL;
}

void watch_context_clear(struct watch_context *x)
{
    reads_clear(&x->reads);
    claims_free(x->claims);
    x->claims = NULL;
}

bool watch_context_refused(struct watch_context *x)
{
    unsigned left_out;
    struct error error = {.text = ""};
    bool changed = httpc_reload_token(x->httpc, &error);
    if (changed)
        LOG_INFO("using the new token of the token file",
                 F_STR("file", x->config->consul.token_file));
    else if (error.text[0] != '\0' &&
             log_limit_pass(&x->token_limit, 1, httpc_now(x->httpc), &left_out))
        LOG_WARN("cannot read the token file again", F_STR("error", error.text),
                 F_SOME("left_out", left_out));
    return changed;
}

/* -- when to read ---------------------------------------------------------------------------- */

static int64_t sweep_ms(const struct cluster_watch *w)
{
    struct watch_context *x = w->context;
    int64_t least = SWEEP_MS;
    int64_t spaced = (int64_t)x->clusters * SWEEP_SPACING_MS;
    if (x->plan == PLAN_SCAN && x->scan_fails) {
        least = UNSEEN_SWEEP_MS;
        spaced = (int64_t)x->clusters * BLIND_SPACING_MS;
    } else if (x->plan == PLAN_SCAN && w->unseen) {
        least = UNSEEN_SWEEP_MS;
        spaced = (int64_t)x->unseen * UNSEEN_SPACING_MS;
    }
    return jitter_spread(&x->jitter, spaced > least ? spaced : least, SPREAD_PERCENT);
}

void cluster_watch_read_at(struct cluster_watch *w, int64_t at_ms)
{
    int64_t earliest = w->last_read_ms + READ_SPACING_MS;
    httpc_timer_set(w->context->httpc, &w->read_timer, at_ms > earliest ? at_ms : earliest);
}

/* Not later than one that something else wants soon. */
static void plan_read(struct cluster_watch *w, int64_t ask_at_ms)
{
    if (!w->told)
        cluster_watch_read_at(w, ask_at_ms < w->sweep_at_ms ? ask_at_ms : w->sweep_at_ms);
}

void cluster_watch_check(struct cluster_watch *w)
{
    w->told = true;
    cluster_watch_read_at(w, httpc_now(w->context->httpc));
}

void cluster_watch_plan_sweep(struct cluster_watch *w)
{
    int64_t now = httpc_now(w->context->httpc);
    w->sweep_at_ms = clock_together(now + jitter_upto(&w->context->jitter, sweep_ms(w)));
    if (!w->read_timer.set || w->read_timer.at_ms > w->sweep_at_ms)
        cluster_watch_read_at(w, w->sweep_at_ms);
}

/* One line when the first cluster fails and one when the last is well again: with Consul away,
 * ten thousand clusters have only one thing to say. */
static void note_failure(struct cluster_watch *w, const char *error, int64_t retry_ms)
{
    struct watch_context *x = w->context;
    unsigned left_out;
    bool again = w->failing;
    x->failing += !again;
    w->failing = true;
    if (log_complaint_begins(&x->complaint, httpc_now(x->httpc), &left_out))
        LOG_WARN("cannot read a cluster from Consul, what is served stays", F_STR("cluster", w->id),
                 F_STR("error", error), F_INT("next_try_ms", retry_ms),
                 F_SOME("left_out", left_out));
    else if (!again)
        LOG_DEBUG("cannot read a further cluster", F_STR("cluster", w->id), F_STR("error", error));
}

static void note_success(struct cluster_watch *w)
{
    if (!w->failing)
        return;
    w->failing = false;
    if (--w->context->failing == 0 && log_complaint_ends(&w->context->complaint))
        LOG_INFO("all clusters can be read from Consul", F_STR("last", w->id));
}

/* By a Consul that is away or has enough, not of this cluster. */
static bool is_refusal(long status)
{
    return status == 0 || status == 429 || status >= 500;
}

static void fail(struct cluster_watch *w, long status, const char *error)
{
    if (status == 403 && watch_context_refused(w->context))
        backoff_reset(&w->backoff);
    struct watch_context *x = w->context;
    int64_t wait = backoff_next_ms(&w->backoff, &x->jitter);
    /* What is refused to so many, as by a policy, is not asked for more often than all else. */
    if (!is_refusal(status))
        wait += jitter_upto(&x->jitter, (int64_t)x->failing * SWEEP_SPACING_MS);
    note_failure(w, error, wait);
    merge_note_failure(x->merge, w->id, error);
    w->watch_index = 0;
    httpc_timer_cancel(w->context->httpc, &w->watch_timer);
    cluster_watch_read_at(w, httpc_now(w->context->httpc) + wait);
}

/* -- what a reply means ---------------------------------------------------------------------- */

void cluster_watch_note_loss(struct cluster_watch *w)
{
    struct watch_context *x = w->context;
    if (mass_loss_note(&x->mass_loss, &w->loss, x->clusters, httpc_now(x->httpc)))
        LOG_WARN("most clusters lose members at once: nobody leaves for now",
                 F_INT("clusters", x->clusters), F_INT("for_ms", MASS_LOSS_DELAY_MS));
}

/* Once when there are more, not per reply. */
static void note_unusable(struct cluster_watch *w, const struct catalog_health *h)
{
    unsigned left_out;
    bool say = h->unusable > w->unusable && log_limit_pass(&w->unusable_limit, LOG_LIMIT_BURST,
                                                           httpc_now(w->context->httpc), &left_out);
    if (say)
        LOG_WARN("instances without an address for clients are skipped", F_STR("cluster", w->id),
                 F_INT("skipped", h->unusable), F_STR("first", h->example),
                 F_SOME("left_out", left_out));
    if (say || h->unusable < w->unusable)
        w->unusable = h->unusable;
    for (size_t i = 0; i < INSTANCE_SKIPS; i++) {
        if (h->skipped[i] > w->skipped[i])
            consul_metrics_skipped(httpc_metrics(w->context->httpc), (enum instance_skip)i,
                                   h->skipped[i] - w->skipped[i]);
        w->skipped[i] = h->skipped[i];
    }
}

/* Changes of a cluster that has an instance without a check, or that the scan has no row of, are only
 * found by reading it. */
static void note_seen(struct cluster_watch *w, struct catalog_health *h)
{
    struct watch_context *x = w->context;
    uint64_t *nodes = w->nodes;
    bool unseen = h->unchecked || w->rows == 0;
    x->unseen = x->unseen - w->unseen + unseen;
    w->unseen = unseen;
    for (size_t i = 0; i < VIEWS; i++) {
        w->moved[i] |= !rows_sum_equal(&w->read[i], &h->rows[i]);
        w->read[i] = h->rows[i];
    }
    w->nodes = h->nodes;
    w->node_count = h->node_count;
    h->nodes = nodes; /* freed with the reply */
}

static struct admission_options delays_of(const struct config *c)
{
    return (struct admission_options){.settle_ms = c->admission.settle_ms,
                                      .leave_delay_ms = c->admission.leave_delay_ms,
                                      .gone_delay_ms = c->admission.gone_delay_ms};
}

/* A complete answer: judge it and serve what comes of it. */
static bool observe(struct cluster_watch *w, struct catalog_health *h, bool authoritative)
{
    struct watch_context *x = w->context;
    const struct config *c = x->config;
    int64_t now = httpc_now(x->httpc);
    struct admission_options options = delays_of(c);
    struct observation o = {.instances = h->instances,
                            .count = h->count,
                            .unusable = h->unusable,
                            .authoritative = authoritative,
                            .asked_ms = w->last_read_ms,
                            .leave_floor_ms = mass_loss_floor(&x->mass_loss, x->clusters, now),
                            .losing_floor_ms =
                                mass_loss_floor_losing(&x->mass_loss, &w->loss, x->clusters, now)};
    struct decision d;
    if (!admission_observe(&w->admission, &o, &options, now, &d))
        return false;
    w->news = d.changed || d.losing;
    if (d.losing)
        cluster_watch_note_loss(w);
    note_unusable(w, h);
    note_seen(w, h);
    publish_observed(w, &h->reports, d.changed ? d.why : NULL);
    if (authoritative && !w->unpublished && w->admission.state == CLUSTER_LIVE)
        merge_confirm(x->merge, w->id);
    w->ask_consistent = d.ask_consistent;
    /* The first ones of thousands come all at once; the next ones shall not. */
    if (authoritative)
        w->sweep_at_ms = clock_together(
            now + (w->was_read ? sweep_ms(w) : jitter_upto(&x->jitter, sweep_ms(w))));
    plan_read(w, w->unpublished ? now + UNPUBLISHED_RETRY_MS : d.ask_at_ms);
    return true;
}

/* Pair with catalog_health_clear(), also on failure. */
static bool parse_reply(const struct cluster_watch *w, const struct httpc_reply *reply,
                        struct catalog_health *out, struct error *reterr)
{
    const struct watch_context *x = w->context;
    *out = (struct catalog_health){.count = 0};
    bool ok =
        catalog_reply_ok(reply, reterr) &&
        catalog_parse_health(reply, x->config, w->service, httpc_has_token(x->httpc), out, reterr);
    if (!ok)
        consul_metrics_unusable(httpc_metrics(x->httpc), reterr->text);
    return ok;
}

/* -- reads ----------------------------------------------------------------------------------- */

/* The first answer, be it a failure, and the first reading, are told once each. */
static void note_answer(struct cluster_watch *w)
{
    struct watch_context *x = w->context;
    bool answered = w->answered;
    bool was_read = w->was_read;
    w->answered = true;
    w->was_read = w->newest_index > 0;
    x->unanswered -= !answered;
    x->unread -= w->was_read && !was_read;
    if (!answered || w->was_read != was_read)
        x->progress(x->arg);
}

/* A read that was slow may tell of a time before the last reply of the watch: not news. When the
 * one made after it has a lower index too, the index really went back (a restored snapshot). */
static bool is_overtaken(struct cluster_watch *w, uint64_t index)
{
    bool older = index < w->newest_index;
    w->overtaken = older && !w->overtaken;
    return w->overtaken;
}

static void accept_read(struct cluster_watch *w, uint64_t index)
{
    note_success(w);
    merge_note_failure(w->context->merge, w->id, "");
    /* A watch that is refused again and again must not be tried at full speed because the reads in
     * between succeed. */
    if (w->context->plan != PLAN_EACH)
        backoff_reset(&w->backoff);
    w->newest_index = index;
    if (w->watch_call != NULL && index < w->watch_index) {
        /* The index went back: Consul will not reach that one for long. */
        httpc_cancel(w->context->httpc, w->watch_call);
        w->watch_call = NULL;
    }
    if (w->watch_call == NULL)
        w->watch_index = index;
}

/* Those who wait would only hear the same; what waits for the first answers is not kept waiting. */
static void answer_for_all(struct watch_context *x)
{
    for (struct cluster_watch *w = x->reads.untried; w != NULL; w = w->next_waiting)
        note_answer(w);
}

/* May end the cluster. */
static void take_read(struct cluster_watch *w, const struct httpc_reply *reply)
{
    struct watch_context *x = w->context;
    struct catalog_health health;
    struct error error;
    w->read_call = NULL;

    if (!parse_reply(w, reply, &health, &error))
        fail(w, reply->status, error.text);
    else if (is_overtaken(w, reply->index))
        cluster_watch_check(w);
    else if (!observe(w, &health, true))
        fail(w, reply->status, "out of memory");
    else
        accept_read(w, reply->index);
    catalog_health_clear(&health);
    if (w->told && !w->read_timer.set) /* it has fired while this one was under way */
        cluster_watch_check(w);
    note_answer(w);
    if (reads_end(&x->reads, is_refusal(reply->status) ? READ_REFUSED : READ_ANSWERED))
        x->recovered(x->arg);
    if (reads_are_refused(&x->reads))
        answer_for_all(x);
    if (w->admission.state == CLUSTER_GONE && !w->unpublished && x->gone(x->arg, w))
        return;
    if (!w->failing)
        start_watch(w);
}

static void on_read(void *arg, const struct httpc_reply *reply)
{
    struct cluster_watch *w = arg;
    struct watch_context *x = w->context;
    take_read(w, reply);
    watch_context_report(x);
}

static bool send_read(struct cluster_watch *w)
{
    struct watch_context *x = w->context;
    struct catalog_read read = {.authoritative = true, .consistent = w->ask_consistent};
    struct buf path;
    buf_init(&path, 4096);
    w->last_read_ms = httpc_now(x->httpc);
    w->told = false;
    if (catalog_health_path(&path, x->config, w->service, &read)) {
        struct httpc_request request = {.method = "GET",
                                        .path = buf_text(&path),
                                        .timeout_ms = catalog_timeout_ms(&read),
                                        .max_body = HEALTH_BODY_MAX,
                                        .op = CONSUL_OP_CLUSTER_READ};
        w->read_call = httpc_send(x->httpc, &request, on_read, w);
    }
    if (w->read_call == NULL)
        fail(w, 0, "out of memory");
    buf_clear(&path);
    return w->read_call != NULL;
}

static void on_read_timer(void *arg)
{
    struct cluster_watch *w = arg;
    if (w->read_call == NULL) /* else its reply plans the next one */
        reads_want(&w->context->reads, w);
}

/* -- watches --------------------------------------------------------------------------------- */

static bool take_watched(struct cluster_watch *w, const struct httpc_reply *reply)
{
    struct catalog_health health;
    struct error error;
    bool ok = parse_reply(w, reply, &health, &error) &&
              (observe(w, &health, false) || error_set(&error, "out of memory"));
    catalog_health_clear(&health);
    if (!ok) {
        fail(w, reply->status, error.text);
        return false;
    }
    w->newest_index = reply->index;
    w->overtaken = false;
    return true;
}

static void take_watch(struct cluster_watch *w, const struct httpc_reply *reply)
{
    struct error error;
    w->watch_call = NULL;
    if (reply->status == 429)
        w->context->refused(w->context->arg);
    if (!catalog_reply_ok(reply, &error)) {
        consul_metrics_unusable(httpc_metrics(w->context->httpc), error.text);
        fail(w, reply->status, error.text);
        return;
    }
    if (reply->index < w->watch_index) {
        LOG_DEBUG("the index went back: reading anew", F_STR("cluster", w->id));
        w->watch_index = 0;
        cluster_watch_check(w);
        return;
    }
    backoff_reset(&w->backoff);
    w->watch_index = reply->index;
    if (reply->index < w->newest_index || take_watched(w, reply))
        start_watch(w);
}

static void on_watch(void *arg, const struct httpc_reply *reply)
{
    struct cluster_watch *w = arg;
    take_watch(w, reply);
    watch_context_report(w->context);
}

static void send_watch(void *arg)
{
    struct cluster_watch *w = arg;
    struct watch_context *x = w->context;
    struct catalog_read read = {
        .index = w->watch_index,
        .wait_ms = jitter_spread(&x->jitter, x->config->consul.wait_ms, SPREAD_PERCENT)};
    struct buf path;
    buf_init(&path, 4096);
    if (catalog_health_path(&path, x->config, w->service, &read)) {
        struct httpc_request request = {.method = "GET",
                                        .path = buf_text(&path),
                                        .timeout_ms = catalog_timeout_ms(&read),
                                        .max_body = HEALTH_BODY_MAX,
                                        .blocking = true,
                                        .op = CONSUL_OP_CLUSTER_WATCH};
        w->watch_call = httpc_send(x->httpc, &request, on_watch, w);
    }
    if (w->watch_call == NULL)
        fail(w, 0, "out of memory");
    buf_clear(&path);
}

/* The next blocking query, when there are to be any and none is under way. */
static void start_watch(struct cluster_watch *w)
{
    struct watch_context *x = w->context;
    if (x->plan != PLAN_EACH || w->watch_call != NULL || w->watch_timer.set || w->watch_index == 0)
        return;
    int64_t now = httpc_now(x->httpc);
    int64_t own = wakes_wait_ms(&w->wakes, w->news, now);
    int64_t all = bucket_take(&x->wakes, now);
    w->news = false;
    int64_t wait = own > all ? own : all;
    if (wait > 0)
        httpc_timer_set(x->httpc, &w->watch_timer, now + wait);
    else
        send_watch(w);
}

void cluster_watch_follow_plan(struct cluster_watch *w)
{
    struct httpc *httpc = w->context->httpc;
    cluster_watch_plan_sweep(w);
    if (w->context->plan == PLAN_EACH) {
        if (!w->failing)
            start_watch(w);
        return;
    }
    httpc_timer_cancel(httpc, &w->watch_timer);
    httpc_cancel(httpc, w->watch_call);
    w->watch_call = NULL;
    w->watch_index = w->newest_index;
}

/* -- life ------------------------------------------------------------------------------------ */

struct cluster_watch *cluster_watch_new(struct watch_context *context, const char *id)
{
    struct cluster_watch *w = calloc(1, sizeof *w);
    struct buf service;
    buf_init(&service, 1024);
    if (w == NULL || !buf_printf(&service, "%s%s", context->config->consul.service_prefix, id)) {
        free(w);
        buf_clear(&service);
        return NULL;
    }
    w->context = context;
    w->service = buf_detach(&service);
    memcpy(w->id, id, strlen(id) + 1);
    admission_init(&w->admission);
    backoff_init(&w->backoff, BACKOFF_FIRST_MS, BACKOFF_CAP_MS);
    wakes_init(&w->wakes);
    w->read_timer = TIMER(on_read_timer, w);
    w->watch_timer = TIMER(send_watch, w);
    w->last_read_ms = httpc_now(context->httpc) - READ_SPACING_MS;
    w->rows = SIZE_MAX;
    context->clusters++;
    context->unanswered++;
    context->unread++;
    cluster_watch_check(w);
    return w;
}

bool cluster_watch_restore(struct cluster_watch *w, const struct cluster *c)
{
    bool ok = false;
    size_t count;
    struct endpoint *all = NULL;
    struct endpoint *list = endpoint_parse_list(c->body, &count);
    if (c->withheld[0] != '\0')
        w->withheld = endpoint_parse_list(c->withheld, &w->withheld_count);
    if (list == NULL || (c->withheld[0] != '\0' && w->withheld == NULL))
        goto out;
    all = calloc(count + w->withheld_count, sizeof *all);
    if (all == NULL)
        goto out;
    memcpy(all, list, count * sizeof *all);
    if (w->withheld_count > 0)
        memcpy(all + count, w->withheld, w->withheld_count * sizeof *all);
    count = endpoint_sort(all, count + w->withheld_count);
    ok = admission_restore(&w->admission, all, count) && publish_claims(w);
out:
    free(all);
    free(list);
    return ok;
}

void cluster_watch_restart(struct cluster_watch *w)
{
    admission_clear(&w->admission);
    w->admission.state = CLUSTER_EMPTY;
    plan_read(w, httpc_now(w->context->httpc) + sweep_ms(w));
}

void cluster_watch_follow_config(struct cluster_watch *w, const struct config *old)
{
    const struct config *new = w->context->config;
    const struct admission_options from = delays_of(old), to = delays_of(new);
    bool judged_anew = old->consul.accept != new->consul.accept ||
                       strcmp(old->consul.address_from, new->consul.address_from) != 0;
    bool same = from.settle_ms == to.settle_ms && from.leave_delay_ms == to.leave_delay_ms &&
                from.gone_delay_ms == to.gone_delay_ms;
    bool runs =
        !same && admission_change_delays(&w->admission, &from, &to, httpc_now(w->context->httpc));
    /* Who failed is tried again: what was wrong may have been put right. */
    if (judged_anew || runs || w->failing)
        cluster_watch_check(w);
}

void cluster_watch_give_up(struct cluster_watch *w)
{
    admission_clear(&w->admission);
    bool told = publish_claims(w);
    (void)told; /* without memory the others are granted what it had with their next read */
}

void cluster_watch_free(struct cluster_watch *w)
{
    if (w == NULL)
        return;
    struct watch_context *x = w->context;
    reads_withdraw(&x->reads, w);
    if (w->read_call != NULL)
        (void)reads_end(&x->reads, READ_CANCELLED);
    httpc_cancel(x->httpc, w->read_call);
    httpc_cancel(x->httpc, w->watch_call);
    httpc_timer_cancel(x->httpc, &w->read_timer);
    httpc_timer_cancel(x->httpc, &w->watch_timer);
    if (w->failing)
        x->failing--;
    /* A cluster that has ended claims nothing any more; at the end of all, nobody is to be told. */
    claims_drop(x->claims, w->id);
    mass_loss_forget(&x->mass_loss, &w->loss);
    x->clusters--;
    x->unseen -= w->unseen;
    x->unanswered -= !w->answered;
    x->unread -= !w->was_read;
    admission_clear(&w->admission);
    free(w->withheld);
    free(w->nodes);
    free(w->service);
    free(w);
}
