/*
 * main.c - what the command line asks for.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "client/ask.h"
#include "config/argv.h"
#include "config/config.h"
#include "consul/agent.h"
#include "consul/httpc.h"
#include "daemon/daemon.h"
#include "daemon/events.h"
#include "daemon/reload.h"
#include "model/registry.h"
#include "model/table.h"
#include "serve/http.h"

#define EXIT_USAGE 64
#define EXIT_CONFIG 78
/* --once: how long the sources may take for their first read. */
#define ONCE_TIMEOUT_MS 30000

static int complain(const struct error *error, int code)
{
    (void)fprintf(stderr, "%snsaddrd: %s\n", log_prefix(LOG_LEVEL_ERROR), error->text);
    return code;
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
    if (!events_open(d, &error) || !daemon_start_sources(d, &error) ||
        !httpc_start(d->httpc, &error)) {
        complain(&error, EXIT_FAILURE);
        goto out;
    }
    int64_t end = clock_mono_ms() + ONCE_TIMEOUT_MS;
    while (!registry_status(d->registry).complete && !registry_status(d->registry).failed &&
           clock_mono_ms() < end && events_wait(d, end - clock_mono_ms()) == 0)
        continue;
    httpc_stop(d->httpc);
    const struct table *t = registry_acquire(d->registry, NULL);
    if (print_table(t) && registry_status(d->registry).complete)
        code = EXIT_SUCCESS;
    table_unref(t);
out:
    daemon_stop(d);
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
    struct daemon d;
    struct error error;
    daemon_init(&d, arguments, config);
    log_configure((enum log_level)config->log.level, (enum log_format)config->log.format);
    if (arguments->action == ACTION_RUN)
        return daemon_run(&d, &error) ? EXIT_SUCCESS : complain(&error, EXIT_FAILURE);
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
    if (arguments.url != NULL) { /* needs no config, which may be for others to read */
        code = arguments.action == ACTION_PROBE ? probe(arguments.url, NULL)
                                                : explain(&arguments, NULL);
        goto out;
    }
    reload_find_config(&arguments);
    config = config_load(arguments.config_path, environ, &arguments.overrides, &error);
    /* Health checks know two codes. */
    int bad_config = arguments.action == ACTION_PROBE ? EXIT_FAILURE : EXIT_CONFIG;
    code = config != NULL ? act(&arguments, config) : complain(&error, bad_config);
out:
    config_free(config);
    arguments_clear(&arguments);
    return code;
}
