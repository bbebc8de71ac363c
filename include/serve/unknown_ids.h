/*
 * unknown_ids.h - which unknown cluster ids were logged already: one line an hour for each, and a
 * bounded number of them, however many a scanner makes up.
 *
 * Threads  Any.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVE_UNKNOWN_IDS_H
#define SERVE_UNKNOWN_IDS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNKNOWN_IDS_MAX 256
#define UNKNOWN_IDS_FORGET_MS (60 * 60 * 1000)

struct unknown_ids {
    pthread_mutex_t lock; /* guards the rest */
    size_t count;
    int64_t since_ms; /* of the first that is remembered */
    uint64_t hashes[UNKNOWN_IDS_MAX];
};

#define UNKNOWN_IDS_INIT                                                                           \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                          \
    }

/* True the first time in an hour that this id is asked for, while there is room. *last: no more
 * room after it. `now_ms` is of a monotonic clock. */
bool unknown_ids_note(struct unknown_ids *u, const char *id, int64_t now_ms, bool *last);

#endif
