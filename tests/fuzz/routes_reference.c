/* SPDX-License-Identifier: Apache-2.0 */
#include "routes_reference.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "model/registry.h"
#include "model/table.h"

#define LONGEST_ID                                                                                 \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"                             \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Neighbours of each other. */
static const struct {
    const char *id;
    enum cluster_state state;
} clusters[] = {
    {"1", CLUSTER_LIVE},        {"10", CLUSTER_HELD},    {"a", CLUSTER_LIVE},
    {"A", CLUSTER_RESTORED},    {"a-1", CLUSTER_LIVE},   {"...", CLUSTER_LIVE},
    {"%31", CLUSTER_LIVE},      {"new", CLUSTER_UNREAD}, {"none", CLUSTER_EMPTY},
    {"rocketmq", CLUSTER_LIVE}, {"a.b_", CLUSTER_LIVE},  {LONGEST_ID, CLUSTER_LIVE},
};

static bool has_list(size_t cluster)
{
    return clusters[cluster].state != CLUSTER_UNREAD && clusters[cluster].state != CLUSTER_EMPTY;
}

/* Each cluster has one address, of its own. */
const struct table *reference_table(void)
{
    static const struct table *made;
    if (made != NULL)
        return made;
    struct table *t = fuzz_checked(table_new());
    for (size_t i = 0; i < COUNT_OF(clusters); i++) {
        struct endpoint e = {.family = 4, .addr = {10, 0, 0, (uint8_t)i}, .port = 9876};
        size_t count = has_list(i);
        struct cluster *c =
            fuzz_checked(cluster_new(clusters[i].id, clusters[i].state, 0, &e, count));
        if (!table_set(t, c))
            abort();
    }
    made = t;
    return made;
}

/* Where one segment of a decoded path ends and the next begins: no byte of a segment. */
#define CUT '\001'

/* The whole path decoded once, with CUT for its slashes. False: no path. */
static bool decode(const char *raw, char *out)
{
    for (; *raw != '\0'; raw++) {
        unsigned char byte = (unsigned char)*raw;
        if (byte == '%') {
            static const char digits[] = "0123456789abcdef0123456789ABCDEF";
            const char *high = raw[1] != '\0' ? strchr(digits, raw[1]) : NULL;
            const char *low = high != NULL && raw[2] != '\0' ? strchr(digits, raw[2]) : NULL;
            if (low == NULL)
                return false;
            byte = (unsigned char)((high - digits) % 16 * 16 + (low - digits) % 16);
            raw += 2;
            if (byte == '/')
                return false;
        } else if (byte == '/') {
            *out++ = CUT;
            continue;
        }
        if (byte < 0x20 || byte == 0x7f)
            return false;
        *out++ = (char)byte;
    }
    *out = '\0';
    return true;
}

static struct reference_answer refusal(unsigned status)
{
    return (struct reference_answer){.status = status};
}

static struct reference_answer answer_cluster(const char *id, const struct registry_status *status)
{
    for (size_t i = 0; i < COUNT_OF(clusters); i++)
        if (strcmp(clusters[i].id, id) == 0 && id[0] != '%') /* that one cannot be asked for */
            return has_list(i) ? (struct reference_answer){.status = 200, .id = clusters[i].id}
                               : refusal(503);
    bool could_be =
        id[0] != '\0' && strcmp(id, ".") != 0 && strcmp(id, "..") != 0 && strlen(id) <= 128 &&
        strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
            strlen(id);
    return refusal(could_be && !status->complete ? 503 : 404);
}

static bool is_known(const char *id)
{
    for (size_t i = 0; i < COUNT_OF(clusters); i++)
        if (strcmp(clusters[i].id, id) == 0)
            return true;
    return false;
}

