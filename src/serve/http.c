/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "model/registry.h"
#include "model/table.h"
#include "serve/http_head.h"
#include "serve/routes.h"
#include "serve/unknown_ids.h"

#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */
/* Per connection, for request and reply head; a request with more gets 431. */
#define CONNECTION_MEMORY ((size_t)16 * 1024)
#define ADMIN_CONNECTIONS 128u
/* Files beside the connections: Consul, logs, the state file, the threads' epoll. */
#define SPARE_FILES 256

struct listener {
    struct http *http;
    const char *text; /* the address as configured */
    bool admin;
    int fd; /* -1 when the daemon has it */
    struct MHD_Daemon *daemon;
};

struct http {
    const struct config *config;
    struct registry *registry;
    struct listener *listeners;
    size_t count;
    struct unknown_ids unknown;
};

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

static void note_unknown(struct http *h, const char *id)
{
    bool last;
    if (!unknown_ids_note(&h->unknown, id, clock_mono_ms(), &last))
        return;
    LOG_INFO("a cluster was asked for that is not known", F_STR("cluster", id));
    if (last)
        LOG_WARN(
            "too many unknown clusters were asked for: further ones are not logged for an hour",
            F_INT("logged", UNKNOWN_IDS_MAX));
}

static enum MHD_Result answer(struct listener *l, struct MHD_Connection *connection,
                              const char *method, const char *path, bool close)
{
    struct http *h = l->http;
    struct registry_status status;
    struct reply reply;
    struct request request = {
        .method = method,
        .path = path,
        .if_none_match =
            MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH),
    };
    const struct table *table = registry_acquire(h->registry, &status);
    if (l->admin)
        routes_admin(&request, &status, &reply);
    else
        routes_public(&request, table, &status, h->config->default_cluster, &reply);
    if (reply.asked_id[0] != '\0')
        note_unknown(h, reply.asked_id);
    enum MHD_Result result = queue(connection, &reply, close);
    table_unref(table);
    return result;
}

/* The library hands out C strings: a raw NUL would end the path early and name another cluster. In
 * 0.9.75 the version follows the target in one buffer, so the distance shows it; 1.0 refuses such
 * requests itself. Called with the whole target; the result is *per_request of the first call. */
static void *note_target(void *arg, const char *target, struct MHD_Connection *connection)
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
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
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
static size_t leave_escaped(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg;
    (void)connection;
    return strlen(text);
}

static void on_library_log(void *arg, const char *format, va_list args) PRINTF_LIKE(2, 0);

static void on_library_log(void *arg, const char *format, va_list args)
{
    char text[512];
    (void)arg;
    (void)vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    LOG_DEBUG("libmicrohttpd", F_STR("says", text));
}

/* -- listening ------------------------------------------------------------------------------- */

static bool fail_listen(const struct config *c, bool admin, const char *text, int code,
                        struct error *reterr)
{
    char where[512];
    config_where(c, admin ? "admin.listen" : "listen", where, sizeof where);
    const char *hint = code == EADDRINUSE      ? "; right is a free port, or none other using it"
                       : code == EADDRNOTAVAIL ? "; right is an address of this host"
                       : code == EACCES        ? "; right is a port above 1023, or more rights"
                                               : "";
    return error_set(reterr, "%s: cannot listen on %s: %s%s", where, text, strerror(code), hint);
}

/* A lone "[::]" takes IPv4 too, as everybody expects; in a list it must leave room for an IPv4
 * address of the same port. */
static int open_socket(const struct config *c, bool admin, const char *text, struct error *reterr)
{
    struct listen_address a;
    int on = 1;
    int v6_only = (admin ? c->admin.listen.count : c->listen.count) > 1;
    if (!listen_address_parse(text, &a, reterr))
        return -1;
    int fd = socket(a.sockaddr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        fail_listen(c, admin, text, errno, reterr);
        return -1;
    }
    bool ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
              (a.sockaddr.ss_family != AF_INET6 ||
               setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only) == 0) &&
              bind(fd, (const struct sockaddr *)&a.sockaddr, a.len) == 0 &&
              listen(fd, BACKLOG) == 0;
    if (ok)
        return fd;
    fail_listen(c, admin, text, errno, reterr);
    (void)close(fd);
    return -1;
}

