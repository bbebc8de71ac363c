/* SPDX-License-Identifier: Apache-2.0 */
#include "source/state_read.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "source/journal.h"
#include "source/restore.h"

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

static enum outcome cannot(const char *dir, int code, struct error *reterr)
{
    error_set(reterr, "cannot read the state in %s: %s", dir, strerror(code));
    return CANNOT;
}

static void refuse_state(const char *dir, const char *path, const char *why)
{
    char aside[PATH_MAX];
    (void)snprintf(aside, sizeof aside, "%s/" STATE_FILE_NAME ".damaged", dir);
    bool kept = rename(path, aside) == 0;
    LOG_ERROR("the state file is refused, starting without it", F_STR("file", path),
              F_STR("error", why), F_STR("kept_as", kept ? aside : "(could not be renamed)"));
}

static enum outcome read_state(const char *dir, const struct buf *source, struct merge *merge,
                               struct state_read *out, struct error *reterr)
{
    char path[PATH_MAX];
    struct error error;
    struct buf text;
    enum outcome outcome = TAKEN;
    const char *why = NULL;
    size_t len = 0;
    buf_init(&text, STATE_FILE_MAX);
    (void)snprintf(path, sizeof path, "%s/" STATE_FILE_NAME, dir);
    errno = 0;
    if (file_read(path, &text, &error)) {
        len = text.len;
        why = restore_state(&text, source, merge, &out->sequence);
    } else if (errno != ENOENT) {
        why = error.text;
    }
    if (why != NULL && is_passing(errno)) {
        outcome = cannot(dir, errno, reterr);
    } else if (why != NULL) {
        outcome = REFUSED;
        refuse_state(dir, path, why);
    } else {
        out->state_len = len;
    }
    buf_clear(&text);
    return outcome;
}

/* Its end is of no use: that is what a kill or a power failure leaves of what was under way. */
static void note_lost(const char *dir, size_t lost)
{
    LOG_WARN("the end of the journal of the state file was never synced, and is left out",
             F_STR("dir", dir), F_INT("bytes", lost));
}

static enum outcome read_journal(struct journal *journal, struct merge *merge,
                                 struct state_read *out, struct error *reterr)
{
    struct buf records;
    enum outcome outcome = TAKEN;
    bool older = false;
    size_t lost;
    buf_init(&records, STATE_FILE_MAX);
    errno = 0;
    const char *why = journal_read(journal, &records, &lost);
    out->has_journal = records.len > 0 || lost > 0;
    if (why == NULL && !buf_append(&out->records, buf_text(&records), records.len))
        why = "out of memory";
    if (why == NULL && records.len > 0 && !restore_journal(&records, merge, &out->sequence, &older))
        why = "it does not continue the state file, or a line in it is not one of ours";
    if (why != NULL && is_passing(errno)) {
        outcome = cannot(journal->dir, errno, reterr);
    } else if (why != NULL) {
        outcome = REFUSED;
        out->has_journal = false;
        journal_keep_aside(journal);
        LOG_ERROR("the journal of the state file is refused, starting without it",
                  F_STR("dir", journal->dir), F_STR("error", why));
    } else if (lost > 0) {
        note_lost(journal->dir, lost);
    }
    if (outcome != TAKEN || older || journal_continue(journal))
        buf_clear(&out->records); /* the next one need not have them */
    buf_clear(&records);
    return outcome;
}

bool state_read(const char *dir, const struct buf *source, struct journal *journal,
                struct merge *merge, struct state_read *out, struct error *reterr)
{
    *out = (struct state_read){.sequence = 0};
    buf_init(&out->records, STATE_FILE_MAX);
    enum outcome outcome = read_state(dir, source, merge, out, reterr);
    if (outcome == TAKEN)
        outcome = read_journal(journal, merge, out, reterr);
    else if (outcome == REFUSED)
        journal_keep_aside(journal); /* it continues what is not there */
    return outcome != CANNOT;
}
