/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http_head.h"

#include <microhttpd.h>
#include <string.h>
#include <strings.h>

/* What the library lets through although RFC 9112 does not (0.9.75: duplicate or conflicting
 * framing headers, names that are no tokens, control bytes in values). */
struct judgement {
    unsigned hosts;
    unsigned lengths;
    bool has_body;
    bool bad;
    struct http_head *head;
};

static bool is_token(const char *name, size_t len)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && (c == '\0' || strchr(marks, c) == NULL))
            return false;
    }
    return len > 0;
}

static bool is_text(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* The first of each name is what counts. */
static void keep(struct http_head *head, const char *name, const char *value)
{
    const char **slot = NULL;
    if (strcasecmp(name, "User-Agent") == 0)
        slot = &head->user_agent;
    else if (strcasecmp(name, "Client-Version") == 0)
        slot = &head->client_version;
    else if (strcasecmp(name, "Accept") == 0)
        slot = &head->accept;
    else if (strcasecmp(name, "If-None-Match") == 0)
        slot = &head->if_none_match;
    if (slot != NULL && *slot == NULL)
        *slot = value;
}

static enum MHD_Result look_at_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                      size_t name_len, const char *value, size_t value_len)
{
    struct judgement *h = arg;
    (void)kind;
    if (value == NULL)
        value = "";
    if (!is_token(name, name_len) || !is_text(value, value_len)) {
        h->bad = true;
        return MHD_NO;
    }
    if (strcasecmp(name, "Host") == 0) {
        h->hosts++;
        h->bad |= strpbrk(value, " \t,/@?#") != NULL;
    } else if (strcasecmp(name, "Content-Length") == 0) {
        h->lengths++;
        h->bad |= value[0] == '\0' || strspn(value, "0123456789") != strlen(value);
        h->has_body |= strspn(value, "0") != strlen(value);
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        h->has_body = true;
        h->bad |= strcasecmp(value, "chunked") != 0;
    } else {
        keep(h->head, name, value);
    }
    return MHD_YES;
}

bool http_method_is_read(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

const char *http_head_judge(struct MHD_Connection *connection, const char *method,
                            const char *version, struct http_head *out)
{
    *out = (struct http_head){.accept = NULL};
    struct judgement h = {.head = out};
    (void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, look_at_header, &h);
    bool v1_1 = strcmp(version, "HTTP/1.1") == 0;
    bool v1_0 = strcmp(version, "HTTP/1.0") == 0;
    if (h.bad || h.hosts > 1 || h.lengths > 1 || (!v1_0 && !v1_1) || (v1_1 && h.hosts == 0))
        return "bad-request";
    return h.has_body && http_method_is_read(method) ? "bad-request" : NULL;
}
