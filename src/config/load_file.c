/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <libconfig.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "config/config.h"
#include "config/load.h"
#include "config/option.h"

#define CONFIG_FILE_MAX (64 * 1024 * 1024)
/* The largest number of any option has seven digits. */
#define NUMBER_DIGITS_MAX 9

/* More than any option's dotted name; deeper nesting is an unknown key anyway. */
#define NAME_MAX_BYTES 256

struct walk {
    struct loading *loading;
    const char *path;
};

static void where(const struct walk *w, const config_setting_t *s, char *out, size_t size)
{
    const char *file = config_setting_source_file(s);
    (void)snprintf(out, size, "%s:%u", file != NULL ? file : w->path,
                   config_setting_source_line(s));
}

static bool fail_at(const struct walk *w, const config_setting_t *s, const char *name,
                    const struct error *cause, struct error *reterr)
{
    char place[PATH_MAX];
    where(w, s, place, sizeof place);
    return error_set(reterr, "%s: %s: %s", place, name, cause->text);
}

static bool is_group_of_options(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < option_count; i++)
        if (strncmp(option_table[i].name, name, len) == 0 && option_table[i].name[len] == '.')
            return true;
    return false;
}

static const char *type_word(const config_setting_t *s)
{
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_GROUP:
        return "a group";
    case CONFIG_TYPE_LIST:
    case CONFIG_TYPE_ARRAY:
        return "a list";
    case CONFIG_TYPE_FLOAT:
        return "a number with a fraction";
    case CONFIG_TYPE_STRING:
        return "a string";
    case CONFIG_TYPE_BOOL:
        return "a truth value";
    default:
        return "a number";
    }
}

static bool is_sequence(const config_setting_t *s)
{
    return config_setting_is_array(s) || config_setting_is_list(s);
}

static bool set_strings(struct walk *w, const struct option *o, config_setting_t *s,
                        struct error *reterr)
{
    struct config *c = w->loading->config;
    option_clear_list(c, o);
    for (int i = 0; i < config_setting_length(s); i++) {
        const config_setting_t *item = config_setting_get_elem(s, (unsigned)i);
        const char *text = config_setting_get_string(item);
        if (text == NULL)
            return error_set(reterr, "item %d is %s; right is a string", i + 1, type_word(item));
        if (!option_add_string(c, o, text, reterr))
            return false;
    }
    return true;
}

/* One { id = "..."; addresses = [ "...", ... ]; } */
static bool add_cluster(struct walk *w, const struct option *o, config_setting_t *group,
                        struct error *reterr)
{
    static const char form[] = "right is { id = \"demo\"; addresses = [ \"10.0.0.1:9876\" ]; }";
    const char *id = NULL;
    const config_setting_t *list = NULL;
    if (!config_setting_is_group(group))
        return error_set(reterr, "an item is %s; %s", type_word(group), form);
    for (int i = 0; i < config_setting_length(group); i++) {
        config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
        const char *name = config_setting_name(s);
        if (strcmp(name, "id") == 0 && config_setting_type(s) == CONFIG_TYPE_STRING)
            id = config_setting_get_string(s);
        else if (strcmp(name, "addresses") == 0 && is_sequence(s))
            list = s;
        else
            return error_set(reterr, "\"%s\" is unknown or %s here; %s", name, type_word(s), form);
    }
    if (id == NULL || list == NULL)
        return error_set(reterr, "a cluster has no %s; %s", id == NULL ? "id" : "addresses", form);

    size_t count = (size_t)config_setting_length(list);
    const char **addresses = calloc(count + 1, sizeof *addresses);
    if (addresses == NULL)
        return error_set(reterr, "out of memory");
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        const config_setting_t *item = config_setting_get_elem(list, (unsigned)i);
        addresses[i] = config_setting_get_string(item);
        if (addresses[i] == NULL)
            ok = error_set(reterr,
                           "address %zu of \"%s\" is %s; right is a string such as "
                           "\"10.0.0.1:9876\"",
                           i + 1, id, type_word(item));
    }
    ok = ok && option_add_cluster(w->loading->config, o, id, addresses, count, reterr);
    free(addresses);
    return ok;
}

static bool set_clusters(struct walk *w, const struct option *o, config_setting_t *s,
                         struct error *reterr)
{
    option_clear_list(w->loading->config, o);
    for (int i = 0; i < config_setting_length(s); i++) {
        config_setting_t *group = config_setting_get_elem(s, (unsigned)i);
        struct error cause;
        if (!add_cluster(w, o, group, &cause))
            return fail_at(w, group, o->name, &cause, reterr);
    }
    return true;
}

