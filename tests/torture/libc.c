/* SPDX-License-Identifier: Apache-2.0 */
/* libc.c - stand-ins of libc's functions: each fails when its turn comes, else it is the real one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "torture.h"

static bool fails(const char *name, int error)
{
    if (!torture_point(name))
        return false;
    errno = error;
    return true;
}

/* -- memory ---------------------------------------------------------------------------------- */

TWIN(void *, malloc, size_t size)
{
    return fails("malloc", ENOMEM) ? NULL : malloc(size);
}

TWIN(void *, calloc, size_t count, size_t size)
{
    return fails("calloc", ENOMEM) ? NULL : calloc(count, size);
}

TWIN(void *, realloc, void *old, size_t size)
{
    return fails("realloc", ENOMEM) ? NULL : realloc(old, size);
}

TWIN(void *, aligned_alloc, size_t alignment, size_t size)
{
    return fails("aligned_alloc", ENOMEM) ? NULL : aligned_alloc(alignment, size);
}

TWIN(char *, strdup, const char *text)
{
    return fails("strdup", ENOMEM) ? NULL : strdup(text);
}

TWIN(char *, strndup, const char *text, size_t len)
{
    return fails("strndup", ENOMEM) ? NULL : strndup(text, len);
}

/* -- files ----------------------------------------------------------------------------------- */

static const struct torture_watcher *watching;

void torture_watch(const struct torture_watcher *watcher)
{
    watching = watcher;
}

static bool file_fails(const char *name, int error)
{
    if (!torture_file_point(name))
        return false;
    errno = error;
    return true;
}

TWIN(int, open, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    int fd = file_fails("open", EMFILE) ? -1 : open(path, flags, mode);
    if (fd >= 0 && watching != NULL)
        watching->opened(fd, path, flags);
    return fd;
}

