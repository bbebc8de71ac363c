/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_state.c - a state file and a journal, as disks and people leave them, to a table.
 *
 * Input: a byte of flags (below), the state file, a byte \x1e, the journal. With FRAME_* it is what
 * stands between the first and the last line, and the checksums are made here: in the journal where
 * a byte GROUP_END stands and at its end. What is before a byte SYNCED was, says its first line.
 *
 * Second opinion: the grammar of spool.h, read line by line. Both take or refuse alike and come to
 * the same table; what was refused is kept aside, with one line. What is written afterwards gives
 * the same table again, after an orderly end as well as after a kill.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "config/config.h"
#include "fake_httpc.h"
#include "fuzz.h"
#include "model/cluster_id.h"
#include "model/registry.h"
#include "model/table.h"
#include "source/merge.h"
#include "source/restore.h"
#include "source/spool.h"

#define FRAME_STATE 1u
#define FRAME_JOURNAL 2u
#define NO_STATE 4u
#define NO_JOURNAL 8u
#define CHANGE 16u /* there is one before the end */
#define KILL 32u   /* the end is none that anybody could prepare for */
#define OLD 64u    /* FRAME_JOURNAL makes one of version 1 */
#define TAIL 128u  /* FRAME_JOURNAL makes no sum at the end */

#define GROUP_END 0x1f
#define SYNCED 0x1d

#define STATE "nsaddrd.state"
#define JOURNAL "nsaddrd.journal"
#define SOURCE_LINE "source nameServer - - -\n"
#define JOURNAL_WORDS "nsaddrd-journal 2 "
#define JOURNAL_HEAD (sizeof JOURNAL_WORDS - 1 + 34)
#define OLD_WORDS "nsaddrd-journal 1 "
#define OLD_HEAD (sizeof OLD_WORDS - 1 + 51)
#define FILE_MAX ((size_t)1024 * 1024)
#define CLUSTERS_MAX 4096

static const struct config *config;

/* -- files ----------------------------------------------------------------------------------- */

static const char *path_of(const char *name)
{
    static char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    return path;
}

/* False when there is none. */
static bool read_file(const char *name, struct buf *out)
{
    struct error ignored;
    buf_init(out, FILE_MAX);
    return access(path_of(name), F_OK) == 0 && file_read(path_of(name), out, &ignored);
}

static void write_file(const char *name, const struct buf *bytes, bool exists)
{
    (void)unlink(path_of(name));
    if (exists)
        fuzz_write_file(name, buf_text(bytes), bytes->len);
}

static void frame_state(struct buf *middle)
{
    struct buf out;
    size_t lines = 0;
    buf_init(&out, FILE_MAX);
    for (size_t i = 0; i < middle->len; i++)
        lines += middle->data[i] == '\n';
    (void)buf_printf(&out, "%s%s", STATE_HEADER, SOURCE_LINE);
    (void)buf_append(&out, middle->data, middle->len);
    (void)buf_printf(&out, "end %zu %016" PRIx64 "\n", lines - (lines > 0),
                     hash_bytes(out.data, out.len));
    buf_clear(middle);
    *middle = out;
}

static uint64_t sum_of(const char *bytes, size_t len)
{
    return hash_more(hash_bytes(SOURCE_LINE, sizeof SOURCE_LINE - 1), bytes, len);
}

static void make_head(uint64_t synced, struct buf *out)
{
    buf_init(out, FILE_MAX);
    (void)buf_printf(out, "%s%016" PRIx64 " ", JOURNAL_WORDS, synced);
    (void)buf_printf(out, "%016" PRIx64 "\n", sum_of(out->data, out->len));
}

static void make_old_head(uint64_t len, uint64_t sum, struct buf *out)
{
    buf_init(out, FILE_MAX);
    (void)buf_printf(out, "%s%016" PRIx64 " %016" PRIx64 " ", OLD_WORDS, len, sum);
    (void)buf_printf(out, "%016" PRIx64 "\n", hash_bytes(out->data, out->len));
}