/* Behind a string or comment that starts at `at`, else `at` itself. */
static const char *skip_text(const char *at)
{
    if (*at == '"') {
        for (at++; *at != '\0' && *at != '"'; at++)
            at += at[0] == '\\' && at[1] != '\0';
        return at + (*at == '"');
    }
    if (*at == '#' || (at[0] == '/' && at[1] == '/'))
        return at + strcspn(at, "\n");
    if (at[0] == '/' && at[1] == '*') {
        const char *end = strstr(at + 2, "*/");
        return end != NULL ? end + 2 : at + strlen(at);
    }
    return at;
}

/* The first number of more digits than any option takes, from `at` to the end of the line that has
 * the first number; NULL when there is none. Its length goes to *len. */
static const char *find_long_number(const char *at, size_t *len)
{
    bool seen = false;
    while (*at != '\0' && !(seen && *at == '\n')) {
        const char *behind = skip_text(at);
        if (behind != at) {
            at = behind;
            continue;
        }
        size_t word = strspn(at, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
        bool number = *at >= '0' && *at <= '9';
        if (number && word > NUMBER_DIGITS_MAX) {
            *len = word;
            return at;
        }
        seen |= number;
        at += word > 0 ? word : 1;
    }
    return NULL;
}

/* libconfig 1.5 cuts numbers without a suffix to 32 bits before anybody can see it, so the text
 * itself is looked at. */
static bool check_number(const struct walk *w, const config_setting_t *s, struct error *reterr)
{
    const char *file = config_setting_source_file(s);
    unsigned line = config_setting_source_line(s);
    struct buf text;
    buf_init(&text, CONFIG_FILE_MAX);
    bool ok = file_read(file != NULL ? file : w->path, &text, reterr);
    const char *at = buf_text(&text);
    for (unsigned n = 1; ok && n < line && strchr(at, '\n') != NULL; n++)
        at = strchr(at, '\n') + 1;
    size_t len = 0;
    const char *number = ok ? find_long_number(at, &len) : NULL;
    if (number != NULL)
        ok = error_set(reterr, "%.*s is out of range: no option takes a number that large",
                       (int)len, number);
    buf_clear(&text);
    return ok;
}

static bool set_scalar(struct walk *w, const struct option *o, config_setting_t *s,
                       struct error *reterr)
{
    struct config *c = w->loading->config;
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return check_number(w, s, reterr) &&
               option_set_number(c, o, config_setting_get_int64(s), reterr);
    case CONFIG_TYPE_BOOL:
        return option_set_bool(c, o, config_setting_get_bool(s) != 0, reterr);
    case CONFIG_TYPE_STRING:
        break;
    default:
        return error_set(reterr, "%s is not right here; right is a %s", type_word(s),
                         option_type_name(o));
    }
    if (o->type == OPTION_BOOL || o->type == OPTION_INT)
        return error_set(reterr, "\"%s\" is a string; right is a %s without quotes",
                         config_setting_get_string(s), option_type_name(o));
    if (o->type == OPTION_CLUSTERS)
        return error_set(reterr, "a string is not right here; right is ( { id = \"demo\"; "
                                 "addresses = [ \"10.0.0.1:9876\" ]; } )");
    if (o->type != OPTION_STRINGS)
        return option_set_text(c, o, config_setting_get_string(s), reterr);
    /* One string stands for a list of one; "" for none. Not split: the file has real lists. */
    option_clear_list(c, o);
    const char *text = config_setting_get_string(s);
    return text[0] == '\0' || option_add_string(c, o, text, reterr);
}

static bool set_option(struct walk *w, const struct option *o, config_setting_t *s,
                       struct error *reterr)
{
    struct error cause;
    if (o->type == OPTION_CLUSTERS && is_sequence(s)) {
        if (!set_clusters(w, o, s, reterr))
            return false;
    } else if (o->type == OPTION_STRINGS && is_sequence(s)) {
        if (!set_strings(w, o, s, &cause))
            return fail_at(w, s, o->name, &cause, reterr);
    } else if (!set_scalar(w, o, s, &cause)) {
        return fail_at(w, s, o->name, &cause, reterr);
    }
    char place[PATH_MAX];
    where(w, s, place, sizeof place);
    return loading_note(w->loading, o, RANK_FILE, place, reterr);
}

