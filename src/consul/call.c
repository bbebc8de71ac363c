/* SPDX-License-Identifier: Apache-2.0 */
#include "consul/call.h"

#include <stdlib.h>
#include <string.h>

#include "consul/connection.h"
#include "consul/reply_header.h"

/* curl's 16 KB each are much for thousands that wait for a few lines. */
#define WAITING_BUFFER 2048L
/* And few for what comes by the megabyte. */
#define ARRIVING_BUFFER (64L * 1024)
/* A reply of megabytes may take its time, but not creep: fewer bytes per second, for so long. Consul
 * itself may need 7 s before the first one (its rpc_hold_timeout). */
#define CREEPING_BYTES 1000L
#define CREEPING_SECONDS 10L
/* The text of a refusal; the body of a reply that is taken as it arrives is not kept. */
#define REFUSAL_MAX (64 * 1024)

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct httpc_call *call = arg;
    long status = 0;
    if (call->on_body != NULL)
        (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200)
        return call->on_body(call->arg, bytes, size * count) ? size * count : 0;
    /* CURLOPT_MAXFILESIZE does nothing for chunked bodies in 7.88.1: the buffer's limit counts. */
    return buf_append(&call->body_in, bytes, size * count) ? size * count : 0;
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
    struct httpc_call *call = arg;
    reply_header_take(&call->reply, line, size * count);
    return size * count;
}

static CURLcode set_request(struct httpc_call *call, const struct httpc_request *request,
                            const char *url, struct curl_slist *headers)
{
    CURL *easy = call->easy;
    CURLcode rc = CURLE_OK;
    rc |= curl_easy_setopt(easy, CURLOPT_URL, url);
    rc |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    rc |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (request->on_body != NULL && !request->blocking) {
        rc |= curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, CREEPING_BYTES);
        rc |= curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, CREEPING_SECONDS);
    }
    if (request->on_body != NULL)
        rc |= curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, ARRIVING_BUFFER);
    else if (request->blocking)
        rc |= curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, WAITING_BUFFER);
    rc |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
    rc |= curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    rc |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    rc |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    rc |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    rc |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    if (strcmp(request->method, "GET") != 0) {
        rc |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
        rc |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                               call->body_out != NULL ? call->body_out : "");
    }
    return rc;
}

struct httpc_call *call_new(const struct httpc_request *request,
                            const struct connection *connection, struct curl_slist *headers,
                            httpc_done *done, void *arg)
{
    struct buf url;
    buf_init(&url, 8192);
    struct httpc_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return NULL;
    *call = (struct httpc_call){.blocking = request->blocking,
                                .op = request->op,
                                .done = done,
                                .on_body = request->on_body,
                                .arg = arg};
    buf_init(&call->body_in, request->on_body != NULL ? REFUSAL_MAX : request->max_body);
    call->easy = curl_easy_init();
    bool ok = call->easy != NULL && buf_printf(&url, "%s%s", connection->base_url, request->path);
    if (ok && request->body != NULL)
        ok = (call->body_out = strdup(request->body)) != NULL;
    ok = ok && connection_apply(connection, call->easy) == CURLE_OK &&
         set_request(call, request, buf_text(&url), headers) == CURLE_OK;
    buf_clear(&url);
    if (ok)
        return call;
    call_free(call);
    return NULL;
}

void call_free(struct httpc_call *call)
{
    if (call == NULL)
        return;
    if (call->easy != NULL)
        curl_easy_cleanup(call->easy);
    buf_clear(&call->body_in);
    free(call->body_out);
    free(call);
}

void call_set_headers(struct httpc_call *call, struct curl_slist *headers)
{
    (void)curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, headers);
}

struct httpc_call *call_of(CURL *easy)
{
    struct httpc_call *call = NULL;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&call);
    return call;
}

void call_end(struct httpc_call *call, CURLcode code)
{
    struct httpc_reply *r = &call->reply;
    char *local_ip = NULL;
    long version = 0;
    if (code == CURLE_OK) {
        (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &r->status);
        (void)curl_easy_getinfo(call->easy, CURLINFO_LOCAL_IP, &local_ip);
        (void)curl_easy_getinfo(call->easy, CURLINFO_HTTP_VERSION, &version);
    }
    if (call->body_in.failed)
        r->error = "the reply is larger than any sane one";
    else if (code == CURLE_WRITE_ERROR)
        r->error = "the reply is not what Consul sends";
    else if (code != CURLE_OK)
        r->error = call->error[0] != '\0' ? call->error : curl_easy_strerror(code);
    else if (r->status == 0)
        r->error = "no HTTP status";
    r->body = buf_text(&call->body_in);
    r->body_len = call->body_in.len;
    r->http2 = version == CURL_HTTP_VERSION_2_0;
    r->local_ip = local_ip != NULL ? local_ip : "";
}
