/* SPDX-License-Identifier: Apache-2.0 */
#include "source/journal.h"

#include <errno.h>
#include <fcntl.h>
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

#define NAME "nsaddrd.journal"
#define HEAD_WORDS "nsaddrd-journal 2 "
/* The words, and two numbers of 16 digits with a blank or the newline behind each. */
#define HEAD_LEN (sizeof HEAD_WORDS - 1 + 34)
#define SUM_WORD "sum "
#define SUM_LEN (sizeof SUM_WORD - 1 + 17)
#define OLD_HEAD_WORDS "nsaddrd-journal 1 "
#define OLD_HEAD_LEN (sizeof OLD_HEAD_WORDS - 1 + 51)

static void path_of(const struct journal *j, const char *suffix, char out[PATH_MAX])
{
    /* One that is too long is refused by open() as the cut name of no file of ours. */
    (void)snprintf(out, PATH_MAX, "%s/" NAME "%s", j->dir, suffix);
}

void journal_init(struct journal *j, const char *dir, uint64_t origin)
{
    *j = (struct journal){.dir = dir, .origin = origin, .fd = -1};
}

void journal_close(struct journal *j)
{
    if (j->fd >= 0)
        (void)close(j->fd);
    j->fd = -1;
    j->len = 0;
}

/* -- reading --------------------------------------------------------------------------------- */

/* With the origin in its sum: the journal of another source has a wrong one. */
static void make_head(uint64_t origin, uint64_t synced, char head[HEAD_LEN + 1])
{
    int n = snprintf(head, HEAD_LEN + 1, HEAD_WORDS "%016" PRIx64 " ", synced);
    (void)snprintf(head + n, HEAD_LEN + 1 - (size_t)n, "%016" PRIx64 "\n",
                   hash_more(origin, head, (size_t)n));
}

static void make_sum(uint64_t sum, char line[SUM_LEN + 1])
{
    (void)snprintf(line, SUM_LEN + 1, SUM_WORD "%016" PRIx64 "\n", sum);
}

/* The records of all that counts go to `records`; j->len and j->sum are where it ends. */
static bool take_groups(struct journal *j, const char *text, size_t len, struct buf *records)
{
    const char *group = text, *line = text, *end = text + len, *next;
    j->len = 0;
    j->sum = j->origin;
    for (; line < end && (next = memchr(line, '\n', (size_t)(end - line))) != NULL; line = next) {
        char expected[SUM_LEN + 1];
        next++;
        if (strncmp(line, SUM_WORD, sizeof SUM_WORD - 1) != 0)
            continue;
        uint64_t sum = hash_more(j->sum, group, (size_t)(line - group));
        make_sum(sum, expected);
        if ((size_t)(next - line) != SUM_LEN || memcmp(line, expected, SUM_LEN) != 0)
            break;
        if (!buf_append(records, group, (size_t)(line - group)))
            return false;
        j->len = (uint64_t)(next - text);
        j->sum = hash_more(sum, line, SUM_LEN);
        group = next;
    }
    return true;
}

static const char *take(struct journal *j, const struct buf *text, struct buf *records,
                        size_t *lost)
{
    char expected[HEAD_LEN + 1];
    if (text->len < HEAD_LEN)
        return "it is cut";
    uint64_t synced = strtoull(text->data + sizeof HEAD_WORDS - 1, NULL, 16);
    make_head(j->origin, synced, expected);
    if (memcmp(expected, text->data, HEAD_LEN) != 0)
        return "the checksum of its first line is wrong, or it is of another source";
    if (!take_groups(j, text->data + HEAD_LEN, text->len - HEAD_LEN, records))
        return "out of memory";
    if (j->len < synced)
        return "it is cut, or a checksum is wrong in what was synced";
    *lost = text->len - HEAD_LEN - j->len;
    return NULL;
}

static const char *take_old(const struct journal *j, const struct buf *text, struct buf *records)
{
    char expected[OLD_HEAD_LEN + 1];
    if (text->len < OLD_HEAD_LEN)
        return "it is cut";
    uint64_t len = strtoull(text->data + sizeof OLD_HEAD_WORDS - 1, NULL, 16);
    uint64_t sum = strtoull(text->data + sizeof OLD_HEAD_WORDS - 1 + 17, NULL, 16);
    int n = snprintf(expected, sizeof expected, OLD_HEAD_WORDS "%016" PRIx64 " %016" PRIx64 " ",
                     len, sum);
    (void)snprintf(expected + n, sizeof expected - (size_t)n, "%016" PRIx64 "\n",
                   hash_bytes(expected, (size_t)n));
    if (memcmp(expected, text->data, OLD_HEAD_LEN) != 0)
        return "the checksum of its first line is wrong";
    if (len > text->len - OLD_HEAD_LEN)
        return "it is cut";
    if (hash_more(j->origin, text->data + OLD_HEAD_LEN, len) != sum)
        return "its checksum is wrong, or it is of another source";
    return buf_append(records, text->data + OLD_HEAD_LEN, len) ? NULL : "out of memory";
}

