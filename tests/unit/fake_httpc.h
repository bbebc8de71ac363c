/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_httpc.h - consul/httpc.h without a network: the test owns the clock and the replies.
 *
 * A rule answers every call whose path starts with its prefix; the longest prefix wins. A blocking
 * query ("index=N") is answered only once the rule's index is another than N, as Consul does.
 * Calls without a rule stay pending; fake_answer() answers one by hand.
 */
#ifndef UNIT_FAKE_HTTPC_H
#define UNIT_FAKE_HTTPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consul/httpc.h"

struct fake_request {
    char *method;
    char *path;
    char *body; /* NULL: none */
    int64_t at_ms;
};

struct httpc_call {
    struct httpc_call *next;
    httpc_done *done;
    httpc_body *on_body;
    void *arg;
    char *path;
    int64_t timeout_ms;
    int64_t sent_ms;
};

struct fake_rule {
    char *prefix;
    char *body;
    struct httpc_reply reply;
};

#define FAKE_RULES_MAX 64

struct httpc {
    const struct config *config;
    struct timers timers;
    int64_t now_ms;
    bool running_timers;
    struct httpc_call *calls;      /* pending, oldest first */
    size_t most_pending_reads;     /* of /v1/health/service without an index, at any time */
    struct fake_request *requests; /* all there ever were */
    size_t request_count;
    struct fake_rule rules[FAKE_RULES_MAX];
    size_t rule_count;
    const char *local_ip;
    unsigned kept; /* connections that may be idle */
    bool has_token;
    bool next_token; /* the next reload finds a new one */
    unsigned reloads;
    struct consul_metrics metrics; /* what modules report; requests are not counted */
};

/* The rule for `prefix` from now on; status 0 is a failure without reply. */
void fake_rule(struct httpc *h, const char *prefix, long status, uint64_t index, const char *body);
/* No rule for `prefix`: its calls stay pending. */
void fake_no_rule(struct httpc *h, const char *prefix);
/* The rule's reply, to set further headers. */
struct httpc_reply *fake_reply_of(struct httpc *h, const char *prefix);

/* Runs timers and answers calls until `ms` from now. */
void fake_run(struct httpc *h, int64_t ms);

/* The oldest pending call whose path starts with `prefix`, or NULL. */
struct httpc_call *fake_pending(struct httpc *h, const char *prefix);
size_t fake_count_pending(const struct httpc *h, const char *prefix);

/* Answers a pending call now. */
void fake_answer(struct httpc *h, struct httpc_call *call, long status, uint64_t index,
                 const char *body);

/* How often a request line ("GET /v1/...", a prefix of it) was sent. */
size_t fake_count(const struct httpc *h, const char *line);
/* The place of the first such request at or behind `from`, or SIZE_MAX. */
size_t fake_find(const struct httpc *h, const char *line, size_t from);

#endif
