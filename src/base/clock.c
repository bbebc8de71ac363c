/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static int64_t read_ms(clockid_t id)
{
    struct timespec ts;
    (void)clock_gettime(id, &ts); /* cannot fail for the two clocks below */
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_mono_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

int64_t clock_mono_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail */
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t clock_together(int64_t at_ms)
{
    return (at_ms + 999) / 1000 * 1000;
}

int64_t clock_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

void clock_format(int64_t wall_ms, char out[static CLOCK_TEXT_SIZE])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    int millis = (int)(wall_ms % 1000);
    struct tm tm;
    /* Years past 9999 and negative times do not fit the form; nobody can act on them. */
    if (wall_ms < 0 || gmtime_r(&seconds, &tm) == NULL || tm.tm_year + 1900 > 9999) {
        (void)snprintf(out, CLOCK_TEXT_SIZE, "9999-12-31T23:59:59.999Z");
        return;
    }
    char date[CLOCK_TEXT_SIZE];
    (void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out, CLOCK_TEXT_SIZE, "%.19s.%03dZ", date, millis);
}

void jitter_seed(struct jitter *j, uint64_t seed)
{
    j->state = seed;
}

uint64_t jitter_system_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == (ssize_t)sizeof seed)
        return seed;
    return (uint64_t)clock_mono_ms() * 1000003u ^ (uint64_t)getpid();
}

/* SplitMix64 (Steele, Lea, Flood 2014): any seed is a good one. */
static uint64_t next(struct jitter *j)
{
    uint64_t z = (j->state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

int64_t jitter_upto(struct jitter *j, int64_t bound)
{
    /* The modulo's bias is far below a millisecond at the bounds we use. */
    return bound <= 0 ? 0 : (int64_t)(next(j) % ((uint64_t)bound + 1));
}

int64_t jitter_spread(struct jitter *j, int64_t ms, int percent)
{
    int64_t reach = ms / 100 * percent + ms % 100 * percent / 100;
    return ms - reach + jitter_upto(j, 2 * reach);
}

void backoff_init(struct backoff *b, int64_t first_ms, int64_t cap_ms)
{
    *b = (struct backoff){.first_ms = first_ms, .cap_ms = cap_ms};
}

void backoff_reset(struct backoff *b)
{
    b->tries = 0;
}

int64_t backoff_next_ms(struct backoff *b, struct jitter *j)
{
    int64_t reach = b->first_ms;
    for (unsigned i = 0; i < b->tries && reach < b->cap_ms; i++)
        reach *= 2;
    if (reach >= b->cap_ms)
        reach = b->cap_ms;
    else
        b->tries++;
    return 1 + jitter_upto(j, reach - 1);
}

void bucket_init(struct bucket *b, int64_t burst, int64_t refill_ms)
{
    *b = (struct bucket){.burst = burst, .refill_ms = refill_ms};
}

int64_t bucket_take(struct bucket *b, int64_t now_ms)
{
    if (b->spent_until_ms < now_ms)
        b->spent_until_ms = now_ms;
    b->spent_until_ms += b->refill_ms;
    int64_t wait = b->spent_until_ms - now_ms - b->burst * b->refill_ms;
    return wait > 0 ? wait : 0;
}
