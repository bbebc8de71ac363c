/*
 * main.c - the order in which things start and stop.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "announce/announce.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/process.h"
#include "base/service_manager.h"
#include "client/ask.h"
#include "config/argv.h"
#include "config/config.h"
#include "config/reload.h"
#include "consul/agent.h"
#include "consul/httpc.h"
#include "model/consul_metrics.h"
#include "model/metrics.h"
#include "model/registry.h"
#include "model/table.h"
#include "serve/http.h"
#include "source/merge.h"
#include "source/source.h"
#include "source/spool.h"

#define DEFAULT_CONFIG "/etc/nsaddrd/nsaddrd.conf"
#define EXIT_USAGE 64
#define EXIT_CONFIG 78
/* --once: how long the sources may take for their first read. */
#define ONCE_TIMEOUT_MS 30000
#define COUNT_EVERY_MS 1000

/* A config that was read anew, on its way to where it is used. One at a time. */
struct reload {
    struct config *config; /* NULL: none is under way */
    unsigned number;       /* it does what was asked up to this one */
    atomic_bool done;      /* the httpc thread is; the rest is main's again */
    bool used;             /* else: error */
    bool new_token;
    struct error error;
};

struct daemon {
    struct config *config; /* in use */
    struct config *first;  /* what takes a restart is read from this one, as long as we run */
    struct arguments *arguments;
    struct registry *registry;
    struct metrics *metrics;
    struct httpc *httpc;
    struct merge *merge;
    struct spool *spool;
    struct sources *sources;
    struct http *http;
    struct announce *announce;
    int signals; /* signalfd */
    int event;   /* eventfd: the httpc thread tells main of a change, or of the end of the drain */
    struct inherited_sockets inherited;
    struct service_manager manager;
    bool manager_fails;
    unsigned reloads_asked;
    unsigned reloads_done;
    struct reload reload;
    unsigned settled;  /* steps of settle() */
    bool changed;      /* the table, since it was counted */
    int64_t count_ms;  /* not again before */
    char counted[200]; /* "clusters: 11 live, 1 held, ..." */
};

static int complain(const struct error *error, int code)
{
    (void)fprintf(stderr, "%snsaddrd: %s\n", log_prefix(LOG_LEVEL_ERROR), error->text);
    return code;
}

static void notify_main(void *arg)
{
    const struct daemon *d = arg;
    uint64_t one = 1;
    ssize_t ignored = write(d->event, &one, sizeof one); /* can only fail when it is set already */
    (void)ignored;
}

static void on_change(void *arg)
{
    const struct daemon *d = arg;
    announce_wake(d->announce);
    notify_main(arg);
}

/* -- the service manager --------------------------------------------------------------------- */

struct counts {
    size_t of[CLUSTER_GONE + 1]; /* by state */
};

static bool count(const struct cluster *c, void *arg)
{
    struct counts *counts = arg;
    counts->of[c->state]++;
    return true;
}

/* "reading clusters: 3000 of 10000; ", or nothing once each was read. */
static void describe_reading(const struct daemon *d, char *out, size_t size)
{
    struct consul_report consul;
    metrics_consul(d->metrics, &consul);
    const struct consul_reading *now = &consul.reading;
    out[0] = '\0';
    if (now->unread > 0)
        (void)snprintf(out, size, "reading clusters: %" PRIu64 " of %" PRIu64 "; ",
                       now->clusters - now->unread, now->clusters);
}

static void count_clusters(struct daemon *d)
{
    struct counts n = {.of = {0}};
    const struct table *t = registry_acquire(d->registry, NULL);
    table_each(t, count, &n);
    table_unref(t);
    char reading[64];
    describe_reading(d, reading, sizeof reading);
    (void)snprintf(d->counted, sizeof d->counted,
                   "%sclusters: %zu live, %zu held, %zu restored, %zu without a list", reading,
                   n.of[CLUSTER_LIVE], n.of[CLUSTER_HELD], n.of[CLUSTER_RESTORED],
                   n.of[CLUSTER_UNREAD] + n.of[CLUSTER_EMPTY]);
}

