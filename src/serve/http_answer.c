/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http_answer.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "model/metrics.h"
#include "model/table.h"
#include "serve/client_names.h"
#include "serve/http_admin.h"
#include "serve/routes.h"
#include "serve/unknown_ids.h"

/* A response and its headers are some ten small pieces, allocated one after the other. With thousands
 * of clusters none is in the processor's cache: asked for together they come together. */
#define RESPONSE_BYTES 640
#define CACHE_LINE 64
#define NS_PER_MS 1000000

/* -- responses ------------------------------------------------------------------------------- */

/* The library's signatures have no const where it only reads. */
static void *unconst(const void *p)
{
    union {
        const void *in;
        void *out;
    } cast = {.in = p};
    return cast.out;
}

static bool add(struct MHD_Response *r, const char *name, const char *value)
{
    return MHD_add_response_header(r, name, value) == MHD_YES;
}

/* A response with this header, or none at all. */
static struct MHD_Response *with(struct MHD_Response *r, const char *name, const char *value)
{
    if (r == NULL || add(r, name, value))
        return r;
    MHD_destroy_response(r);
    return NULL;
}

static struct MHD_Response *text_response(const char *text)
{
    return with(
        MHD_create_response_from_buffer(strlen(text), unconst(text), MHD_RESPMEM_PERSISTENT),
        "Content-Type", "text/plain; charset=utf-8");
}

static struct MHD_Response *list_response(const struct cluster *c)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(c->body_len, unconst(c->body), MHD_RESPMEM_MUST_COPY);
    r = with(r, "Content-Type", "text/plain; charset=utf-8");
    r = with(r, "ETag", c->etag);
    if (c->state == CLUSTER_LIVE)
        return r;
    /* What Consul does not confirm says so, and since when. */
    char since[CLOCK_TEXT_SIZE];
    clock_format(c->since_wall_ms, since);
    r = with(r, "X-Nsaddr-State", cluster_state_name(c->state));
    return with(r, "X-Nsaddr-Since", since);
}

static void drop_response(void *response)
{
    MHD_destroy_response(response);
}

/* A list is made into a response once and kept with its cluster: making it takes longer than all
 * else we do for a request. Borrowed from the cluster. */
static struct MHD_Response *kept_list_response(const struct cluster *c)
{
    struct MHD_Response *r = cluster_rendering(c);
    if (r != NULL || (r = list_response(c)) == NULL)
        return r;
    return cluster_keep_rendering(c, r, drop_response);
}

static ssize_t no_bytes(void *cls, uint64_t pos, char *buf, size_t max)
{
    (void)cls;
    (void)pos;
    (void)buf;
    (void)max;
    return MHD_CONTENT_READER_END_OF_STREAM;
}

/* To a HEAD the library would send the end of a chunked body, which the peer takes for the beginning
 * of the next answer. */
static struct MHD_Response *error_response(unsigned status, const char *reason, bool no_body)
{
    struct MHD_Response *r =
        no_body ? MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT)
                : MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 64, no_bytes, NULL, NULL);
    if (!no_body) /* see http.h */
        r = with(r, "Trailer", "X-Nsaddr-End");
    r = with(r, "X-Nsaddr-Reason", reason);
    return status == MHD_HTTP_METHOD_NOT_ALLOWED ? with(r, "Allow", "GET, HEAD") : r;
}

static struct MHD_Response *make_response(const struct http_answers *a,
                                          const struct http_request *request,
                                          const struct reply *reply)
{
    if (reply->cluster != NULL)
        return list_response(reply->cluster);
    if (reply->text != NULL)
        return text_response(reply->text);
    if (reply->status == MHD_HTTP_OK || reply->route == HTTP_ROUTE_EXPLAIN)
        return http_admin_page(a, request, reply);
    return error_response(reply->status, reply->reason, request->head.no_body);
}

/* False: no memory for an answer. */
static bool queue(const struct http_answers *a, const struct http_request *request,
                  struct MHD_Connection *connection, const struct reply *reply, bool close)
{
    bool kept = reply->cluster != NULL && !close;
    struct MHD_Response *r =
        kept ? kept_list_response(reply->cluster) : make_response(a, request, reply);
    if (close)
        r = with(r, "Connection", "close");
    if (r == NULL)
        return false;
    bool queued = MHD_queue_response(connection, reply->status, r) == MHD_YES;
    if (!kept)
        MHD_destroy_response(r);
    return queued;
}

/* -- requests -------------------------------------------------------------------------------- */

