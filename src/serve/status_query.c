/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "serve/status.h"

#define VALUE_SIZE 256
#define PAGES_MAX 1000000

static const char *const filters[STATUS_FILTERS] = {
    [STATUS_ALL] = "",
    [STATUS_PROBLEMS] = "problems",
    [STATUS_UNREAD] = "unread",
    [STATUS_EMPTY] = "empty",
    [STATUS_LIVE] = "live",
    [STATUS_HELD] = "held",
    [STATUS_RESTORED] = "restored",
};

const char *status_filter_name(enum status_filter f)
{
    return filters[f];
}

static int hex(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) % 16 : -1;
}

/* One value as a form sends it, decoded and cut. Bytes that no id or address has end it. */
static void decode(const char *text, size_t len, char out[static VALUE_SIZE])
{
    size_t used = 0;
    for (size_t i = 0; i < len && used < VALUE_SIZE - 1; i++) {
        char c = text[i] == '+' ? ' ' : text[i];
        if (c == '%' && i + 2 < len && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
            c = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
            i += 2;
        }
        if ((unsigned char)c < 0x20)
            break;
        out[used++] = c;
    }
    out[used] = '\0';
}

static void copy(char *out, size_t size, const char *text)
{
    size_t len = strnlen(text, size - 1);
    memcpy(out, text, len);
    out[len] = '\0';
}

static void take(const char *name, size_t len, const char *value, struct status_query *out)
{
    if (len == 1 && name[0] == 'q') {
        copy(out->search, sizeof out->search, value);
    } else if (len == 7 && strncmp(name, "cluster", len) == 0) {
        copy(out->cluster, sizeof out->cluster, value);
    } else if (len == 5 && strncmp(name, "state", len) == 0) {
        for (enum status_filter f = 0; f < STATUS_FILTERS; f++)
            if (strcmp(value, filters[f]) == 0)
                out->filter = f;
    } else if (len == 4 && strncmp(name, "page", len) == 0) {
        unsigned long page = strspn(value, "0123456789") == strlen(value) && strlen(value) < 10
                                 ? strtoul(value, NULL, 10)
                                 : 0;
        out->page = page < PAGES_MAX ? page : PAGES_MAX;
    }
}

void status_query_parse(const char *text, size_t len, struct status_query *out)
{
    char value[VALUE_SIZE];
    *out = (struct status_query){.filter = STATUS_ALL};
    for (const char *end = text + len; text < end;) {
        const char *stop = memchr(text, '&', (size_t)(end - text));
        size_t part = (size_t)((stop != NULL ? stop : end) - text);
        const char *equals = memchr(text, '=', part);
        if (equals != NULL) {
            size_t name = (size_t)(equals - text);
            decode(equals + 1, part - name - 1, value);
            take(text, name, value, out);
        }
        text += part + 1;
    }
}
