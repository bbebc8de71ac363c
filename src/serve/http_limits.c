/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http_limits.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "model/metrics.h"
#include "serve/per_address.h"

#define LOOKS_PER_TURN 16
#define DROPS_PER_TURN 8
/* The kernel counts a peer's silence in ticks of up to 10 ms. */
#define TICKS_MS 20

/* -- dropping -------------------------------------------------------------------------------- */

/* An operator is told once in a while, and what the number is counts the metrics. */
static void note_drop(struct http_share *s, enum http_drop why, int64_t now_ms)
{
    http_metrics_dropped(s->counters, why);
    unsigned left_out;
    if (why == HTTP_DROP_IDLE_TIMEOUT || !log_limit_pass(&s->limits->drops, 1, now_ms, &left_out))
        return;
    LOG_WARN("dropping connections", F_STR("why", http_drop_name(why)),
             F_INT("open", atomic_load(&s->limits->connections)), F_SOME("left_out", left_out));
}

/* The library closes it as soon as it sees the end; until then the number is not used again. */
static void drop(struct http_share *s, struct connection *c, enum http_drop why, int64_t now_ms)
{
    note_drop(s, why, now_ms);
    connections_dropped(&s->connections, c);
    atomic_fetch_sub(&s->limits->connections, 1);
    (void)shutdown(c->fd, SHUT_RDWR);
}

/* Makes room for `but`. */
static bool drop_victim(struct http_share *s, const struct connection *but, enum http_drop why,
                        int64_t now_ms)
{
    struct connection *victim = connections_victim(&s->connections, but, now_ms);
    if (victim != NULL)
        drop(s, victim, why, now_ms);
    return victim != NULL;
}

bool http_share_out_of_files(struct http_share *s, int64_t now_ms)
{
    if (drop_victim(s, NULL, HTTP_DROP_OUT_OF_FILES, now_ms))
        return true;
    note_drop(s, HTTP_DROP_OUT_OF_FILES, now_ms);
    return false;
}

/* -- the limit that all keep ----------------------------------------------------------------- */

void http_share_wake(const struct http_share *s)
{
    static const uint64_t one = 1;
    ssize_t ignored = write(s->wake, &one, sizeof one); /* can only fail when it is set already */
    (void)ignored;
}

static void tell_oldest(struct http_share *s)
{
    struct connections_oldest oldest = connections_oldest(&s->connections, NULL);
    atomic_store_explicit(&s->waiting_ms, oldest.waiting_ms, memory_order_relaxed);
    atomic_store_explicit(&s->idle_ms, oldest.idle_ms, memory_order_relaxed);
}

/* The one whose connections have the one to drop, but never `but`. */
static struct http_share *find_worst(struct http_share *s, const struct connection *but,
                                     int64_t now_ms)
{
    struct http_share *worst = s;
    int64_t most = connections_urgency(connections_oldest(&s->connections, but), now_ms);
    for (struct http_share *o = atomic_load(&s->limits->shares); o != NULL; o = o->next) {
        struct connections_oldest oldest = {
            .waiting_ms = atomic_load_explicit(&o->waiting_ms, memory_order_relaxed),
            .idle_ms = atomic_load_explicit(&o->idle_ms, memory_order_relaxed),
        };
        int64_t urgency = o != s ? connections_urgency(oldest, now_ms) : 0;
        if (urgency > most) {
            most = urgency;
            worst = o;
        }
    }
    return worst;
}

/* There is at least one connection too many of the `open`. Many at once are not left to a thread that
 * is slow to make room. False: there is no other than `but`. */
static bool keep_limit(struct http_share *s, const struct connection *but, unsigned open,
                       int64_t now_ms)
{
    struct http_share *worst = find_worst(s, but, now_ms);
    if (worst == s || open > s->limits->max_connections + HTTP_SPARE_CONNECTIONS / 2)
        return drop_victim(s, but, HTTP_DROP_MAX_CONNECTIONS, now_ms);
    atomic_fetch_add(&worst->asked, 1);
    http_share_wake(worst);
    return true;
}

