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
#define HEAD_WORDS "nsaddrd-journal 1 "
/* The words, and three numbers of 16 digits with a blank or the newline behind each. */
#define HEAD_LEN (sizeof HEAD_WORDS - 1 + 51)

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
}

/* Over the origin too, so that the journal of another source has a wrong sum. */
static void make_head(uint64_t len, uint64_t sum, char head[HEAD_LEN + 1])
{
    int n = snprintf(head, HEAD_LEN + 1, HEAD_WORDS "%016" PRIx64 " %016" PRIx64 " ", len, sum);
    (void)snprintf(head + n, HEAD_LEN + 1 - (size_t)n, "%016" PRIx64 "\n",
                   hash_bytes(head, (size_t)n));
}

static const char *check(const struct journal *j, const struct buf *text, uint64_t *len,
                         uint64_t *sum)
{
    static const char words[] = HEAD_WORDS;
    char expected[HEAD_LEN + 1];
    if (text->len < HEAD_LEN || strncmp(text->data, words, sizeof words - 1) != 0)
        return "it does not start like a journal of this version";
    *len = strtoull(text->data + sizeof words - 1, NULL, 16);
    *sum = strtoull(text->data + sizeof words - 1 + 17, NULL, 16);
    make_head(*len, *sum, expected);
    if (memcmp(expected, text->data, HEAD_LEN) != 0)
        return "the checksum of its first line is wrong";
    if (*len > text->len - HEAD_LEN)
        return "it is cut";
    if (hash_more(j->origin, text->data + HEAD_LEN, *len) != *sum)
        return "its checksum is wrong, or it is of another source";
    return NULL;
}

const char *journal_read(struct journal *j, struct buf *records)
{
    char path[PATH_MAX];
    struct buf text;
    uint64_t len, sum;
    const char *why = NULL;
    buf_init(&text, records->max);
    path_of(j, "", path);
    errno = 0;
    if (!file_read(path, &text, NULL)) {
        why = errno != ENOENT ? "it cannot be read" : NULL;
        goto out;
    }
    why = check(j, &text, &len, &sum);
    if (why != NULL)
        goto out;
    if (!buf_append(records, text.data + HEAD_LEN, len)) {
        why = "out of memory";
        goto out;
    }
    j->fd = open(path, O_WRONLY | O_CLOEXEC);
    if (j->fd < 0) {
        why = "it cannot be written to";
        goto out;
    }
    j->len = len;
    j->sum = sum;
out:
    buf_clear(&text);
    return why;
}

void journal_keep_aside(const struct journal *j)
{
    char path[PATH_MAX], aside[PATH_MAX];
    path_of(j, "", path);
    path_of(j, ".damaged", aside);
    (void)rename(path, aside); /* else the next one takes its place */
}

/* It comes into being with its first records in it. */
bool journal_replace(struct journal *j, const char *records, size_t len)
{
    char path[PATH_MAX], temp[PATH_MAX], head[HEAD_LEN + 1];
    uint64_t sum = hash_more(j->origin, records, len);
    path_of(j, "", path);
    path_of(j, ".tmp", temp);
    make_head(len, sum, head);
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    if (file_write_at(fd, head, HEAD_LEN, 0) && file_write_at(fd, records, len, HEAD_LEN) &&
        rename(temp, path) == 0) {
        journal_close(j);
        j->fd = fd;
        j->len = len;
        j->sum = sum;
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
    char head[HEAD_LEN + 1];
    uint64_t sum = hash_more(j->sum, records, len);
    make_head(j->len + len, sum, head);
    if (!file_write_at(j->fd, records, len, HEAD_LEN + j->len) ||
        !file_write_at(j->fd, head, HEAD_LEN, 0))
        return false;
    j->len += len;
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

void journal_remove(struct journal *j)
{
    char path[PATH_MAX];
    if (j->fd < 0)
        return;
    path_of(j, "", path);
    (void)unlink(path); /* one that stays is older than the state file, and known to be by its
                           sequence numbers */
    journal_close(j);
}
