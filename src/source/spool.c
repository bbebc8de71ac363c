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
#include "model/registry.h"
#include "model/table.h"
#include "source/journal.h"
#include "source/merge.h"
#include "source/restore.h"
#include "source/state_writer.h"

#define FILE_NAME "nsaddrd.state"
#define LOCK_NAME "nsaddrd.lock"
/* 100,000 clusters of 20 addresses fit four times. */
#define FILE_MAX (256 * 1024 * 1024)
#define WRITE_SPACING_MS 1000
#define RETRY_MS 10000

struct spool {
    const struct config *config;
    struct buf source; /* the line that says what the lists are of */
    struct httpc *httpc;
    struct merge *merge;
    struct timer timer;
    int lock;
    struct journal journal;
    uint64_t sequence; /* of the last change that was committed */
    struct buf noted;  /* records of the changes being made */
    uint64_t noted_sequence;
    struct buf unwritten; /* records the journal did not take */
    bool journal_stopped; /* it lacks a record: of no use until the whole file is written */
    struct state_writer writer;
    bool writing;
    struct buf since; /* records of changes since that write was started */
    int64_t last_write_ms;
    bool dirty; /* there are changes that no write was started for */
    bool failing;
};

static const char *or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

static bool make_source_line(const struct config *c, struct buf *out)
{
    return buf_printf(out, "source %s %s %s %s\n", c->consul.service_prefix,
                      or_dash(c->consul.datacenter), or_dash(c->consul.namespace),
                      or_dash(c->consul.partition));
}

static void spool_free(struct spool *s)
{
    buf_clear(&s->source);
    buf_clear(&s->noted);
    buf_clear(&s->unwritten);
    buf_clear(&s->since);
    free(s);
}

struct spool *spool_open(const struct config *config, struct error *reterr)
{
    char path[PATH_MAX];
    struct spool *s = calloc(1, sizeof *s);
    if (s == NULL) {
        error_set(reterr, "out of memory");
        return NULL;
    }
    s->config = config;
    buf_init(&s->source, 4096);
    buf_init(&s->noted, FILE_MAX);
    buf_init(&s->unwritten, FILE_MAX);
    buf_init(&s->since, FILE_MAX);
    if (!make_source_line(config, &s->source)) {
        error_set(reterr, "out of memory");
        spool_free(s);
        return NULL;
    }
    (void)snprintf(path, sizeof path, "%s/%s", config->state.dir, LOCK_NAME);
    struct error cause;
    s->lock = file_lock(path, &cause);
    if (s->lock < 0) {
        char where[512];
        config_where(config, "state.dir", where, sizeof where);
        error_set(reterr, "%s: %s", where, cause.text);
        spool_free(s);
        return NULL;
    }
    journal_init(&s->journal, config->state.dir, hash_bytes(s->source.data, s->source.len));
    return s;
}

/* -- writing the whole ----------------------------------------------------------------------- */

/* Has it a list of Consul's? Those of the config are always there. */
static bool is_kept(const struct cluster *c)
{
    return c != NULL && !c->pinned && c->body_len > 0;
}

static bool append_cluster(struct buf *out, const struct cluster *c)
{
    return buf_printf(out, "cluster %s %" PRId64 " %s%s%s\n", c->id, c->since_wall_ms, c->body,
                      c->withheld[0] != '\0' ? " " : "", c->withheld);
}

struct writing {
    struct buf *out;
    size_t count;
};

static bool write_cluster(const struct cluster *c, void *arg)
{
    struct writing *w = arg;
    if (!is_kept(c))
        return true;
    w->count++;
    return append_cluster(w->out, c);
}

static bool render(const struct spool *s, struct buf *out)
{
    struct writing w = {.out = out};
    const struct table *t = merge_table(s->merge);
    (void)buf_append_str(out, STATE_HEADER);
    (void)buf_append(out, s->source.data, s->source.len);
    (void)buf_printf(out, "sequence %" PRIu64 "\n", s->sequence);
    table_each(t, write_cluster, &w);
    table_unref(t);
    uint64_t sum = hash_bytes(buf_text(out), out->len);
    return buf_printf(out, "end %zu %016" PRIx64 "\n", w.count, sum);
}

static void note_failure(struct spool *s, const char *error)
{
    if (!s->failing)
        LOG_ERROR("cannot write the state file, serving goes on", F_STR("error", error),
                  F_INT("next_try_ms", RETRY_MS));
    s->failing = true;
}

