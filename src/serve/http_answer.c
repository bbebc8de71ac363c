/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http_answer.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "model/registry.h"
#include "model/table.h"
#include "serve/http_head.h"
#include "serve/routes.h"
#include "serve/unknown_ids.h"

/* -- replies --------------------------------------------------------------------------------- */

static void drop_cluster(void *cluster)
{
    cluster_unref(cluster);
}

/* The library's signature has no const; it only reads. */
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

static struct MHD_Response *text_response(const char *text)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(strlen(text), unconst(text), MHD_RESPMEM_PERSISTENT);
    if (r == NULL || add(r, "Content-Type", "text/plain; charset=utf-8"))
        return r;
    MHD_destroy_response(r);
    return NULL;
}

/* What Consul does not confirm says so, and since when. */
static bool add_state(struct MHD_Response *r, const struct cluster *c)
{
    char since[CLOCK_TEXT_SIZE];
    if (c->state == CLUSTER_LIVE)
        return true;
    clock_format(c->since_wall_ms, since);
    return add(r, "X-Nsaddr-State", cluster_state_name(c->state)) &&
           add(r, "X-Nsaddr-Since", since);
}

/* The list straight from the table's memory, kept alive by a reference until it is sent. */
static struct MHD_Response *list_response(const struct cluster *c)
{
    struct MHD_Response *r = MHD_create_response_from_buffer_with_free_callback_cls(
        c->body_len, unconst(c->body), drop_cluster, unconst(cluster_ref(c)));
    if (r == NULL) {
        cluster_unref(c);
        return NULL;
    }
    if (add(r, "Content-Type", "text/plain; charset=utf-8") && add(r, "ETag", c->etag) &&
        add_state(r, c))
        return r;
    MHD_destroy_response(r);
    return NULL;
}

static ssize_t no_bytes(void *cls, uint64_t pos, char *buf, size_t max)
{
    (void)cls;
    (void)pos;
    (void)buf;
    (void)max;
    return MHD_CONTENT_READER_END_OF_STREAM;
}

static struct MHD_Response *error_response(unsigned status, const char *reason)
{
    struct MHD_Response *r =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 64, no_bytes, NULL, NULL);
    if (r == NULL)
        return NULL;
    if (add(r, "X-Nsaddr-Reason", reason) &&
        (status != MHD_HTTP_METHOD_NOT_ALLOWED || add(r, "Allow", "GET, HEAD")))
        return r;
    MHD_destroy_response(r);
    return NULL;
}

static struct MHD_Response *make_response(const struct reply *reply)
{
    if (reply->cluster != NULL)
        return list_response(reply->cluster);
    if (reply->text != NULL)
        return text_response(reply->text);
    return error_response(reply->status, reply->reason);
}

static enum MHD_Result queue(struct MHD_Connection *connection, const struct reply *reply,
                             bool close)
{
    struct MHD_Response *r = make_response(reply);
    if (r == NULL)
        return MHD_NO; /* no memory for an answer: the connection is closed */
    enum MHD_Result queued = MHD_NO;
    /* Who sends one bad request may mean the next bytes otherwise than we read them. */
    close = close || reply->status == MHD_HTTP_BAD_REQUEST;
    if (!close || add(r, "Connection", "close"))
        queued = MHD_queue_response(connection, reply->status, r);
    MHD_destroy_response(r);
    return queued;
}

/* -- requests -------------------------------------------------------------------------------- */

static void note_unknown(const struct http_answers *a, const char *id)
{
    bool last;
    if (!unknown_ids_note(a->unknown, id, clock_mono_ms(), &last))
        return;
    LOG_INFO("a cluster was asked for that is not known", F_STR("cluster", id));
    if (last)
        LOG_WARN(
            "too many unknown clusters were asked for: further ones are not logged for an hour",
            F_INT("logged", UNKNOWN_IDS_MAX));
}

static enum MHD_Result answer(const struct http_answers *a, struct MHD_Connection *connection,
                              const char *method, const char *path, bool close)
{
    struct registry_status status;
    struct reply reply;
    struct request request = {
        .method = method,
        .path = path,
        .if_none_match =
            MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH),
    };
    const struct table *table = registry_acquire(a->registry, &status);
    if (a->admin)
        routes_admin(&request, &status, &reply);
    else
        routes_public(&request, table, &status, a->default_cluster, &reply);
    if (reply.asked_id[0] != '\0')
        note_unknown(a, reply.asked_id);
    enum MHD_Result result = queue(connection, &reply, close || status.draining);
    table_unref(table);
    return result;
}

/* The library hands out C strings: a raw NUL would end the path early and name another cluster. In
 * 0.9.75 the version follows the target in one buffer, so the distance shows it; 1.0 refuses such
 * requests itself. Called with the whole target; the result is *per_request of the first call. */
void *http_note_target(void *arg, const char *target, struct MHD_Connection *connection)
{
    (void)arg;
    (void)connection;
    return unconst(target + strlen(target));
}

static bool target_has_nul(const char *end, const char *version)
{
    return MHD_VERSION < 0x01000000 && end != NULL && version != end + 1;
}

/* The library calls twice: after the head, when an answer also closes the connection, and after
 * the body. We answer in the second call, except what has to be refused. */
enum MHD_Result http_answer(void *arg, struct MHD_Connection *connection, const char *url,
                            const char *method, const char *version, const char *upload,
                            size_t *upload_size, void **per_request)
{
    static char seen;
    (void)upload;
    if (*per_request == &seen) {
        *upload_size = 0;
        return answer(arg, connection, method, url, strcmp(version, "HTTP/1.0") == 0);
    }
    const char *target_end = *per_request;
    *per_request = &seen;
    struct reply refused = {.status = MHD_HTTP_BAD_REQUEST};
    refused.reason = target_has_nul(target_end, version)
                         ? "bad-request"
                         : http_head_judge(connection, method, version);
    if (refused.reason != NULL)
        return queue(connection, &refused, true);
    if (!http_method_is_read(method)) /* now, so that no body is waited for */
        return answer(arg, connection, method, url, true);
    return MHD_YES;
}

/* Paths are judged raw; the library's own decoding would end them at %00. */
size_t http_leave_escaped(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg;
    (void)connection;
    return strlen(text);
}
