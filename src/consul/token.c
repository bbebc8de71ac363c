/* SPDX-License-Identifier: Apache-2.0 */
#include "consul/token.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "config/config.h"

#define TOKEN_FILE_MAX 4096

/* New text of the token file without surrounding blanks, or NULL with *reterr filled. */
static char *read_file(const char *path, struct error *reterr)
{
    char *token = NULL;
    struct buf text;
    buf_init(&text, TOKEN_FILE_MAX);
    if (!file_read(path, &text, reterr))
        goto out;
    const char *start = buf_text(&text);
    start += strspn(start, " \t\r\n");
    size_t len = strlen(start);
    while (len > 0 && strchr(" \t\r\n", start[len - 1]) != NULL)
        len--;
    for (size_t i = 0; i < len; i++) {
        if (start[i] < 0x21 || start[i] > 0x7e) {
            error_set(reterr, "%s: has characters that no token has", path);
            goto out;
        }
    }
    token = strndup(start, len);
    if (token == NULL)
        error_set(reterr, "out of memory");
out:
    buf_clear(&text);
    return token;
}

void token_clear(struct token *t)
{
    curl_slist_free_all(t->headers);
    free(t->text);
    *t = (struct token){.text = NULL};
}

/* The list of request headers with the token `text` (stolen, may be empty) as the one in use. */
static bool use(struct token *t, char *text, struct error *reterr)
{
    struct buf line;
    buf_init(&line, TOKEN_FILE_MAX + 64);
    /* curl would add "Expect: 100-continue" to larger bodies and wait for the answer. */
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    struct curl_slist *longer = headers;
    if (headers != NULL && text[0] != '\0' && buf_printf(&line, "X-Consul-Token: %s", text))
        longer = curl_slist_append(headers, buf_text(&line));
    bool ok = headers != NULL && longer != NULL && !line.failed;
    buf_clear(&line);
    if (!ok) {
        curl_slist_free_all(headers);
        free(text);
        return error_set(reterr, "out of memory");
    }
    token_clear(t);
    *t = (struct token){.text = text, .headers = headers};
    return true;
}

bool token_load(struct token *t, const struct config *c, struct error *reterr)
{
    char *token = NULL;
    if (c->consul.token_file[0] != '\0') {
        token = read_file(c->consul.token_file, reterr);
        if (token == NULL)
            return false;
    }
    if (token == NULL || token[0] == '\0') {
        free(token);
        token = strdup(c->consul.token);
        if (token == NULL)
            return error_set(reterr, "out of memory");
    }
    return use(t, token, reterr);
}