/* The state file is written, or could not be. What came meanwhile is in the journal alone. */
static void written(struct spool *s, bool ok, const char *error)
{
    s->writing = false;
    if (!ok) {
        s->dirty = true;
        note_failure(s, error);
        return;
    }
    bool kept = false;
    if (s->since.failed)
        return; /* the journal has more than is needed, and goes on */
    if (s->since.len > 0)
        kept = !journal_replace(&s->journal, s->since.data, s->since.len);
    else
        journal_remove(&s->journal);
    if (kept)
        return;
    buf_clear(&s->unwritten);
    s->journal_stopped = false;
    if (s->failing)
        LOG_INFO("the state file is written again", F_STR("dir", s->config->state.dir));
    s->failing = false;
}

static void on_written(void *arg)
{
    struct spool *s = arg;
    state_writer_wait(&s->writer);
    written(s, s->writer.ok, s->writer.error.text);
    if (s->dirty)
        httpc_timer_set(s->httpc, &s->timer,
                        s->last_write_ms + (s->writer.ok ? WRITE_SPACING_MS : RETRY_MS));
}

static void on_timer(void *arg)
{
    struct spool *s = arg;
    struct buf text;
    buf_init(&text, FILE_MAX);
    s->last_write_ms = httpc_now(s->httpc);
    if (!render(s, &text)) {
        buf_clear(&text);
        note_failure(s, "out of memory");
        httpc_timer_set(s->httpc, &s->timer, s->last_write_ms + RETRY_MS);
        return;
    }
    s->dirty = false;
    s->writing = true;
    buf_clear(&s->since);
    state_writer_start(&s->writer, &text);
}

static void mark(struct spool *s)
{
    if (!s->dirty && !s->writing)
        httpc_timer_set(s->httpc, &s->timer, s->last_write_ms + WRITE_SPACING_MS);
    s->dirty = true;
}

/* At the end nothing else is to be kept waiting. */
static void write_in_place(struct spool *s)
{
    struct error error;
    struct buf text;
    buf_init(&text, FILE_MAX);
    buf_clear(&s->since);
    bool ok = render(s, &text);
    if (ok)
        ok = file_replace(s->config->state.dir, FILE_NAME, text.data, text.len, &error);
    else
        error_set(&error, "out of memory");
    buf_clear(&text);
    written(s, ok, error.text);
}

/* -- writing changes ------------------------------------------------------------------------- */

void spool_note(struct spool *s, const struct cluster *old, const struct cluster *new)
{
    bool was = is_kept(old), is = is_kept(new);
    if ((!was && !is) || (was && is && strcmp(old->body, new->body) == 0 &&
                          strcmp(old->withheld, new->withheld) == 0))
        return;
    (void)buf_printf(&s->noted, "%" PRIu64 " ", ++s->noted_sequence);
    if (is)
        (void)append_cluster(&s->noted, new);
    else
        (void)buf_printf(&s->noted, "gone %s\n", old->id);
}

void spool_abandon(struct spool *s)
{
    buf_clear(&s->noted);
    s->noted_sequence = s->sequence;
}

/* A record that the disk did not take is written in front of the next one: the journal has all of
 * them, in order, or ends before the first that is missing. */
static void write_journal(struct spool *s)
{
    struct error error;
    if (s->journal_stopped)
        return;
    if (s->noted.failed || !buf_append(&s->unwritten, s->noted.data, s->noted.len)) {
        s->journal_stopped = true;
        note_failure(s, "out of memory");
    } else if (journal_append(&s->journal, s->unwritten.data, s->unwritten.len, &error)) {
        buf_clear(&s->unwritten);
    } else {
        note_failure(s, error.text);
    }
}

void spool_commit(struct spool *s)
{
    if (s->noted_sequence == s->sequence)
        return;
    write_journal(s);
    if (s->writing) { /* that it failed is looked at when the write has ended */
        (void)buf_append(&s->since, s->noted.data, s->noted.len);
        s->since.failed |= s->noted.failed;
    }
    s->sequence = s->noted_sequence;
    buf_clear(&s->noted);
    mark(s);
}

