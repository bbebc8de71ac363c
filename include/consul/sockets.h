/*
 * sockets.h - what libcurl waits for, and what wakes us. Internal to httpc.
 *
 * curl_multi_perform() would look at every call at each turn, and there may be thousands that wait;
 * here only those are looked at whose socket has news.
 *
 * Ownership  struct sockets is embedded; sockets_close() after the multi handle has ended.
 * Threads    One; sockets_wake(): any.
 * Units      Milliseconds of clock_mono_ms().
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONSUL_SOCKETS_H
#define CONSUL_SOCKETS_H

#include <curl/curl.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

struct error;

struct sockets {
    CURLM *multi;
    int wake;            /* eventfd */
    struct pollfd *list; /* that one, and what curl waits for */
    size_t count;
    size_t room;
    int64_t due_ms; /* when curl wants its turn without a socket, or CLOCK_NEVER */
};

bool sockets_open(struct sockets *s, struct error *reterr) MUST_CHECK;
void sockets_close(struct sockets *s);

/* From now on `multi` is what waits. Borrowed. */
void sockets_serve(struct sockets *s, CURLM *multi);

/* Room for so many calls, to be made before one more is added to the multi handle. */
bool sockets_reserve(struct sockets *s, size_t calls) MUST_CHECK;

void sockets_wake(const struct sockets *s);

/* curl's turn, if it is due. */
void sockets_run_due(struct sockets *s);

/* Until there is news for curl, which is then dealt with, or a wake, or the time is over. */
void sockets_wait(struct sockets *s, int timeout_ms);

#endif
