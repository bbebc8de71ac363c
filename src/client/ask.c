/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ask.h"

#include <curl/curl.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/utf8.h"
#include "config/config.h"
#include "model/cluster_id.h"

/* -- the question ---------------------------------------------------------------------------- */

static size_t take(char *data, size_t size, size_t count, void *arg)
{
    return buf_append(arg, data, size * count) ? size * count : 0;
}

static CURLcode set_up(CURL *curl, const char *url, struct buf *out, char *text)
{
    CURLcode code = curl_easy_setopt(curl, CURLOPT_URL, url);
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ASK_TIMEOUT_MS);
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    return code;
}

/* True when an answer came, whatever its status. No redirects, no proxy. */
static bool get(const char *url, struct buf *out, long *status, struct error *reterr)
{
    char text[CURL_ERROR_SIZE] = "";
    *status = 0;
    CURL *curl = curl_easy_init();
    CURLcode code = curl != NULL ? set_up(curl, url, out, text) : CURLE_OUT_OF_MEMORY;
    if (code == CURLE_OK)
        code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        code = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    curl_easy_cleanup(curl);
    if (code == CURLE_OK)
        return true;
    return error_set(reterr, "%s: %s", url, text[0] != '\0' ? text : curl_easy_strerror(code));
}

/* -- where to ask ---------------------------------------------------------------------------- */

/* "0.0.0.0:80" and "[::]:80" stand for every address of the host. */
static void append_authority(struct buf *out, const char *address)
{
    static const char all4[] = "0.0.0.0:", all6[] = "[::]:";
    if (strncmp(address, all4, sizeof all4 - 1) == 0)
        (void)buf_printf(out, "127.0.0.1:%s", address + sizeof all4 - 1);
    else if (strncmp(address, all6, sizeof all6 - 1) == 0)
        (void)buf_printf(out, "[::1]:%s", address + sizeof all6 - 1);
    else
        (void)buf_append_str(out, address);
}

static bool finished(const struct buf *out, struct error *reterr)
{
    return !out->failed || error_set(reterr, "out of memory, or the URL is too long");
}

bool ask_probe_url(const struct config *c, struct buf *out, struct error *reterr)
{
    (void)buf_append_str(out, "http://");
    append_authority(out, c->listen.items[0]);
    (void)buf_append_str(out, "/healthz");
    return finished(out, reterr);
}

/* All that a URL's path has no other use for. */
static void append_encoded(struct buf *out, const char *id)
{
    for (; *id != '\0'; id++) {
        char c = *id;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("._-~", c) != NULL;
        (void)buf_printf(out, plain ? "%c" : "%%%02X", (unsigned)(unsigned char)c);
    }
}

bool ask_explain_url(const struct config *c, const char *base, const char *id, struct buf *out,
                     struct error *reterr)
{
    if (base == NULL && c->admin.listen.count == 0)
        return error_set(reterr, "admin.listen is empty, so there is nobody to ask; right is the "
                                 "config of the running daemon, or --url http://HOST:PORT");
    if (base == NULL) {
        (void)buf_append_str(out, "http://");
        append_authority(out, c->admin.listen.items[0]);
    } else {
        size_t len = strlen(base);
        while (len > 0 && base[len - 1] == '/')
            len--;
        (void)buf_append(out, base, len);
    }
    (void)buf_append_str(out, "/explain/");
    append_encoded(out, id);
    return finished(out, reterr);
}

/* -- its answer ------------------------------------------------------------------------------ */

/* The daemon escapes what others say; who else answered may not. */
void ask_print(struct buf *out, const char *text)
{
    while (*text != '\0') {
        uint32_t c = 0;
        size_t len = utf8_decode(text, &c);
        if (len > 0 && (c == '\n' || utf8_is_shown(c)))
            (void)buf_append(out, text, len);
        else
            (void)buf_append_char(out, '?');
        text += len > 0 ? len : 1;
    }
}

/* -- both ------------------------------------------------------------------------------------ */

bool ask_probe(const struct config *c, const char *url, struct error *reterr)
{
    struct buf made, body;
    long status;
    buf_init(&made, ASK_URL_MAX);
    buf_init(&body, ASK_BODY_MAX);
    bool ok = url != NULL || ask_probe_url(c, &made, reterr);
    if (url == NULL)
        url = buf_text(&made);
    ok = ok && get(url, &body, &status, reterr) &&
         (status / 100 == 2 || error_set(reterr, "%s answers %ld", url, status));
    buf_clear(&made);
    buf_clear(&body);
    return ok;
}

bool ask_explain(const struct config *c, const char *base, const char *id, struct buf *out,
                 bool *known, struct error *reterr)
{
    struct buf url, body;
    long status;
    if (!cluster_id_valid(id, strlen(id)))
        return error_set(reterr,
                         "\"%.140s\" is no cluster id; right are 1 to %d letters, digits, dots, "
                         "dashes and underscores",
                         id, CLUSTER_ID_MAX);
    buf_init(&url, ASK_URL_MAX);
    buf_init(&body, ASK_BODY_MAX);
    bool ok =
        ask_explain_url(c, base, id, &url, reterr) && get(buf_text(&url), &body, &status, reterr);
    if (ok) {
        *known = status == 200;
        ok = *known || (status == 404 && body.len > 0) ||
             error_set(reterr, "%s answers %ld; right is the admin listener of a running nsaddrd",
                       buf_text(&url), status);
    }
    if (ok) {
        ask_print(out, buf_text(&body));
        ok = !out->failed || error_set(reterr, "out of memory");
    }
    buf_clear(&url);
    buf_clear(&body);
    return ok;
}
