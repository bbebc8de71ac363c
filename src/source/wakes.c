/* SPDX-License-Identifier: Apache-2.0 */
#include "source/wakes.h"

#define IDLE_BURST 8
#define IDLE_REFILL_MS 250
#define NEWS_BURST 20
#define NEWS_REFILL_MS 100

void wakes_init(struct wakes *w)
{
    bucket_init(&w->idle, IDLE_BURST, IDLE_REFILL_MS);
    bucket_init(&w->news, NEWS_BURST, NEWS_REFILL_MS);
}

int64_t wakes_wait_ms(struct wakes *w, bool news, int64_t now_ms)
{
    return bucket_take(news ? &w->news : &w->idle, now_ms);
}
