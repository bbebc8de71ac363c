/*
 * http_admin.h - the pages of the admin listener as responses of libmicrohttpd. Internal to serve.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_HTTP_ADMIN_H
#define SERVE_HTTP_ADMIN_H

#include <pthread.h>
#include <stdatomic.h>

struct MHD_Response;
struct client_names;
struct http_answers;
struct http_request;
struct reply;

/* What pages show beside the table and the metrics. */
struct http_pages {
    _Atomic(struct client_names *) clients; /* of all threads */
    pthread_mutex_t lock;                   /* guards the rest */
    char *config;                           /* in use, secrets masked; NULL: not known */
    char *excluded;                         /* ";id;id;" of consul.exclude; NULL: not known */
};

#define HTTP_PAGES_INIT                                                                            \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                          \
    }

/* For one of the routes that routes_admin() leaves to be made. NULL: no memory. */
struct MHD_Response *http_admin_page(const struct http_answers *a, const struct http_request *r,
                                     const struct reply *reply);

#endif
