/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torture.h - the product's calls that can fail, counted, and one of them failed on demand.
 *
 * The twins of the product's libraries (see CMakeLists.txt) call torture_malloc() where the product
 * calls malloc(), and so on for all of symbols.txt. So what a test, libc or another library
 * allocates is neither counted nor failed. A call that can fail in several ways (write: an error, a
 * short write, EINTR) is as many points, one behind the other.
 *
 * From the environment, for a program that does not arm itself:
 *   NSADDRD_TORTURE      the number of the point that fails, from 1; 0 only counts
 *   NSADDRD_TORTURE_LOG  a file that receives the struct torture_log
 */
#ifndef TORTURE_TORTURE_H
#define TORTURE_TORTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TORTURE_SITES_MAX 262144

/* Shared with whoever watches, so that it outlives a crash. */
struct torture_log {
    _Atomic uint64_t points;
    _Atomic uint64_t failed; /* how many did fail: 0 or 1 */
    char name[48];           /* of the one that failed */
    /* Of each point, when only counting: a hash of the call stack inside the program. */
    uint64_t sites[TORTURE_SITES_MAX];
};

enum torture_mode {
    TORTURE_FAIL,
    TORTURE_TRACE, /* and show the failed call and its stack on standard error */
    TORTURE_KILL,  /* SIGKILL instead of failing; only calls that reach a file are points */
};

/* Counts from now on into `log` and fails point `number`; 0 records the sites instead. NULL ends
 * it. */
void torture_begin(struct torture_log *log, uint64_t number, enum torture_mode mode);

/* What happens meanwhile is not counted. */
void torture_pause(bool pause);

/* One point. True: `name` is to fail now. */
bool torture_point(const char *name);
/* The same for a call that reaches a file. */
bool torture_file_point(const char *name);
/* For a write that may end early: true when it does, at *len bytes. Where we are killed, that is at
 * the end of a page, and the next point is the last. */
bool torture_short_point(const char *name, size_t *len, uint64_t offset);

/* Is told what becomes of files, after each call that did something. */
struct torture_watcher {
    void (*opened)(int fd, const char *path, int flags);
    void (*wrote)(int fd, const void *bytes, size_t len, off_t offset);
    void (*cut)(int fd, off_t len);
    void (*synced)(int fd);
    void (*renamed)(const char *from, const char *to);
    void (*unlinked)(const char *path);
};

/* From now on; NULL ends it. For programs of one thread. */
void torture_watch(const struct torture_watcher *watcher);

/* Declares and defines the stand-in of a function. */
#define TWIN(type, name, ...)                                                                      \
    type torture_##name(__VA_ARGS__);                                                              \
    type torture_##name(__VA_ARGS__)

#endif
