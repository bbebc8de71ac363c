/* SPDX-License-Identifier: Apache-2.0 */
#include "runner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef COVERAGE
void __gcov_dump(void);
#endif

/* For a run that takes a few milliseconds, on a busy machine. */
#define RUN_SECONDS 60
#define OUTPUT_MAX 65536
/* The rest would say the same. */
#define SHOWN_MAX 20

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
/* Only there with sanitizers. */
__attribute__((weak)) void __sanitizer_set_report_fd(void *fd);
__attribute__((weak)) void __lsan_do_leak_check(void);

/* cmocka would take a SIGSEGV for a failed assertion, and a sanitizer's exit code looks like one. */
const char *__asan_default_options(void)
{
    return "abort_on_error=1:handle_segv=2:handle_sigbus=2:handle_sigfpe=2:handle_sigill=2:"
           "leak_check_at_exit=0:allocator_may_return_null=1";
}

const char *__ubsan_default_options(void)
{
    return "abort_on_error=1:print_stacktrace=1";
}

static void die(const char *doing)
{
    (void)fprintf(stderr, "cannot %s: %s\n", doing, strerror(errno));
    exit(2);
}

static size_t number_of(const char *name, size_t missing)
{
    const char *text = getenv(name);
    return text != NULL ? strtoul(text, NULL, 10) : missing;
}

void runner_init(struct runner *r)
{
    const char *part = getenv("TORTURE_PART");
    *r = (struct runner){.body = r->body,
                         .after = r->after,
                         .leaks_count = r->leaks_count,
                         .sites_of_all = r->sites_of_all};
    r->full = getenv("TORTURE_FULL") != NULL;
    r->stride = number_of("TORTURE_STRIDE", 1);
    r->only = number_of("TORTURE_POINT", 0);
    r->parts = 1;
    if (part != NULL && strchr(part, '/') != NULL) {
        r->part = strtoul(part, NULL, 10);
        r->parts = strtoul(strchr(part, '/') + 1, NULL, 10);
    }
    r->output = memfd_create("output", MFD_CLOEXEC);
    r->log = mmap(NULL, sizeof *r->log, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (r->output < 0 || r->log == MAP_FAILED || r->stride == 0 || r->parts == 0)
        die("begin");
}

/* -- one run --------------------------------------------------------------------------------- */

static void be_child(struct runner *r, void *arg, uint64_t number, enum torture_mode mode)
{
    (void)dup2(r->output, STDOUT_FILENO);
    (void)dup2(r->output, STDERR_FILENO);
    /* Some suites send their standard error elsewhere. */
    if (__sanitizer_set_report_fd != NULL)
        __sanitizer_set_report_fd((void *)(intptr_t)r->output);
    (void)alarm(RUN_SECONDS);
    torture_begin(r->log, number, mode);
    int code = r->body(arg, number);
    torture_begin(NULL, 0, TORTURE_FAIL);
    (void)fflush(NULL);
    if (r->leaks_count && __lsan_do_leak_check != NULL)
        __lsan_do_leak_check();
#ifdef COVERAGE
    __gcov_dump(); /* the branches it took count, too */
#endif
    _exit(code);
}

/* The wait status. */
static int run(struct runner *r, void *arg, uint64_t number, enum torture_mode mode)
{
    if (ftruncate(r->output, 0) != 0 || lseek(r->output, 0, SEEK_SET) != 0)
        die("empty the output");
    (void)fflush(NULL);
    r->log->failed = 0;
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child == 0)
        be_child(r, arg, number, mode);
    int status;
    if (waitpid(child, &status, 0) != child)
        die("wait");
    return status;
}

static const char *output_of(const struct runner *r)
{
    static char text[OUTPUT_MAX];
    ssize_t n = pread(r->output, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

/* Without a sanitizer cmocka takes a SIGSEGV itself. */
static bool ended_well(const struct runner *r, int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) <= 1 &&
           strstr(output_of(r), "failed with exception") == NULL;
}

static void show(struct runner *r, const char *name, void *arg, uint64_t number, int status)
{
    if (r->bad++ >= SHOWN_MAX)
        return;
    (void)printf("BAD %s, point %ju (%s): ", name, (uintmax_t)number,
                 number > 0 ? r->log->name : "none");
    if (WIFSIGNALED(status))
        (void)printf("%s\n", WTERMSIG(status) == SIGALRM ? "hangs" : strsignal(WTERMSIG(status)));
    else
        (void)printf("exit code %d\n", WEXITSTATUS(status));
    (void)run(r, arg, number, TORTURE_TRACE);
    (void)printf("%s\n", output_of(r));
}

/* -- all of them ----------------------------------------------------------------------------- */

static void make_room(struct runner *r)
{
    if (r->seen_count < r->seen_room)
        return;
    r->seen_room = r->seen_room == 0 ? 1024 : 2 * r->seen_room;
    r->seen = realloc(r->seen, r->seen_room * sizeof *r->seen);
    if (r->seen == NULL)
        die("remember the call stacks");
}

static bool is_new(struct runner *r, uint64_t site)
{
    size_t low = 0, high = r->seen_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (r->seen[middle] < site)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < r->seen_count && r->seen[low] == site)
        return false;
    make_room(r);
    memmove(r->seen + low + 1, r->seen + low, (r->seen_count - low) * sizeof *r->seen);
    r->seen[low] = site;
    r->seen_count++;
    return true;
}

/* The points to fail in turn, as numbers from 1; a new array. */
static uint64_t *choose(struct runner *r, size_t points, size_t *count)
{
    uint64_t *numbers = calloc(points + 1, sizeof *numbers);
    if (numbers == NULL)
        die("remember the points");
    *count = 0;
    if (!r->sites_of_all)
        r->seen_count = 0;
    for (size_t i = 0; i < points; i++) {
        bool wanted = r->full || (i < TORTURE_SITES_MAX && is_new(r, r->log->sites[i]));
        if (!wanted || r->wanted++ % r->stride != 0)
            continue;
        if (r->wanted / r->stride % r->parts == r->part)
            numbers[(*count)++] = i + 1;
    }
    return numbers;
}

void runner_torture(struct runner *r, const char *name, void *arg)
{
    if (r->only > 0) {
        int ended = run(r, arg, r->only, TORTURE_TRACE);
        (void)printf("%s, point %ju: status %d\n%s\n", name, (uintmax_t)r->only, ended,
                     output_of(r));
        return;
    }
    int status = run(r, arg, 0, TORTURE_FAIL);
    size_t points = r->log->points;
    r->points += points;
    if (!ended_well(r, status) || WEXITSTATUS(status) != 0) {
        show(r, name, arg, 0, status);
        return;
    }
    if (r->after != NULL)
        r->after(arg, 0, 0, output_of(r));
    size_t count;
    uint64_t *numbers = choose(r, points, &count);
    for (size_t i = 0; i < count; i++) {
        status = run(r, arg, numbers[i], TORTURE_FAIL);
        r->injected += r->log->failed;
        if (!ended_well(r, status))
            show(r, name, arg, numbers[i], status);
        else if (r->after != NULL)
            r->after(arg, numbers[i], WEXITSTATUS(status), output_of(r));
    }
    free(numbers);
}

int runner_end(struct runner *r, size_t things)
{
    (void)printf("%zu %zu %zu %zu\n", things, r->points, r->injected, r->bad);
    free(r->seen);
    return r->bad > 0;
}
