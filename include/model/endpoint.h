/*
 * endpoint.h - one NameServer's address: a literal IP and a port, as a value.
 *
 * Host names are refused on purpose: Go clients refuse to start on one ("IP addr error") and C++
 * clients block on DNS (RocketMQ client-go nsresolver Check(), client-cpp url handling).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MODEL_ENDPOINT_H
#define MODEL_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

struct endpoint {
    uint8_t family; /* 4 or 6: IPv4 sorts first, every client can use it */
    uint8_t addr[16];
    uint16_t port; /* host byte order */
};

/* "[" + 45 + "]:" + 5 + NUL */
#define ENDPOINT_TEXT_SIZE 54

/* A literal address without zone id that something can listen on (not 0.0.0.0/8, multicast,
 * broadcast, ::, link-local), and a port 1..65535. An IPv4-mapped IPv6 address becomes IPv4. */
bool endpoint_make(struct endpoint *out, const char *address, long port);

/* "10.0.0.1:9876" or "[2001:db8::1]:9876", nothing before or after. */
bool endpoint_parse(struct endpoint *out, const char *text, size_t len);

/* A list as clients get it: "a:p;b:p", sorted and without duplicates; anything else was not written
 * by us. New, free() it; NULL when it is no such list or memory is out. */
struct endpoint *endpoint_parse_list(const char *text, size_t *count) MUST_CHECK;

/* By family, then address as a number, then port. */
int endpoint_compare(const struct endpoint *a, const struct endpoint *b);

/* The form of endpoint_parse(); returns its length. */
size_t endpoint_format(const struct endpoint *e, char out[static ENDPOINT_TEXT_SIZE]);

/* Sorts and drops duplicates in place; returns the new count. */
size_t endpoint_sort(struct endpoint *list, size_t count);

#endif
