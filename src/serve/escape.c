/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

#define NO_CHARACTER UINT32_MAX

/* The character at *at, which moves behind it; NO_CHARACTER and one byte on when there is none. */
static uint32_t next_character(const char **at)
{
    uint32_t c = NO_CHARACTER;
    size_t len = utf8_decode(*at, &c);
    *at += len > 0 ? len : 1;
    return c;
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
        else if (!utf8_is_shown(c) && c != '\n')
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

static void json_number(struct buf *out, uint32_t c)
{
    char number[UTF8_ESCAPED_SIZE];
    utf8_escape(c, number);
    (void)buf_append_str(out, number);
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
        else if (!utf8_is_shown(c))
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
