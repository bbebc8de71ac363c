/*
 * file.h - whole files: read with a limit, replaced so that a crash leaves the old or the new.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

struct buf;
struct error;

/* Appends the whole file to `out`; fails when it has more than out's maximum. The error text
 * names the path and the reason. errno is that of the failing call, or EFBIG. */
bool file_read(const char *path, struct buf *out, struct error *reterr) MUST_CHECK;

/* Replaces `dir`/`name` by `bytes`: temporary file in the same folder, write, fsync, close
 * (checked), rename, fsync of the folder. On failure the old file is untouched. */
bool file_replace(const char *dir, const char *name, const void *bytes, size_t len,
                  struct error *reterr) MUST_CHECK;

/* Writes all of it at `offset`; false with errno set. */
bool file_write_at(int fd, const void *bytes, size_t len, uint64_t offset) MUST_CHECK;

/* Makes the names in `dir` durable; false with errno set. */
bool file_sync_dir(const char *dir) MUST_CHECK;

/* Opens (creating it if needed) and locks `path` against every other process; the lock ends
 * with the returned descriptor. -1 with *reterr filled when another process holds it. */
int file_lock(const char *path, struct error *reterr) MUST_CHECK;

#endif
