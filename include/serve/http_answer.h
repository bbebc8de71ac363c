/*
 * http_answer.h - one request of libmicrohttpd to one answer of routes.h. Internal to serve.
 *
 * The functions are callbacks of a libmicrohttpd daemon; `arg` is a struct http_answers.
 *
 * Threads  The daemon's own. What several share (registry, unknown) locks for itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_HTTP_ANSWER_H
#define SERVE_HTTP_ANSWER_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

struct registry;
struct unknown_ids;

struct http_answers {
    struct registry *registry;
    const char *default_cluster; /* "": none */
    struct unknown_ids *unknown;
    bool admin; /* what operators ask, not clients */
};

/* MHD_AccessHandlerCallback. */
enum MHD_Result http_answer(void *arg, struct MHD_Connection *connection, const char *target,
                            const char *method, const char *version, const char *upload,
                            size_t *upload_size, void **per_request);

/* MHD_OPTION_URI_LOG_CALLBACK: http_answer() needs it. */
void *http_note_target(void *arg, const char *target, struct MHD_Connection *connection);

/* MHD_OPTION_UNESCAPE_CALLBACK: paths are judged raw, the library's own decoding would end them at
 * %00. */
size_t http_leave_escaped(void *arg, struct MHD_Connection *connection, char *text);

#endif