/* One line for people. Thousands of clusters are not counted anew with every change. */
static void describe(struct daemon *d, enum service_phase phase, int64_t now_ms,
                     char out[static SERVICE_STATUS_SIZE])
{
    static const char *const doing[] = {
        [SERVICE_STARTING] = "waiting for the first complete read from Consul; ",
        [SERVICE_READY] = "",
        [SERVICE_STOPPING] = "stopping, answering those who still come; ",
    };
    const char *consul = !d->config->consul.enabled ? ""
                         : consul_metrics_is_up(httpc_metrics(d->httpc))
                             ? "; Consul answers"
                             : "; Consul gives no good answer";
    if (d->changed && (now_ms >= d->count_ms || phase != d->manager.phase)) {
        count_clusters(d);
        d->changed = false;
        d->count_ms = now_ms + COUNT_EVERY_MS;
    }
    (void)snprintf(out, SERVICE_STATUS_SIZE, "%s%s%s", doing[phase], d->counted, consul);
}

/* What is new to it. A thread that hangs keeps the watchdog waiting. */
static void tell_manager(struct daemon *d)
{
    struct error error;
    char status[SERVICE_STATUS_SIZE];
    if (!service_manager_listens(&d->manager))
        return;
    int64_t now_ms = clock_mono_ms();
    struct registry_status registry = registry_status(d->registry);
    int64_t patience_ms = service_manager_patience_ms(&d->manager);
    struct service_state state = {
        .phase = registry.draining ? SERVICE_STOPPING
                 : registry.ready  ? SERVICE_READY
                                   : SERVICE_STARTING,
        .reloads_asked = d->reloads_asked,
        .reloads_done = d->reloads_done,
        .alive = httpc_alive(d->httpc, patience_ms) && http_alive(d->http, patience_ms),
        .status = status,
    };
    describe(d, state.phase, now_ms, status);
    bool ok = service_manager_tell(&d->manager, &state, now_ms, &error);
    if (!ok && !d->manager_fails)
        LOG_WARN("cannot tell the service manager, trying again", F_STR("error", error.text));
    d->manager_fails = !ok;
}

/* Where it listens for us takes the place of what is configured: it is what gets registered. */
static bool use_inherited(const struct inherited_sockets *all, bool admin, struct config *config,
                          struct error *reterr)
{
    const char *items[INHERITED_SOCKETS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < all->count; i++)
        if ((strcmp(all->items[i].name, "admin") == 0) == admin)
            items[n++] = all->items[i].address;
    return n == 0 || config_replace_list(config, admin ? "admin.listen" : "listen", items, n,
                                         "LISTEN_FDS", reterr);
}

static bool use_all_inherited(const struct daemon *d, struct config *config, struct error *reterr)
{
    return use_inherited(&d->inherited, false, config, reterr) &&
           use_inherited(&d->inherited, true, config, reterr);
}

static bool meet_manager(struct daemon *d, struct error *reterr)
{
    struct error error;
    if (!service_manager_open(&d->manager, &error))
        LOG_WARN("the service manager cannot be told anything of it", F_STR("error", error.text));
    return service_manager_listen_fds(&d->inherited, reterr) &&
           use_all_inherited(d, d->config, reterr);
}

/* -- reload ---------------------------------------------------------------------------------- */

static void find_config(struct arguments *arguments)
{
    if (arguments->config_path == NULL && access(DEFAULT_CONFIG, F_OK) == 0)
        arguments->config_path = DEFAULT_CONFIG;
}

static void warn_of_restart(const struct config_change *change, void *arg)
{
    (void)arg;
    if (change->needs_a_restart)
        LOG_WARN("a changed option takes a restart, until then it stays as it was",
                 F_STR("option", change->key), F_STR("was", change->was), F_STR("is", change->is),
                 F_STR("where", change->where));
}

/* As at the start: the same file, environment and -o, and the same sockets of the service manager. */
static struct config *read_config(struct daemon *d, struct error *reterr)
{
    find_config(d->arguments);
    struct config *c =
        config_load(d->arguments->config_path, environ, &d->arguments->overrides, reterr);
    if (c != NULL && use_all_inherited(d, c, reterr) &&
        config_each_change(d->config, c, warn_of_restart, d, reterr) &&
        config_keep_started(c, d->config, reterr))
        return c;
    config_free(c);
    return NULL;
}

