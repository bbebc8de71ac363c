/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/authority.h"

#include <string.h>

/* Besides letters and digits; RFC 3986's unreserved and sub-delims, but for the comma. */
#define MARKS "-._~!$&'()*+;="

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

/* How much of it are letters, digits and `marks`. */
static size_t span(const char *text, size_t len, const char *marks)
{
    size_t n = 0;
    while (n < len && text[n] != '\0' && (is_alnum(text[n]) || strchr(marks, text[n]) != NULL))
        n++;
    return n;
}

static size_t digits(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && text[n] >= '0' && text[n] <= '9')
        n++;
    return n;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* How much of it is a host; less than there is where it is none. */
static size_t host_len(const char *text, size_t len)
{
    if (len > 0 && text[0] == '[') {
        size_t n = 1 + span(text + 1, len - 1, MARKS ":%");
        return n > 1 && n < len && text[n] == ']' ? n + 1 : 0;
    }
    size_t n = span(text, len, MARKS);
    while (len - n >= 3 && text[n] == '%' && is_hex(text[n + 1]) && is_hex(text[n + 2]))
        n += 3 + span(text + n + 3, len - n - 3, MARKS);
    return n;
}

bool authority_valid(const char *text, size_t len)
{
    size_t n = host_len(text, len);
    if (n < len && text[n] == ':')
        n += 1 + digits(text + n + 1, len - n - 1);
    return n == len;
}
