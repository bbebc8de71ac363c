/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/routes.h"

#include <string.h>
#include <strings.h>

#include "model/table.h"

#define CLUSTER_PATH "/rocketmq/"

static struct reply error(unsigned status, const char *reason)
{
    return (struct reply){.status = status, .reason = reason};
}

/* An absolute-form target (RFC 9112, 3.2.2) names the authority first: a proxy sends that. */
static const char *origin_form(const char *path)
{
    if (strncasecmp(path, "http://", 7) != 0)
        return path;
    const char *slash = strchr(path + 7, '/');
    return slash != NULL ? slash : "/";
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

enum decoded { DECODED, DECODED_TOO_LONG, DECODED_BAD };

/* One segment, decoded once. What could mean another path when read a second time, and what no
 * text has, is bad. */
static enum decoded decode(const char *raw, char *out, size_t size, size_t *len)
{
    size_t n = 0;
    for (const char *c = raw; *c != '\0'; c++) {
        int byte = (unsigned char)*c;
        if (*c == '%') {
            int high = hex(c[1]);
            int low = high < 0 ? -1 : hex(c[2]);
            if (low < 0)
                return DECODED_BAD;
            byte = high * 16 + low;
            if (byte == '/')
                return DECODED_BAD;
            c += 2;
        }
        if (byte < 0x20 || byte == 0x7f)
            return DECODED_BAD;
        if (n < size)
            out[n] = (char)byte;
        n++;
    }
    *len = n;
    return n <= size ? DECODED : DECODED_TOO_LONG;
}

/* Does an If-None-Match list name this tag? Weak and strong compare alike (RFC 9110, 13.1.2). */
static bool etag_listed(const char *list, const char *etag)
{
    size_t len = strlen(etag);
    const char *at = list + strspn(list, " \t");
    if (strcmp(at, "*") == 0)
        return true;
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

static struct reply find_cluster(const struct request *request, const char *segment,
                                 const struct table *table, const struct registry_status *status,
                                 const char *default_cluster)
{
    char id[CLUSTER_ID_SIZE];
    size_t len = 0;
    if (strchr(segment, '/') != NULL)
        return error(404, "unknown-path");
    enum decoded how = decode(segment, id, CLUSTER_ID_MAX, &len);
    if (how == DECODED_BAD)
        return error(400, "bad-request");
    if (how == DECODED_TOO_LONG || !cluster_id_valid(id, len))
        return error(404, "unknown-cluster");
    id[len] = '\0';

    bool alias = default_cluster[0] != '\0' && strcmp(id, "nsaddr") == 0;
    const char *wanted = alias ? default_cluster : id;
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
static bool answer_health(const char *path, const struct registry_status *status, struct reply *out)
{
    if (strcmp(path, "/healthz") == 0)
        *out = (struct reply){.status = 200, .text = "ok\n"};
    else if (strcmp(path, "/readyz") != 0)
        return false;
    else if (status->draining)
        *out = error(503, "draining");
    else if (!status->ready)
        *out = error(503, "not-ready");
    else
        *out = (struct reply){.status = 200, .text = "ready\n"};
    return true;
}

static bool is_read(const struct request *request)
{
    return strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
}

void routes_public(const struct request *request, const struct table *table,
                   const struct registry_status *status, const char *default_cluster,
                   struct reply *out)
{
    const char *path = origin_form(request->path);
    size_t prefix = strlen(CLUSTER_PATH);
    if (!is_read(request))
        *out = error(405, "method-not-allowed");
    else if (strncmp(path, CLUSTER_PATH, prefix) == 0)
        *out = find_cluster(request, path + prefix, table, status, default_cluster);
    else if (!answer_health(path, status, out))
        *out = error(404, "unknown-path");
}

void routes_admin(const struct request *request, const struct registry_status *status,
                  struct reply *out)
{
    if (!is_read(request))
        *out = error(405, "method-not-allowed");
    else if (!answer_health(origin_form(request->path), status, out))
        *out = error(404, "unknown-path");
}
