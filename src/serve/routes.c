/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/routes.h"

#include <string.h>
#include <strings.h>

#include "model/table.h"
#include "serve/authority.h"

/* No path of ours has more segments; a longer one is unknown. */
#define SEGMENTS_MAX 2

static struct reply error(unsigned status, const char *reason)
{
    return (struct reply){.status = status, .reason = reason};
}

/* An absolute-form target (RFC 9112, 3.2.2) names the authority first: a proxy sends that. NULL for
 * one that names none, or a user (RFC 9110, 4.2.1 and 4.2.4). */
static const char *origin_form(const char *path)
{
    if (strncasecmp(path, "http://", 7) != 0)
        return path;
    const char *host = path + 7;
    size_t len = strcspn(host, "/");
    if (len == 0 || host[0] == ':' || !authority_valid(host, len))
        return NULL;
    return host[len] == '/' ? host + len : "/";
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

struct segment {
    char text[CLUSTER_ID_SIZE]; /* NUL-terminated; cut when too_long */
    size_t len;
    bool too_long;
};

struct path {
    struct segment segments[SEGMENTS_MAX];
    size_t count; /* may be more than are kept */
};

/* One byte of a raw path, decoded; *at moves behind it. -1 for what could mean another path when
 * read a second time, and for what no text has. */
static int next_byte(const char **at)
{
    int byte = (unsigned char)*(*at)++;
    if (byte == '%') {
        int high = hex((*at)[0]);
        int low = high < 0 ? -1 : hex((*at)[1]);
        if (low < 0)
            return -1;
        byte = high * 16 + low;
        *at += 2;
        if (byte == '/')
            return -1;
    }
    return byte < 0x20 || byte == 0x7f ? -1 : byte;
}

/* Cuts a path at its slashes, then decodes each segment, once. */
static bool split(const char *raw, struct path *out)
{
    struct segment *s = NULL;
    *out = (struct path){.count = 0};
    while (*raw != '\0') {
        if (*raw == '/') {
            raw++;
            s = out->count < SEGMENTS_MAX ? &out->segments[out->count] : NULL;
            out->count++;
            continue;
        }
        int byte = next_byte(&raw);
        if (byte < 0 || out->count == 0) /* no leading slash: "*", "host:80", ... */
            return false;
        if (s != NULL && s->len < CLUSTER_ID_MAX)
            s->text[s->len++] = (char)byte;
        else if (s != NULL)
            s->too_long = true;
    }
    return out->count > 0;
}

static bool is_path(const struct path *path, const char *only)
{
    return path->count == 1 && strcmp(path->segments[0].text, only) == 0;
}

/* Does an If-None-Match list name this tag? Weak and strong compare alike (RFC 9110, 13.1.2). */
static bool etag_listed(const char *list, const char *etag)
{
    size_t len = strlen(etag);
    const char *at = list + strspn(list, " \t");
    if (at[0] == '*')
        return at[1 + strspn(at + 1, " \t")] == '\0';
    for (;;) {
        at += strspn(at, " \t,");
        if (*at == '\0')
            return false;
        if (strncmp(at, "W/", 2) == 0)
            at += 2;
        const char *end = *at == '"' ? strchr(at + 1, '"') : NULL;
        if (end == NULL)
            return false;
        if ((size_t)(end + 1 - at) == len && strncmp(at, etag, len) == 0)
            return true;
        at = end + 1;
    }
}

static struct reply serve_cluster(const struct request *request, const struct cluster *c)
{
    if (c->state == CLUSTER_UNREAD)
        return error(503, "not-ready");
    if (c->body_len == 0)
        return error(503, "no-address");
    bool known = request->if_none_match != NULL && etag_listed(request->if_none_match, c->etag);
    return (struct reply){.status = known ? 304 : 200, .cluster = c};
}

static struct reply find_cluster(const struct request *request, const struct segment *id,
                                 const struct table *table, const struct registry_status *status,
                                 const char *default_cluster)
{
    if (id->too_long || !cluster_id_valid(id->text, id->len))
        return error(404, "unknown-cluster");
    bool alias = default_cluster[0] != '\0' && strcmp(id->text, "nsaddr") == 0;
    const char *wanted = alias ? default_cluster : id->text;
    const struct cluster *c = table_find(table, wanted, strlen(wanted));
    if (c != NULL)
        return serve_cluster(request, c);
    if (!status->complete)
        return error(503, "not-ready");
    struct reply r = error(404, "unknown-cluster");
    memcpy(r.asked_id, wanted, strlen(wanted) + 1);
    return r;
}

/* The two paths that both listeners have; false for any other. */
static bool answer_health(const struct path *path, const struct registry_status *status,
                          struct reply *out)
{
    enum http_route route = is_path(path, "healthz")  ? HTTP_ROUTE_HEALTHZ
                            : is_path(path, "readyz") ? HTTP_ROUTE_READYZ
                                                      : HTTP_ROUTE_OTHER;
    if (route == HTTP_ROUTE_OTHER)
        return false;
    if (route == HTTP_ROUTE_HEALTHZ)
        *out = (struct reply){.status = 200, .text = "ok\n"};
    else if (status->draining)
        *out = error(503, "draining");
    else if (!status->ready)
        *out = error(503, "not-ready");
    else
        *out = (struct reply){.status = 200, .text = "ready\n"};
    out->route = route;
    return true;
}

static bool is_read(const struct request *request)
{
    return strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
}

/* False when there is nothing more to say: *out has the refusal. */
static bool begin(const struct request *request, struct path *path, struct reply *out)
{
    if (!is_read(request)) { /* first: it may have a target of a form of its own */
        *out = error(405, "method-not-allowed");
        return false;
    }
    const char *raw = origin_form(request->path);
    if (raw != NULL && split(raw, path))
        return true;
    *out = error(400, "bad-request");
    return false;
}

void routes_public(const struct request *request, const struct table *table,
                   const struct registry_status *status, const char *default_cluster,
                   struct reply *out)
{
    struct path path;
    if (!begin(request, &path, out))
        return;
    if (path.count == 2 && strcmp(path.segments[0].text, "rocketmq") == 0) {
        *out = find_cluster(request, &path.segments[1], table, status, default_cluster);
        out->route = HTTP_ROUTE_CLUSTER;
    } else if (!answer_health(&path, status, out)) {
        *out = error(404, "unknown-path");
    }
}

/* An id that is none is explained, too. */
static void explain(const struct segment *id, const struct table *table, struct reply *out)
{
    bool known = table_find(table, id->text, id->len) != NULL;
    *out = (struct reply){.status = known ? 200 : 404, .route = HTTP_ROUTE_EXPLAIN};
    if (!known)
        out->reason = "unknown-cluster";
    memcpy(out->asked_id, id->text, id->len);
}

void routes_admin(const struct request *request, const struct table *table,
                  const struct registry_status *status, struct reply *out)
{
    static const struct {
        const char *path;
        enum http_route route;
    } pages[] = {
        {"metrics", HTTP_ROUTE_METRICS},
        {"status", HTTP_ROUTE_STATUS},
        {"status.json", HTTP_ROUTE_STATUS_JSON},
    };
    struct path path;
    if (!begin(request, &path, out) || answer_health(&path, status, out))
        return;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (is_path(&path, pages[i].path)) {
            *out = (struct reply){.status = 200, .route = pages[i].route};
            return;
        }
    }
    if (path.count == 2 && strcmp(path.segments[0].text, "explain") == 0 &&
        path.segments[1].len > 0 && !path.segments[1].too_long)
        explain(&path.segments[1], table, out);
    else
        *out = error(404, "unknown-path");
}
