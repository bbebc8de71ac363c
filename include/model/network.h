/*
 * network.h - a block of addresses, "10.0.0.0/8" or "2001:db8::/32", and who is in it.
 *
 * Addresses are 16 bytes; an IPv4 one is in its IPv4-mapped form (RFC 4291, 2.5.5.2), so that a
 * client is the same whether it came through an IPv4 or a dual-stack socket.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MODEL_NETWORK_H
#define MODEL_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

struct sockaddr;

struct network {
    uint8_t address[16];
    unsigned bits; /* 0..128, of the 16 bytes */
};

/* With or without "/bits"; without it is one address. Bits behind the prefix must be zero. */
bool network_parse(const char *text, struct network *out);

/* The 16 bytes of an IPv4 or IPv6 address; false for another family. */
bool network_address(const struct sockaddr *from, uint8_t out[static 16]);

bool network_is_ipv4(const uint8_t address[static 16]);

bool network_has(const struct network *n, const uint8_t address[static 16]);

#endif
