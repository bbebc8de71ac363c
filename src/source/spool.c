/* SPDX-License-Identifier: Apache-2.0 */
#include "source/spool.h"

#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
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
#include "source/state_read.h"
#include "source/state_writer.h"

#define LOCK_NAME "nsaddrd.lock"
/* A journal up to this, or up to the size of the state file, is not worth a whole write. */
#define JOURNAL_MIN (256 * 1024)
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
    enum { NOTHING, WHOLE, SYNC } writing;
    struct buf text;          /* the whole, while it is written: the writer's */
    struct journal_sync sync; /* the same, of a sync */
    size_t text_len;
    struct buf since; /* records of changes since the write of the whole was started */
    size_t state_len; /* of the state file; 0: there is none */
    int64_t last_write_ms;
    bool whole_wanted; /* whatever the journal's size */
    bool dirty;        /* there are changes that no write of the whole was started for */
    bool pending;      /* there are changes that neither that nor a sync was started for */
    struct log_complaint complaint;
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
    buf_clear(&s->text);
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
    buf_init(&s->noted, STATE_FILE_MAX);
    buf_init(&s->unwritten, STATE_FILE_MAX);
    buf_init(&s->since, STATE_FILE_MAX);
    buf_init(&s->text, STATE_FILE_MAX);
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

static bool render(struct spool *s)
{
    struct writing w = {.out = &s->text};
    const struct table *t = merge_table(s->merge);
    buf_clear(&s->text);
    (void)buf_append_str(&s->text, STATE_HEADER);
    (void)buf_append(&s->text, s->source.data, s->source.len);
    (void)buf_printf(&s->text, "sequence %" PRIu64 "\n", s->sequence);
    table_each(t, write_cluster, &w);
    table_unref(t);
    uint64_t sum = hash_bytes(buf_text(&s->text), s->text.len);
    bool ok = buf_printf(&s->text, "end %zu %016" PRIx64 "\n", w.count, sum);
    s->text_len = s->text.len;
    return ok;
}

static bool write_whole(void *arg, struct error *reterr)
{
    struct spool *s = arg;
    bool ok =
        file_replace(s->config->state.dir, STATE_FILE_NAME, s->text.data, s->text.len, reterr);
    buf_clear(&s->text);
    return ok;
}

static bool sync_journal(void *arg, struct error *reterr)
{
    const struct spool *s = arg;
    return journal_sync(&s->sync, reterr);
}

/* Only a write of the whole makes up for it. */
static void note_failure(struct spool *s, const char *error)
{
    unsigned left_out;
    if (log_complaint_begins(&s->complaint, clock_mono_ms(), &left_out))
        LOG_ERROR("cannot write the state file, serving goes on", F_STR("error", error),
                  F_INT("next_try_ms", RETRY_MS), F_SOME("left_out", left_out));
    s->whole_wanted = true;
    consul_metrics_state_failed(httpc_metrics(s->httpc), error, clock_wall_ms());
}

/* The whole is written, or could not be. What came meanwhile is in the journal alone. */
static void whole_written(struct spool *s, bool ok, const char *error)
{
    if (!ok) {
        s->dirty = true;
        s->pending = true;
        note_failure(s, error);
        return;
    }
    consul_metrics_state_written(httpc_metrics(s->httpc), clock_wall_ms());
    s->state_len = s->text_len;
    if (s->since.failed)
        return; /* the journal has more than is needed, and goes on */
    if (s->since.len == 0)
        journal_remove(&s->journal);
    else if (!journal_replace(&s->journal, s->since.data, s->since.len))
        return;
    buf_clear(&s->unwritten);
    buf_clear(&s->since);
    s->journal_stopped = false;
    s->whole_wanted = false;
    if (log_complaint_ends(&s->complaint))
        LOG_INFO("the state file is written again", F_STR("dir", s->config->state.dir));
}

static void journal_synced(struct spool *s, bool ok, const char *error)
{
    if (ok) {
        consul_metrics_state_written(httpc_metrics(s->httpc), clock_wall_ms());
        journal_end_sync(&s->journal);
        return;
    }
    s->pending = true;
    note_failure(s, error);
}

static void end_writing(struct spool *s)
{
    state_writer_wait(&s->writer);
    if (s->writing == WHOLE)
        whole_written(s, s->writer.ok, s->writer.error.text);
    else
        journal_synced(s, s->writer.ok, s->writer.error.text);
    s->writing = NOTHING;
}

static void on_written(void *arg)
{
    struct spool *s = arg;
    end_writing(s);
    if (s->pending)
        httpc_timer_set(s->httpc, &s->timer,
                        s->last_write_ms + (s->writer.ok ? WRITE_SPACING_MS : RETRY_MS));
}

/* So that all that is written in the end is in proportion to the changes. */
static bool has_outgrown(const struct spool *s)
{
    return s->journal.len > (s->state_len > JOURNAL_MIN ? s->state_len : JOURNAL_MIN);
}

static void on_timer(void *arg)
{
    struct spool *s = arg;
    s->last_write_ms = httpc_now(s->httpc);
    bool whole = s->whole_wanted || s->state_len == 0 || has_outgrown(s);
    if (whole && !render(s)) {
        buf_clear(&s->text);
        note_failure(s, "out of memory");
        httpc_timer_set(s->httpc, &s->timer, s->last_write_ms + RETRY_MS);
        return;
    }
    s->pending = false;
    s->writing = whole ? WHOLE : SYNC;
    if (whole) {
        s->dirty = false;
        buf_clear(&s->since);
    } else {
        s->sync = journal_begin_sync(&s->journal);
    }
    state_writer_start(&s->writer, whole ? write_whole : sync_journal);
}

static void mark(struct spool *s)
{
    if (!s->pending && s->writing == NOTHING)
        httpc_timer_set(s->httpc, &s->timer, s->last_write_ms + WRITE_SPACING_MS);
    s->dirty = true;
    s->pending = true;
}

/* At the end nothing else is to be kept waiting. */
static void write_in_place(struct spool *s)
{
    struct error error;
    buf_clear(&s->since);
    bool ok = render(s);
    if (ok)
        ok = write_whole(s, &error);
    else
        error_set(&error, "out of memory");
    whole_written(s, ok, error.text);
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
    if (s->writing == WHOLE) { /* that it failed is looked at when the write has ended */
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
    s->writer = (struct state_writer){.httpc = httpc, .done = on_written, .arg = s};
    s->last_write_ms = httpc_now(httpc) - WRITE_SPACING_MS;
    merge_save_to(merge, s);
    if (s->whole_wanted)
        mark(s); /* what an earlier run did not write as a whole */
}

void spool_close(struct spool *s)
{
    if (s == NULL)
        return;
    if (s->writing != NOTHING)
        end_writing(s);
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

bool spool_restore(struct spool *s, struct merge *merge, struct registry *registry,
                   struct error *reterr)
{
    struct state_read read;
    bool ok = state_read(s->config->state.dir, &s->source, &s->journal, merge, &read, reterr);
    s->unwritten = read.records;
    s->sequence = read.sequence;
    s->noted_sequence = read.sequence;
    s->state_len = read.state_len;
    s->whole_wanted = read.has_journal;
    if (!ok)
        return false;
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
