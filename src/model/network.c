/* SPDX-License-Identifier: Apache-2.0 */
#include "model/network.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool parse_address(const char *text, struct network *out)
{
    if (inet_pton(AF_INET6, text, out->address) == 1)
        return true;
    memcpy(out->address, mapped, sizeof mapped);
    return inet_pton(AF_INET, text, out->address + sizeof mapped) == 1;
}

/* "0" to `most`, without sign, blanks or leading zeros. */
static bool parse_bits(const char *text, unsigned most, unsigned *out)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 3 || text[digits] != '\0' || (text[0] == '0' && digits > 1))
        return false;
    *out = (unsigned)strtoul(text, NULL, 10);
    return *out <= most;
}

static unsigned mask(unsigned bits, unsigned byte)
{
    unsigned before = byte * 8;
    unsigned left = bits <= before ? 0 : bits - before;
    return left >= 8 ? 0xff : 0xff & (0xff00u >> left);
}

bool network_parse(const char *text, struct network *out)
{
    char address[INET6_ADDRSTRLEN];
    size_t len = strcspn(text, "/");
    if (len >= sizeof address)
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    bool v4 = strchr(address, ':') == NULL;
    unsigned most = v4 ? 32 : 128;
    out->bits = most;
    if (!parse_address(address, out) ||
        (text[len] == '/' && !parse_bits(text + len + 1, most, &out->bits)))
        return false;
    if (v4)
        out->bits += 96;
    for (unsigned i = 0; i < 16; i++)
        if ((out->address[i] & ~mask(out->bits, i)) != 0)
            return false;
    return true;
}

bool network_address(const struct sockaddr *from, uint8_t out[static 16])
{
    if (from->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, from, sizeof v4);
        memcpy(out, mapped, sizeof mapped);
        memcpy(out + sizeof mapped, &v4.sin_addr, sizeof v4.sin_addr);
        return true;
    }
    if (from->sa_family != AF_INET6)
        return false;
    struct sockaddr_in6 v6;
    memcpy(&v6, from, sizeof v6);
    memcpy(out, &v6.sin6_addr, sizeof v6.sin6_addr);
    return true;
}

bool network_is_ipv4(const uint8_t address[static 16])
{
    return memcmp(address, mapped, sizeof mapped) == 0;
}

bool network_has(const struct network *n, const uint8_t address[static 16])
{
    for (unsigned i = 0; i < 16 && i * 8 < n->bits; i++)
        if (((unsigned)(n->address[i] ^ address[i]) & mask(n->bits, i)) != 0)
            return false;
    return true;
}