static void append_sum(struct buf *groups)
{
    (void)buf_printf(groups, "sum %016" PRIx64 "\n", sum_of(buf_text(groups), groups->len));
}

static void frame_journal(struct buf *input, bool has_tail)
{
    struct buf out, groups;
    uint64_t synced = 0;
    buf_init(&groups, FILE_MAX);
    for (size_t i = 0; i < input->len; i++) {
        char c = input->data[i];
        if (c == GROUP_END)
            append_sum(&groups);
        else if (c == SYNCED)
            synced = groups.len;
        else
            (void)buf_append_char(&groups, c);
    }
    if (!has_tail)
        append_sum(&groups);
    make_head(synced, &out);
    (void)buf_append(&out, buf_text(&groups), groups.len);
    buf_clear(&groups);
    buf_clear(input);
    *input = out;
}

static void frame_old_journal(struct buf *records)
{
    struct buf out;
    make_old_head(records->len, sum_of(buf_text(records), records->len), &out);
    (void)buf_append(&out, buf_text(records), records->len);
    buf_clear(records);
    *records = out;
}

/* -- a second opinion ------------------------------------------------------------------------ */

/* What a line says of one cluster; the parts point into the line. */
struct entry {
    const char *id;
    const char *body; /* NULL: it is gone */
    const char *withheld;
};

static struct entry expected[CLUSTERS_MAX];
static size_t expected_count;

static void set_expected(const struct entry *e)
{
    size_t i = 0;
    while (i < expected_count && strcmp(expected[i].id, e->id) != 0)
        i++;
    if (e->body == NULL) {
        if (i < expected_count)
            expected[i] = expected[--expected_count];
        return;
    }
    if (i == CLUSTERS_MAX)
        abort();
    expected[i] = *e;
    expected_count += i == expected_count;
}

static bool is_list(const char *text)
{
    size_t count;
    struct endpoint *list = endpoint_parse_list(text, &count);
    free(list);
    return list != NULL;
}

static bool is_id(const char *text)
{
    return cluster_id_valid(text, strlen(text));
}

/* "cluster <id> <since> <list>[ <withheld>]"; the line is cut at its blanks. */
static bool read_cluster(char *line, struct entry *out)
{
    char *parts[6];
    size_t count = 0;
    for (char *part = line; part != NULL && count < COUNT_OF(parts); count++)
        parts[count] = strsep(&part, " ");
    if (count < 4 || count > 5 || strcmp(parts[0], "cluster") != 0 || !is_id(parts[1]))
        return false;
    *out = (struct entry){.id = parts[1], .body = parts[3], .withheld = count == 5 ? parts[4] : ""};
    return is_list(parts[3]) && (count == 4 || is_list(parts[4]));
}

/* "gone <id>" or the above. */
static bool read_record(char *line, struct entry *out)
{
    if (strncmp(line, "gone ", 5) != 0)
        return read_cluster(line, out);
    *out = (struct entry){.id = line + 5};
    return is_id(out->id);
}

static bool read_number(const char *text, uint64_t *out)
{
    unsigned __int128 n = 0;
    if (*text == '\0' || strlen(text) > 20 || (*text == '0' && text[1] != '\0'))
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        n = n * 10 + (unsigned)(*text - '0');
    }
    *out = (uint64_t)n;
    return n <= INT64_MAX; /* that many changes there never are */
}

/* The next line without its end; NULL when there is no whole one. */
static char *take_line(char **at)
{
    char *line = *at;
    char *end = strchr(line, '\n');
    if (end == NULL)
        return NULL;
    *end = '\0';
    *at = end + 1;
    return line;
}

