/* SPDX-License-Identifier: Apache-2.0 */
/* temp.h - a folder of a test's own, and files in it. */
#ifndef UNIT_TEMP_H
#define UNIT_TEMP_H

#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

struct temp {
    char dir[64];
    char path[PATH_MAX]; /* of the last temp_path() */
};

static inline void temp_make(struct temp *t)
{
    (void)snprintf(t->dir, sizeof t->dir, "/tmp/nsaddrd-unit.XXXXXX");
    if (mkdtemp(t->dir) == NULL)
        fail_msg("cannot make a temporary folder");
}

/* Valid until the next call. */
static inline const char *temp_path(struct temp *t, const char *name)
{
    (void)snprintf(t->path, sizeof t->path, "%s/%s", t->dir, name);
    return t->path;
}

static inline void temp_write(struct temp *t, const char *name, const void *bytes, size_t len)
{
    FILE *f = fopen(temp_path(t, name), "we");
    if (f == NULL || fwrite(bytes, 1, len, f) != len || fclose(f) != 0)
        fail_msg("cannot write %s", t->path);
}

static inline bool temp_exists(struct temp *t, const char *name)
{
    return access(temp_path(t, name), F_OK) == 0;
}

/* The file as text in `out`; returns its length, 0 when there is none. */
static inline size_t temp_read(struct temp *t, const char *name, char *out, size_t size)
{
    FILE *f = fopen(temp_path(t, name), "re");
    size_t len = f != NULL ? fread(out, 1, size - 1, f) : 0;
    out[len] = '\0';
    if (f != NULL)
        (void)fclose(f);
    return len;
}

/* The folder and what is in it, one level deep. */
static inline void temp_remove(struct temp *t)
{
    DIR *dir = opendir(t->dir);
    if (dir == NULL)
        return;
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            (void)remove(temp_path(t, e->d_name));
    }
    (void)closedir(dir);
    (void)rmdir(t->dir);
}

#endif