/* `path` is decoded. */
static struct reference_answer answer_path(const char *path, const struct registry_status *status,
                                           bool admin, const char *default_cluster)
{
    static const char under[] = "\001rocketmq\001";
    if (strcmp(path, "\001healthz") == 0)
        return (struct reference_answer){.status = 200, .text = "ok\n"};
    if (strcmp(path, "\001readyz") == 0)
        return status->ready && !status->draining
                   ? (struct reference_answer){.status = 200, .text = "ready\n"}
                   : refusal(503);
    static const char explain[] = "\001explain\001";
    if (admin && (strcmp(path, "\001metrics") == 0 || strcmp(path, "\001status") == 0 ||
                  strcmp(path, "\001status.json") == 0))
        return refusal(200);
    if (admin && strncmp(path, explain, sizeof explain - 1) == 0)
        return refusal(is_known(path + sizeof explain - 1) ? 200 : 404);
    const char *id = path + sizeof under - 1;
    if (admin || strncmp(path, under, sizeof under - 1) != 0 || strchr(id, CUT) != NULL)
        return refusal(404);
    bool alias = strcmp(id, "nsaddr") == 0 && default_cluster[0] != '\0';
    return answer_cluster(alias ? default_cluster : id, status);
}

bool reference_host(const char *text)
{
    static const char marks[] = "-._~!$&'()*+;=";
    const char *at = text;
    if (*at == '[') {
        do
            at++;
        while (*at != '\0' && (isalnum((unsigned char)*at) || strchr(marks, *at) != NULL ||
                               *at == ':' || *at == '%'));
        if (at == text + 1 || *at++ != ']')
            return false;
    } else {
        while (*at != '\0' &&
               (isalnum((unsigned char)*at) || strchr(marks, *at) != NULL ||
                (*at == '%' && isxdigit((unsigned char)at[1]) && isxdigit((unsigned char)at[2]))))
            at++;
    }
    if (*at == ':')
        at += 1 + strspn(at + 1, "0123456789");
    return *at == '\0';
}

/* What an absolute form (RFC 9112, 3.2.2) has behind its host; NULL when the host is none. */
static const char *behind_host(const char *host)
{
    size_t len = strcspn(host, "/");
    char *text = fuzz_checked(strndup(host, len));
    bool ok = len > 0 && text[0] != ':' && reference_host(text);
    free(text);
    return !ok ? NULL : host[len] == '/' ? host + len : "/";
}

struct reference_answer reference_answer(const char *method, const char *path,
                                         const struct registry_status *status, bool admin,
                                         const char *default_cluster)
{
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return refusal(405);
    const char *origin_form = strncasecmp(path, "http://", 7) == 0 ? behind_host(path + 7) : path;
    if (origin_form == NULL || origin_form[0] != '/')
        return refusal(400);
    char *decoded = fuzz_checked(malloc(strlen(origin_form) + 1));
    struct reference_answer a = decode(origin_form, decoded)
                                    ? answer_path(decoded, status, admin, default_cluster)
                                    : refusal(400);
    free(decoded);
    return a;
}

bool reference_tag_list(const char *text, const char *etag, bool *named)
{
    *named = false;
    text += strspn(text, " \t");
    if (text[0] == '*') {
        *named = true;
        return text[1 + strspn(text + 1, " \t")] == '\0';
    }
    bool any = false;
    for (bool between = true; *text != '\0';) {
        size_t skipped = strspn(text, " \t,");
        between |= memchr(text, ',', skipped) != NULL;
        text += skipped;
        if (*text == '\0')
            break;
        text += strncmp(text, "W/", 2) == 0 ? 2 : 0;
        size_t len = 0;
        if (between && *text == '"')
            for (len = 1; (unsigned char)text[len] > 0x20 && text[len] != 0x7f && text[len] != '"';)
                len++;
        if (len == 0 || text[len] != '"')
            return false;
        *named |= strlen(etag) == len + 1 && strncmp(text, etag, len + 1) == 0;
        any = true;
        between = false;
        text += len + 1;
    }
    return any;
}