/* `text` is cut up; `expected` points into it. */
static bool read_state(struct buf *text, uint64_t *sequence)
{
    static const char start[] = STATE_HEADER SOURCE_LINE;
    char end[64];
    size_t lines = 0;
    expected_count = 0;
    *sequence = 0;
    if (text->len < sizeof start - 1 || memcmp(text->data, start, sizeof start - 1) != 0 ||
        strlen(text->data) != text->len || text->data[text->len - 1] != '\n')
        return false;
    size_t last = text->len - 1;
    while (text->data[last - 1] != '\n')
        last--;
    for (size_t i = 0; i < last; i++)
        lines += text->data[i] == '\n';
    if (lines < 3)
        return false;
    (void)snprintf(end, sizeof end, "end %zu %016" PRIx64 "\n", lines - 3,
                   hash_bytes(text->data, last));
    if (strcmp(end, text->data + last) != 0)
        return false;
    text->data[last] = '\0';
    char *at = text->data + sizeof start - 1;
    char *line = take_line(&at);
    if (strncmp(line, "sequence ", 9) != 0 || !read_number(line + 9, sequence))
        return false;
    while ((line = take_line(&at)) != NULL) {
        struct entry e;
        if (!read_cluster(line, &e))
            return false;
        set_expected(&e);
    }
    return true;
}

/* Continues read_state(); all or nothing, so `expected` is put back when it is nothing. */
static bool read_records(char *at, uint64_t sequence)
{
    uint64_t number, wanted = 0;
    bool first = true;
    char *line;
    while ((line = take_line(&at)) != NULL) {
        struct entry e;
        char *record = strchr(line, ' ');
        if (record == NULL)
            return false;
        *record++ = '\0';
        if (!read_number(line, &number) || number == 0 || (!first && number != wanted))
            return false;
        if (first && number > sequence && number != sequence + 1)
            return false;
        wanted = number + 1;
        first = false;
        if (number <= sequence)
            continue;
        if (!read_record(record, &e))
            return false;
        set_expected(&e);
    }
    return *at == '\0';
}

/* The records alone, in the place of the file; false when it is to be refused. */
static bool take_groups(struct buf *text)
{
    struct buf head, line, records;
    if (text->len < JOURNAL_HEAD)
        return false;
    uint64_t synced = strtoull(text->data + sizeof JOURNAL_WORDS - 1, NULL, 16);
    make_head(synced, &head);
    bool ok = memcmp(head.data, text->data, JOURNAL_HEAD) == 0;
    buf_clear(&head);
    const char *groups = text->data + JOURNAL_HEAD;
    size_t len = text->len - JOURNAL_HEAD, at = 0, begin = 0, counted = 0;
    buf_init(&records, FILE_MAX);
    while (ok) {
        const char *end = memchr(groups + at, '\n', len - at);
        if (end == NULL)
            break;
        size_t next = (size_t)(end - groups) + 1;
        if (next - at >= 4 && memcmp(groups + at, "sum ", 4) == 0) {
            buf_init(&line, FILE_MAX);
            (void)buf_printf(&line, "sum %016" PRIx64 "\n", sum_of(groups, at));
            bool right = line.len == next - at && memcmp(line.data, groups + at, line.len) == 0;
            buf_clear(&line);
            if (!right)
                break;
            (void)buf_append(&records, groups + begin, at - begin);
            begin = counted = next;
        }
        at = next;
    }
    ok = ok && counted >= synced;
    (void)buf_append_str(&records, "");
    buf_clear(text);
    *text = records;
    return ok;
}

static bool take_old(struct buf *text)
{
    struct buf head;
    if (text->len < OLD_HEAD)
        return false;
    char *records = text->data + OLD_HEAD;
    uint64_t len = strtoull(text->data + sizeof OLD_WORDS - 1, NULL, 16);
    if (len > text->len - OLD_HEAD)
        return false;
    make_old_head(len, sum_of(records, len), &head);
    bool ok = head.len == OLD_HEAD && memcmp(head.data, text->data, OLD_HEAD) == 0;
    buf_clear(&head);
    memmove(text->data, records, len);
    text->data[len] = '\0'; /* what is behind is of an append that was not finished */
    text->len = len;
    return ok;
}

