/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

/* PIPE_BUF: a pipe with any room takes that much at once, and no other writer tears it apart. */
#define LINE_MAX_BYTES 4096
/* A list of 40 addresses still fits one field. */
#define VALUE_MAX_BYTES 1024

/* Least room behind a key for a number or a cut value, and the end of the line. */
#define FIELD_ROOM 64

static atomic_int min_level = LOG_LEVEL_INFO;
static atomic_int line_format = LOG_FORMAT_LOGFMT;
static atomic_bool to_journal;

/* A reader that is only slow loses nothing; one that stands still costs us this much, this often. */
#define ROOM_WAIT_MS 50
#define ROOM_WAIT_SPACING_MS 1000

static atomic_uint_fast64_t dropped_total;

/* Whoever writes a line. */
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;
static uint64_t dropped_now; /* since the last line that got through */
static int64_t wait_again_ms;

void log_configure(enum log_level level, enum log_format format)
{
    atomic_store(&min_level, (int)level);
    atomic_store(&line_format, (int)format);
}

/* "<device>:<inode>" of what the service manager opened for us: it may be redirected since. */
void log_open(void)
{
    struct stat st;
    char *end;
    const char *stream = getenv("JOURNAL_STREAM");
    bool same = false;
    if (stream != NULL && fstat(STDERR_FILENO, &st) == 0) {
        unsigned long long device = strtoull(stream, &end, 10);
        same = *end == ':' && device == st.st_dev && strtoull(end + 1, &end, 10) == st.st_ino &&
               *end == '\0';
    }
    atomic_store(&to_journal, same);
}

const char *log_prefix(enum log_level level)
{
    static const char *const prefixes[] = {"<7>", "<6>", "<4>", "<3>"}; /* as in syslog(3) */
    return atomic_load_explicit(&to_journal, memory_order_relaxed) ? prefixes[level] : "";
}

bool log_limit_pass(struct log_limit *l, unsigned burst, int64_t now_ms, unsigned *left_out)
{
    int_fast64_t began_ms = atomic_load(&l->began_ms);
    if (now_ms - began_ms >= LOG_LIMIT_MS &&
        atomic_compare_exchange_strong(&l->began_ms, &began_ms, now_ms))
        atomic_store(&l->passed, 0);
    bool pass = atomic_fetch_add(&l->passed, 1) < burst;
    *left_out = pass ? atomic_exchange(&l->left_out, 0) : atomic_fetch_add(&l->left_out, 1);
    return pass;
}

bool log_complaint_begins(struct log_complaint *c, int64_t now_ms, unsigned *left_out)
{
    bool say = !c->told && log_limit_pass(&c->limit, LOG_LIMIT_BURST, now_ms, left_out);
    c->told |= say;
    return say;
}

bool log_complaint_ends(struct log_complaint *c)
{
    bool told = c->told;
    c->told = false;
    return told;
}

struct line {
    char bytes[LINE_MAX_BYTES];
    size_t len;
    size_t first; /* where the first field begins */
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

/* One character, or one byte that belongs to none. */
static void put_escaped(struct line *l, const char *text, size_t len, uint32_t c)
{
    char escaped[UTF8_ESCAPED_SIZE];
    if (c == '"' || c == '\\') {
        put(l, "\\", 1);
        put(l, text, len);
    } else if (len > 0 && utf8_is_shown(c)) {
        put(l, text, len);
    } else {
        utf8_escape(c, escaped);
        put_text(l, escaped);
    }
}

/* A byte of a peer's broken UTF-8 could make the whole line unreadable for a strict reader: it
 * becomes \u00XX. */
static void put_quoted(struct line *l, const char *text)
{
    put(l, "\"", 1);
    size_t end = l->len + VALUE_MAX_BYTES;
    for (const char *at = text; *at != '\0';) {
        if (l->len + UTF8_ESCAPED_SIZE > end || l->len + UTF8_ESCAPED_SIZE + 8 > sizeof l->bytes) {
            put_text(l, "...");
            break;
        }
        uint32_t c = 0;
        size_t len = utf8_decode(at, &c);
        put_escaped(l, at, len, len > 0 ? c : (unsigned char)*at);
        at += len > 0 ? len : 1;
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
    if (l->len > l->first)
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

static void put_number(struct line *l, bool json, const char *key, int64_t value)
{
    char number[24];
    (void)snprintf(number, sizeof number, "%" PRId64, value);
    put_key(l, json, key);
    put_text(l, number);
}

static void put_fields(struct line *l, bool json, const struct log_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].key == NULL)
            continue;
        if (l->len + strlen(fields[i].key) + FIELD_ROOM > sizeof l->bytes)
            break;
        if (fields[i].text != NULL)
            put_string(l, json, fields[i].key, fields[i].text);
        else
            put_number(l, json, fields[i].key, fields[i].number);
    }
}

/* Standard error is not ours alone, so it stays blocking: it is asked before each write. */
static bool has_room(void)
{
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
    bool waits = dropped_now == 0 && clock_mono_ms() >= wait_again_ms;
    int n;
    do
        n = poll(&fd, 1, waits ? ROOM_WAIT_MS : 0);
    while (n < 0 && errno == EINTR);
    if (n <= 0 && waits)
        wait_again_ms = clock_mono_ms() + ROOM_WAIT_SPACING_MS;
    return n > 0;
}

static bool write_line(enum log_level level, const char *message, const struct log_field *fields,
                       size_t count)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    bool json = atomic_load(&line_format) == LOG_FORMAT_JSON;
    char now[CLOCK_TEXT_SIZE];
    clock_format(clock_wall_ms(), now);

    struct line l = {.len = 0};
    put_text(&l, log_prefix(level));
    if (json)
        put(&l, "{", 1);
    l.first = l.len;
    put_string(&l, json, "ts", now);
    put_string(&l, json, "level", names[level]);
    put_string(&l, json, "msg", message);
    if (dropped_now > 0)
        put_number(&l, json, "lines_dropped", (int64_t)dropped_now);
    put_fields(&l, json, fields, count);
    if (json)
        put(&l, "}", 1);
    l.bytes[l.len++] = '\n';
    return write(STDERR_FILENO, l.bytes, l.len) == (ssize_t)l.len;
}

void log_write(enum log_level level, const char *message, const struct log_field *fields,
               size_t count)
{
    if ((int)level < atomic_load(&min_level))
        return;
    int saved_errno = errno;
    (void)pthread_mutex_lock(&writing);
    if (has_room() && write_line(level, message, fields, count)) {
        dropped_now = 0;
    } else {
        dropped_now++;
        atomic_fetch_add(&dropped_total, 1);
    }
    (void)pthread_mutex_unlock(&writing);
    errno = saved_errno;
}

uint64_t log_lines_dropped(void)
{
    return atomic_load(&dropped_total);
}
