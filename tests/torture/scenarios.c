/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scenarios.c - each scenario of tests/sim once per point of the product that can fail in it.
 *
 *   torture_scenarios HISTORIES FILE...
 *
 * What a scenario expects may come later after a failure, so expectations are left out; instead the
 * world goes on for ten minutes, without faults. The history of each run that differs from the one
 * in which nothing fails is appended to HISTORIES, as the run "<scenario>@<point>"; that one itself
 * is the first of each scenario, "<scenario>@0". Before each is a line "# [ended] [unsaved]": the
 * daemon could not start and the scenario ended there; the log says that the state was not saved.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "runner.h"
#include "sim.h"

#define TEXT_MAX (4 * 1024 * 1024)
#define PATH_SIZE 256

static const char last_lines[] = "\nthaw\nconsul recovers\nclock +10m\n";

struct text {
    char bytes[TEXT_MAX];
    size_t len;
};

struct story {
    const char *path;
    char name[128];
    char folder[SIM_FOLDER_SIZE];
    char history[PATH_SIZE];
    const char *histories;
    struct text script;
    struct text first;
    struct text now;
};

int scenario_main(int argc, char **argv);
struct config *__real_config_load(const char *path, char **environment,
                                  const struct config_overrides *overrides, struct error *reterr);
struct config *__wrap_config_load(const char *path, char **environment,
                                  const struct config_overrides *overrides, struct error *reterr);

/* The config is the scenario's. */
struct config *__wrap_config_load(const char *path, char **environment,
                                  const struct config_overrides *overrides, struct error *reterr)
{
    torture_pause(true);
    struct config *c = __real_config_load(path, environment, overrides, reterr);
    torture_pause(false);
    return c;
}

static void die(const char *doing, const char *path)
{
    (void)fprintf(stderr, "cannot %s %s: %s\n", doing, path, strerror(errno));
    exit(2);
}

static void read_text(const char *path, struct text *t)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        die("read", path);
    t->len = fread(t->bytes, 1, sizeof t->bytes - 1, f);
    t->bytes[t->len] = '\0';
    (void)fclose(f);
}

static void write_text(const char *path, const char *mode, const char *bytes, size_t len)
{
    FILE *f = fopen(path, mode);
    if (f == NULL || fwrite(bytes, 1, len, f) != len || fclose(f) != 0)
        die("write", path);
}

/* Without its expectations, and with an end for all. */
static void read_script(struct story *s)
{
    static struct text all;
    read_text(s->path, &all);
    s->script.len = 0;
    for (const char *line = all.bytes; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        const char *words = line + strspn(line, " \t");
        if (strncmp(words, "expect ", 7) != 0) {
            memcpy(s->script.bytes + s->script.len, line, len);
            s->script.len += len;
            s->script.bytes[s->script.len++] = '\n';
        }
        line += len + (line[len] == '\n');
    }
    memcpy(s->script.bytes + s->script.len, last_lines, sizeof last_lines - 1);
    s->script.len += sizeof last_lines - 1;
}

static bool out_of_memory(const char *what)
{
    return torture_point(what);
}

static int play(void *arg, uint64_t number)
{
    const struct story *s = arg;
    char file[PATH_SIZE], history[PATH_SIZE];
    char words[][16] = {"scenario", "--history"};
    char *argv[] = {words[0], words[1], history, file, NULL};
    (void)snprintf(file, sizeof file, "%s/%s@%ju.txt", s->folder, s->name, (uintmax_t)number);
    (void)snprintf(history, sizeof history, "%s", s->history);
    write_text(file, "we", s->script.bytes, s->script.len);
    write_text(history, "we", "", 0);
    sim_fail_hook = out_of_memory;
    int code = scenario_main(4, argv);
    (void)unlink(file);
    return code;
}

/* Apart from the names of the runs. */
static bool is_same(const char *a, const char *b)
{
    for (;; a++, b++) {
        if (strncmp(a, " options ", 9) == 0 && strncmp(b, " options ", 9) == 0) {
            a += 9 + strcspn(a + 9, " ");
            b += 9 + strcspn(b + 9, " ");
        }
        if (*a != *b)
            return false;
        if (*a == '\0')
            return true;
    }
}

static void collect(void *arg, uint64_t number, int code, const char *output)
{
    struct story *s = arg;
    struct text *t = number == 0 ? &s->first : &s->now;
    read_text(s->history, t);
    if (number > 0 && code == 0 && is_same(t->bytes, s->first.bytes))
        return;
    bool unsaved = strstr(output, "cannot write the state file") != NULL ||
                   strstr(output, "is refused, starting without it") != NULL;
    char note[64];
    int len = snprintf(note, sizeof note, "#%s%s\n", code != 0 ? " ended" : "",
                       unsaved ? " unsaved" : "");
    write_text(s->histories, "ae", note, (size_t)len);
    write_text(s->histories, "ae", t->bytes, t->len);
}

static void name_story(struct story *s, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    s->path = path;
    (void)snprintf(s->name, sizeof s->name, "%.*s", (int)strcspn(name, "."), name);
}

int main(int argc, char **argv)
{
    static struct story s;
    struct runner r = {.body = play, .after = collect, .leaks_count = true};
    if (argc < 3) {
        (void)fprintf(stderr, "usage: torture_scenarios HISTORIES FILE...\n");
        return 2;
    }
    r.sites_of_all = getenv("TORTURE_FULL") == NULL;
    runner_init(&r);
    /* Every call stack of a scenario is more than enough: all points are some hundred thousand. */
    r.full = false;
    s.histories = argv[1];
    sim_make_folder(s.folder);
    (void)snprintf(s.history, sizeof s.history, "%s/history", s.folder);
    for (int i = 2; i < argc; i++) {
        name_story(&s, argv[i]);
        read_script(&s);
        runner_torture(&r, s.name, &s);
    }
    sim_remove_folder(s.folder);
    return runner_end(&r, (size_t)argc - 2);
}
