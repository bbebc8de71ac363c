/*
 * state_writer.h - writes and syncs what is kept on disk in a thread of its own, one piece of work
 * at a time: a slow disk, or one that hangs in fsync, must not keep the watches waiting.
 *
 * Ownership  struct state_writer is embedded. Wait for work that was started before it, or what the
 *            work uses, ends.
 * Threads    The httpc thread, or the main thread while httpc does not run; `work` is called on the
 *            writer's own.
 * Errors     Without a thread the work is done in place.
 *
 * Tests link another implementation of this header that works in place always.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_STATE_WRITER_H
#define SOURCE_STATE_WRITER_H

#include <pthread.h>
#include <stdbool.h>

#include "base/error.h"

struct httpc;

struct state_writer {
    struct httpc *httpc;
    bool (*work)(void *arg, struct error *reterr);
    void (*done)(void *arg); /* on the httpc thread: wait, then look at ok and error */
    void *arg;
    pthread_t thread;
    bool has_thread;
    bool ok;
    struct error error; /* when not ok */
};

/* Starts `work`. No other is under way. */
void state_writer_start(struct state_writer *w, bool (*work)(void *arg, struct error *reterr));

/* Until the work that was started has ended. */
void state_writer_wait(struct state_writer *w);

#endif
