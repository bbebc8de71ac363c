/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http_loop.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
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
#include "model/registry.h"
#include "serve/http_limits.h"

/* Per connection, for request and reply head; a request with more gets 431. Room for a request line of
 * 8000 bytes (RFC 9112, 3). */
#define CONNECTION_MEMORY ((size_t)10 * 1024)
/* Of libmicrohttpd; and what there is beside connections: listening, being woken. */
#define EVENTS_AT_ONCE 128
#define OTHER_EVENTS 2
#define LONGEST_WAIT_MS 1000
#define MOMENT_MS 20
#define NS_PER_MS 1000000
/* At the end: for a request that has begun, and for one that may be on its way. */
#define FINISH_WAITING_MS 1000
#define FINISH_IDLE_MS 100

struct http_loop {
    struct http_share share;
    struct http_answers answers;
    struct MHD_Daemon *daemon;
    int epoll; /* the library's */
    pthread_t thread;
    bool no_files;                 /* accepting failed for want of files or memory */
    atomic_int_fast64_t finish_ms; /* when http_loop_finish() was called; CLOCK_NEVER: not yet */
    atomic_int_fast64_t turned_ms; /* when the thread turned last */
};

/* What the library keeps for us with each connection. */
struct peer {
    struct connection connection;
    struct http_request request;
    bool counted; /* in per_address */
};

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
    int64_t now_ms = clock_mono_ms();
    struct peer *p = calloc(1, sizeof *p);
    *context = p;
    http_share_opened(&l->share, p != NULL ? &p->connection : NULL, socket_of(connection),
                      address_of(connection), p != NULL ? &p->counted : NULL, now_ms);
}

static void closed(struct http_loop *l, struct MHD_Connection *connection, struct peer *p)
{
    if (p == NULL)
        http_share_closed(&l->share, NULL, NULL);
    else
        http_share_closed(&l->share, &p->connection, p->counted ? address_of(connection) : NULL);
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
    connections_asked(&l->share.connections, &p->connection, p->request.started_ns / NS_PER_MS);
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
    connections_answered(&l->share.connections, &p->connection, taken_ms);
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

static void make_room(struct http_loop *l, int64_t now_ms)
{
    l->no_files = false;
    if (!http_share_out_of_files(&l->share, now_ms))
        wait_a_moment();
}

static int32_t wait_ms(const struct http_loop *l, int64_t now_ms, int64_t finish_ms)
{
    int64_t longest = finish_ms == CLOCK_NEVER ? LONGEST_WAIT_MS : FINISH_IDLE_MS / 4;
    int64_t left = connections_next_ms(&l->share.connections) - now_ms;
    return (int32_t)(left < 0 ? 0 : left < longest ? left : longest);
}

static bool finished(const struct http_loop *l, int64_t now_ms, int64_t finish_ms)
{
    return l->share.connections.count == 0 || now_ms >= finish_ms + FINISH_WAITING_MS ||
           (now_ms >= finish_ms + FINISH_IDLE_MS &&
            !connections_waits(&l->share.connections, finish_ms));
}

/* The library takes EVENTS_AT_ONCE from the kernel. After just as many it waits for more, as long as it
 * may, before it looks at those; where there can be so many, the waiting is done for it. */
static enum MHD_Result run(struct http_loop *l, int32_t wait)
{
    MHD_UNSIGNED_LONG_LONG left;
    struct pollfd events = {.fd = l->epoll, .events = POLLIN};
    if (l->share.connections.count + OTHER_EVENTS < EVENTS_AT_ONCE)
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
        http_share_tend(&l->share, now_ms);
        registry_view_update(l->answers.registry, &l->answers.view); /* keep no old table alive */
        if (l->no_files)
            make_room(l, now_ms);
        http_share_do_asked(&l->share, now_ms);
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
        {MHD_OPTION_CONNECTION_LIMIT,
         (intptr_t)(l->share.limits->max_connections + HTTP_SPARE_CONNECTIONS), NULL},
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
    l->share.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->epoll = info != NULL ? info->epoll_fd : -1;
    return l->share.wake >= 0 && epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->share.wake, &event) == 0;
}

void http_loop_free(struct http_loop *l)
{
    stop_library(l);
    if (l->share.wake >= 0)
        (void)close(l->share.wake);
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
    http_share_init(&l->share, limits, answers->counters);
    l->answers = *answers;
    atomic_init(&l->finish_ms, CLOCK_NEVER);
    atomic_init(&l->turned_ms, clock_mono_ms());
    l->daemon = start_library(l, fd);
    if (l->daemon != NULL && add_wake(l) &&
        (errno = pthread_create(&l->thread, NULL, turn, l)) == 0) {
        http_share_join(&l->share);
        return l;
    }
    error_set(reterr, "cannot start a thread for it: %s", strerror(errno));
    http_loop_free(l);
    return NULL;
}

void http_loop_wake(const struct http_loop *l)
{
    http_share_wake(&l->share);
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
