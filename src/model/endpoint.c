/* SPDX-License-Identifier: Apache-2.0 */
#include "model/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "This network", multicast, reserved and broadcast: nothing listens there (RFC 6890). */
static bool v4_usable(const uint8_t *addr)
{
    return addr[0] != 0 && addr[0] < 224;
}

/* Unspecified, multicast, and link-local without the zone it needs. */
static bool v6_usable(const uint8_t *addr)
{
    static const uint8_t unspecified[16];
    bool link_local = addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
    return memcmp(addr, unspecified, sizeof unspecified) != 0 && addr[0] != 0xff && !link_local;
}

bool endpoint_make(struct endpoint *out, const char *address, long port)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct endpoint e = {.family = 0};

    if (port < 1 || port > 65535)
        return false;
    e.port = (uint16_t)port;
    if (inet_pton(AF_INET, address, e.addr) == 1)
        e.family = 4;
    else if (inet_pton(AF_INET6, address, e.addr) == 1)
        e.family = 6;
    else
        return false;
    /* ::ffff:10.0.0.1 is 10.0.0.1, which more clients understand, and must not stand beside it. */
    if (e.family == 6 && memcmp(e.addr, mapped, sizeof mapped) == 0) {
        memmove(e.addr, e.addr + sizeof mapped, 4);
        memset(e.addr + 4, 0, sizeof e.addr - 4);
        e.family = 4;
    }
    if (e.family == 4 ? !v4_usable(e.addr) : !v6_usable(e.addr))
        return false;
    *out = e;
    return true;
}

bool endpoint_parse(struct endpoint *out, const char *text, size_t len)
{
    char copy[ENDPOINT_TEXT_SIZE];
    if (len >= sizeof copy || memchr(text, '\0', len) != NULL)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';

    char *colon = strrchr(copy, ':');
    if (colon == NULL)
        return false;
    const char *digits = colon + 1;
    size_t count = strspn(digits, "0123456789");
    if (count == 0 || count > 5 || digits[count] != '\0' || digits[0] == '0')
        return false;
    long port = strtol(digits, NULL, 10);

    *colon = '\0';
    char *address = copy;
    bool bracketed = address[0] == '[';
    if (bracketed) {
        size_t last = strlen(address) - 1;
        if (address[last] != ']')
            return false;
        address[last] = '\0';
        address++;
    }
    struct endpoint e;
    /* Brackets are for what has colons. */
    if ((strchr(address, ':') != NULL) != bracketed || !endpoint_make(&e, address, port))
        return false;
    *out = e;
    return true;
}

struct endpoint *endpoint_parse_list(const char *text, size_t *count)
{
    size_t parts = 1;
    for (const char *c = text; *c != '\0'; c++)
        parts += *c == ';';
    struct endpoint *list = calloc(parts, sizeof *list);
    for (size_t i = 0; list != NULL && i < parts; i++) {
        size_t len = strcspn(text, ";");
        if (!endpoint_parse(&list[i], text, len) ||
            (i > 0 && endpoint_compare(&list[i - 1], &list[i]) >= 0)) {
            free(list);
            return NULL;
        }
        text += len + (text[len] == ';');
    }
    *count = parts;
    return list;
}

int endpoint_compare(const struct endpoint *a, const struct endpoint *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    int order = memcmp(a->addr, b->addr, sizeof a->addr);
    if (order != 0)
        return order;
    return (a->port > b->port) - (a->port < b->port);
}

size_t endpoint_format(const struct endpoint *e, char out[static ENDPOINT_TEXT_SIZE])
{
    char address[INET6_ADDRSTRLEN] = "";
    bool v6 = e->family == 6;
    (void)inet_ntop(v6 ? AF_INET6 : AF_INET, e->addr, address,
                    sizeof address); /* the buffer fits every address */
    int n = snprintf(out, ENDPOINT_TEXT_SIZE, "%s%s%s:%u", v6 ? "[" : "", address, v6 ? "]" : "",
                     (unsigned)e->port);
    return n < 0 ? 0 : (size_t)n;
}

static int compare_void(const void *a, const void *b)
{
    return endpoint_compare(a, b);
}

size_t endpoint_sort(struct endpoint *list, size_t count)
{
    if (count < 2)
        return count;
    qsort(list, count, sizeof *list, compare_void);
    size_t kept = 1;
    for (size_t i = 1; i < count; i++)
        if (endpoint_compare(&list[kept - 1], &list[i]) != 0)
            list[kept++] = list[i];
    return kept;
}
