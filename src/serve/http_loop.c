/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http_loop.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "model/metrics.h"
#include "serve/connections.h"
#include "serve/per_address.h"

/* Per connection, for request and reply head; a request with more gets 431. Room for a request line of
 * 8000 bytes (RFC 9112, 3). */
#define CONNECTION_MEMORY ((size_t)10 * 1024)
/* At the limit the library stops accepting. Ours comes first, so that a new connection finds room
 * by the end of a worse one; the library closes that one only in its next turn. */
#define SPARE_CONNECTIONS 64u
/* Of libmicrohttpd; and what there is beside connections: listening, being woken. */
#define EVENTS_AT_ONCE 128
#define OTHER_EVENTS 2
#define LONGEST_WAIT_MS 1000
#define MOMENT_MS 20
#define LOOKS_PER_TURN 16
#define DROPS_PER_TURN 8
/* The kernel counts a peer's silence in ticks of up to 10 ms. */
#define TICKS_MS 20
#define NS_PER_MS 1000000
/* At the end: for a request that has begun, and for one that may be on its way. */
#define FINISH_WAITING_MS 1000
#define FINISH_IDLE_MS 100

struct http_loop {
    struct http_limits *limits;
    struct http_answers answers;
    struct MHD_Daemon *daemon;
    int wake;  /* eventfd */
    int epoll; /* the library's */
    pthread_t thread;
    struct connections connections;
    bool no_files;                  /* accepting failed for want of files or memory */
    struct http_loop *next;         /* of those that share its limits */
    atomic_uint asked;              /* connections that others want it to make room for */
    atomic_int_fast64_t waiting_ms; /* connections_oldest(), for the others */
    atomic_int_fast64_t idle_ms;
    atomic_int_fast64_t finish_ms; /* when http_loop_finish() was called; CLOCK_NEVER: not yet */
    atomic_int_fast64_t turned_ms; /* when the thread turned last */
};

/* What the library keeps for us with each connection. */
struct peer {
    struct connection connection;
    struct http_request request;
    bool counted; /* in per_address */
};

/* -- dropping -------------------------------------------------------------------------------- */

/* An operator is told once in a while, and what the number is counts the metrics. */
static void note_drop(struct http_loop *l, enum http_drop why, int64_t now_ms)
{
    http_metrics_dropped(l->answers.counters, why);
    unsigned left_out;
    if (why == HTTP_DROP_IDLE_TIMEOUT || !log_limit_pass(&l->limits->drops, 1, now_ms, &left_out))
        return;
    LOG_WARN("dropping connections", F_STR("why", http_drop_name(why)),
             F_INT("open", atomic_load(&l->limits->connections)), F_SOME("left_out", left_out));
}

/* The library closes it as soon as it sees the end; until then the number is not used again. */
static void drop(struct http_loop *l, struct connection *c, enum http_drop why, int64_t now_ms)
{
    note_drop(l, why, now_ms);
    connections_dropped(&l->connections, c);
    atomic_fetch_sub(&l->limits->connections, 1);
    (void)shutdown(c->fd, SHUT_RDWR);
}

/* Makes room for `but`. */
static bool drop_victim(struct http_loop *l, const struct connection *but, enum http_drop why,
                        int64_t now_ms)
{
    struct connection *victim = connections_victim(&l->connections, but, now_ms);
    if (victim != NULL)
        drop(l, victim, why, now_ms);
    return victim != NULL;
}

/* Ends the wait of its thread. */
void http_loop_wake(const struct http_loop *l)
{
    static const uint64_t one = 1;
    ssize_t ignored = write(l->wake, &one, sizeof one); /* can only fail when it is set already */
    (void)ignored;
}

static void tell_oldest(struct http_loop *l)
{
    struct connections_oldest oldest = connections_oldest(&l->connections, NULL);
    atomic_store_explicit(&l->waiting_ms, oldest.waiting_ms, memory_order_relaxed);
    atomic_store_explicit(&l->idle_ms, oldest.idle_ms, memory_order_relaxed);
}

