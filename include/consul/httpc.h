/*
 * httpc.h - one thread that does all talking to Consul and runs every timer.
 *
 * Everything in source/ and announce/ runs on this thread: replies and timers are callbacks, none
 * may block. Other threads reach it by httpc_post() only.
 *
 * Ownership  httpc_new()/httpc_free(). A call belongs to httpc until its callback has returned or
 *            httpc_cancel(); a reply is borrowed for the time of the callback.
 * Threads    new, start, stop, free: the main thread. post, alive, answered: any. The rest: the
 *            httpc thread, and the main thread while httpc is not started.
 * Units      Milliseconds of clock_mono_ms().
 * Errors     A request always ends in its callback, except when cancelled or when httpc stops;
 *            failure is status 0 and a text. Never called back from inside httpc_send().
 *
 * Connections  A blocking query keeps one for itself over HTTP/1.1; how many of those there are is
 *            their senders' business. All other calls share HTTPC_SHORT_CALLS connections and wait
 *            for their turn, in order, so that they are never behind a query that waits for news.
 *            Where Consul speaks TLS it speaks HTTP/2, too (its setupHTTPS), and HTTPC_STREAMS calls
 *            share a connection.
 *
 * Tests link another implementation of this header that replays replies and owns the clock.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONSUL_HTTPC_H
#define CONSUL_HTTPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/timers.h"
#include "model/consul_metrics.h"

struct config;
struct error;
struct httpc;
struct httpc_call;

#define HTTPC_SHORT_CALLS 2
/* As many as Consul lets one connection have (golang.org/x/net/http2, its default). */
#define HTTPC_STREAMS 250

/* Bytes of the body of a 200 reply as they arrive. False: that is not what was asked for, and the
 * call fails. Must not send or cancel. */
typedef bool httpc_body(void *arg, const char *bytes, size_t len);

struct httpc_request {
    const char *method;  /* "GET" or "PUT" */
    const char *path;    /* "/v1/...?..." ready to send; copied */
    const char *body;    /* NULL: none; copied */
    int64_t timeout_ms;  /* for the whole of it, from when its turn comes */
    size_t max_body;     /* a longer reply is a failure */
    bool blocking;       /* may wait for news */
    httpc_body *on_body; /* NULL: the reply has the body; it gets the argument of `done` */
    enum consul_op op;   /* as what it is counted */
};

/* The headers of Consul's replies that decide something (contract: agent/http.go setMeta). */
struct httpc_reply {
    long status;       /* 0: there was no complete reply, see error */
    const char *error; /* text, when status is 0 */
    const char *body;  /* NUL-terminated; empty when on_body had it */
    size_t body_len;
    uint64_t index;       /* X-Consul-Index; 0: absent or unreadable */
    bool leader_unknown;  /* X-Consul-KnownLeader: false */
    bool streaming;       /* X-Consul-Query-Backend: streaming */
    bool filtered;        /* X-Consul-Results-Filtered-By-ACLs: true */
    bool default_deny;    /* X-Consul-Default-ACL-Policy: deny */
    bool http2;           /* the connection is shared with other calls */
    const char *local_ip; /* our end of the connection; "" with a unix socket */
};

typedef void httpc_done(void *arg, const struct httpc_reply *reply);

/* Reads the token file; fails on bad TLS files or an unreadable token. `config` is borrowed. */
struct httpc *httpc_new(const struct config *config, struct error *reterr) MUST_CHECK;
void httpc_free(struct httpc *h);

bool httpc_start(struct httpc *h, struct error *reterr) MUST_CHECK;
/* Waits for the thread to end. Calls in flight are dropped without their callbacks. */
void httpc_stop(struct httpc *h);

/* Did the thread turn within the last `within_ms`? It does at least once a second. */
bool httpc_alive(const struct httpc *h, int64_t within_ms);

/* Where requests are counted, and where those who send them say how far they are. Lives as long as
 * `h`; the httpc thread writes. */
struct consul_metrics *httpc_metrics(struct httpc *h);

/* Runs fn(arg) on the httpc thread, in order. False when out of memory. */
bool httpc_post(struct httpc *h, void (*fn)(void *arg), void *arg) MUST_CHECK;

/* NULL when out of memory: nothing was sent, nothing will be called. */
struct httpc_call *httpc_send(struct httpc *h, const struct httpc_request *request,
                              httpc_done *done, void *arg) MUST_CHECK;
void httpc_cancel(struct httpc *h, struct httpc_call *call);

/* Connections beyond this many are closed when they are idle. */
void httpc_keep(struct httpc *h, unsigned connections);

/* The time of this turn of the loop. */
int64_t httpc_now(const struct httpc *h);

/* Fires on the httpc thread. A time that has come already means the next turn of the loop. */
void httpc_timer_set(struct httpc *h, struct timer *timer, int64_t at_ms);
void httpc_timer_cancel(struct httpc *h, struct timer *timer);

/* Reads the token file again. True if the token is another one now. A file that cannot be read
 * leaves the token as it is and fills *reterr (then false). */
bool httpc_reload_token(struct httpc *h, struct error *reterr);

/* Reads the token as `config` says. On success httpc_end_reload() is to follow. */
bool httpc_prepare_reload(struct httpc *h, const struct config *config,
                          struct error *reterr) MUST_CHECK;
/* Uses it from now on, and `config` (borrowed) to read it again; NULL: forgets it. What else the
 * config says of Consul's address is only read by httpc_new(). True if the token is another one. */
bool httpc_end_reload(struct httpc *h, const struct config *config);

/* Whether requests carry a token of our own. */
bool httpc_has_token(const struct httpc *h);

/* Version of libcurl in use. */
const char *httpc_library_version(void);

#endif
