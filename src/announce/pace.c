/* SPDX-License-Identifier: Apache-2.0 */
#include "announce/pace.h"

#define REST_FIRST_MS 1000
#define REST_CAP_MS 8000

void pace_init(struct pace *p, int64_t full)
{
    *p = (struct pace){.full = full, .rate = full};
    bucket_init(&p->bucket, PACE_BURST, 1000 / full);
    backoff_init(&p->rest, REST_FIRST_MS, REST_CAP_MS);
}

int64_t pace_take(struct pace *p, int64_t now_ms)
{
    int64_t wait = bucket_take(&p->bucket, now_ms);
    int64_t rests = p->rests_until_ms - now_ms;
    return rests > wait ? rests : wait;
}

void pace_succeeded(struct pace *p)
{
    backoff_reset(&p->rest);
    if (p->rate == p->full)
        return;
    p->rate++;
    p->bucket.refill_ms = 1000 / p->rate;
    if (p->rate == p->full)
        p->bucket.burst = PACE_BURST;
}

int64_t pace_refused(struct pace *p, struct jitter *j, int64_t now_ms)
{
    p->rate = p->rate > 1 ? p->rate / 2 : 1;
    bucket_init(&p->bucket, 1, 1000 / p->rate);
    int64_t rest = backoff_next_ms(&p->rest, j);
    p->rests_until_ms = now_ms + rest;
    return rest;
}

bool pace_is_refusal(long status)
{
    return status == 429 || status == 503;
}