/* The loop whose connections have the one to drop, but never `but`. */
static struct http_loop *find_worst(struct http_loop *l, const struct connection *but,
                                    int64_t now_ms)
{
    struct http_loop *worst = l;
    int64_t most = connections_urgency(connections_oldest(&l->connections, but), now_ms);
    for (struct http_loop *o = atomic_load(&l->limits->loops); o != NULL; o = o->next) {
        struct connections_oldest oldest = {
            .waiting_ms = atomic_load_explicit(&o->waiting_ms, memory_order_relaxed),
            .idle_ms = atomic_load_explicit(&o->idle_ms, memory_order_relaxed),
        };
        int64_t urgency = o != l ? connections_urgency(oldest, now_ms) : 0;
        if (urgency > most) {
            most = urgency;
            worst = o;
        }
    }
    return worst;
}

/* There is at least one connection too many of the `open`. Many at once are not left to a thread that
 * is slow to make room. False: there is no other than `but`. */
static bool keep_limit(struct http_loop *l, const struct connection *but, unsigned open,
                       int64_t now_ms)
{
    struct http_loop *worst = find_worst(l, but, now_ms);
    if (worst == l || open > l->limits->max_connections + SPARE_CONNECTIONS / 2)
        return drop_victim(l, but, HTTP_DROP_MAX_CONNECTIONS, now_ms);
    atomic_fetch_add(&worst->asked, 1);
    http_loop_wake(worst);
    return true;
}

/* What was known of its connections may be old by now: another one may have the worst. */
static void do_asked(struct http_loop *l, int64_t now_ms)
{
    unsigned open;
    unsigned asked = atomic_load(&l->asked) > 0 ? atomic_exchange(&l->asked, 0) : 0;
    while (asked-- > 0 &&
           (open = atomic_load(&l->limits->connections)) > l->limits->max_connections) {
        (void)keep_limit(l, NULL, open, now_ms);
        tell_oldest(l);
    }
}

/* Has a peer sent anything since its last answer? Then it is in the middle of a request. */
static void look_at(struct http_loop *l, struct connection *c, int64_t now_ms)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return;
    if (now_ms - (int64_t)info.tcpi_last_data_recv > c->since_ms + TICKS_MS)
        connections_asked(&l->connections, c, now_ms);
}

/* A reload may have changed them. */
static void follow_limits(struct http_loop *l, int64_t now_ms)
{
    connections_set_timeouts(
        &l->connections, atomic_load_explicit(&l->limits->header_timeout_ms, memory_order_relaxed),
        atomic_load_explicit(&l->limits->idle_timeout_ms, memory_order_relaxed), now_ms);
}

/* Thousands of deadlines may fall together: not all in one turn, as good clients wait meanwhile. Fewer
 * than are accepted in one turn, so that those do not pile up instead. */
static void tend(struct http_loop *l, int64_t now_ms)
{
    struct connection *c;
    for (unsigned i = 0; i < LOOKS_PER_TURN; i++)
        if ((c = connections_next_look(&l->connections, now_ms)) != NULL)
            look_at(l, c, now_ms);
    for (unsigned i = 0; i < DROPS_PER_TURN; i++)
        if ((c = connections_late(&l->connections, now_ms)) != NULL)
            drop(l, c,
                 c->state == CONNECTION_IDLE ? HTTP_DROP_IDLE_TIMEOUT : HTTP_DROP_HEADER_TIMEOUT,
                 now_ms);
}

/* -- what the library tells ------------------------------------------------------------------ */

static const struct sockaddr *address_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info != NULL ? info->client_addr : NULL;
}

static int socket_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info != NULL ? info->connect_fd : -1;
}

static struct peer *peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static void opened(struct http_loop *l, struct MHD_Connection *connection, void **context)
{
    struct http_limits *limits = l->limits;
    int64_t now_ms = clock_mono_ms();
    struct peer *p = calloc(1, sizeof *p);
    unsigned open = atomic_fetch_add(&limits->connections, 1) + 1;
    *context = p;
    http_metrics_opened(l->answers.counters);
    if (p == NULL) { /* it could not be held to any limit */
        (void)shutdown(socket_of(connection), SHUT_RDWR);
        return;
    }
    connections_add(&l->connections, &p->connection, socket_of(connection), now_ms);
    if (limits->per_address != NULL) {
        if (!per_address_enter(limits->per_address, address_of(connection), &p->counted)) {
            drop(l, &p->connection, HTTP_DROP_PER_ADDRESS, now_ms);
            return;
        }
    }
    if (open > limits->max_connections && !keep_limit(l, &p->connection, open, now_ms))
        drop(l, &p->connection, HTTP_DROP_MAX_CONNECTIONS, now_ms);
}

