/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"

static bool fail(struct error *reterr, const char *doing, const char *path)
{
    int saved = errno;
    error_set(reterr, "cannot %s %s: %s", doing, path, strerror(saved));
    errno = saved;
    return false;
}

/* A pipe may be waited at for ever: it is opened without that, and refused. */
static int open_to_read(const char *path, struct error *reterr)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        fail(reterr, "read", path);
        return -1;
    }
    if (fstat(fd, &st) != 0 || !S_ISFIFO(st.st_mode))
        return fd;
    (void)close(fd);
    error_set(reterr, "cannot read %s: it is a pipe; right is a file", path);
    errno = EINVAL;
    return -1;
}

bool file_read(const char *path, struct buf *out, struct error *reterr)
{
    bool ok = false;
    int fd = open_to_read(path, reterr);
    if (fd < 0)
        return false;
    for (;;) {
        char chunk[16384];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            fail(reterr, "read", path);
            goto out;
        }
        if (n == 0)
            break;
        if (!buf_append(out, chunk, (size_t)n)) {
            bool too_large = out->len + (size_t)n > out->max;
            if (too_large)
                error_set(reterr, "cannot read %s: larger than %zu bytes", path, out->max);
            else
                error_set(reterr, "cannot read %s: out of memory", path);
            errno = too_large ? EFBIG : ENOMEM;
            goto out;
        }
    }
    ok = true;
out:
    (void)close(fd); /* only read from: nothing can be lost */
    return ok;
}

bool file_write_at(int fd, const void *bytes, size_t len, uint64_t offset)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = pwrite(fd, at, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        at += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

bool file_sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = fsync(fd) == 0;
    return close(fd) == 0 && ok;
}

bool file_replace(const char *dir, const char *name, const void *bytes, size_t len,
                  struct error *reterr)
{
    char path[PATH_MAX];
    char temp[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path ||
        snprintf(temp, sizeof temp, "%s/%s.tmp", dir, name) >= (int)sizeof temp) {
        errno = ENAMETOOLONG;
        return fail(reterr, "write", dir);
    }
    /* The folder has one owner (file_lock), so a leftover of a crash may be overwritten. */
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(reterr, "create", temp);
    bool written = file_write_at(fd, bytes, len, 0) && fsync(fd) == 0;
    int saved = errno;
    bool closed = close(fd) == 0;
    if (written && closed && rename(temp, path) == 0)
        return file_sync_dir(dir) || fail(reterr, "sync the folder", dir);
    if (!written)
        errno = saved;
    saved = errno;
    (void)unlink(temp); /* best effort: the next write truncates it anyway */
    errno = saved;
    return fail(reterr, "write", path);
}

int file_lock(const char *path, struct error *reterr)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        fail(reterr, "create", path);
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (errno == EWOULDBLOCK)
        error_set(reterr, "%s is locked: another nsaddrd uses this folder", path);
    else
        fail(reterr, "lock", path);
    (void)close(fd);
    return -1;
}