static bool unknown_key(const struct walk *w, const config_setting_t *s, const char *name,
                        struct error *reterr)
{
    struct error cause;
    char near[OPTION_NAME_SIZE];
    if (option_nearest(name, near))
        error_set(&cause, "unknown key; the nearest known one is %s", near);
    else
        error_set(&cause, "unknown key; nsaddrd --help lists the known ones");
    return fail_at(w, s, name, &cause, reterr);
}

/* Groups are at most three deep in the option table, so the recursion is bounded by it. */
static bool walk_group(struct walk *w, config_setting_t *group, const char *prefix,
                       struct error *reterr)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
        char name[NAME_MAX_BYTES];
        (void)snprintf(name, sizeof name, "%s%s%s", prefix, *prefix != '\0' ? "." : "",
                       config_setting_name(s));
        const struct option *o = option_find(name, strlen(name));
        if (o != NULL) {
            if (!set_option(w, o, s, reterr))
                return false;
        } else if (is_group_of_options(name)) {
            struct error cause;
            if (!config_setting_is_group(s)) {
                error_set(&cause, "%s is not right here; right is a group, %s : { ... }",
                          type_word(s), name);
                return fail_at(w, s, name, &cause, reterr);
            }
            if (!walk_group(w, s, name, reterr))
                return false;
        } else {
            return unknown_key(w, s, name, reterr);
        }
    }
    return true;
}

/* libconfig tells an unreadable file from a bad one, but not why. */
static bool readable(const char *path, struct error *reterr)
{
    struct stat st;
    if (stat(path, &st) != 0 || access(path, R_OK) != 0)
        return error_set(reterr, "%s: cannot read the config file: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode) || S_ISFIFO(st.st_mode))
        return error_set(reterr, "%s: is a %s; right is a config file", path,
                         S_ISDIR(st.st_mode) ? "folder" : "pipe");
    return true;
}

/* libconfig reads no deeper. */
#define INCLUDE_DEPTH_MAX 10

static bool check_text(const char *path, const char *dir, unsigned depth, struct error *reterr);

/* `at` is behind "@include"; the name stands in quotes. */
static bool check_include(const char *at, const char *dir, unsigned depth, struct error *reterr)
{
    char path[PATH_MAX];
    at += strspn(at, " \t");
    if (*at != '"' || depth == INCLUDE_DEPTH_MAX)
        return true; /* libconfig says what is wrong */
    at++;
    (void)snprintf(path, sizeof path, "%s/%.*s", dir, (int)strcspn(at, "\"\n"), at);
    return check_text(path, dir, depth + 1, reterr);
}

/* libconfig ends the process when it cannot read a file that it could open, such as a folder, and
 * takes a NUL for the end of a name: the file and those it includes are looked at first. */
static bool check_text(const char *path, const char *dir, unsigned depth, struct error *reterr)
{
    struct buf text;
    buf_init(&text, CONFIG_FILE_MAX);
    bool ok = readable(path, reterr) && file_read(path, &text, reterr);
    const char *at = buf_text(&text);
    if (ok && strlen(at) != text.len)
        ok = error_set(reterr, "%s: has a NUL byte; right is text", path);
    for (bool line_start = true; ok && *at != '\0';) {
        const char *behind = skip_text(at);
        if (line_start && strncmp(at, "@include", 8) == 0)
            ok = check_include(at + 8, dir, depth, reterr);
        line_start = behind == at && (*at == '\n' || (line_start && strchr(" \t", *at) != NULL));
        at = behind == at ? at + 1 : behind;
    }
    buf_clear(&text);
    return ok;
}

bool load_file(struct loading *l, const char *path, struct error *reterr)
{
    bool ok = false;
    config_t file;
    config_init(&file);
    char *copy = strdup(path);
    if (copy == NULL) {
        error_set(reterr, "out of memory");
        goto out;
    }
    const char *dir = dirname(copy);
    if (!check_text(path, dir, 0, reterr))
        goto out;
    config_set_include_dir(&file, dir);
    if (config_read_file(&file, path) != CONFIG_TRUE) {
        const char *in = config_error_file(&file);
        error_set(reterr, "%s:%d: %s; right is `key = value;` or `group : { ... };`",
                  in != NULL ? in : path, config_error_line(&file), config_error_text(&file));
        goto out;
    }
    struct walk w = {.loading = l, .path = path};
    ok = walk_group(&w, config_root_setting(&file), "", reterr);
out:
    free(copy);
    config_destroy(&file);
    return ok;
}

#define TEXT(x) #x
#define VERSION_TEXT(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)

const char *config_library_version(void)
{
    return VERSION_TEXT(LIBCONFIG_VER_MAJOR, LIBCONFIG_VER_MINOR, LIBCONFIG_VER_REVISION);
}