const char *journal_read(struct journal *j, struct buf *records, size_t *lost)
{
    char path[PATH_MAX];
    struct buf text;
    const char *why = NULL;
    *lost = 0;
    buf_init(&text, records->max);
    path_of(j, "", path);
    errno = 0;
    if (!file_read(path, &text, NULL))
        why = errno != ENOENT ? "it cannot be read" : NULL;
    else if (strncmp(buf_text(&text), HEAD_WORDS, sizeof HEAD_WORDS - 1) == 0)
        why = take(j, &text, records, lost);
    else if (strncmp(buf_text(&text), OLD_HEAD_WORDS, sizeof OLD_HEAD_WORDS - 1) == 0)
        why = take_old(j, &text, records);
    else
        why = "it does not start like a journal of this version";
    buf_clear(&text);
    return why;
}

/* What does not count goes: nothing of it may ever come to stand behind a right sum. */
bool journal_continue(struct journal *j)
{
    char path[PATH_MAX];
    path_of(j, "", path);
    int fd = j->len > 0 ? open(path, O_WRONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return false;
    if (ftruncate(fd, (off_t)(HEAD_LEN + j->len)) != 0) {
        (void)close(fd);
        return false;
    }
    j->fd = fd;
    j->is_named = false; /* nobody knows */
    return true;
}

void journal_keep_aside(const struct journal *j)
{
    char path[PATH_MAX], aside[PATH_MAX];
    path_of(j, "", path);
    path_of(j, ".damaged", aside);
    (void)rename(path, aside); /* else the next one takes its place */
}

/* -- writing --------------------------------------------------------------------------------- */

/* Behind what counts; the sum comes last. Returns the new sum in *sum. */
static bool write_group(int fd, const char *records, size_t len, uint64_t offset, uint64_t *sum)
{
    char line[SUM_LEN + 1];
    uint64_t now = hash_more(*sum, records, len);
    make_sum(now, line);
    *sum = hash_more(now, line, SUM_LEN);
    return file_write_at(fd, records, len, offset) &&
           file_write_at(fd, line, SUM_LEN, offset + len);
}

/* It comes into being with its first records in it. */
bool journal_replace(struct journal *j, const char *records, size_t len)
{
    char path[PATH_MAX], temp[PATH_MAX], head[HEAD_LEN + 1];
    uint64_t sum = j->origin;
    path_of(j, "", path);
    path_of(j, ".tmp", temp);
    make_head(j->origin, 0, head);
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    if (file_write_at(fd, head, HEAD_LEN, 0) && write_group(fd, records, len, HEAD_LEN, &sum) &&
        rename(temp, path) == 0) {
        journal_close(j);
        j->fd = fd;
        j->len = len + SUM_LEN;
        j->sum = sum;
        j->is_named = false;
        return true;
    }
    int saved = errno;
    (void)unlink(temp);
    (void)close(fd);
    errno = saved;
    return false;
}

static bool append(struct journal *j, const char *records, size_t len)
{
    uint64_t sum = j->sum;
    if (!write_group(j->fd, records, len, HEAD_LEN + j->len, &sum))
        return false;
    j->len += len + SUM_LEN;
    j->sum = sum;
    return true;
}

bool journal_append(struct journal *j, const char *records, size_t len, struct error *reterr)
{
    bool ok = j->fd < 0 ? journal_replace(j, records, len) : append(j, records, len);
    if (!ok)
        error_set(reterr, "cannot write %s/" NAME ": %s", j->dir, strerror(errno));
    return ok;
}

struct journal_sync journal_begin_sync(const struct journal *j)
{
    return (struct journal_sync){
        .dir = j->dir, .origin = j->origin, .fd = j->fd, .len = j->len, .is_named = j->is_named};
}

bool journal_sync(const struct journal_sync *sync, struct error *reterr)
{
    char head[HEAD_LEN + 1];
    make_head(sync->origin, sync->len, head);
    bool ok = fdatasync(sync->fd) == 0 && (sync->is_named || file_sync_dir(sync->dir)) &&
              file_write_at(sync->fd, head, HEAD_LEN, 0);
    if (!ok)
        error_set(reterr, "cannot sync %s/" NAME ": %s", sync->dir, strerror(errno));
    return ok;
}

void journal_end_sync(struct journal *j)
{
    j->is_named = true;
}

void journal_remove(struct journal *j)
{
    char path[PATH_MAX];
    path_of(j, "", path);
    (void)unlink(path); /* one that stays is older than the state file, and known to be by its
                           sequence numbers */
    journal_close(j);
}