static bool read_journal(struct buf *text, uint64_t sequence)
{
    static struct entry before[CLUSTERS_MAX];
    size_t count = expected_count;
    bool is_old = text->len >= OLD_HEAD && memcmp(text->data, OLD_WORDS, strlen(OLD_WORDS)) == 0;
    if (!(is_old ? take_old(text) : take_groups(text)) || strlen(text->data) != text->len)
        return false;
    memcpy(before, expected, count * sizeof *before);
    if (read_records(text->data, sequence))
        return true;
    memcpy(expected, before, count * sizeof *before);
    expected_count = count;
    return false;
}

/* -- one run of the daemon, as far as the spool goes ----------------------------------------- */

static struct registry *registry;
static struct merge *merge;
static struct httpc *httpc;
static struct spool *spool;

static void on_change(void *arg)
{
    (void)arg;
}

static void begin_run(void)
{
    struct error error;
    registry = fuzz_checked(registry_new(&error));
    merge = fuzz_checked(merge_new(registry, on_change, NULL, &error));
    httpc = fuzz_checked(httpc_new(config, &error));
    spool = fuzz_checked(spool_open(config, &error));
    HOLDS(spool_restore(spool, merge, registry, &error), "%s", error.text);
    spool_start(spool, httpc, merge);
}

static void end_run(void)
{
    spool_close(spool);
    httpc_free(httpc);
    merge_free(merge);
    registry_free(registry);
}

/* The text as it should be: of the same addresses. */
static char *canonical(const char *text)
{
    struct buf out;
    size_t count;
    struct endpoint *list = endpoint_parse_list(text, &count);
    buf_init(&out, FILE_MAX);
    (void)buf_append_str(&out, "");
    for (size_t i = 0; list != NULL && i < count; i++) {
        char address[ENDPOINT_TEXT_SIZE];
        (void)endpoint_format(&list[i], address);
        (void)buf_printf(&out, "%s%s", i > 0 ? ";" : "", address);
    }
    free(list);
    return fuzz_checked(buf_detach(&out));
}

static bool check_cluster(const struct cluster *c, void *arg)
{
    const struct entry *e = expected;
    (void)arg;
    while (e < expected + expected_count && strcmp(e->id, c->id) != 0)
        e++;
    HOLDS(e < expected + expected_count, "cluster %s comes from nowhere", c->id);
    char *body = canonical(e->body), *withheld = canonical(e->withheld);
    HOLDS(strcmp(c->body, body) == 0 && strcmp(c->withheld, withheld) == 0,
          "%s has \"%s\" and \"%s\" instead of \"%s\" and \"%s\"", c->id, c->body, c->withheld,
          body, withheld);
    HOLDS(c->state == CLUSTER_RESTORED && !c->pinned && c->body_len == strlen(c->body) &&
              c->body_len > 0,
          "%s", c->id);
    free(body);
    free(withheld);
    return true;
}

static void check_table(void)
{
    struct registry_status status;
    const struct table *t = registry_acquire(registry, &status);
    HOLDS(table_count(t) == expected_count, "%zu clusters instead of %zu", table_count(t),
          expected_count);
    table_each(t, check_cluster, NULL);
    HOLDS(status.ready == (expected_count > 0) && !status.complete, "ready: %d", status.ready);
    table_unref(t);
}

/* A cluster that was restored goes, then a new one comes: two records. */
static void change(void)
{
    static const struct entry new = {.id = "new", .body = "10.9.9.9:9", .withheld = ""};
    struct endpoint e;
    if (expected_count > 0 && strcmp(expected[0].id, new.id) != 0) {
        struct entry gone = {.id = expected[0].id};
        HOLDS(merge_begin(merge) && merge_remove(merge, gone.id, "a change"), "no memory");
        merge_commit(merge);
        set_expected(&gone);
    }
    HOLDS(endpoint_parse(&e, new.body, strlen(new.body)) && merge_begin(merge) &&
              merge_set(merge, new.id, CLUSTER_LIVE, false, &e, 1, "a change"),
          "no memory");
    merge_commit(merge);
    set_expected(&new);
}

