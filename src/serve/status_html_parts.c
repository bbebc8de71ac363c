/*
 * status_html_parts.c - the pieces that every part of the status page is made of.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "serve/status.h"
#include "serve/status_html.h"

void html_put(struct buf *out, const char *html)
{
    (void)buf_append_str(out, html);
}

void html_put_time(const struct status_view *v, int64_t wall_ms, struct buf *out)
{
    char text[CLOCK_TEXT_SIZE], age[STATUS_AGE_SIZE];
    clock_format(wall_ms, text);
    status_age(v->now_wall_ms - wall_ms, age);
    (void)buf_printf(out, "<time datetime=\"%s\" title=\"%s\">%s ago</time>", text, text, age);
}

void html_put_since(const struct status_view *v, int64_t wall_ms, struct buf *out)
{
    char text[CLOCK_TEXT_SIZE], age[STATUS_AGE_SIZE];
    clock_format(wall_ms, text);
    status_age(v->now_wall_ms - wall_ms, age);
    (void)buf_printf(out, " <time datetime=\"%s\" title=\"since %s\">for %s</time>", text, text,
                     age);
}

void html_put_list(const char *body, size_t most, struct buf *out)
{
    size_t count = 0, left = 0;
    if (body[0] == '\0') {
        html_put(out, "<span class=\"dim\">none</span>");
        return;
    }
    for (; *body != '\0'; count++) {
        size_t len = strcspn(body, ";");
        if (count < most)
            (void)buf_printf(out, "%s<code>%.*s</code>", count > 0 ? " " : "", (int)len, body);
        else
            left++;
        body += len + (body[len] == ';');
    }
    if (left > 0)
        (void)buf_printf(out, " and %zu more", left);
}

void html_put_term(struct buf *out, const char *name)
{
    (void)buf_printf(out, "<dt>%s</dt><dd>", name);
}
