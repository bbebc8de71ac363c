/*
 * inner.h - the state that the files of announce share. All on the httpc thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ANNOUNCE_INNER_H
#define ANNOUNCE_INNER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "announce/compare.h"
#include "announce/pace.h"
#include "announce/registrations.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/timers.h"
#include "consul/httpc.h"

struct agent_view;

#define PATH_MAX_BYTES 4096

/* What is under way: a call whose reply starts the next step, or a pause before a write. */
enum step {
    STEP_IDLE,
    STEP_SERVICES,
    STEP_CHECKS,
    STEP_PARENT, /* is it still there? */
    STEP_PAUSE,
    STEP_WRITE,
    STEP_VERIFY,
};

struct announce {
    struct httpc *httpc;
    struct registry *registry;
    struct announcer who;
    struct jitter jitter;
    struct timer round; /* the next reading of all, or the end of a drain */
    struct timer look;
    struct timer pulse; /* is the parent still there? */
    struct timer pause;
    enum step step;
    struct httpc_call *call;
    struct agent_view *view;
    struct registrations *set;
    struct registration *writing; /* NULL: the parent's maintenance */
    enum turn writing_turn;
    bool outdated; /* what is being written is of an older config */
    struct pace pace;
    bool due;         /* all is to be read */
    bool known;       /* all was read, and no call failed since */
    bool parent_seen; /* since the last pause without work: it may be written */
    bool maintain;    /* our maintenance is to be lifted, or to begin when we stop */
    bool failing;     /* the last one that was tried was refused, or there was no answer */
    struct log_complaint complaint;
    struct log_limit refusals; /* while we stop */
    bool unlisted;             /* the catalog does not have us, and that was logged */
    int64_t look_ms;           /* the last look at the table */
    int64_t report_ms;         /* not counted again before */
    int64_t verify_at_ms;
    int64_t progress_at_ms; /* CLOCK_NEVER: no long work */
    size_t registered_now;  /* since there was nothing to write */
    size_t removed_now;
    size_t refused_now; /* since all was read */
    bool read_now;      /* all was read since there was nothing to write */
    bool draining;
    bool in_maintenance;
    unsigned unanswered; /* writes in a row, while stopping */
    void (*drained)(void *arg);
    void *drained_arg;
    atomic_int drain_state;
};

#endif