static void closed(struct http_loop *l, struct MHD_Connection *connection, struct peer *p)
{
    http_metrics_closed(l->answers.counters);
    if (p == NULL || p->connection.state != CONNECTION_DROPPED)
        atomic_fetch_sub(&l->limits->connections, 1);
    if (p == NULL)
        return;
    if (p->counted)
        per_address_leave(l->limits->per_address, address_of(connection));
    connections_remove(&l->connections, &p->connection);
    free(p);
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        opened(arg, connection, context);
    else
        closed(arg, connection, *context);
}

/* Called with the whole target; the result is *per_request of what follows. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
    const struct http_loop *l = arg;
    struct peer *p = peer_of(connection);
    if (p != NULL)
        http_request_begin(&l->answers, &p->request, target);
    return p;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *target,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **per_request)
{
    struct http_loop *l = arg;
    struct peer *p = *per_request;
    (void)upload;
    /* What had come from one that was dropped is read nevertheless. */
    if (p == NULL || p->connection.state == CONNECTION_DROPPED)
        return MHD_NO;
    bool ok =
        http_answer(&l->answers, &p->request, connection, target, method, version, upload_size);
    connections_asked(&l->connections, &p->connection, p->request.started_ns / NS_PER_MS);
    return ok ? MHD_YES : MHD_NO;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **per_request,
                         enum MHD_RequestTerminationCode how)
{
    struct http_loop *l = arg;
    struct peer *p = *per_request;
    if (p == NULL || how != MHD_REQUEST_TERMINATED_COMPLETED_OK)
        return;
    int64_t taken_ms = p->request.answered_ns / NS_PER_MS;
    /* Nearly every peer takes its answer at once. */
    if (taken_ms < atomic_load_explicit(&l->turned_ms, memory_order_relaxed))
        taken_ms = clock_mono_ms();
    (void)connection;
    connections_answered(&l->connections, &p->connection, taken_ms);
}

static void on_library_log(void *arg, const char *format, va_list args) PRINTF_LIKE(2, 0);

static void on_library_log(void *arg, const char *format, va_list args)
{
    struct http_loop *l = arg;
    char text[512];
    /* It goes on trying at once, for ever, when it has no connection whose end to wait for. */
    if (strncmp(format, "Hit process or system resource limit", 36) == 0)
        l->no_files = true;
    (void)vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    LOG_DEBUG("libmicrohttpd", F_STR("says", text));
}

/* -- the thread ------------------------------------------------------------------------------ */

/* What failed for want of something would fail again at once. */
static void wait_a_moment(void)
{
    static const struct timespec moment = {.tv_nsec = MOMENT_MS * NS_PER_MS};
    (void)nanosleep(&moment, NULL);
}

/* Somebody else took the files or the memory: make room by the end of a connection; without any,
 * wait. */
static void make_room(struct http_loop *l, int64_t now_ms)
{
    l->no_files = false;
    if (!drop_victim(l, NULL, HTTP_DROP_OUT_OF_FILES, now_ms)) {
        note_drop(l, HTTP_DROP_OUT_OF_FILES, now_ms);
        wait_a_moment();
    }
}

static int32_t wait_ms(const struct http_loop *l, int64_t now_ms, int64_t finish_ms)
{
    int64_t longest = finish_ms == CLOCK_NEVER ? LONGEST_WAIT_MS : FINISH_IDLE_MS / 4;
    int64_t left = connections_next_ms(&l->connections) - now_ms;
    return (int32_t)(left < 0 ? 0 : left < longest ? left : longest);
}

static bool finished(const struct http_loop *l, int64_t now_ms, int64_t finish_ms)
{
    return l->connections.count == 0 || now_ms >= finish_ms + FINISH_WAITING_MS ||
           (now_ms >= finish_ms + FINISH_IDLE_MS && !connections_waits(&l->connections, finish_ms));
}

/* The library takes EVENTS_AT_ONCE from the kernel. After just as many it waits for more, as long as it
 * may, before it looks at those; where there can be so many, the waiting is done for it. */