static void end_by_kill(void)
{
    struct buf state, journal;
    bool has_state = read_file(STATE, &state), has_journal = read_file(JOURNAL, &journal);
    end_run();
    write_file(STATE, &state, has_state);
    write_file(JOURNAL, &journal, has_journal);
    buf_clear(&state);
    buf_clear(&journal);
}

/* -- a case ---------------------------------------------------------------------------------- */

static void read_input(struct input part, struct buf *out)
{
    buf_init(out, FILE_MAX);
    HOLDS(buf_append(out, part.at, part.left), "no memory");
}

static void check_kept_aside(const char *name, const struct buf *bytes)
{
    struct buf aside;
    HOLDS(read_file(name, &aside), "%s is not there", name);
    HOLDS(aside.len == bytes->len && memcmp(buf_text(&aside), buf_text(bytes), bytes->len) == 0,
          "%s is another one", name);
    buf_clear(&aside);
}

/* `state` and `journal` are what is on disk, NULL for what is not. */
static void run_twice(const struct buf *state, const struct buf *journal, unsigned flags)
{
    struct buf state_lines, records;
    uint64_t sequence = 0;
    unsigned errors = fuzz_logged_errors;
    buf_init(&state_lines, FILE_MAX);
    buf_init(&records, FILE_MAX);
    HOLDS((state == NULL || buf_append(&state_lines, buf_text(state), state->len)) &&
              (journal == NULL || buf_append(&records, buf_text(journal), journal->len)),
          "no memory");
    bool state_ok = state == NULL || read_state(&state_lines, &sequence);
    if (state == NULL || !state_ok)
        expected_count = 0;
    bool journal_ok = journal == NULL || (state_ok && read_journal(&records, sequence));
    begin_run();
    check_table();
    if (!state_ok)
        check_kept_aside(STATE ".damaged", state);
    if (!journal_ok)
        check_kept_aside(JOURNAL ".damaged", journal);
    HOLDS(fuzz_logged_errors - errors == (!state_ok || !journal_ok), "%u errors in the log",
          fuzz_logged_errors - errors);
    if ((flags & CHANGE) != 0)
        change();
    if ((flags & KILL) != 0)
        end_by_kill();
    else
        end_run();
    errors = fuzz_logged_errors;
    begin_run();
    HOLDS(fuzz_logged_errors == errors, "what was written is refused");
    check_table();
    end_run();
    buf_clear(&state_lines);
    buf_clear(&records);
}

static void configure(void)
{
    char setting[PATH_MAX + 16];
    const char *items[] = {setting};
    struct config_overrides overrides = {.items = items, .count = 1};
    char *environment[] = {NULL};
    struct error error;
    (void)snprintf(setting, sizeof setting, "state.dir=%s", fuzz_folder());
    config = config_load(NULL, environment, &overrides, &error);
    HOLDS(config != NULL, "%s", error.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {.at = data, .left = size};
    struct buf state, journal;
    if (config == NULL)
        configure();
    unsigned flags = fuzz_byte(&in);
    read_input(fuzz_part(&in), &state);
    read_input(in, &journal);
    if ((flags & FRAME_STATE) != 0)
        frame_state(&state);
    if ((flags & FRAME_JOURNAL) != 0 && (flags & OLD) != 0)
        frame_old_journal(&journal);
    else if ((flags & FRAME_JOURNAL) != 0)
        frame_journal(&journal, (flags & TAIL) != 0);
    write_file(STATE, &state, (flags & NO_STATE) == 0);
    write_file(JOURNAL, &journal, (flags & NO_JOURNAL) == 0);
    (void)unlink(path_of(STATE ".damaged"));
    (void)unlink(path_of(JOURNAL ".damaged"));
    run_twice((flags & NO_STATE) == 0 ? &state : NULL, (flags & NO_JOURNAL) == 0 ? &journal : NULL,
              flags);
    buf_clear(&state);
    buf_clear(&journal);
    return 0;
}