/* Descriptors of events do not fail like a disk: what is not a file is left alone. */
static bool is_file(int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

TWIN(DIR *, opendir, const char *path)
{
    return file_fails("opendir", EMFILE) ? NULL : opendir(path);
}

TWIN(ssize_t, read, int fd, void *out, size_t size)
{
    if (is_file(fd) && (fails("read", EIO) || fails("read interrupted", EINTR)))
        return -1;
    return read(fd, out, size);
}

TWIN(ssize_t, write, int fd, const void *bytes, size_t len)
{
    return is_file(fd) && fails("write", ENOSPC) ? -1 : write(fd, bytes, len);
}

TWIN(ssize_t, pwrite, int fd, const void *bytes, size_t len, off_t offset)
{
    if (file_fails("pwrite", ENOSPC) || fails("pwrite interrupted", EINTR))
        return -1;
    (void)torture_short_point("pwrite short", &len, (uint64_t)offset);
    ssize_t written = pwrite(fd, bytes, len, offset);
    if (written > 0 && watching != NULL)
        watching->wrote(fd, bytes, (size_t)written, offset);
    return written;
}

static int has_synced(int fd, int result)
{
    if (result == 0 && watching != NULL)
        watching->synced(fd);
    return result;
}

TWIN(int, fsync, int fd)
{
    return file_fails("fsync", EIO) ? -1 : has_synced(fd, fsync(fd));
}

TWIN(int, fdatasync, int fd)
{
    return file_fails("fdatasync", EIO) ? -1 : has_synced(fd, fdatasync(fd));
}

TWIN(int, ftruncate, int fd, off_t len)
{
    int result = file_fails("ftruncate", EIO) ? -1 : ftruncate(fd, len);
    if (result == 0 && watching != NULL)
        watching->cut(fd, len);
    return result;
}

/* It is closed in any case: the error is one of an earlier write. */
TWIN(int, close, int fd)
{
    int result = close(fd);
    return file_fails("close", EIO) ? -1 : result;
}

TWIN(int, rename, const char *from, const char *to)
{
    int result = file_fails("rename", ENOSPC) ? -1 : rename(from, to);
    if (result == 0 && watching != NULL)
        watching->renamed(from, to);
    return result;
}

TWIN(int, unlink, const char *path)
{
    int result = file_fails("unlink", EIO) ? -1 : unlink(path);
    if (result == 0 && watching != NULL)
        watching->unlinked(path);
    return result;
}

TWIN(int, flock, int fd, int how)
{
    return fails("flock", ENOLCK) ? -1 : flock(fd, how);
}

TWIN(int, access, const char *path, int how)
{
    return fails("access", EACCES) ? -1 : access(path, how);
}

TWIN(int, stat, const char *path, struct stat *out)
{
    return fails("stat", EIO) ? -1 : stat(path, out);
}

TWIN(int, fstat, int fd, struct stat *out)
{
    return fails("fstat", EIO) ? -1 : fstat(fd, out);
}

/* -- streams --------------------------------------------------------------------------------- */

TWIN(FILE *, fopen, const char *path, const char *mode)
{
    return fails("fopen", EMFILE) ? NULL : fopen(path, mode);
}

TWIN(int, fclose, FILE *f)
{
    int result = fclose(f);
    return fails("fclose", EIO) ? EOF : result;
}

TWIN(int, fflush, FILE *f)
{
    return fails("fflush", ENOSPC) ? EOF : fflush(f);
}

TWIN(int, fputs, const char *text, FILE *f)
{
    return fails("fputs", ENOSPC) ? EOF : fputs(text, f);
}

TWIN(size_t, fwrite, const void *bytes, size_t size, size_t count, FILE *f)
{
    return fails("fwrite", ENOSPC) ? 0 : fwrite(bytes, size, count, f);
}

__attribute__((format(printf, 2, 3))) TWIN(int, fprintf, FILE *f, const char *format, ...)
{
    va_list args;
    if (fails("fprintf", ENOSPC))
        return -1;
    va_start(args, format);
    int n = vfprintf(f, format, args);
    va_end(args);
    return n;
}

__attribute__((format(printf, 1, 2))) TWIN(int, printf, const char *format, ...)
{
    va_list args;
    if (fails("printf", ENOSPC))
        return -1;
    va_start(args, format);
    int n = vprintf(format, args);
    va_end(args);
    return n;
}

/* -- sockets, events and threads ------------------------------------------------------------- */

TWIN(int, socket, int family, int type, int protocol)
{
    return fails("socket", EMFILE) ? -1 : socket(family, type, protocol);
}

TWIN(int, setsockopt, int fd, int level, int option, const void *value, socklen_t len)
{
    return fails("setsockopt", ENOBUFS) ? -1 : setsockopt(fd, level, option, value, len);
}

TWIN(int, getsockopt, int fd, int level, int option, void *value, socklen_t *len)
{
    return fails("getsockopt", ENOBUFS) ? -1 : getsockopt(fd, level, option, value, len);
}

TWIN(int, getsockname, int fd, struct sockaddr *address, socklen_t *len)
{
    return fails("getsockname", ENOBUFS) ? -1 : getsockname(fd, address, len);
}

TWIN(int, fcntl, int fd, int what, ...)
{
    va_list args;
    va_start(args, what);
    int flags = what == F_SETFD || what == F_SETFL ? va_arg(args, int) : 0;
    va_end(args);
    return fails("fcntl", EBADF) ? -1 : fcntl(fd, what, flags);
}

TWIN(ssize_t, sendto, int fd, const void *bytes, size_t len, int flags,
     const struct sockaddr *address, socklen_t address_len)
{
    return fails("sendto", EAGAIN) ? -1 : sendto(fd, bytes, len, flags, address, address_len);
}

TWIN(int, bind, int fd, const struct sockaddr *address, socklen_t len)
{
    return fails("bind", EADDRINUSE) ? -1 : bind(fd, address, len);
}

TWIN(int, listen, int fd, int backlog)
{
    return fails("listen", EADDRINUSE) ? -1 : listen(fd, backlog);
}

TWIN(int, poll, struct pollfd *fds, nfds_t count, int timeout_ms)
{
    return fails("poll", EINTR) ? -1 : poll(fds, count, timeout_ms);
}

TWIN(int, epoll_ctl, int fd, int what, int other, struct epoll_event *event)
{
    return fails("epoll_ctl", ENOMEM) ? -1 : epoll_ctl(fd, what, other, event);
}

TWIN(int, signalfd, int fd, const sigset_t *mask, int flags)
{
    return fails("signalfd", EMFILE) ? -1 : signalfd(fd, mask, flags);
}

TWIN(int, eventfd, unsigned count, int flags)
{
    return fails("eventfd", EMFILE) ? -1 : eventfd(count, flags);
}

TWIN(int, pthread_create, pthread_t *out, const pthread_attr_t *how, void *(*fn)(void *), void *arg)
{
    return torture_point("pthread_create") ? EAGAIN : pthread_create(out, how, fn, arg);
}

TWIN(int, pthread_mutex_init, pthread_mutex_t *lock, const pthread_mutexattr_t *how)
{
    return torture_point("pthread_mutex_init") ? ENOMEM : pthread_mutex_init(lock, how);
}

/* -- what the machine says ------------------------------------------------------------------- */

TWIN(int, gethostname, char *out, size_t size)
{
    return fails("gethostname", ENAMETOOLONG) ? -1 : gethostname(out, size);
}

TWIN(int, getrlimit, __rlimit_resource_t what, struct rlimit *out)
{
    return fails("getrlimit", EPERM) ? -1 : getrlimit(what, out);
}

TWIN(int, setrlimit, __rlimit_resource_t what, const struct rlimit *limit)
{
    return fails("setrlimit", EPERM) ? -1 : setrlimit(what, limit);
}

TWIN(long, sysconf, int what)
{
    return fails("sysconf", EINVAL) ? -1 : sysconf(what);
}

/* The same in each run: the jitter that is seeded by it must not move the points. */
TWIN(ssize_t, getrandom, void *out, size_t size, unsigned flags)
{
    static atomic_uchar next;
    (void)flags;
    if (fails("getrandom", EAGAIN))
        return -1;
    memset(out, ++next, size);
    return (ssize_t)size;
}

TWIN(int, sched_getaffinity, pid_t pid, size_t size, cpu_set_t *out)
{
    return fails("sched_getaffinity", EINVAL) ? -1 : sched_getaffinity(pid, size, out);
}
