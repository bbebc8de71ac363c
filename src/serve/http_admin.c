/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http_admin.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "model/consul_metrics.h"
#include "model/metrics.h"
#include "serve/client_names.h"
#include "serve/http_answer.h"
#include "serve/metrics_text.h"
#include "serve/routes.h"
#include "serve/status.h"

/* A longer query is not one of ours. */
#define QUERY_MAX 1024

static const char text_type[] = "text/plain; charset=utf-8";
/* Browsers show text with a style of their own. */
static const char text_policy[] = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/* -- what is asked for ----------------------------------------------------------------------- */

static void read_query(const struct http_request *r, struct status_query *out)
{
    char text[QUERY_MAX];
    size_t len = 0;
    if (r->query != NULL && r->target_end != NULL && r->target_end >= r->query)
        len = (size_t)(r->target_end - r->query) + 1;
    if (len == 0 || len > sizeof text) {
        status_query_parse("", 0, out);
        return;
    }
    text[0] = r->query_first;
    memcpy(text + 1, r->query, len - 1);
    status_query_parse(text, len, out);
}

/* -- what is shown --------------------------------------------------------------------------- */

/* New, or NULL: no memory. */
static char *copy_config(struct http_pages *p)
{
    pthread_mutex_lock(&p->lock);
    char *copy = strdup(p->config != NULL ? p->config : "");
    pthread_mutex_unlock(&p->lock);
    return copy;
}

static bool write_page(const struct status_view *v, const struct http_request *r,
                       const struct reply *reply, struct buf *page)
{
    struct status_query query;
    bool found;
    if (reply->route == HTTP_ROUTE_EXPLAIN)
        return status_explain(v, reply->asked_id, &found, page);
    read_query(r, &query);
    return reply->route == HTTP_ROUTE_STATUS ? status_html(v, &query, page)
                                             : status_json(v, &query, page);
}

static bool write_status(const struct http_answers *a, const struct http_request *r,
                         const struct reply *reply, struct buf *page)
{
    struct client_totals clients;
    struct consul_report consul;
    char *config = copy_config(a->pages);
    if (config == NULL)
        return false;
    client_names_total(atomic_load_explicit(&a->pages->clients, memory_order_acquire), &clients);
    metrics_consul(a->metrics, &consul);
    const struct status_view view = {
        .build = metrics_build(a->metrics),
        .started_wall_ms = metrics_started_wall_ms(a->metrics),
        .now_wall_ms = clock_wall_ms(),
        .now_mono_ms = clock_mono_ms(),
        .table = a->view.table,
        .registry = a->view.status,
        .consul = &consul,
        .clients = &clients,
        .config = config,
    };
    bool ok = write_page(&view, r, reply, page);
    free(config);
    return ok;
}

/* -- responses ------------------------------------------------------------------------------- */

/* With this header, or none at all. */
static struct MHD_Response *with(struct MHD_Response *r, const char *name, const char *value)
{
    if (r == NULL || MHD_add_response_header(r, name, value) == MHD_YES)
        return r;
    MHD_destroy_response(r);
    return NULL;
}

/* Takes the page's bytes. */
static struct MHD_Response *respond(struct buf *page, const char *type)
{
    size_t len = page->len;
    char *text = buf_detach(page);
    if (text == NULL)
        return NULL;
    struct MHD_Response *r = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
    if (r == NULL)
        free(text);
    return with(r, "Content-Type", type);
}

struct MHD_Response *http_admin_page(const struct http_answers *a, const struct http_request *r,
                                     const struct reply *reply)
{
    struct buf page;
    const char *type = reply->route == HTTP_ROUTE_STATUS        ? "text/html; charset=utf-8"
                       : reply->route == HTTP_ROUTE_STATUS_JSON ? "application/json"
                                                                : text_type;
    bool metrics = reply->route == HTTP_ROUTE_METRICS;
    buf_init(&page, metrics ? METRICS_TEXT_MAX : STATUS_MAX);
    bool ok = metrics ? metrics_text_page(a->metrics, a->view.table, &a->view.status,
                                          r->head.accept, &page, &type)
                      : write_status(a, r, reply, &page);
    struct MHD_Response *made = ok ? respond(&page, type) : NULL;
    buf_clear(&page);
    if (metrics)
        return made;
    made = with(made, "Cache-Control", "no-store");
    made = with(made, "X-Content-Type-Options", "nosniff");
    made = with(made, "Referrer-Policy", "no-referrer");
    if (reply->reason != NULL)
        made = with(made, "X-Nsaddr-Reason", reply->reason);
    return with(made, "Content-Security-Policy",
                reply->route == HTTP_ROUTE_STATUS ? status_html_policy : text_policy);
}
