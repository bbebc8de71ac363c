/*
 * clock.h - the two clocks, and the waits between tries.
 *
 * Decisions use the monotonic clock only: a wall clock that jumps by years changes nothing.
 * The wall clock is for people: log lines, headers, the state file.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* "No such time": later than every real one. */
#define CLOCK_NEVER INT64_MAX

/* Milliseconds since some fixed point; never goes back. */
int64_t clock_mono_ms(void);

/* The same clock in nanoseconds. */
int64_t clock_mono_ns(void);

/* Milliseconds since 1970 as the machine believes. */
int64_t clock_wall_ms(void);

/* The next whole second of a monotonic clock. Regular work that has no hurry is done then, together:
 * one at a time, each read finds caches cold and costs Consul several times as much (measured:
 * reads.h). */
int64_t clock_together(int64_t at_ms);

#define CLOCK_TEXT_SIZE sizeof "2026-01-02T03:04:05.678Z"

/* UTC, RFC 3339 with milliseconds. */
void clock_format(int64_t wall_ms, char out[static CLOCK_TEXT_SIZE]);

/*
 * A small pseudo-random generator for jitter. Not for secrets. One owner, no lock.
 * Seeded by the caller, so that a test can replay it.
 */
struct jitter {
    uint64_t state;
};

void jitter_seed(struct jitter *j, uint64_t seed);

/* A seed that differs between processes and starts. */
uint64_t jitter_system_seed(void);

/* Uniform in [0, bound]. */
int64_t jitter_upto(struct jitter *j, int64_t bound);

/* `ms` plus or minus up to `percent` of it: keeps many daemons from asking in step. */
int64_t jitter_spread(struct jitter *j, int64_t ms, int percent);

/*
 * Exponential backoff with full jitter: the n-th wait is uniform in (0, min(cap, first * 2^n)].
 * It never gives up. backoff_reset() after a success.
 */
struct backoff {
    int64_t first_ms;
    int64_t cap_ms;
    unsigned tries;
};

void backoff_init(struct backoff *b, int64_t first_ms, int64_t cap_ms);
void backoff_reset(struct backoff *b);
int64_t backoff_next_ms(struct backoff *b, struct jitter *j);

/* A token bucket: `burst` steps at once, then one per `refill_ms`. Starts full. */
struct bucket {
    int64_t burst;
    int64_t refill_ms;
    int64_t spent_until_ms; /* the time at which the bucket is full again */
};

void bucket_init(struct bucket *b, int64_t burst, int64_t refill_ms);

/* Takes one token. Returns how long to wait before the step it is for, 0 for "now". */
int64_t bucket_take(struct bucket *b, int64_t now_ms);

#endif