void spool_start(struct spool *s, struct httpc *httpc, struct merge *merge)
{
    s->httpc = httpc;
    s->merge = merge;
    s->timer = TIMER(on_timer, s);
    s->writer = (struct state_writer){.dir = s->config->state.dir,
                                      .name = FILE_NAME,
                                      .httpc = httpc,
                                      .done = on_written,
                                      .arg = s};
    s->last_write_ms = httpc_now(httpc) - WRITE_SPACING_MS;
    merge_save_to(merge, s);
    if (s->journal.fd >= 0)
        mark(s); /* what an earlier run did not write as a whole */
}

void spool_close(struct spool *s)
{
    if (s == NULL)
        return;
    if (s->writing) {
        state_writer_wait(&s->writer);
        written(s, s->writer.ok, s->writer.error.text);
    }
    if (s->dirty)
        write_in_place(s);
    if (s->httpc != NULL)
        httpc_timer_cancel(s->httpc, &s->timer);
    if (s->merge != NULL)
        merge_save_to(s->merge, NULL);
    journal_close(&s->journal);
    (void)close(s->lock);
    spool_free(s);
}

/* -- reading --------------------------------------------------------------------------------- */

enum outcome { TAKEN, REFUSED, CANNOT };

/* Is it us, now, rather than the file? Without memory any of the calls may have failed. */
static bool is_passing(int code)
{
    static const int passing[] = {ENOMEM, EMFILE, ENFILE};
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++)
        if (code == passing[i])
            return true;
    return false;
}

static enum outcome cannot(const struct spool *s, int code, struct error *reterr)
{
    error_set(reterr, "cannot read the state in %s: %s", s->config->state.dir, strerror(code));
    return CANNOT;
}

static void refuse_state(const struct spool *s, const char *path, const char *why)
{
    char aside[PATH_MAX];
    (void)snprintf(aside, sizeof aside, "%s/%s.damaged", s->config->state.dir, FILE_NAME);
    bool kept = rename(path, aside) == 0;
    LOG_ERROR("the state file is refused, starting without it", F_STR("file", path),
              F_STR("error", why), F_STR("kept_as", kept ? aside : "(could not be renamed)"));
}

static enum outcome read_state(struct spool *s, struct merge *merge, struct error *reterr)
{
    char path[PATH_MAX];
    struct error error;
    struct buf text;
    enum outcome outcome = TAKEN;
    const char *why = NULL;
    buf_init(&text, FILE_MAX);
    (void)snprintf(path, sizeof path, "%s/%s", s->config->state.dir, FILE_NAME);
    errno = 0;
    if (file_read(path, &text, &error))
        why = restore_state(&text, &s->source, merge, &s->sequence);
    else if (errno != ENOENT)
        why = error.text;
    if (why != NULL && is_passing(errno)) {
        outcome = cannot(s, errno, reterr);
    } else if (why != NULL) {
        outcome = REFUSED;
        refuse_state(s, path, why);
    }
    buf_clear(&text);
    return outcome;
}

static enum outcome read_journal(struct spool *s, struct merge *merge, struct error *reterr)
{
    struct buf records;
    enum outcome outcome = TAKEN;
    bool older = false;
    buf_init(&records, FILE_MAX);
    errno = 0;
    const char *why = journal_read(&s->journal, &records);
    if (why == NULL && records.len > 0 && !restore_journal(&records, merge, &s->sequence, &older))
        why = "it does not continue the state file, or a line in it is not one of ours";
    if (why != NULL && is_passing(errno)) {
        outcome = cannot(s, errno, reterr);
    } else if (why != NULL) {
        outcome = REFUSED;
        journal_close(&s->journal);
        journal_keep_aside(&s->journal);
        LOG_ERROR("the journal of the state file is refused, starting without it",
                  F_STR("dir", s->config->state.dir), F_STR("error", why));
    } else if (older) {
        journal_close(&s->journal); /* the next one takes its place */
    }
    buf_clear(&records);
    return outcome;
}

bool spool_restore(struct spool *s, struct merge *merge, struct registry *registry,
                   struct error *reterr)
{
    enum outcome outcome = read_state(s, merge, reterr);
    if (outcome == TAKEN)
        outcome = read_journal(s, merge, reterr);
    else if (outcome == REFUSED)
        journal_keep_aside(&s->journal); /* it continues what is not there */
    if (outcome == CANNOT)
        return false;
    s->noted_sequence = s->sequence;
    const struct table *t = merge_table(merge);
    size_t count = table_count(t);
    table_unref(t);
    if (count > 0) {
        LOG_INFO("lists of the last run are served until Consul confirms them",
                 F_INT("clusters", count));
        registry_set_ready(registry);
    }
    return true;
}
