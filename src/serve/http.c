/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http.h"

#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/service_manager.h"
#include "config/config.h"
#include "model/metrics.h"
#include "serve/client_names.h"
#include "serve/http_admin.h"
#include "serve/http_limits.h"
#include "serve/http_loop.h"
#include "serve/per_address.h"
#include "serve/unknown_ids.h"

#define EXCLUDED_MAX ((size_t)16 * 1024 * 1024)
#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */
#define SEND_QUEUE (128 * 1024)
#define THREADS_MAX 64
#define ADMIN_CONNECTIONS 128u
/* Files beside the connections: Consul, logs, the state file; and of each thread that answers, with
 * those connections that were told to end and are not closed yet. */
#define SPARE_FILES 256
#define FILES_PER_THREAD 32

struct listener {
    const char *text; /* the address as configured */
    bool admin;
    int fd;
    size_t count;
    struct http_loop *loops[THREADS_MAX];
};

struct http {
    const struct config *config;
    struct listener *listeners;
    size_t count;
    struct unknown_ids unknown;
    struct http_pages pages;
    struct per_address *per_address;
    struct per_address_rules *next_rules; /* between both steps of a reload, as what follows */
    int64_t next_header_timeout_ms;
    int64_t next_idle_timeout_ms;
    struct http_limits limits[2]; /* for clients, for admin */
    struct registry *registry;
    struct metrics *metrics;
};

static bool fail_listen(const struct config *c, bool admin, const char *text, int code,
                        struct error *reterr)
{
    char where[512];
    config_where(c, admin ? "admin.listen" : "listen", where, sizeof where);
    const char *hint = code == EADDRINUSE      ? "; right is a free port, or none other using it"
                       : code == EADDRNOTAVAIL ? "; right is an address of this host"
                       : code == EACCES        ? "; right is a port above 1023, or more rights"
                                               : "";
    return error_set(reterr, "%s: cannot listen on %s: %s%s", where, text, strerror(code), hint);
}

/* A lone "[::]" takes IPv4 too, as everybody expects; in a list it must leave room for an IPv4
 * address of the same port. */
static int open_socket(const struct config *c, bool admin, const char *text, struct error *reterr)
{
    struct listen_address a;
    int on = 1;
    int v6_only = (admin ? c->admin.listen.count : c->listen.count) > 1;
    if (!listen_address_parse(text, &a, reterr))
        return -1;
    int fd = socket(a.sockaddr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        fail_listen(c, admin, text, errno, reterr);
        return -1;
    }
    bool ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
              (a.sockaddr.ss_family != AF_INET6 ||
               setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only) == 0) &&
              bind(fd, (const struct sockaddr *)&a.sockaddr, a.len) == 0 &&
              listen(fd, BACKLOG) == 0;
    if (ok)
        return fd;
    fail_listen(c, admin, text, errno, reterr);
    (void)close(fd);
    return -1;
}

/* As many as there are processors for us. */
static unsigned thread_count(const struct config *c, bool admin)
{
    cpu_set_t ours;
    if (admin)
        return 1;
    if (c->http.threads > 0)
        return (unsigned)c->http.threads;
    if (sched_getaffinity(0, sizeof ours, &ours) != 0)
        return 1;
    int count = CPU_COUNT(&ours);
    return count > THREADS_MAX ? THREADS_MAX : (unsigned)count;
}

/* Kept until the end: what was counted by a thread stays counted. */
static struct client_names *add_clients(struct http *h, struct error *reterr)
{
    struct client_names *first = atomic_load_explicit(&h->pages.clients, memory_order_relaxed);
    first = client_names_new(first);
    if (first == NULL)
        error_set(reterr, "out of memory");
    else
        atomic_store_explicit(&h->pages.clients, first, memory_order_release);
    return first;
}

static struct http_loop *start_loop(struct http *h, const struct listener *l, struct error *reterr)
{
    struct http_answers answers = {
        .admin = l->admin,
        .registry = h->registry,
        .metrics = h->metrics,
        .counters = metrics_add_http_thread(h->metrics, reterr),
        .clients = add_clients(h, reterr),
        .pages = &h->pages,
        .unknown = &h->unknown,
    };
    return answers.counters == NULL || answers.clients == NULL
               ? NULL
               : http_loop_start(l->fd, &h->limits[l->admin], &answers, reterr);
}

/* Nearly every client sends its request with the connection: to be woken only then saves a quarter
 * of what a connection costs us, and those that send nothing cost us nothing for a second. */
static void accept_with_data(int fd)
{
    static const int seconds = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds);
}