/* Everything that can fail. */
static bool prepare_reload(struct daemon *d, const struct config *c, struct error *reterr)
{
    if (!http_prepare_reload(d->http, c, reterr))
        return false;
    if (!httpc_prepare_reload(d->httpc, c, reterr))
        goto no_http;
    if (sources_prepare_reload(d->sources, c, reterr))
        return true;
    (void)httpc_end_reload(d->httpc, NULL);
no_http:
    http_end_reload(d->http, false);
    return false;
}

/* On the httpc thread, between its callbacks: nothing there holds anything of the old config. */
static void use_reload(void *arg)
{
    struct daemon *d = arg;
    struct reload *r = &d->reload;
    const struct config *c = r->config;
    r->used = prepare_reload(d, c, &r->error);
    if (r->used) {
        r->new_token = httpc_end_reload(d->httpc, c);
        http_end_reload(d->http, true);
        sources_end_reload(d->sources, c);
        announce_reload(d->announce, c);
    }
    atomic_store(&r->done, true);
    notify_main(d);
}

static void note_bad_config(struct daemon *d, const struct error *error)
{
    LOG_ERROR("SIGHUP: the config is not good, what was in use stays", F_STR("error", error->text));
    metrics_note_reload(d->metrics, false, clock_wall_ms());
}

static void list_change(const struct config_change *change, void *arg)
{
    struct buf *names = arg;
    LOG_INFO("option changed", F_STR("option", change->key), F_STR("was", change->was),
             F_STR("is", change->is), F_STR("where", change->where));
    (void)buf_printf(names, "%s%s", names->len > 0 ? " " : "", change->key);
}

/* All the others use it by now; here main does, and whoever main tells of it. */
static void take_config(struct daemon *d, struct config *next)
{
    struct error error;
    struct buf names;
    struct config *old = d->config;
    d->config = next;
    buf_init(&names, 4096);
    log_configure((enum log_level)next->log.level, (enum log_format)next->log.format);
    metrics_note_reload(d->metrics, true, clock_wall_ms());
    http_show_config(d->http, config_text(next));
    if (!config_each_change(old, next, list_change, &names, &error))
        LOG_WARN("cannot tell all that is changed", F_STR("error", error.text));
    const char *path = d->arguments->config_path;
    LOG_INFO("SIGHUP: config reloaded", F_STR("file", path != NULL ? path : "none"),
             F_STR("changed", names.len > 0 ? names.data : "nothing"));
    if (d->reload.new_token && next->consul.token_file[0] != '\0')
        LOG_INFO("SIGHUP: using the new token of the token file",
                 F_STR("file", next->consul.token_file));
    buf_clear(&names);
    if (old != d->first)
        config_free(old);
}

/* For what was asked meanwhile the config is read once more. */
static void begin_reload(struct daemon *d)
{
    struct reload *r = &d->reload;
    while (r->config == NULL && d->reloads_done != d->reloads_asked) {
        r->number = d->reloads_asked;
        r->config = read_config(d, &r->error);
        atomic_store(&r->done, false);
        if (r->config != NULL && httpc_post(d->httpc, use_reload, d))
            return;
        if (r->config != NULL)
            error_set(&r->error, "out of memory");
        config_free(r->config);
        r->config = NULL;
        note_bad_config(d, &r->error);
        d->reloads_done = r->number;
    }
}

static void end_reload(struct daemon *d)
{
    struct reload *r = &d->reload;
    struct config *next = r->config;
    if (next == NULL || !atomic_load(&r->done))
        return;
    r->config = NULL;
    d->reloads_done = r->number;
    if (r->used) {
        take_config(d, next);
    } else {
        note_bad_config(d, &r->error);
        config_free(next);
    }
    begin_reload(d);
}

static void ask_to_reload(struct daemon *d)
{
    d->reloads_asked++;
    begin_reload(d);
}

