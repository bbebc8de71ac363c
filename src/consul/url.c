/* SPDX-License-Identifier: Apache-2.0 */
#include "consul/url.h"

#include <string.h>

#include "base/buf.h"

void url_append_encoded(struct buf *out, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (const char *c = text; *c != '\0'; c++) {
        if (strchr(plain, *c) != NULL)
            (void)buf_append_char(out, *c);
        else
            (void)buf_printf(out, "%%%02X", (unsigned)(unsigned char)*c);
    }
}

void url_append_flag(struct buf *out, const char *name)
{
    (void)buf_append_char(out, strchr(buf_text(out), '?') == NULL ? '?' : '&');
    (void)buf_append_str(out, name);
}

void url_append_param(struct buf *out, const char *name, const char *value)
{
    url_append_flag(out, name);
    (void)buf_append_char(out, '=');
    url_append_encoded(out, value);
}
