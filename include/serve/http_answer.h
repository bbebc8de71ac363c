/*
 * http_answer.h - one request of libmicrohttpd to one answer of routes.h. Internal to serve.
 *
 * Threads  The functions are called by the thread that has the answers and drives the daemon.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_HTTP_ANSWER_H
#define SERVE_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/registry.h"
#include "serve/http_head.h"

struct MHD_Connection;
struct client_names;
struct http_metrics;
struct http_pages;
struct metrics;
struct unknown_ids;

/* What the answers of one thread are made from; the pointers are borrowed. */
struct http_answers {
    bool admin; /* what operators ask, not clients */
    struct registry *registry;
    const struct metrics *metrics;
    struct http_metrics *counters; /* this thread's */
    struct client_names *clients;  /* this thread's */
    struct http_pages *pages;      /* shared by all threads, for admin */
    struct unknown_ids *unknown;   /* shared by all threads */
    struct registry_view view;     /* starts zeroed; registry_view_clear() at the end */
};

/* A request under way. One per connection, at *per_request from the first callback on. */
struct http_request {
    const char *target_end;
    const char *query; /* behind its first byte, which is kept here; NULL: there is none */
    char query_first;
    bool seen;
    bool warm;     /* a list is asked for: */
    uint64_t hash; /* table_hash() of its id, as it stands in the target */
    struct http_head head;
    int64_t started_ns;  /* when its head was there */
    int64_t answered_ns; /* 0: not yet */
};

/* To be called by the daemon's MHD_OPTION_URI_LOG_CALLBACK, whose result becomes *per_request. Begins
 * to fetch into the processor's cache what the answer will need. */
void http_request_begin(const struct http_answers *a, struct http_request *r, const char *target);

/* To be called by the MHD_AccessHandlerCallback. False: close the connection, there is no memory for an
 * answer. */
bool http_answer(struct http_answers *a, struct http_request *r, struct MHD_Connection *connection,
                 const char *target, const char *method, const char *version, size_t *upload_size);

/* MHD_OPTION_UNESCAPE_CALLBACK: paths are judged raw, the library's own decoding would end them at
 * %00. */
size_t http_leave_escaped(void *arg, struct MHD_Connection *connection, char *text);

#endif
