/*
 * option_format.c - the value of an option as text.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>

#include "base/buf.h"
#include "config/config.h"
#include "config/duration.h"
#include "config/option.h"

static void format_string(struct buf *out, const char *text)
{
    (void)buf_append_char(out, '"');
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            (void)buf_append_char(out, '\\');
        if (*c == '\n')
            (void)buf_append_str(out, "\\n");
        else
            (void)buf_append_char(out, *c);
    }
    (void)buf_append_char(out, '"');
}

static void format_clusters(const struct static_clusters *all, struct buf *out)
{
    (void)buf_append_char(out, '(');
    for (size_t i = 0; i < all->count; i++) {
        (void)buf_printf(out, "%s\n    { id = \"%s\"; addresses = [ ", i == 0 ? "" : ",",
                         all->items[i].id);
        for (size_t k = 0; k < all->items[i].count; k++) {
            char text[ENDPOINT_TEXT_SIZE];
            (void)endpoint_format(&all->items[i].list[k], text);
            (void)buf_printf(out, "%s\"%s\"", k == 0 ? "" : ", ", text);
        }
        (void)buf_append_str(out, " ]; }");
    }
    (void)buf_append_str(out, all->count > 0 ? "\n)" : ")");
}

void option_format(const struct config *c, const struct option *o, struct buf *out)
{
    const void *v = option_const_at(c, o);
    char duration[DURATION_TEXT_SIZE];
    switch (o->type) {
    case OPTION_STRING: {
        const char *text = *(char *const *)v;
        format_string(out, o->secret && text[0] != '\0' ? "(masked)" : text);
        break;
    }
    case OPTION_BOOL:
        (void)buf_append_str(out, *(const bool *)v ? "true" : "false");
        break;
    case OPTION_INT:
        (void)buf_printf(out, "%" PRId64, *(const int64_t *)v);
        break;
    case OPTION_DURATION:
        duration_format(*(const int64_t *)v, duration);
        format_string(out, duration);
        break;
    case OPTION_ENUM:
        format_string(out, o->words[*(const int64_t *)v]);
        break;
    case OPTION_STRINGS: {
        const struct strings *list = v;
        (void)buf_append_str(out, "[");
        for (size_t i = 0; i < list->count; i++) {
            (void)buf_append_str(out, i == 0 ? " " : ", ");
            format_string(out, list->items[i]);
        }
        (void)buf_append_str(out, list->count > 0 ? " ]" : "]");
        break;
    }
    case OPTION_CLUSTERS:
        format_clusters(v, out);
        break;
    }
}