/* For a peer that asks and asks and takes no answer the kernel would keep megabytes. */
static void limit_send_queue(int fd)
{
    static const int bytes = SEND_QUEUE;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

static bool start_answering(struct http *h, struct listener *l, struct error *reterr)
{
    unsigned threads = thread_count(h->config, l->admin);
    struct error cause;
    accept_with_data(l->fd);
    limit_send_queue(l->fd);
    for (; l->count < threads; l->count++)
        if ((l->loops[l->count] = start_loop(h, l, &cause)) == NULL)
            return error_set(reterr, "cannot start answering on %s: %s", l->text, cause.text);
    LOG_INFO("listening", F_STR("address", l->text), F_STR("for", l->admin ? "admin" : "clients"),
             F_INT("threads", threads));
    return true;
}

/* Each connection is a file: the soft limit is raised to what the configured number needs. A limit
 * that cannot hold it would end in connections that are not accepted, without a word. */
static bool raise_file_limit(const struct config *c, struct error *reterr)
{
    struct rlimit limit;
    char where[512];
    int64_t threads = (int64_t)(c->listen.count * thread_count(c, false) + c->admin.listen.count);
    int64_t beside = (int64_t)ADMIN_CONNECTIONS * (c->admin.listen.count > 0) +
                     (c->consul.enabled ? c->consul.max_watches : 0) + SPARE_FILES +
                     FILES_PER_THREAD * threads;
    rlim_t need = (rlim_t)(c->http.max_connections + beside);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return error_set(reterr, "cannot read the limit of open files: %s", strerror(errno));
    if (limit.rlim_cur >= need)
        return true;
    if (limit.rlim_max >= need) {
        limit.rlim_cur = need;
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
            return true;
        return error_set(reterr, "cannot raise the limit of open files: %s", strerror(errno));
    }
    config_where(c, "http.max_connections", where, sizeof where);
    int64_t most = (int64_t)limit.rlim_max - beside;
    if (most < 16)
        return error_set(reterr,
                         "the limit of open files is %" PRIu64 ", which is too low for any number "
                         "of connections; right is a limit (ulimit -Hn, LimitNOFILE=) of at least "
                         "%" PRIu64,
                         (uint64_t)limit.rlim_max, (uint64_t)need);
    return error_set(reterr,
                     "%s: %" PRId64 " connections need %" PRIu64
                     " open files, the limit is %" PRIu64 "; right is at most %" PRId64
                     " connections, or a limit (ulimit -Hn, LimitNOFILE=) of at least %" PRIu64,
                     where, c->http.max_connections, (uint64_t)need, (uint64_t)limit.rlim_max, most,
                     (uint64_t)need);
}

/* Those that were handed over for `list`, if there are any, in place of all of its own. */
static bool take_inherited(struct http *h, const struct strings *list, bool admin,
                           const struct inherited_sockets *inherited)
{
    size_t n = 0;
    for (size_t i = 0; i < inherited->count; i++) {
        const struct inherited_socket *s = &inherited->items[i];
        if ((strcmp(s->name, "admin") == 0) != admin)
            continue;
        h->listeners[h->count++] =
            (struct listener){.text = list->items[n++], .admin = admin, .fd = s->fd};
        LOG_INFO("the service manager's socket takes the place of what is configured",
                 F_STR("option", admin ? "admin.listen" : "listen"), F_STR("address", s->address));
    }
    return n > 0;
}

static bool open_all(struct http *h, const struct strings *list, bool admin,
                     const struct inherited_sockets *inherited, struct error *reterr)
{
    if (take_inherited(h, list, admin, inherited))
        return true;
    for (size_t i = 0; i < list->count; i++) {
        int fd = open_socket(h->config, admin, list->items[i], reterr);
        if (fd < 0)
            return false;
        h->listeners[h->count++] =
            (struct listener){.text = list->items[i], .admin = admin, .fd = fd};
    }
    return true;
}

static struct per_address_rules *rules_of(const struct config *c, struct error *reterr)
{
    return per_address_rules_new((unsigned)c->http.max_connections_per_address,
                                 &c->http.exempt_networks, reterr);
}

static bool prepare(struct http *h, struct error *reterr)
{
    const struct config *c = h->config;
    size_t most = c->listen.count + c->admin.listen.count;
    h->unknown = (struct unknown_ids)UNKNOWN_IDS_INIT;
    h->pages = (struct http_pages)HTTP_PAGES_INIT;
    h->listeners = calloc(most, sizeof *h->listeners);
    if (h->listeners == NULL)
        return error_set(reterr, "out of memory");
    struct per_address_rules *rules = rules_of(c, reterr);
    if (rules == NULL)
        return false;
    if ((h->per_address = per_address_new(rules, reterr)) == NULL) {
        per_address_rules_free(rules);
        return false;
    }
    for (int admin = 0; admin < 2; admin++)
        h->limits[admin] = (struct http_limits){
            .max_connections = admin ? ADMIN_CONNECTIONS : (unsigned)c->http.max_connections,
            .header_timeout_ms = c->http.header_timeout_ms,
            .idle_timeout_ms = c->http.idle_timeout_ms,
            .per_address = admin ? NULL : h->per_address,
        };
    return raise_file_limit(c, reterr);
}

struct http *http_start(const struct config *config, struct registry *registry,
                        struct metrics *metrics, const struct inherited_sockets *inherited,
                        struct error *reterr)
{
    struct http *h = calloc(1, sizeof *h);
    if (h == NULL) {
        error_set(reterr, "out of memory");
        return NULL;
    }
    h->config = config;
    h->registry = registry;
    h->metrics = metrics;
    /* All or nothing: whoever finds one address answering finds every one. */
    bool ok = prepare(h, reterr) && open_all(h, &config->listen, false, inherited, reterr) &&
              open_all(h, &config->admin.listen, true, inherited, reterr);
    for (size_t i = 0; ok && i < h->count; i++)
        ok = start_answering(h, &h->listeners[i], reterr);
    if (ok)
        return h;
    http_stop(h);
    return NULL;
}

bool http_prepare_reload(struct http *h, const struct config *config, struct error *reterr)
{
    h->next_header_timeout_ms = config->http.header_timeout_ms;
    h->next_idle_timeout_ms = config->http.idle_timeout_ms;
    return raise_file_limit(config, reterr) && (h->next_rules = rules_of(config, reterr)) != NULL;
}

void http_end_reload(struct http *h, bool take)
{
    if (!take) {
        per_address_rules_free(h->next_rules);
        h->next_rules = NULL;
        return;
    }
    per_address_change(h->per_address, h->next_rules);
    h->next_rules = NULL;
    for (int admin = 0; admin < 2; admin++) {
        atomic_store(&h->limits[admin].header_timeout_ms, h->next_header_timeout_ms);
        atomic_store(&h->limits[admin].idle_timeout_ms, h->next_idle_timeout_ms);
    }
    for (size_t i = 0; i < h->count; i++)
        for (size_t j = 0; j < h->listeners[i].count; j++)
            http_loop_wake(h->listeners[i].loops[j]);
}

bool http_alive(const struct http *h, int64_t within_ms)
{
    for (size_t i = 0; i < h->count; i++)
        for (size_t j = 0; j < h->listeners[i].count; j++)
            if (!http_loop_alive(h->listeners[i].loops[j], within_ms))
                return false;
    return true;
}

void http_stop(struct http *h)
{
    if (h == NULL)
        return;
    for (size_t i = 0; i < h->count; i++)
        for (size_t j = 0; j < h->listeners[i].count; j++)
            http_loop_finish(h->listeners[i].loops[j]);
    for (size_t i = 0; i < h->count; i++)
        for (size_t j = 0; j < h->listeners[i].count; j++)
            http_loop_stop(h->listeners[i].loops[j]);
    for (size_t i = 0; i < h->count; i++) {
        for (size_t j = 0; j < h->listeners[i].count; j++)
            http_loop_free(h->listeners[i].loops[j]);
        (void)close(h->listeners[i].fd);
    }
    per_address_free(h->per_address);
    client_names_free(atomic_load_explicit(&h->pages.clients, memory_order_relaxed));
    free(h->pages.config);
    free(h->pages.excluded);
    free(h->listeners);
    free(h);
}

/* ";a;b;" (no id has a semicolon), or NULL: no memory. */
static char *excluded_ids(const struct config *c)
{
    struct buf ids;
    buf_init(&ids, EXCLUDED_MAX);
    (void)buf_append_char(&ids, ';');
    for (size_t i = 0; i < c->consul.exclude.count; i++)
        (void)buf_printf(&ids, "%s;", c->consul.exclude.items[i]);
    return buf_detach(&ids);
}

void http_show_config(struct http *h, const struct config *c, char *text)
{
    char *excluded = excluded_ids(c);
    pthread_mutex_lock(&h->pages.lock);
    char *old = h->pages.config, *old_excluded = h->pages.excluded;
    h->pages.config = text;
    h->pages.excluded = excluded;
    pthread_mutex_unlock(&h->pages.lock);
    free(old);
    free(old_excluded);
}

const char *http_library_version(void)
{
    return MHD_get_version();
}