/* -- signals --------------------------------------------------------------------------------- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Waits until a signal (its number), the event (0), or the time is up (-1). */
static int wait_for_event(struct daemon *d, int64_t timeout_ms)
{
    struct pollfd fds[] = {{.fd = d->signals, .events = POLLIN},
                           {.fd = d->event, .events = POLLIN}};
    int64_t end = timeout_ms == CLOCK_NEVER ? CLOCK_NEVER : clock_mono_ms() + timeout_ms;
    for (;;) {
        tell_manager(d);
        int64_t until = earlier(end, service_manager_next_ms(&d->manager));
        if (d->changed && service_manager_listens(&d->manager))
            until = earlier(until, d->count_ms);
        int64_t left = until == CLOCK_NEVER ? -1 : until - clock_mono_ms();
        if (until != CLOCK_NEVER && left < 0)
            left = 0;
        int n = poll(fds, 2, left > 60000 ? 60000 : (int)left);
        struct signalfd_siginfo info;
        uint64_t times;
        if ((fds[0].revents & POLLIN) != 0 && read(d->signals, &info, sizeof info) == sizeof info)
            return (int)info.ssi_signo;
        if ((fds[1].revents & POLLIN) != 0 && read(d->event, &times, sizeof times) > 0) {
            d->changed = true;
            end_reload(d);
            return 0;
        }
        if (n == 0 && end != CLOCK_NEVER && clock_mono_ms() >= end)
            return -1;
    }
}

/* Every thread inherits the mask: signals come to main alone, and only where it waits. */
static bool take_signals(struct daemon *d, struct error *reterr)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    d->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    d->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->signals >= 0 && d->event >= 0)
        return true;
    return error_set(reterr, "cannot wait for signals: %s", strerror(errno));
}

/* From here on a signal ends the process at once: threads are waited for, and a disk may hang. */
static void leave_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static bool start_sources(struct daemon *d, struct error *reterr)
{
    const struct build_info build = {
        .version = NSADDRD_VERSION,
        .mhd = http_library_version(),
        .curl = httpc_library_version(),
        .cjson = agent_library_version(),
        .libconfig = config_library_version(),
    };
    d->registry = registry_new(reterr);
    d->metrics = d->registry != NULL ? metrics_new(&build, clock_wall_ms(), reterr) : NULL;
    d->merge = d->metrics != NULL ? merge_new(d->registry, on_change, d, reterr) : NULL;
    d->httpc = d->merge != NULL ? httpc_new(d->config, reterr) : NULL;
    if (d->httpc == NULL)
        return false;
    metrics_add_consul(d->metrics, httpc_metrics(d->httpc));
    merge_count_in(d->merge, httpc_metrics(d->httpc));
    if (d->spool != NULL) {
        if (!spool_restore(d->spool, d->merge, d->registry, reterr))
            return false;
        spool_start(d->spool, d->httpc, d->merge);
    }
    d->sources = sources_start(d->config, d->httpc, d->merge, reterr);
    return d->sources != NULL;
}

static bool start_daemon(struct daemon *d, struct error *reterr)
{
    const struct config *c = d->config;
    /* Only what Consul says is kept: without it nothing could ever confirm or end a list. */
    if (c->state.dir[0] != '\0' && c->consul.enabled && (d->spool = spool_open(c, reterr)) == NULL)
        return false;
    if (!start_sources(d, reterr))
        return false;
    d->http = http_start(c, d->registry, d->metrics, &d->inherited, reterr);
    if (d->http == NULL)
        return false;
    http_show_config(d->http, config_text(c));
    if (c->consul.enabled && c->reg.mode != REGISTER_OFF &&
        (d->announce = announce_new(c, d->httpc, d->registry, reterr)) == NULL)
        return false;
    return httpc_start(d->httpc, reterr);
}

static void stop_all(struct daemon *d)
{
    if (d->httpc != NULL)
        httpc_stop(d->httpc);
    http_stop(d->http);
    announce_free(d->announce);
    sources_stop(d->sources);
    spool_close(d->spool);
    httpc_free(d->httpc);
    merge_free(d->merge);
    metrics_free(d->metrics);
    registry_free(d->registry);
    service_manager_close(&d->manager);
    config_free(d->reload.config);
    if (d->config != d->first)
        config_free(d->config);
}

