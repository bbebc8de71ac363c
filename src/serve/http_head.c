/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http_head.h"

#include <microhttpd.h>
#include <string.h>
#include <strings.h>

#include "serve/authority.h"

/* 0.9.75 reads a request in place and turns the end of each line into zeros, so what it joins or
 * leaves out shows as a gap between what it hands out: folded lines, what follows a NUL in a value,
 * and lines with an empty name or a NUL in front, at which it ends the head and would read the rest
 * as another request. A line end of LF alone would hide a gap and is refused. Newer libraries judge
 * all this themselves. */
#define LINE_END 2

/* What the library lets through although RFC 9112 does not (0.9.75: duplicate or conflicting
 * framing headers, names that are no tokens, control bytes in values). */
struct judgement {
    bool in_place;
    const char *end; /* of the last line that was seen */
    unsigned hosts;
    unsigned lengths;
    unsigned codings;
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

/* Does the header's line begin where the one before it ended? */
static bool follows(struct judgement *h, const char *name, size_t name_len, const char *value,
                    size_t value_len)
{
    const char *at = h->end + LINE_END;
    if (name != at)
        return false;
    at += name_len + 1;
    at += strspn(at, " \t");
    h->end = value + value_len;
    return value == at;
}

static size_t len_without_blanks(const char *value, size_t len)
{
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        len--;
    return len;
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
    else if (strcasecmp(name, "Expect") == 0)
        slot = &head->expect;
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
    if ((h->in_place && !follows(h, name, name_len, value, value_len)) ||
        !is_token(name, name_len) || !is_text(value, value_len)) {
        h->bad = true;
        return MHD_NO;
    }
    if (strcasecmp(name, "Host") == 0) {
        h->hosts++;
        h->bad |= !authority_valid(value, len_without_blanks(value, value_len));
    } else if (strcasecmp(name, "Content-Length") == 0) {
        h->lengths++;
        h->bad |= value[0] == '\0' || strspn(value, "0123456789") != strlen(value);
        h->has_body |= strspn(value, "0") != strlen(value);
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        h->codings++;
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

bool http_target_is_text(const char *target)
{
    for (const char *c = target; *c != '\0'; c++)
        if ((unsigned char)*c <= 0x20 || *c == 0x7f)
            return false;
    return true;
}

/* Is it one blank, the target, one blank, and nothing that a NUL hides? */
static bool line_is_whole(const struct http_line *line, const char *target_end)
{
    return line->target == line->method + strlen(line->method) + 1 &&
           line->version == target_end + 1;
}

static bool head_is_whole(struct MHD_Connection *connection, const char *start, const char *end)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info != NULL && start + info->header_size == end + 2 * LINE_END;
}

const char *http_head_judge(struct MHD_Connection *connection, const struct http_line *line,
                            const char *target_end, struct http_head *out)
{
    struct judgement h = {
        .in_place = MHD_get_version()[0] == '0',
        .end = line->version + strlen(line->version),
        .head = out,
    };
    *out = (struct http_head){
        .no_body = strcmp(line->method, "HEAD") == 0,
        .is_1_0 = strcmp(line->version, "HTTP/1.0") == 0,
    };
    h.bad = target_end == NULL || !is_token(line->method, strlen(line->method)) ||
            (h.in_place && !line_is_whole(line, target_end));
    (void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, look_at_header, &h);
    if (h.bad || (h.in_place && !head_is_whole(connection, line->method, h.end)))
        return "bad-request";
    /* A higher 1.x is to be taken for 1.1 (RFC 9110, 2.5); what is not 1.x the library refuses. */
    if (h.hosts > 1 || (h.hosts == 0 && !out->is_1_0) || h.lengths > 1 || h.codings > 1)
        return "bad-request";
    if (h.codings > 0 && (h.lengths > 0 || out->is_1_0))
        return "bad-request";
    bool has_body = h.has_body || h.codings > 0;
    return has_body && http_method_is_read(line->method) ? "bad-request" : NULL;
}
