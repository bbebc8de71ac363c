/*
 * http_head.h - what of a request's head the library lets through although RFC 9112 does not.
 * Internal to serve.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_HTTP_HEAD_H
#define SERVE_HTTP_HEAD_H

#include <stdbool.h>

struct MHD_Connection;

/* What an answer depends on. NULL: there is no such header. Borrowed until the request's end. */
struct http_head {
    const char *accept;
    const char *client_version;
    const char *if_none_match;
    const char *user_agent;
};

/* The reason to refuse the request (a literal), or NULL when it may be answered. */
const char *http_head_judge(struct MHD_Connection *connection, const char *method,
                            const char *version, struct http_head *out);

/* GET or HEAD. */
bool http_method_is_read(const char *method);

#endif