static void note_unknown(struct unknown_ids *unknown, const char *id, int64_t now_ms)
{
    bool last;
    if (!unknown_ids_note(unknown, id, now_ms, &last))
        return;
    LOG_INFO("a cluster was asked for that is not known", F_STR("cluster", id));
    if (last)
        LOG_WARN(
            "too many unknown clusters were asked for: further ones are not logged for an hour",
            F_INT("logged", UNKNOWN_IDS_MAX));
}

/* A reply that was not queued, for want of memory, closes the connection. */
static bool respond(const struct http_answers *a, struct http_request *r,
                    struct MHD_Connection *connection, const struct reply *reply, bool close)
{
    /* Who sends one bad request may mean the next bytes otherwise than we read them. */
    close = close || reply->status == MHD_HTTP_BAD_REQUEST;
    bool queued = queue(a, r, connection, reply, close);
    r->answered_ns = clock_mono_ns();
    if (!queued)
        return false;
    http_metrics_request(a->counters, reply->route, reply->status,
                         (uint64_t)(r->answered_ns - r->started_ns));
    if (reply->route == HTTP_ROUTE_CLUSTER) {
        http_metrics_client(a->counters,
                            http_client_of(r->head.client_version, r->head.user_agent));
        client_names_note(a->clients, r->head.client_version, r->head.user_agent);
    }
    return true;
}

static bool answer(struct http_answers *a, struct http_request *r,
                   struct MHD_Connection *connection, const char *method, const char *path,
                   bool close)
{
    struct reply reply;
    struct request request = {
        .method = method,
        .path = path,
        .if_none_match = r->head.if_none_match,
    };
    registry_view_update(a->registry, &a->view);
    if (a->admin)
        routes_admin(&request, a->view.table, &a->view.status, &reply);
    else
        routes_public(&request, a->view.table, &a->view.status, table_default(a->view.table),
                      &reply);
    if (!a->admin && reply.asked_id[0] != '\0')
        note_unknown(a->unknown, reply.asked_id, r->started_ns / NS_PER_MS);
    return respond(a, r, connection, &reply, close || a->view.status.draining);
}

/* The library would keep each name of a query with the request, and stop reading without a word when
 * there is no more room for them. The target is in its read buffer: so is, until the request's end,
 * what is cut off here, and only the admin pages look at it. */
static void cut_query(struct http_request *r, const char *target)
{
    char *query = strchr(unconst(target), '?');
    if (query == NULL)
        return;
    r->query = query + 2;
    r->query_first = query[1];
    query[1] = '\0';
}

/* -- ahead of the answer --------------------------------------------------------------------- */

static void warm_slot(const struct http_answers *a, struct http_request *r, const char *target)
{
    static const char lists[] = "/rocketmq/";
    if (a->view.table == NULL || strncmp(target, lists, sizeof lists - 1) != 0)
        return;
    const char *id = target + sizeof lists - 1;
    r->hash = table_hash(id, strcspn(id, "?"));
    r->warm = true;
    table_warm_slot(a->view.table, r->hash);
}

static void warm_response(const struct http_answers *a, const struct http_request *r)
{
    const char *response = r->warm ? table_peek_rendering(a->view.table, r->hash) : NULL;
    for (size_t i = 0; response != NULL && i < RESPONSE_BYTES; i += CACHE_LINE)
        __builtin_prefetch(response + i);
}

void http_request_begin(const struct http_answers *a, struct http_request *r, const char *target)
{
    *r = (struct http_request){0};
    if (http_target_is_text(target))
        r->target_end = target + strlen(target);
    cut_query(r, target);
    warm_slot(a, r, target);
}

/* The library calls twice: after the head, when an answer also closes the connection, and after
 * the body. We answer in the second call, except what has to be refused. */
bool http_answer(struct http_answers *a, struct http_request *r, struct MHD_Connection *connection,
                 const char *target, const char *method, const char *version, size_t *upload_size)
{
    if (r->seen) {
        *upload_size = 0;
        return answer(a, r, connection, method, target, r->head.is_1_0);
    }
    r->seen = true;
    r->started_ns = clock_mono_ns();
    if (r->warm)
        table_warm_cluster(a->view.table, r->hash);
    struct reply refused = {.status = MHD_HTTP_BAD_REQUEST};
    struct http_line line = {.method = method, .target = target, .version = version};
    refused.reason = http_head_judge(connection, &line, r->target_end, &r->head);
    if (refused.reason != NULL)
        return respond(a, r, connection, &refused, true);
    /* Now, so that no body is waited for; nor is "100 Continue" said to who has none: with further
     * bytes there already, 0.9.75 would send no answer behind it. */
    if (!http_method_is_read(method) || r->head.expect != NULL)
        return answer(a, r, connection, method, target, true);
    warm_response(a, r);
    return true;
}

size_t http_leave_escaped(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg;
    (void)connection;
    return strlen(text);
}
