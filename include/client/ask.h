/*
 * ask.h - one question to a running daemon, over HTTP: for the commands that look at it from outside.
 *
 * Threads  Any; the question blocks.
 * Errors   One line that names the URL and what would be right.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CLIENT_ASK_H
#define CLIENT_ASK_H

#include <stdbool.h>

#include "base/attrs.h"

struct buf;
struct config;
struct error;

/* A daemon that answers from memory takes milliseconds; a health check has to say so in time. */
#define ASK_TIMEOUT_MS 4000

#define ASK_URL_MAX 4096

/* Room for what a daemon answers to explain. */
#define ASK_BODY_MAX (1024 * 1024)

/* Does `url` (NULL: where the daemon of this config says that it is alive) answer 2xx? Without `url`
 * an address for all interfaces is asked on the loopback. False: no; *reterr says what came instead. */
bool ask_probe(const struct config *c, const char *url, struct error *reterr) MUST_CHECK;

/* What the daemon at `base` ("http://host:port"; NULL: at the config's admin.listen) says of a
 * cluster, appended for a terminal: what no terminal is to obey, or would not show, is '?'. *known: is
 * there such a cluster? */
bool ask_explain(const struct config *c, const char *base, const char *id, struct buf *out,
                 bool *known, struct error *reterr) MUST_CHECK;

/* -- its parts, pure ------------------------------------------------------------------------- */

bool ask_probe_url(const struct config *c, struct buf *out, struct error *reterr) MUST_CHECK;
bool ask_explain_url(const struct config *c, const char *base, const char *id, struct buf *out,
                     struct error *reterr) MUST_CHECK;
void ask_print(struct buf *out, const char *text);

#endif
