/* SPDX-License-Identifier: Apache-2.0 */
#include "consul/outcome.h"

#include <curl/curl.h>

static enum consul_failure by_status(long status)
{
    switch (status) {
    case 0:
        return CONSUL_FAILURE_OTHER;
    case 403:
        return CONSUL_FAILURE_ACL;
    case 429:
        return CONSUL_FAILURE_BUSY;
    default:
        return CONSUL_FAILURE_STATUS;
    }
}

/* In the order of time: to the host, by TLS, over the connection. */
static const struct {
    CURLcode code;
    enum consul_failure why;
} known[] = {
    {CURLE_COULDNT_RESOLVE_HOST, CONSUL_FAILURE_CONNECT},
    {CURLE_COULDNT_CONNECT, CONSUL_FAILURE_CONNECT},
    {CURLE_OPERATION_TIMEDOUT, CONSUL_FAILURE_TIMEOUT},
    {CURLE_SSL_CONNECT_ERROR, CONSUL_FAILURE_TLS},
    {CURLE_PEER_FAILED_VERIFICATION, CONSUL_FAILURE_TLS},
    {CURLE_SSL_CERTPROBLEM, CONSUL_FAILURE_TLS},
    {CURLE_SSL_CACERT_BADFILE, CONSUL_FAILURE_TLS},
    {CURLE_SSL_CIPHER, CONSUL_FAILURE_TLS},
    {CURLE_SSL_ISSUER_ERROR, CONSUL_FAILURE_TLS},
    {CURLE_SEND_ERROR, CONSUL_FAILURE_TRANSFER},
    {CURLE_RECV_ERROR, CONSUL_FAILURE_TRANSFER},
    {CURLE_GOT_NOTHING, CONSUL_FAILURE_TRANSFER},
    {CURLE_PARTIAL_FILE, CONSUL_FAILURE_TRANSFER},
    {CURLE_WEIRD_SERVER_REPLY, CONSUL_FAILURE_TRANSFER},
    {CURLE_UNSUPPORTED_PROTOCOL, CONSUL_FAILURE_TRANSFER}, /* HTTP/0.9 */
    {CURLE_HTTP2, CONSUL_FAILURE_TRANSFER},
    {CURLE_HTTP2_STREAM, CONSUL_FAILURE_TRANSFER},
    {CURLE_WRITE_ERROR, CONSUL_FAILURE_CONTENT}, /* whoever takes it does not want it */
};

enum consul_failure outcome_failure(int curl_code, bool too_large, long status)
{
    if (too_large)
        return CONSUL_FAILURE_TOO_LARGE;
    if (curl_code == CURLE_OK)
        return by_status(status);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if ((int)known[i].code == curl_code)
            return known[i].why;
    return CONSUL_FAILURE_OTHER;
}
