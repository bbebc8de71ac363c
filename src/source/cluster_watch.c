/* SPDX-License-Identifier: Apache-2.0 */
#include "source/cluster_watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "config/config.h"
#include "consul/httpc.h"
#include "model/claims.h"
#include "source/cluster_publish.h"
#include "source/cluster_query.h"
#include "source/cluster_read.h"
#include "source/cluster_reply.h"

#define BACKOFF_FIRST_MS 500
#define BACKOFF_CAP_MS 30000

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
    cluster_read_init(w);
    cluster_query_init(w);
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
    cluster_watch_plan_read(w, httpc_now(w->context->httpc) + cluster_watch_sweep_ms(w));
}

void cluster_watch_follow_plan(struct cluster_watch *w)
{
    cluster_watch_plan_sweep(w);
    if (w->context->plan != PLAN_EACH)
        cluster_query_stop(w);
    else if (!w->failing)
        cluster_query_start(w);
}

void cluster_watch_follow_config(struct cluster_watch *w, const struct config *old)
{
    const struct config *new = w->context->config;
    const struct admission_options from = cluster_reply_delays(old), to = cluster_reply_delays(new);
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
    cluster_read_stop(w);
    cluster_query_stop(w);
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
