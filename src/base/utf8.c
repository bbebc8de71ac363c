/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <stdio.h>

/* By the first byte: how many follow, its own bits, and the least that so many bytes may stand for. */
static size_t begin(unsigned char byte, uint32_t *bits, uint32_t *least)
{
    static const struct {
        unsigned char mask, is;
        uint32_t least;
    } kinds[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t more = 0; more < sizeof kinds / sizeof *kinds; more++) {
        if ((byte & kinds[more].mask) != kinds[more].is)
            continue;
        *bits = byte & (unsigned char)~kinds[more].mask;
        *least = kinds[more].least;
        return more + 1;
    }
    return 0;
}

size_t utf8_decode(const char *text, uint32_t *out)
{
    uint32_t c = 0, least = 0;
    size_t len = begin((unsigned char)text[0], &c, &least);
    for (size_t i = 1; i < len; i++) {
        unsigned char byte = (unsigned char)text[i]; /* the NUL at the end is no such byte */
        if ((byte & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (byte & 0x3f);
    }
    bool surrogate = c >= 0xd800 && c <= 0xdfff;
    if (len == 0 || c < least || surrogate || c > 0x10ffff)
        return 0;
    *out = c;
    return len;
}

bool utf8_is_shown(uint32_t c)
{
    return c >= 0x20 && !(c >= 0x7f && c < 0xa0) && c != 0xad && c != 0x61c &&
           !(c >= 0x200b && c <= 0x200f) && !(c >= 0x2028 && c <= 0x202e) &&
           !(c >= 0x2060 && c <= 0x206f) && c != 0xfeff && !(c >= 0xfff9 && c <= 0xfffb) &&
           !(c >= 0xe0000 && c <= 0xe0fff);
}

/* RFC 8259, 7. */
void utf8_escape(uint32_t c, char out[static UTF8_ESCAPED_SIZE])
{
    unsigned low = 0xdc00 + (c & 0x3ff);
    if (c > 0xffff)
        (void)snprintf(out, UTF8_ESCAPED_SIZE, "\\u%04x\\u%04x",
                       0xd800 + ((unsigned)(c - 0x10000) >> 10 & 0x3ff), low);
    else
        (void)snprintf(out, UTF8_ESCAPED_SIZE, "\\u%04x", (unsigned)c & 0xffff);
}
