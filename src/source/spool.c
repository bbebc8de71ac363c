/* SPDX-License-Identifier: Apache-2.0 */
#include "source/spool.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/timers.h"
#include "config/config.h"
#include "consul/httpc.h"
#include "model/cluster_id.h"
#include "model/registry.h"
#include "model/table.h"
#include "source/merge.h"

#define FILE_NAME "nsaddrd.state"
#define LOCK_NAME "nsaddrd.lock"
#define HEADER "nsaddrd-state 1\n"
/* 100,000 clusters of 20 addresses fit four times. */
#define FILE_MAX (256 * 1024 * 1024)
#define WRITE_SPACING_MS 1000
#define RETRY_MS 10000

struct spool {
    const struct config *config;
    struct httpc *httpc;
    struct registry *registry;
    struct timer timer;
    int lock;
    uint64_t written; /* hash of the last content */
    int64_t last_write_ms;
    bool dirty;
    bool failing;
};

struct spool *spool_open(const struct config *config, struct error *reterr)
{
    char path[PATH_MAX];
    struct spool *s = calloc(1, sizeof *s);
    if (s == NULL) {
        error_set(reterr, "out of memory");
        return NULL;
    }
    s->config = config;
    (void)snprintf(path, sizeof path, "%s/%s", config->state.dir, LOCK_NAME);
    struct error cause;
    s->lock = file_lock(path, &cause);
    if (s->lock < 0) {
        char where[512];
        config_where(config, "state.dir", where, sizeof where);
        error_set(reterr, "%s: %s", where, cause.text);
        free(s);
        return NULL;
    }
    return s;
}

/* -- writing --------------------------------------------------------------------------------- */

static const char *or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

static void append_source(const struct config *c, struct buf *out)
{
    (void)buf_printf(out, "source %s %s %s %s\n", c->consul.service_prefix,
                     or_dash(c->consul.datacenter), or_dash(c->consul.namespace),
                     or_dash(c->consul.partition));
}

struct writing {
    struct buf *out;
    size_t count;
};

static bool append_cluster(const struct cluster *c, void *arg)
{
    struct writing *w = arg;
    if (c->pinned || c->body_len == 0)
        return true;
    w->count++;
    return buf_printf(w->out, "cluster %s %" PRId64 " %s\n", c->id, c->since_wall_ms, c->body);
}

static bool render(const struct spool *s, struct buf *out, size_t *count)
{
    struct writing w = {.out = out};
    const struct table *t = registry_acquire(s->registry, NULL);
    (void)buf_append_str(out, HEADER);
    append_source(s->config, out);
    table_each(t, append_cluster, &w);
    table_unref(t);
    *count = w.count;
    return !out->failed;
}

static bool finish_and_write(const struct spool *s, struct buf *text, size_t count, uint64_t sum,
                             struct error *reterr)
{
    if (!buf_printf(text, "end %zu %016" PRIx64 "\n", count, sum))
        return error_set(reterr, "out of memory");
    return file_replace(s->config->state.dir, FILE_NAME, text->data, text->len, reterr);
}

static void write_state(struct spool *s)
{
    struct error error;
    struct buf text;
    buf_init(&text, FILE_MAX);
    s->dirty = false;
    s->last_write_ms = httpc_now(s->httpc);
    size_t count = 0;
    bool ok = render(s, &text, &count) || error_set(&error, "out of memory");
    uint64_t sum = hash_bytes(buf_text(&text), text.len);
    if (ok && (s->failing || sum != s->written))
        ok = finish_and_write(s, &text, count, sum, &error);
    buf_clear(&text);

    if (ok) {
        s->written = sum;
        if (s->failing)
            LOG_INFO("the state file is written again", F_STR("dir", s->config->state.dir));
    } else if (!s->failing) {
        LOG_ERROR("cannot write the state file, serving goes on", F_STR("error", error.text),
                  F_INT("next_try_ms", RETRY_MS));
    }
    s->failing = !ok;
    s->dirty = !ok;
}

static void on_timer(void *arg)
{
    struct spool *s = arg;
    write_state(s);
    if (s->dirty)
        httpc_timer_set(s->httpc, &s->timer, httpc_now(s->httpc) + RETRY_MS);
}

void spool_start(struct spool *s, struct httpc *httpc, struct registry *registry)
{
    s->httpc = httpc;
    s->registry = registry;
    s->timer = TIMER(on_timer, s);
    s->last_write_ms = httpc_now(httpc) - WRITE_SPACING_MS;
}

void spool_mark(struct spool *s)
{
    if (s == NULL || s->dirty || s->httpc == NULL)
        return;
    s->dirty = true;
    httpc_timer_set(s->httpc, &s->timer, s->last_write_ms + WRITE_SPACING_MS);
}

void spool_close(struct spool *s)
{
    if (s == NULL)
        return;
    if (s->dirty)
        write_state(s);
    if (s->httpc != NULL)
        httpc_timer_cancel(s->httpc, &s->timer);
    (void)close(s->lock);
    free(s);
}