static enum MHD_Result run(struct http_loop *l, int32_t wait)
{
    MHD_UNSIGNED_LONG_LONG left;
    struct pollfd events = {.fd = l->epoll, .events = POLLIN};
    if (l->connections.count + OTHER_EVENTS < EVENTS_AT_ONCE)
        return MHD_run_wait(l->daemon, wait);
    bool at_once = MHD_get_timeout(l->daemon, &left) == MHD_YES && left == 0;
    if (!at_once)
        (void)poll(&events, 1, wait);
    return MHD_run_wait(l->daemon, 0);
}

static void stop_library(struct http_loop *l)
{
    if (l->daemon == NULL)
        return;
    (void)MHD_quiesce_daemon(l->daemon); /* the listening socket is not the library's to close */
    MHD_stop_daemon(l->daemon);
    l->daemon = NULL;
}

static void *turn(void *arg)
{
    struct http_loop *l = arg;
    for (;;) {
        int64_t now_ms = clock_mono_ms();
        int64_t finish_ms = atomic_load(&l->finish_ms);
        atomic_store_explicit(&l->turned_ms, now_ms, memory_order_relaxed);
        if (finish_ms != CLOCK_NEVER) {
            (void)MHD_quiesce_daemon(l->daemon);
            if (finished(l, now_ms, finish_ms))
                break;
        }
        follow_limits(l, now_ms);
        tend(l, now_ms);
        registry_view_update(l->answers.registry, &l->answers.view); /* keep no old table alive */
        if (l->no_files)
            make_room(l, now_ms);
        do_asked(l, now_ms);
        tell_oldest(l);
        if (run(l, wait_ms(l, now_ms, finish_ms)) != MHD_YES)
            wait_a_moment();
    }
    stop_library(l); /* now: nobody is to ask where nobody answers any more */
    return NULL;
}

static struct MHD_Daemon *start_library(struct http_loop *l, int fd)
{
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET, fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)(l->limits->max_connections + SPARE_CONNECTIONS),
         NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)CONNECTION_MEMORY, NULL},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)http_leave_escaped, NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_target, l},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, l},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, l},
        {MHD_OPTION_END, 0, NULL},
    };
    /* The logger is an argument of its own: it has to come before all others. */
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, l,
                            MHD_OPTION_EXTERNAL_LOGGER, on_library_log, l, MHD_OPTION_ARRAY,
                            options, MHD_OPTION_END);
}

/* The library's own way to end a wait needs its own threads. An event without a pointer is what it
 * ignores (0.9.75 to 1.0: "shutdown signal"), so it ends the wait and no more. Each write is an
 * edge, so nobody has to read. */
static bool add_wake(struct http_loop *l)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->epoll = info != NULL ? info->epoll_fd : -1;
    return l->wake >= 0 && epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->wake, &event) == 0;
}

void http_loop_free(struct http_loop *l)
{
    stop_library(l);
    if (l->wake >= 0)
        (void)close(l->wake);
    registry_view_clear(&l->answers.view);
    free(l);
}

struct http_loop *http_loop_start(int fd, struct http_limits *limits,
                                  const struct http_answers *answers, struct error *reterr)
{
    struct http_loop *l = calloc(1, sizeof *l);
    if (l == NULL) {
        error_set(reterr, "out of memory");
        return NULL;
    }
    l->limits = limits;
    l->answers = *answers;
    l->wake = -1;
    connections_init(&l->connections, atomic_load(&limits->header_timeout_ms),
                     atomic_load(&limits->idle_timeout_ms));
    atomic_init(&l->finish_ms, CLOCK_NEVER);
    atomic_init(&l->turned_ms, clock_mono_ms());
    atomic_init(&l->asked, 0);
    tell_oldest(l);
    l->next = atomic_load(&limits->loops);
    l->daemon = start_library(l, fd);
    if (l->daemon != NULL && add_wake(l) &&
        (errno = pthread_create(&l->thread, NULL, turn, l)) == 0) {
        atomic_store(&limits->loops, l);
        return l;
    }
    error_set(reterr, "cannot start a thread for it: %s", strerror(errno));
    http_loop_free(l);
    return NULL;
}

void http_loop_finish(struct http_loop *l)
{
    atomic_store(&l->finish_ms, clock_mono_ms());
    http_loop_wake(l);
}

void http_loop_stop(struct http_loop *l)
{
    (void)pthread_join(l->thread, NULL);
}

bool http_loop_alive(const struct http_loop *l, int64_t within_ms)
{
    return clock_mono_ms() - atomic_load_explicit(&l->turned_ms, memory_order_relaxed) <= within_ms;
}
