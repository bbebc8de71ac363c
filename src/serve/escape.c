/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NO_CHARACTER UINT32_MAX

/* The character at *at, which moves behind it; NO_CHARACTER and one byte on when there is none. */
static uint32_t next_character(const char **at)
{
    const unsigned char *s = (const unsigned char *)*at;
    unsigned more = s[0] >= 0xf0 ? 3 : s[0] >= 0xe0 ? 2 : s[0] >= 0xc0 ? 1 : 0;
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    uint32_t c = more > 0 ? s[0] & (0x3fu >> more) : s[0];
    (*at)++;
    if (s[0] >= 0xf8 || (s[0] >= 0x80 && more == 0))
        return NO_CHARACTER;
    for (unsigned i = 1; i <= more; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return NO_CHARACTER;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return NO_CHARACTER;
    *at += more;
    return c;
}

/* Neither a control nor one that changes or hides how others show. */
static bool is_shown(uint32_t c)
{
    return c >= 0x20 && !(c >= 0x7f && c < 0xa0) && c != 0xad && c != 0x61c &&
           !(c >= 0x200b && c <= 0x200f) && !(c >= 0x2028 && c <= 0x202e) &&
           !(c >= 0x2060 && c <= 0x206f) && c != 0xfeff && !(c >= 0xfff9 && c <= 0xfffb) &&
           !(c >= 0xe0000 && c <= 0xe0fff);
}

enum form { PLAIN, HTML, HTML_LINES };

static void escape(struct buf *out, const char *text, enum form form)
{
    while (*text != '\0') {
        const char *from = text;
        uint32_t c = next_character(&text);
        if (c == NO_CHARACTER)
            (void)buf_printf(out, "\\x%02x", (unsigned)(unsigned char)*from);
        else if (c < 0x20 && !(form == HTML_LINES && c == '\n'))
            (void)buf_printf(out, "\\x%02x", (unsigned)c);
        else if (!is_shown(c) && c != '\n')
            (void)buf_printf(out, "\\u{%04x}", (unsigned)c);
        else if (c == '\\' && form != HTML_LINES)
            (void)buf_append_str(out, "\\\\");
        else if (form != PLAIN && c < 0x80 && strchr("&<>\"'", (int)c) != NULL)
            (void)buf_printf(out, "&#%u;", (unsigned)c);
        else
            (void)buf_append(out, from, (size_t)(text - from));
    }
}

void escape_plain(struct buf *out, const char *text)
{
    escape(out, text, PLAIN);
}

void escape_html(struct buf *out, const char *text)
{
    escape(out, text, HTML);
}

void escape_html_lines(struct buf *out, const char *text)
{
    escape(out, text, HTML_LINES);
}

/* A character beyond 16 bits is two (RFC 8259, 7). */
static void json_number(struct buf *out, uint32_t c)
{
    if (c > 0xffff) {
        (void)buf_printf(out, "\\u%04x", (unsigned)(0xd800 + ((c - 0x10000) >> 10)));
        c = 0xdc00 + ((c - 0x10000) & 0x3ff);
    }
    (void)buf_printf(out, "\\u%04x", (unsigned)c);
}

void escape_json(struct buf *out, const char *text)
{
    (void)buf_append_char(out, '"');
    while (*text != '\0') {
        const char *from = text;
        uint32_t c = next_character(&text);
        if (c == NO_CHARACTER)
            json_number(out, 0xfffd);
        else if (c == '\n')
            (void)buf_append_str(out, "\\n");
        else if (!is_shown(c))
            json_number(out, c);
        else if (c == '"' || c == '\\')
            (void)buf_printf(out, "\\%c", (int)c);
        else
            (void)buf_append(out, from, (size_t)(text - from));
    }
    (void)buf_append_char(out, '"');
}

void escape_url(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        char c = *text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '.' || c == '_' || c == '-';
        (void)buf_printf(out, plain ? "%c" : "%%%02X", (unsigned)(unsigned char)c);
    }
}
