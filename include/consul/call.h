/*
 * call.h - one request to Consul in libcurl's hands, and the reply to it. Internal to httpc.
 *
 * Ownership  call_new()/call_free(). The call is freed when the multi handle no longer has it, and
 *            `headers` outlive it or are replaced before. The reply is the call's.
 * Threads    One: the one of httpc.
 * Errors     call_new(): NULL, no memory or an option this libcurl does not have. What fails later is
 *            status 0 and a text in the reply.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONSUL_CALL_H
#define CONSUL_CALL_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "consul/httpc.h"

struct connection;

struct httpc_call {
    CURL *easy;
    struct httpc_call *next; /* in its owner's list: running, or waiting */
    struct httpc_call *prev;
    bool blocking;
    bool waits; /* for its turn */
    enum consul_op op;
    httpc_done *done;
    httpc_body *on_body;
    void *arg;
    char *body_out;
    struct buf body_in;
    struct httpc_reply reply;
    char error[CURL_ERROR_SIZE];
};

/* Ready to be added to a multi handle. `headers` are borrowed. */
struct httpc_call *call_new(const struct httpc_request *request,
                            const struct connection *connection, struct curl_slist *headers,
                            httpc_done *done, void *arg) MUST_CHECK;
/* NULL is allowed. */
void call_free(struct httpc_call *call);

/* Others from now on: curl reads them while the call runs. */
void call_set_headers(struct httpc_call *call, struct curl_slist *headers);

/* The call that has this handle. */
struct httpc_call *call_of(CURL *easy);

/* curl is done with it, with that result: fills the reply. What it points to lives until call_free(). */
void call_end(struct httpc_call *call, CURLcode code);

#endif
