/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http_admin.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "model/consul_report.h"
#include "model/metrics.h"
#include "serve/client_names.h"
#include "serve/http_answer.h"
#include "serve/metrics_text.h"
#include "serve/routes.h"
#include "serve/status.h"

/* A longer query is not one of ours. */
#define QUERY_MAX 1024

/* What is sent of JSON at once. */
#define JSON_BLOCK (32 * 1024)

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
static struct MHD_Response *respond(struct buf *page)
{
    size_t len = page->len;
    char *text = buf_detach(page);
    if (text == NULL)
        return NULL;
    struct MHD_Response *r = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
    if (r == NULL)
        free(text);
    return r;
}

/* -- what is shown --------------------------------------------------------------------------- */

/* New, or NULL: no memory. */
static char *copy(struct http_pages *p, char *const *text)
{
    pthread_mutex_lock(&p->lock);
    char *made = strdup(*text != NULL ? *text : "");
    pthread_mutex_unlock(&p->lock);
    return made;
}

static bool write_page(const struct status_view *v, const struct http_request *r,
                       const struct reply *reply, struct buf *page)
{
    struct status_query query;
    bool found;
    if (reply->route == HTTP_ROUTE_EXPLAIN)
        return status_explain(v, reply->asked_id, &found, page);
    read_query(r, &query);
    return status_html(v, &query, page);
}

static ssize_t read_json(void *arg, uint64_t at, char *out, size_t max)
{
    size_t len;
    (void)at; /* it is asked for in order */
    if (!status_json_read(arg, out, max, &len))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    return len > 0 ? (ssize_t)len : MHD_CONTENT_READER_END_OF_STREAM;
}

/* Of a HEAD nothing is read. */
static ssize_t read_nothing(void *arg, uint64_t at, char *out, size_t max)
{
    (void)arg;
    (void)at;
    (void)out;
    (void)max;
    return MHD_CONTENT_READER_END_OF_STREAM;
}

/* Takes `json`. With its length, as it would be now: to a HEAD without one the library would send the
 * end of a chunked body (http_answer.c). */
static struct MHD_Response *json_head(struct status_json *json)
{
    char piece[4096];
    uint64_t total = 0;
    size_t len = 0;
    bool ok;
    while ((ok = status_json_read(json, piece, sizeof piece, &len)) && len > 0)
        total += len;
    status_json_free(json);
    return ok ? MHD_create_response_from_callback(total, 64, read_nothing, NULL, NULL) : NULL;
}

static void drop_json(void *arg)
{
    status_json_free(arg);
}

static struct MHD_Response *json_response(const struct status_view *v, const struct http_request *r)
{
    struct status_query query;
    read_query(r, &query);
    struct status_json *json = status_json_new(v, &query);
    if (json == NULL)
        return NULL;
    if (r->head.no_body)
        return json_head(json);
    struct MHD_Response *made =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, JSON_BLOCK, read_json, json, drop_json);
    if (made == NULL)
        status_json_free(json);
    return made;
}

static struct MHD_Response *status_response(const struct http_answers *a,
                                            const struct http_request *r, const struct reply *reply)
{
    struct client_totals clients;
    struct consul_report consul;
    char *config = copy(a->pages, &a->pages->config);
    char *excluded = copy(a->pages, &a->pages->excluded);
    struct MHD_Response *made = NULL;
    if (config == NULL || excluded == NULL)
        goto out;
    client_names_total(atomic_load_explicit(&a->pages->clients, memory_order_acquire), &clients);
    metrics_consul(a->metrics, &consul);
    const struct reload_outcome reload = metrics_reload(a->metrics);
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
        .excluded = excluded,
        .config_wall_ms = reload.success_wall_ms,
        .reload_refused = !reload.successful,
    };
    if (reply->route == HTTP_ROUTE_STATUS_JSON) {
        made = json_response(&view, r);
    } else {
        struct buf page;
        buf_init(&page, STATUS_MAX);
        made = write_page(&view, r, reply, &page) ? respond(&page) : NULL;
        buf_clear(&page);
    }
out:
    free(config);
    free(excluded);
    return made;
}

static struct MHD_Response *metrics_response(const struct http_answers *a, const char *accept)
{
    struct buf page;
    const char *type;
    buf_init(&page, METRICS_TEXT_MAX);
    bool ok = metrics_text_page(a->metrics, a->view.table, &a->view.status, accept, &page, &type);
    struct MHD_Response *made = ok ? with(respond(&page), "Content-Type", type) : NULL;
    buf_clear(&page);
    return made;
}

struct MHD_Response *http_admin_page(const struct http_answers *a, const struct http_request *r,
                                     const struct reply *reply)
{
    if (reply->route == HTTP_ROUTE_METRICS)
        return metrics_response(a, r->head.accept);
    bool html = reply->route == HTTP_ROUTE_STATUS;
    struct MHD_Response *made = status_response(a, r, reply);
    made = with(made, "Content-Type",
                html                                     ? "text/html; charset=utf-8"
                : reply->route == HTTP_ROUTE_STATUS_JSON ? "application/json"
                                                         : "text/plain; charset=utf-8");
    made = with(made, "Cache-Control", "no-store");
    made = with(made, "X-Content-Type-Options", "nosniff");
    made = with(made, "Referrer-Policy", "no-referrer");
    made = with(made, "Content-Security-Policy", html ? status_html_policy : text_policy);
    return reply->reason != NULL ? with(made, "X-Nsaddr-Reason", reply->reason) : made;
}
