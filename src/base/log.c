/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

/* A line longer than a pipe's atomic write could be torn apart by another writer's. */
#define LINE_MAX_BYTES 4096
/* A list of 40 addresses still fits one field. */
#define VALUE_MAX_BYTES 1024

/* Least room behind a key for a number or a cut value, and the end of the line. */
#define FIELD_ROOM 64

static atomic_int min_level = LOG_LEVEL_INFO;
static atomic_int line_format = LOG_FORMAT_LOGFMT;

void log_configure(enum log_level level, enum log_format format)
{
    atomic_store(&min_level, (int)level);
    atomic_store(&line_format, (int)format);
}

struct line {
    char bytes[LINE_MAX_BYTES];
    size_t len;
};

/* One byte always stays free for the newline. */
static void put(struct line *l, const char *bytes, size_t len)
{
    size_t room = sizeof l->bytes - 1 - l->len;
    if (len > room)
        len = room;
    memcpy(l->bytes + l->len, bytes, len);
    l->len += len;
}

static void put_text(struct line *l, const char *text)
{
    put(l, text, strlen(text));
}

/* Bytes outside printable ASCII become \uXXXX: a byte of a peer's broken UTF-8 could otherwise
 * make the whole line unreadable for a strict reader. */
static void put_quoted(struct line *l, const char *text)
{
    put(l, "\"", 1);
    size_t end = l->len + VALUE_MAX_BYTES;
    for (const char *c = text; *c != '\0'; c++) {
        if (l->len + 8 > end || l->len + 16 > sizeof l->bytes) {
            put_text(l, "...");
            break;
        }
        unsigned char byte = (unsigned char)*c;
        char escaped[8];
        if (byte == '"' || byte == '\\')
            put(l, (char[]){'\\', *c}, 2);
        else if (byte >= 0x20 && byte < 0x7f)
            put(l, c, 1);
        else {
            (void)snprintf(escaped, sizeof escaped, "\\u%04x", byte);
            put_text(l, escaped);
        }
    }
    put(l, "\"", 1);
}

static bool is_plain(const char *text)
{
    if (*text == '\0')
        return false;
    for (const char *c = text; *c != '\0'; c++)
        if (*c <= ' ' || *c >= 0x7f || *c == '"' || *c == '=' || *c == '\\')
            return false;
    return strlen(text) < VALUE_MAX_BYTES;
}

static void put_key(struct line *l, bool json, const char *key)
{
    if (l->len > (json ? 1u : 0u))
        put(l, json ? "," : " ", 1);
    if (json)
        put_quoted(l, key);
    else
        put_text(l, key);
    put(l, json ? ":" : "=", 1);
}

static void put_string(struct line *l, bool json, const char *key, const char *value)
{
    put_key(l, json, key);
    if (!json && is_plain(value))
        put_text(l, value);
    else
        put_quoted(l, value);
}

void log_write(enum log_level level, const char *message, const struct log_field *fields,
               size_t count)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    if ((int)level < atomic_load(&min_level))
        return;
    int saved_errno = errno;
    bool json = atomic_load(&line_format) == LOG_FORMAT_JSON;
    char now[CLOCK_TEXT_SIZE];
    clock_format(clock_wall_ms(), now);

    struct line l = {.len = 0};
    if (json)
        put(&l, "{", 1);
    put_string(&l, json, "ts", now);
    put_string(&l, json, "level", names[level]);
    put_string(&l, json, "msg", message);
    for (size_t i = 0; i < count; i++) {
        if (l.len + strlen(fields[i].key) + FIELD_ROOM > sizeof l.bytes)
            break;
        if (fields[i].text != NULL) {
            put_string(&l, json, fields[i].key, fields[i].text);
            continue;
        }
        char number[24];
        (void)snprintf(number, sizeof number, "%" PRId64, fields[i].number);
        put_key(&l, json, fields[i].key);
        put_text(&l, number);
    }
    if (json)
        put(&l, "}", 1);
    l.bytes[l.len++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, l.bytes, l.len);
    (void)ignored;
    errno = saved_errno;
}
