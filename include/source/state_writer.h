/*
 * state_writer.h - replaces the state file in a thread of its own, one write at a time: a slow
 * disk, or one that hangs in fsync, must not keep the watches waiting.
 *
 * Ownership  struct state_writer is embedded; `dir` and `name` are borrowed. Wait for a write that
 *            was started before either ends.
 * Threads    The httpc thread, or the main thread while httpc does not run.
 * Errors     Without a thread the write is made in place.
 *
 * Tests link another implementation of this header that writes in place always.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOURCE_STATE_WRITER_H
#define SOURCE_STATE_WRITER_H

#include <pthread.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

struct httpc;

struct state_writer {
    const char *dir;
    const char *name;
    struct httpc *httpc;
    void (*done)(void *arg); /* on the httpc thread: wait, then look at ok and error */
    void *arg;
    pthread_t thread;
    bool has_thread;
    struct buf text; /* being written */
    bool ok;
    struct error error; /* when not ok */
};

/* Writes `text`, which is taken. No other write is under way. */
void state_writer_start(struct state_writer *w, struct buf *text);

/* Until the write that was started has ended. */
void state_writer_wait(struct state_writer *w);

#endif
