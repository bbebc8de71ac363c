/*
 * reply_header.h - the headers of Consul's replies. Pure; internal to httpc.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONSUL_REPLY_HEADER_H
#define CONSUL_REPLY_HEADER_H

#include <stddef.h>

struct httpc_reply;

/* Takes a line, of whatever header, not NUL-terminated. */
void reply_header_take(struct httpc_reply *r, const char *line, size_t len);

#endif