/* -- reading --------------------------------------------------------------------------------- */

/* Cuts the line at `at` off (replacing its newline by NUL); NULL when there is none. */
static char *next_line(char **at)
{
    char *line = *at;
    char *end = strchr(line, '\n');
    if (end == NULL)
        return NULL;
    *end = '\0';
    *at = end + 1;
    return line;
}

/* Cuts the word at `at` off at the next blank; NULL when there is none. */
static char *next_word(char **at)
{
    char *word = *at;
    char *end = strchr(word, ' ');
    if (end == NULL)
        return NULL;
    *end = '\0';
    *at = end + 1;
    return word;
}

/* "<id> <since> <list>": since is for people who read the file. */
static bool restore_line(char *line, struct merge *merge)
{
    char *body = line;
    const char *id = next_word(&body);
    if (id == NULL || next_word(&body) == NULL || !cluster_id_valid(id, strlen(id)))
        return false;
    size_t count;
    struct endpoint *list = endpoint_parse_list(body, &count);
    bool ok = list != NULL &&
              merge_set(merge, id, CLUSTER_RESTORED, false, list, count, "from the state file");
    free(list);
    return ok;
}

/* Everything between header and end; `text` is taken apart. */
static bool restore_lines(char *text, size_t count, struct merge *merge)
{
    char *at = text;
    bool ok = merge_begin(merge, count);
    if (!ok)
        return false;
    for (size_t i = 0; ok && i < count; i++) {
        char *line = next_line(&at);
        ok = line != NULL && strncmp(line, "cluster ", 8) == 0 && restore_line(line + 8, merge);
    }
    ok = ok && *at == '\0';
    if (!ok)
        merge_abandon(merge);
    else
        merge_commit(merge);
    return ok;
}

/* Checks the frame; NULL when all is well, else what is wrong. */
static const char *check_frame(struct buf *text, size_t *count)
{
    static const char header[] = HEADER;
    char *data = text->data;
    if (text->len < sizeof header - 1 || strncmp(data, header, sizeof header - 1) != 0)
        return "it does not start like a state file of this version";
    if (strlen(data) != text->len || data[text->len - 1] != '\n')
        return "it is cut or has a NUL byte";
    char *last = data + text->len - 1;
    while (last > data && last[-1] != '\n')
        last--;
    if (strncmp(last, "end ", 4) != 0)
        return "its last line is missing";
    char expected[64];
    *count = (size_t)strtoull(last + 4, NULL, 10); /* a wrong one fails the comparison below */
    (void)snprintf(expected, sizeof expected, "end %zu %016" PRIx64 "\n", *count,
                   hash_bytes(data, (size_t)(last - data)));
    if (strcmp(expected, last) != 0)
        return "its checksum is wrong";
    *last = '\0';
    text->len = (size_t)(last - data);
    return NULL;
}

static void refuse(const struct spool *s, const char *path, const char *why)
{
    char aside[PATH_MAX];
    int n = snprintf(aside, sizeof aside, "%s/%s.damaged", s->config->state.dir, FILE_NAME);
    bool kept = n > 0 && (size_t)n < sizeof aside && rename(path, aside) == 0;
    LOG_ERROR("the state file is refused, starting without it", F_STR("file", path),
              F_STR("error", why), F_STR("kept_as", kept ? aside : "(could not be renamed)"));
}

size_t spool_restore(struct spool *s, struct merge *merge, struct registry *registry)
{
    char path[PATH_MAX];
    struct error error;
    struct buf text, source;
    size_t count = 0;
    buf_init(&text, FILE_MAX);
    buf_init(&source, 4096);
    (void)snprintf(path, sizeof path, "%s/%s", s->config->state.dir, FILE_NAME);

    errno = 0;
    if (!file_read(path, &text, &error)) {
        if (errno != ENOENT)
            LOG_ERROR("cannot read the state file, starting without it",
                      F_STR("error", error.text));
        goto out;
    }
    if (text.len == 0) {
        refuse(s, path, "it is empty");
        goto out;
    }
    const char *why = check_frame(&text, &count);
    append_source(s->config, &source);
    char *body = text.data + sizeof HEADER - 1;
    if (why != NULL) {
        refuse(s, path, why);
        count = 0;
    } else if (strncmp(body, buf_text(&source), source.len) != 0) {
        refuse(s, path, "it is of another service_prefix, datacenter, namespace or partition");
        count = 0;
    } else if (!restore_lines(body + source.len, count, merge)) {
        refuse(s, path, "a line in it is not one of ours");
        count = 0;
    }
    if (count > 0) {
        LOG_INFO("lists of the last run are served until Consul confirms them",
                 F_INT("clusters", count));
        registry_set_ready(registry);
    }
out:
    buf_clear(&text);
    buf_clear(&source);
    return count;
}