static void reload_token(void *arg)
{
    struct daemon *d = arg;
    struct error error = {.text = ""};
    if (httpc_reload_token(d->httpc, &error))
        LOG_INFO("SIGHUP: using the new token of the token file");
    else if (error.text[0] != '\0')
        LOG_WARN("SIGHUP: cannot read the token file", F_STR("error", error.text));
}

/* SIGHUP ends no drain, and nothing but a renewed token can be of use any more: it may be just what
 * deregistering needs. */
static int wait_while_draining(struct daemon *d, int64_t timeout_ms)
{
    int what = wait_for_event(d, timeout_ms);
    if (what != SIGHUP)
        return what;
    if (!httpc_post(d->httpc, reload_token, d))
        LOG_ERROR("cannot read the token file again", F_STR("error", "out of memory"));
    return 0;
}

static void start_drain(void *arg)
{
    struct daemon *d = arg;
    announce_drain(d->announce, notify_main, d);
}

/* Be found no more, then answer those who still come for a while. A second signal ends it. Who
 * never managed to register is found by nobody; with register.mode = "off" somebody else took us
 * out, or does it now. */
static void drain(struct daemon *d)
{
    registry_set_draining(d->registry);
    tell_manager(d);
    LOG_INFO("stopping: a second signal stops at once", F_INT("drain_ms", d->config->reg.drain_ms));
    int what = 0;
    if (d->announce != NULL && !httpc_post(d->httpc, start_drain, d))
        what = SIGTERM;
    /* The event also tells of changes of the table, which end neither wait. */
    while (what == 0 && d->announce != NULL && announce_drain_state(d->announce) == DRAIN_GOES_ON)
        what = wait_while_draining(d, CLOCK_NEVER);
    if (d->announce != NULL && announce_drain_state(d->announce) == DRAIN_NOTHING_TO_DO)
        return;
    int64_t end = clock_mono_ms() + d->config->reg.drain_ms;
    while (what == 0)
        what = wait_while_draining(d, end - clock_mono_ms());
}

/* Once what the start needed is not needed any more: for lists of the last run, and for Consul's. */
static void settle(struct daemon *d)
{
    struct registry_status status = registry_status(d->registry);
    unsigned steps = (unsigned)status.ready + (unsigned)status.complete;
    if (steps > d->settled)
        process_settle();
    d->settled = steps;
}

static void wait_for_stop(struct daemon *d)
{
    int what = 0;
    while (what != SIGTERM && what != SIGINT) {
        settle(d);
        what = wait_for_event(d, CLOCK_NEVER);
        if (what == SIGHUP)
            ask_to_reload(d);
    }
}

static int run(struct daemon *d)
{
    struct error error;
    if (!take_signals(d, &error) || !meet_manager(d, &error) || !start_daemon(d, &error)) {
        stop_all(d);
        return complain(&error, EXIT_FAILURE);
    }
    LOG_INFO("nsaddrd is up", F_STR("version", NSADDRD_VERSION), F_INT("pid", getpid()));
    wait_for_stop(d);
    drain(d);
    leave_signals();
    stop_all(d);
    LOG_INFO("stopped", F_STR("version", NSADDRD_VERSION));
    return EXIT_SUCCESS;
}

/* -- --once ---------------------------------------------------------------------------------- */

struct printing {
    const struct cluster **clusters;
    size_t count;
};

static bool collect(const struct cluster *c, void *arg)
{
    struct printing *p = arg;
    p->clusters[p->count++] = c;
    return true;
}