/* What was known of its connections may be old by now: another one may have the worst. */
void http_share_do_asked(struct http_share *s, int64_t now_ms)
{
    unsigned open;
    unsigned asked = atomic_load(&s->asked) > 0 ? atomic_exchange(&s->asked, 0) : 0;
    while (asked-- > 0 &&
           (open = atomic_load(&s->limits->connections)) > s->limits->max_connections) {
        (void)keep_limit(s, NULL, open, now_ms);
        tell_oldest(s);
    }
    tell_oldest(s);
}

/* -- deadlines ------------------------------------------------------------------------------- */

/* Has a peer sent anything since its last answer? Then it is in the middle of a request. */
static void look_at(struct http_share *s, struct connection *c, int64_t now_ms)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return;
    if (now_ms - (int64_t)info.tcpi_last_data_recv > c->since_ms + TICKS_MS)
        connections_asked(&s->connections, c, now_ms);
}

/* A reload may have changed them. */
static void follow_limits(struct http_share *s, int64_t now_ms)
{
    connections_set_timeouts(
        &s->connections, atomic_load_explicit(&s->limits->header_timeout_ms, memory_order_relaxed),
        atomic_load_explicit(&s->limits->idle_timeout_ms, memory_order_relaxed), now_ms);
}

/* Thousands of deadlines may fall together: not all in one turn, as good clients wait meanwhile. Fewer
 * than are accepted in one turn, so that those do not pile up instead. */
void http_share_tend(struct http_share *s, int64_t now_ms)
{
    struct connection *c;
    follow_limits(s, now_ms);
    for (unsigned i = 0; i < LOOKS_PER_TURN; i++)
        if ((c = connections_next_look(&s->connections, now_ms)) != NULL)
            look_at(s, c, now_ms);
    for (unsigned i = 0; i < DROPS_PER_TURN; i++)
        if ((c = connections_late(&s->connections, now_ms)) != NULL)
            drop(s, c,
                 c->state == CONNECTION_IDLE ? HTTP_DROP_IDLE_TIMEOUT : HTTP_DROP_HEADER_TIMEOUT,
                 now_ms);
}

/* -- connections ----------------------------------------------------------------------------- */

void http_share_opened(struct http_share *s, struct connection *c, int fd,
                       const struct sockaddr *from, bool *counted, int64_t now_ms)
{
    struct http_limits *limits = s->limits;
    unsigned open = atomic_fetch_add(&limits->connections, 1) + 1;
    http_metrics_opened(s->counters);
    if (c == NULL) { /* it could not be held to any limit */
        (void)shutdown(fd, SHUT_RDWR);
        return;
    }
    connections_add(&s->connections, c, fd, now_ms);
    if (limits->per_address != NULL) {
        if (!per_address_enter(limits->per_address, from, counted)) {
            drop(s, c, HTTP_DROP_PER_ADDRESS, now_ms);
            return;
        }
    }
    if (open > limits->max_connections && !keep_limit(s, c, open, now_ms))
        drop(s, c, HTTP_DROP_MAX_CONNECTIONS, now_ms);
}

void http_share_closed(struct http_share *s, struct connection *c, const struct sockaddr *counted)
{
    http_metrics_closed(s->counters);
    if (c == NULL || c->state != CONNECTION_DROPPED)
        atomic_fetch_sub(&s->limits->connections, 1);
    if (c == NULL)
        return;
    if (counted != NULL)
        per_address_leave(s->limits->per_address, counted);
    connections_remove(&s->connections, c);
}

/* -- life ------------------------------------------------------------------------------------ */

void http_share_init(struct http_share *s, struct http_limits *limits,
                     struct http_metrics *counters)
{
    s->limits = limits;
    s->counters = counters;
    s->wake = -1;
    connections_init(&s->connections, atomic_load(&limits->header_timeout_ms),
                     atomic_load(&limits->idle_timeout_ms));
    atomic_init(&s->asked, 0);
    tell_oldest(s);
    s->next = atomic_load(&limits->shares);
}

void http_share_join(struct http_share *s)
{
    atomic_store(&s->limits->shares, s);
}
