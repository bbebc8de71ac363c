/*
 * admission.h - decides which addresses of one cluster are served. Pure: no I/O, no clock, no log.
 *
 * Clients suffer little from an address too many and much from one too few, so the rules are
 * uneven on purpose. Each one protects against something that has happened to somebody:
 *
 *  J  join      A good instance is served at once.
 *               (Brokers need it before clients do; a new NameServer is only useful when known.)
 *  L  leave     A member that fails or is no longer registered leaves after leave_delay, one put
 *               into maintenance after settle, and only on an authoritative read, asked for after
 *               that, which still says so. (A flapping check strands brokers; agents serve stale
 *               or reset views: Consul issues 5518, 20790, 21548.)
 *  H  hold      With no good instance left nobody leaves by health: members that are still
 *               registered stay; if none is, all stay. When the first is good again, or the first
 *               is registered again, the delays of the others start anew. (serfHealth of a dead
 *               agent marks living NameServers critical: Consul issues 1133, 1790.)
 *  C  confirm   "Nothing registered" counts only when two authoritative reads, at least settle
 *               apart, say it. (A reset stream answers 200 [].)
 *  G  gone      After that the list is held for gone_delay; an authoritative read at its end
 *               ends the cluster.
 *  U  unpin     A list that was the config's, and is so no more, was taken out on purpose: a member of
 *               it that Consul never had since leaves without leave_delay once another is good, and
 *               not before, and a list of such members alone ends without gone_delay; both only by
 *               authoritative reads, and in a mass loss not either. Once Consul has had it, it is a
 *               member like others.
 *
 * Authoritative means: read without an index and without a cache, from the servers themselves
 * (contract of Consul's /v1/health/service: such a read bypasses streaming). It proves what was so
 * after it was asked for, not what is so when its reply is looked at: a process that was stopped
 * for an hour finds replies an hour old in its sockets. The answer says when the next such read is
 * wanted (ask_at_ms); time alone never changes a list.
 *
 * Ownership  struct admission is embedded in its owner; admission_clear() frees what it holds.
 * Threads    None of its own; one caller at a time.
 * Units      Milliseconds of a monotonic clock. The caller passes "now".
 * Errors     Only memory: then the call returns false and nothing has changed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MODEL_ADMISSION_H
#define MODEL_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "model/endpoint.h"
#include "model/report.h"
#include "model/table.h"

struct instance {
    struct endpoint endpoint;
    enum health health;
};

struct observation {
    const struct instance *instances; /* registered, with an address that can be served */
    size_t count;
    size_t unusable;         /* registered, but without such an address */
    bool authoritative;      /* see above */
    int64_t asked_ms;        /* when it was asked for */
    int64_t leave_floor_ms;  /* nobody leaves, and nothing ends, in less than this (mass loss) */
    int64_t losing_floor_ms; /* not below it: when this one itself says that a good member is not */
};

struct admission_options {
    int64_t settle_ms;
    int64_t leave_delay_ms;
    int64_t gone_delay_ms;
};

struct member {
    struct endpoint endpoint;
    bool leaving;
    bool registered;     /* in the last observation */
    bool maintenance;    /* why it leaves */
    bool unpinned;       /* rule U: Consul never had it */
    int64_t since_ms;    /* leaving: since when */
    int64_t from_ms;     /* leaving: its delay counts from then, as a hold starts it anew */
    int64_t leave_at_ms; /* leaving: not before */
};

struct admission {
    enum cluster_state state; /* CLUSTER_UNREAD before the first observation */
    struct member *members;   /* what is served, sorted; borrowed until the next call */
    size_t count;
    int64_t emptied_ms; /* first authoritative "nothing registered", or CLOCK_NEVER */
    int64_t gone_at_ms; /* confirmed: when the cluster ends, or CLOCK_NEVER */
    bool unregistered;  /* the last observation had nothing registered */
    bool unpinned;      /* some member is; gone: all were */
};

struct decision {
    bool changed;        /* the state, the list, or why it is held is another than before */
    bool losing;         /* a member that had been good is no longer, and not by rule U */
    const char *why;     /* a literal, for the log and the status page */
    int64_t ask_at_ms;   /* when an authoritative read is wanted, or CLOCK_NEVER */
    bool ask_consistent; /* that read shall be quorum-checked */
};

void admission_init(struct admission *a);
void admission_clear(struct admission *a);

/* Starts from a list that was good before a restart (state CLUSTER_RESTORED). */
bool admission_restore(struct admission *a, const struct endpoint *list, size_t count) MUST_CHECK;

/* After that: it was not good before a restart but the config's, which has it no more. */
void admission_unpin(struct admission *a);

/* The delays are others from now on. One that runs and becomes longer is counted from its start; one
 * that becomes shorter from now, unless it ends sooner as it was: nobody leaves earlier than under
 * either. True when one runs, so that its end is to be planned anew: by another read. */
bool admission_change_delays(struct admission *a, const struct admission_options *from,
                             const struct admission_options *to, int64_t now_ms);

/* One complete answer about exactly this cluster. Afterwards a->state is CLUSTER_LIVE,
 * CLUSTER_HELD, CLUSTER_EMPTY (registered or not, never had an address) or CLUSTER_GONE. */
bool admission_observe(struct admission *a, const struct observation *o,
                       const struct admission_options *options, int64_t now_ms,
                       struct decision *decision) MUST_CHECK;

#endif