static unsigned thread_count(const struct config *c, bool admin)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (admin)
        return 1;
    if (c->http.threads > 0)
        return (unsigned)c->http.threads;
    return cores < 1 ? 1 : cores > 64 ? 64 : (unsigned)cores;
}

static bool start_answering(struct listener *l, struct error *reterr)
{
    const struct config *c = l->http->config;
    unsigned threads = thread_count(c, l->admin);
    unsigned limit = l->admin ? ADMIN_CONNECTIONS : (unsigned)c->http.max_connections;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET, l->fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)limit, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)(c->http.idle_timeout_ms / 1000), NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)CONNECTION_MEMORY, NULL},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escaped, NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)note_target, NULL},
        /* A pool of one is refused; without the option there is one thread anyway. */
        {threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    /* The logger is an argument of its own: it has to come before all others. */
    l->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL,
                                 on_request, l, MHD_OPTION_EXTERNAL_LOGGER, on_library_log, NULL,
                                 MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    if (l->daemon == NULL)
        return error_set(reterr,
                         "cannot start answering on %s: libmicrohttpd refuses, with %u threads and "
                         "%u connections",
                         l->text, threads, limit);
    l->fd = -1;
    LOG_INFO("listening", F_STR("address", l->text), F_STR("for", l->admin ? "admin" : "clients"),
             F_INT("threads", threads));
    return true;
}

/* Each connection is a file: raise the soft limit to what the configured number needs. */
static void raise_file_limit(const struct config *c)
{
    struct rlimit limit;
    rlim_t need = (rlim_t)c->http.max_connections * c->listen.count +
                  (rlim_t)c->consul.max_watches + SPARE_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need)
        return;
    rlim_t reach = limit.rlim_max < need ? limit.rlim_max : need;
    limit.rlim_cur = reach;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || reach < need)
        LOG_WARN("the limit of open files is below what http.max_connections may need",
                 F_INT("need", need), F_INT("limit", limit.rlim_cur));
}

static bool open_all(struct http *h, const struct strings *list, bool admin, struct error *reterr)
{
    for (size_t i = 0; i < list->count; i++) {
        int fd = open_socket(h->config, admin, list->items[i], reterr);
        if (fd < 0)
            return false;
        h->listeners[h->count++] =
            (struct listener){.http = h, .text = list->items[i], .admin = admin, .fd = fd};
    }
    return true;
}

struct http *http_start(const struct config *config, struct registry *registry,
                        struct error *reterr)
{
    struct http *h = calloc(1, sizeof *h);
    size_t most = config->listen.count + config->admin.listen.count;
    if (h == NULL || (h->listeners = calloc(most, sizeof *h->listeners)) == NULL) {
        error_set(reterr, "out of memory");
        free(h);
        return NULL;
    }
    h->config = config;
    h->registry = registry;
    h->unknown = (struct unknown_ids)UNKNOWN_IDS_INIT;
    raise_file_limit(config);
    /* All or nothing: whoever finds one address answering finds every one. */
    bool ok = open_all(h, &config->listen, false, reterr) &&
              open_all(h, &config->admin.listen, true, reterr);
    for (size_t i = 0; ok && i < h->count; i++)
        ok = start_answering(&h->listeners[i], reterr);
    if (ok)
        return h;
    http_stop(h);
    return NULL;
}

void http_stop(struct http *h)
{
    if (h == NULL)
        return;
    for (size_t i = 0; i < h->count; i++) {
        if (h->listeners[i].daemon != NULL)
            MHD_stop_daemon(h->listeners[i].daemon);
        if (h->listeners[i].fd >= 0)
            (void)close(h->listeners[i].fd);
    }
    free(h->listeners);
    free(h);
}

const char *http_library_version(void)
{
    return MHD_get_version();
}
