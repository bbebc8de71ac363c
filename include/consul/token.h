/*
 * token.h - the ACL token, and the request headers that carry it. Internal to httpc.
 *
 * Ownership  struct token is embedded, zeroed at first; token_clear() frees what it holds. Who uses
 *            `headers` is to be given the new ones after token_load().
 * Threads    One at a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONSUL_TOKEN_H
#define CONSUL_TOKEN_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/attrs.h"

struct config;
struct error;

struct token {
    char *text; /* "": none */
    struct curl_slist *headers;
};

/* The token file when there is one and it is not empty, else the plain token. On failure the one in
 * use stays. */
bool token_load(struct token *t, const struct config *c, struct error *reterr) MUST_CHECK;
void token_clear(struct token *t);

#endif
