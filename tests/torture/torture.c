/* SPDX-License-Identifier: Apache-2.0 */
#include "torture.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Frames of this program that tell one call from another. */
#define SITE_DEPTH 14
#define BACKTRACE_DEPTH 48
#define PAGE_BYTES 4096

static struct torture_log *log_in_use;
static uint64_t failing;
static enum torture_mode mode;
static bool paused;

/* Only there with sanitizers. */
__attribute__((weak)) void __sanitizer_print_stack_trace(void);
/* The program's code begins and ends here. */
extern const char __executable_start[];
extern const char etext[];

void torture_begin(struct torture_log *log, uint64_t number, enum torture_mode how)
{
    log_in_use = log;
    failing = number;
    mode = how;
    if (log != NULL)
        atomic_store(&log->points, 0);
}

/* Relative to the program's begin, and without the frames of other libraries: the same in each
 * process, wherever it was loaded. */
static uint64_t site_of(const char *name)
{
    void *frames[BACKTRACE_DEPTH];
    uint64_t hash = 0xcbf29ce484222325u;
    int depth = 0;
    int count = backtrace(frames, BACKTRACE_DEPTH);
    for (const char *c = name; *c != '\0'; c++)
        hash = (hash ^ (uint64_t)(unsigned char)*c) * 0x100000001b3u;
    for (int i = 0; i < count && depth < SITE_DEPTH; i++) {
        const char *at = frames[i];
        if (at < __executable_start || at >= etext)
            continue;
        hash = (hash ^ (uint64_t)(at - __executable_start)) * 0x100000001b3u;
        depth++;
    }
    return hash;
}

void torture_pause(bool pause)
{
    paused = pause;
}

static bool is_next(const char *name)
{
    struct torture_log *log = log_in_use;
    if (log == NULL || paused)
        return false;
    uint64_t number = atomic_fetch_add(&log->points, 1) + 1;
    if (failing == 0 && mode != TORTURE_KILL && number <= TORTURE_SITES_MAX)
        log->sites[number - 1] = site_of(name);
    if (number != failing)
        return false;
    if (atomic_exchange(&log->failed, 1) == 0) /* a write that ended early came before the kill */
        (void)snprintf(log->name, sizeof log->name, "%s", name);
    if (mode == TORTURE_TRACE) {
        (void)dprintf(STDERR_FILENO, "torture: point %ju, %s, fails\n", (uintmax_t)number, name);
        if (__sanitizer_print_stack_trace != NULL)
            __sanitizer_print_stack_trace();
    }
    return true;
}

bool torture_point(const char *name)
{
    return mode != TORTURE_KILL && is_next(name);
}

bool torture_file_point(const char *name)
{
    bool now = is_next(name);
    if (now && mode == TORTURE_KILL)
        (void)raise(SIGKILL);
    return now;
}

bool torture_short_point(const char *name, size_t *len, uint64_t offset)
{
    size_t cut = *len / 2;
    if (mode == TORTURE_KILL) {
        /* The kernel looks for a SIGKILL between two pages. */
        cut = PAGE_BYTES - offset % PAGE_BYTES;
        if (cut >= *len)
            return false;
    }
    if (!is_next(name))
        return false;
    *len = cut;
    if (mode == TORTURE_KILL)
        failing++;
    return true;
}

__attribute__((constructor)) static void begin_from_environment(void)
{
    const char *number = getenv("NSADDRD_TORTURE");
    const char *path = getenv("NSADDRD_TORTURE_LOG");
    if (number == NULL || path == NULL)
        return;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *log = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, sizeof(struct torture_log)) == 0)
        log = mmap(NULL, sizeof(struct torture_log), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (log == MAP_FAILED) {
        (void)fprintf(stderr, "torture: cannot use %s: %s\n", path, strerror(errno));
        _exit(2);
    }
    (void)close(fd);
    torture_begin(log, strtoull(number, NULL, 10),
                  getenv("NSADDRD_TORTURE_TRACE") != NULL ? TORTURE_TRACE : TORTURE_FAIL);
}
