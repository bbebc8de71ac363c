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
    const char *expect;
    const char *if_none_match;
    const char *user_agent;
    bool no_body; /* HEAD */
    bool is_1_0;  /* HTTP/1.0 */
};

/* The request line, in the library's memory. */
struct http_line {
    const char *method;
    const char *target;
    const char *version;
};

/* The reason to refuse the request (a literal), or NULL when it may be answered. `target_end` is the
 * end of the whole raw target, NULL where that was no text. */
const char *http_head_judge(struct MHD_Connection *connection, const struct http_line *line,
                            const char *target_end, struct http_head *out);

/* No blanks, no control bytes. */
bool http_target_is_text(const char *target);

/* GET or HEAD. */
bool http_method_is_read(const char *method);

#endif