static int compare_ids(const void *a, const void *b)
{
    const struct cluster *const *x = a;
    const struct cluster *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

/* False when a cluster could not be read. */
static bool print_table(const struct table *t)
{
    bool ok = true;
    struct printing p = {.clusters = calloc(table_count(t) + 1, sizeof *p.clusters)};
    if (p.clusters == NULL)
        return false;
    table_each(t, collect, &p);
    qsort(p.clusters, p.count, sizeof *p.clusters, compare_ids);
    for (size_t i = 0; i < p.count; i++) {
        ok = ok && p.clusters[i]->state != CLUSTER_UNREAD;
        if (p.clusters[i]->body_len > 0)
            ok = printf("%s\t%s\n", p.clusters[i]->id, p.clusters[i]->body) > 0 && ok;
    }
    free(p.clusters);
    return fflush(stdout) == 0 && ok;
}

static int run_once(struct daemon *d)
{
    struct error error;
    int code = EXIT_FAILURE;
    if (!take_signals(d, &error) || !start_sources(d, &error) || !httpc_start(d->httpc, &error)) {
        complain(&error, EXIT_FAILURE);
        goto out;
    }
    int64_t end = clock_mono_ms() + ONCE_TIMEOUT_MS;
    while (!registry_status(d->registry).complete && !registry_status(d->registry).failed &&
           clock_mono_ms() < end && wait_for_event(d, end - clock_mono_ms()) == 0)
        continue;
    httpc_stop(d->httpc);
    const struct table *t = registry_acquire(d->registry, NULL);
    if (print_table(t) && registry_status(d->registry).complete)
        code = EXIT_SUCCESS;
    table_unref(t);
out:
    stop_all(d);
    return code;
}

/* -- looking at a running one ---------------------------------------------------------------- */

static int explain(const struct arguments *arguments, const struct config *config)
{
    struct error error;
    struct buf text;
    bool known;
    int code = EXIT_FAILURE;
    buf_init(&text, ASK_BODY_MAX);
    if (!ask_explain(config, arguments->url, arguments->cluster, &text, &known, &error))
        complain(&error, EXIT_FAILURE);
    else if (fputs(buf_text(&text), known ? stdout : stderr) >= 0 && fflush(stdout) == 0 && known)
        code = EXIT_SUCCESS;
    buf_clear(&text);
    return code;
}

static int probe(const char *url, const struct config *config)
{
    struct error error;
    return ask_probe(config, url, &error) ? EXIT_SUCCESS : complain(&error, EXIT_FAILURE);
}

/* -- the rest -------------------------------------------------------------------------------- */

static int print_version(void)
{
    int n = printf("nsaddrd %s (libmicrohttpd %s, libcurl %s, cJSON %s, libconfig %s)\n",
                   NSADDRD_VERSION, http_library_version(), httpc_library_version(),
                   agent_library_version(), config_library_version());
    return n > 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int act(struct arguments *arguments, struct config *config)
{
    struct daemon d = {.config = config,
                       .first = config,
                       .arguments = arguments,
                       .signals = -1,
                       .event = -1,
                       .manager = {.fd = -1},
                       .changed = true};
    log_configure((enum log_level)config->log.level, (enum log_format)config->log.format);
    if (arguments->action == ACTION_RUN)
        return run(&d);
    if (arguments->action == ACTION_ONCE)
        return run_once(&d);
    if (arguments->action == ACTION_EXPLAIN)
        return explain(arguments, config);
    if (arguments->action == ACTION_PROBE)
        return probe(NULL, config);
    if (arguments->action == ACTION_PRINT_CONFIG)
        return config_print(config, stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
    return EXIT_SUCCESS; /* ACTION_CHECK: it was loaded, so it is good */
}

int main(int argc, char **argv)
{
    struct error error;
    struct arguments arguments;
    log_open();
    errno = 0;
    if (!arguments_parse(argc, argv, &arguments, &error))
        return complain(&error, errno == ENOMEM ? EXIT_FAILURE : EXIT_USAGE);
    int code;
    struct config *config = NULL;
    if (arguments.action == ACTION_HELP) {
        code = arguments_print_help(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
        goto out;
    }
    if (arguments.action == ACTION_VERSION) {
        code = print_version();
        goto out;
    }
    if (arguments.action == ACTION_PROBE && arguments.url != NULL) { /* needs no config */
        code = probe(arguments.url, NULL);
        goto out;
    }
    find_config(&arguments);
    config = config_load(arguments.config_path, environ, &arguments.overrides, &error);
    code = config != NULL ? act(&arguments, config) : complain(&error, EXIT_CONFIG);
out:
    config_free(config);
    arguments_clear(&arguments);
    return code;
}
