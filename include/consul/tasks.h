/*
 * tasks.h - what other threads want done by one thread, in their order. Internal to httpc.
 *
 * Ownership  struct tasks is embedded; tasks_clear() forgets what was not run.
 * Threads    post, end: any. run: the one thread. init, clear: while no other uses it.
 * Errors     Only memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONSUL_TASKS_H
#define CONSUL_TASKS_H

#include <pthread.h>
#include <stdbool.h>

#include "base/attrs.h"

struct task;

struct tasks {
    pthread_mutex_t lock; /* guards the three below */
    struct task *first;
    struct task *last;
    bool ended;
};

/* Starts zeroed. False: clear nothing. */
bool tasks_init(struct tasks *t) MUST_CHECK;
void tasks_clear(struct tasks *t);

/* One more. Who posts wakes the thread. */
bool tasks_post(struct tasks *t, void (*fn)(void *arg), void *arg) MUST_CHECK;

/* The thread shall end; who says so wakes it. */
void tasks_end(struct tasks *t);

/* Runs those that are there. False when the thread shall end. */
bool tasks_run(struct tasks *t) MUST_CHECK;

#endif
