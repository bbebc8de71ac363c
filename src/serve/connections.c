/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/connections.h"

#include <utlist.h>

#include "base/clock.h"

/* A client sends its request together with the connection; the longest way there and back is well
 * below this. */
#define SLOW_MS 1000
#define LOOKS_PER_REQUEST 4

void connections_init(struct connections *all, int64_t header_timeout_ms, int64_t idle_timeout_ms)
{
    *all = (struct connections){
        .header_timeout_ms = header_timeout_ms,
        .idle_timeout_ms = idle_timeout_ms,
    };
}

static void leave(struct connections *all, struct connection *c)
{
    if (c->state == CONNECTION_WAITING) {
        DL_DELETE(all->waiting, c);
    } else if (c->state == CONNECTION_IDLE) {
        DL_DELETE(all->idle, c);
        DL_DELETE2(all->looks, c, look_prev, look_next);
    }
}

static void wait_for(struct connections *all, struct connection *c, int64_t now_ms)
{
    c->state = CONNECTION_WAITING;
    c->since_ms = now_ms;
    DL_APPEND(all->waiting, c);
}

static void look_later(struct connections *all, struct connection *c, int64_t now_ms)
{
    c->look_ms = now_ms + all->header_timeout_ms / LOOKS_PER_REQUEST;
    DL_APPEND2(all->looks, c, look_prev, look_next);
}

/* The order of the looks stays: none is moved behind another one, or further away. */
void connections_set_timeouts(struct connections *all, int64_t header_timeout_ms,
                              int64_t idle_timeout_ms, int64_t now_ms)
{
    struct connection *c;
    int64_t latest = now_ms + header_timeout_ms / LOOKS_PER_REQUEST;
    all->idle_timeout_ms = idle_timeout_ms;
    if (all->header_timeout_ms == header_timeout_ms)
        return;
    all->header_timeout_ms = header_timeout_ms;
    DL_FOREACH2(all->looks, c, look_next)
    {
        if (c->look_ms > latest)
            c->look_ms = latest;
    }
}

void connections_add(struct connections *all, struct connection *c, int fd, int64_t now_ms)
{
    c->fd = fd;
    all->count++;
    wait_for(all, c, now_ms);
}

void connections_asked(struct connections *all, struct connection *c, int64_t now_ms)
{
    if (c->state != CONNECTION_IDLE)
        return;
    leave(all, c);
    wait_for(all, c, now_ms);
}

void connections_answered(struct connections *all, struct connection *c, int64_t now_ms)
{
    if (c->state != CONNECTION_WAITING)
        return;
    leave(all, c);
    c->state = CONNECTION_IDLE;
    c->since_ms = now_ms;
    DL_APPEND(all->idle, c);
    look_later(all, c, now_ms);
}

void connections_dropped(struct connections *all, struct connection *c)
{
    leave(all, c);
    c->state = CONNECTION_DROPPED;
}

void connections_remove(struct connections *all, struct connection *c)
{
    leave(all, c);
    all->count--;
}

bool connections_waits(const struct connections *all, int64_t then_ms)
{
    /* The head's `prev` is the last. */
    return all->waiting != NULL && all->waiting->prev->since_ms > then_ms - SLOW_MS;
}

struct connection *connections_late(const struct connections *all, int64_t now_ms)
{
    if (all->waiting != NULL && now_ms - all->waiting->since_ms >= all->header_timeout_ms)
        return all->waiting;
    if (all->idle != NULL && now_ms - all->idle->since_ms >= all->idle_timeout_ms)
        return all->idle;
    return NULL;
}

int64_t connections_next_ms(const struct connections *all)
{
    int64_t next = CLOCK_NEVER;
    if (all->waiting != NULL)
        next = all->waiting->since_ms + all->header_timeout_ms;
    if (all->idle != NULL && all->idle->since_ms + all->idle_timeout_ms < next)
        next = all->idle->since_ms + all->idle_timeout_ms;
    if (all->looks != NULL && all->looks->look_ms < next)
        next = all->looks->look_ms;
    return next;
}

struct connection *connections_next_look(struct connections *all, int64_t now_ms)
{
    struct connection *c = all->looks;
    if (c == NULL || c->look_ms > now_ms)
        return NULL;
    DL_DELETE2(all->looks, c, look_prev, look_next);
    look_later(all, c, now_ms);
    return c;
}

/* The first of a list that is not `but`. */
static struct connection *first_but(struct connection *list, const struct connection *but)
{
    return list != NULL && list == but ? list->next : list;
}

struct connections_oldest connections_oldest(const struct connections *all,
                                             const struct connection *but)
{
    const struct connection *waiting = first_but(all->waiting, but);
    const struct connection *idle = first_but(all->idle, but);
    return (struct connections_oldest){
        .waiting_ms = waiting != NULL ? waiting->since_ms : CLOCK_NEVER,
        .idle_ms = idle != NULL ? idle->since_ms : CLOCK_NEVER,
    };
}

/* Another thread's are not known to the millisecond: they may be newer than `now_ms`. */
static int64_t age(int64_t since_ms, int64_t now_ms)
{
    return since_ms < now_ms ? now_ms - since_ms : 0;
}

int64_t connections_urgency(struct connections_oldest oldest, int64_t now_ms)
{
    static const int64_t idle = INT64_C(1) << 40, slow = INT64_C(1) << 41; /* beyond any age */
    int64_t waiting = age(oldest.waiting_ms, now_ms);
    if (waiting >= SLOW_MS)
        return slow + waiting;
    if (oldest.idle_ms != CLOCK_NEVER)
        return idle + age(oldest.idle_ms, now_ms);
    return oldest.waiting_ms != CLOCK_NEVER ? 1 + waiting : 0;
}

struct connection *connections_victim(const struct connections *all, const struct connection *but,
                                      int64_t now_ms)
{
    struct connection *waiting = first_but(all->waiting, but);
    struct connection *idle = first_but(all->idle, but);
    if (waiting != NULL && now_ms - waiting->since_ms >= SLOW_MS)
        return waiting;
    return idle != NULL ? idle : waiting;
}
