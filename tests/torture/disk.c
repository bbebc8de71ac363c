/* SPDX-License-Identifier: Apache-2.0 */
#include "disk.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "torture.h"

#define SECTOR 512
#define FILE_BYTES_MAX ((size_t)1024 * 1024)
#define NAMES_MAX 8
#define NAME_SIZE 64
#define FDS_MAX 1024
#define NO_FILE (-1)
#define FOLDER (-2)

/* A write, or (without bytes) a cut at `offset`. */
struct step {
    size_t offset;
    size_t len;
    char *bytes;
};

struct inode {
    char *durable;
    size_t durable_len;
    struct step *steps; /* since the last sync */
    size_t count;
};

struct names {
    char text[NAMES_MAX][NAME_SIZE]; /* "": none */
    int inode[NAMES_MAX];
};

struct disk {
    struct inode *inodes;
    int inode_count;
    struct names *names; /* the durable ones, and those after each change since */
    size_t names_count;
};

static struct disk *disk;
static const char *folder;
static void (*on_change)(void);
static int fds[FDS_MAX];

static void give_up(const char *why)
{
    (void)fprintf(stdout, "BAD disk.c: %s\n", why);
    exit(2);
}

static void *checked(void *memory)
{
    if (memory == NULL)
        give_up("out of memory");
    return memory;
}

static void *copy_of(const void *bytes, size_t len)
{
    return memcpy(checked(malloc(len + 1)), bytes, len);
}

/* -- life ------------------------------------------------------------------------------------ */

struct disk *disk_new(void)
{
    struct disk *d = checked(calloc(1, sizeof *d));
    d->names = checked(calloc(1, sizeof *d->names));
    d->names_count = 1;
    return d;
}

static void forget_steps(struct inode *i)
{
    for (size_t s = 0; s < i->count; s++)
        free(i->steps[s].bytes);
    free(i->steps);
    i->steps = NULL;
    i->count = 0;
}

void disk_free(struct disk *d)
{
    if (d == NULL)
        return;
    for (int i = 0; i < d->inode_count; i++) {
        forget_steps(&d->inodes[i]);
        free(d->inodes[i].durable);
    }
    free(d->inodes);
    free(d->names);
    free(d);
}

struct disk *disk_copy(const struct disk *d)
{
    struct disk *copy = copy_of(d, sizeof *d);
    copy->names = copy_of(d->names, d->names_count * sizeof *d->names);
    copy->inodes = checked(calloc((size_t)d->inode_count + 1, sizeof *d->inodes));
    for (int i = 0; i < d->inode_count; i++) {
        const struct inode *from = &d->inodes[i];
        struct inode *to = &copy->inodes[i];
        *to = *from;
        to->durable = copy_of(from->durable, from->durable_len);
        to->steps = copy_of(from->steps != NULL ? (const void *)from->steps : "",
                            from->count * sizeof *from->steps);
        for (size_t s = 0; s < from->count; s++)
            if (from->steps[s].bytes != NULL)
                to->steps[s].bytes = copy_of(from->steps[s].bytes, from->steps[s].len);
    }
    return copy;
}

/* -- what is in a file ----------------------------------------------------------------------- */

/* Of `out`, the part from `begin` to `end` as it was after so many steps. Returns the file's length
 * then. */
static size_t replay(const struct inode *i, size_t count, char *out, size_t begin, size_t end)
{
    size_t len = i->durable_len;
    memset(out + begin, 0, end - begin);
    if (len > begin)
        memcpy(out + begin, i->durable + begin, (len < end ? len : end) - begin);
    for (size_t s = 0; s < count; s++) {
        const struct step *step = &i->steps[s];
        size_t from = step->offset > begin ? step->offset : begin;
        size_t to = step->bytes == NULL ? end : step->offset + step->len;
        to = to < end ? to : end;
        if (from < to && step->bytes == NULL)
            memset(out + from, 0, to - from);
        else if (from < to)
            memcpy(out + from, step->bytes + (from - step->offset), to - from);
        size_t reached = step->offset + step->len;
        len = step->bytes == NULL || reached > len ? reached : len;
    }
    return len;
}

static void settle(struct inode *i, const char *bytes, size_t len)
{
    forget_steps(i);
    free(i->durable);
    i->durable = copy_of(bytes, len);
    i->durable_len = len;
}

/* -- following ------------------------------------------------------------------------------- */

static struct names *names_now(const struct disk *d)
{
    return &d->names[d->names_count - 1];
}

static int *slot_of(struct names *names, const char *name)
{
    for (int i = 0; i < NAMES_MAX; i++)
        if (strcmp(names->text[i], name) == 0)
            return &names->inode[i];
    return NULL;
}

/* NULL for what is not in the folder. */
static const char *name_of(const char *path)
{
    size_t len = strlen(folder);
    return strncmp(path, folder, len) == 0 && path[len] == '/' ? path + len + 1 : NULL;
}

static struct names *change_names(void)
{
    size_t size = (disk->names_count + 1) * sizeof *disk->names;
    disk->names = checked(realloc(disk->names, size));
    disk->names[disk->names_count] = *names_now(disk);
    disk->names_count++;
    return names_now(disk);
}

static void add_name(struct names *names, const char *name, int inode)
{
    int *slot = slot_of(names, name);
    if (slot == NULL && (slot = slot_of(names, "")) == NULL)
        give_up("too many names");
    *slot = inode;
    (void)snprintf(names->text[slot - names->inode], NAME_SIZE, "%s", name);
}

static void remove_name(struct names *names, const char *name)
{
    int *slot = slot_of(names, name);
    if (slot != NULL)
        names->text[slot - names->inode][0] = '\0';
}

static void add_step(int inode, const void *bytes, size_t len, size_t offset)
{
    struct inode *i = &disk->inodes[inode];
    if (offset + len > FILE_BYTES_MAX)
        give_up("a file is too large");
    i->steps = checked(realloc(i->steps, (i->count + 1) * sizeof *i->steps));
    i->steps[i->count++] = (struct step){
        .offset = offset, .len = len, .bytes = bytes != NULL ? copy_of(bytes, len) : NULL};
}

static void opened(int fd, const char *path, int flags)
{
    const char *name = name_of(path);
    if (fd >= FDS_MAX)
        give_up("too many files");
    fds[fd] = strcmp(path, folder) == 0 ? FOLDER : NO_FILE;
    if (name == NULL)
        return;
    const int *slot = slot_of(names_now(disk), name);
    if (slot != NULL) {
        fds[fd] = *slot;
        if ((flags & O_TRUNC) != 0)
            add_step(*slot, NULL, 0, 0);
    } else if ((flags & O_CREAT) != 0) {
        size_t size = ((size_t)disk->inode_count + 1) * sizeof *disk->inodes;
        disk->inodes = checked(realloc(disk->inodes, size));
        disk->inodes[disk->inode_count] = (struct inode){.durable = copy_of("", 0)};
        fds[fd] = disk->inode_count++;
        add_name(change_names(), name, fds[fd]);
    }
    on_change();
}

static void wrote(int fd, const void *bytes, size_t len, off_t offset)
{
    if (fds[fd] < 0)
        return;
    add_step(fds[fd], bytes, len, (size_t)offset);
    on_change();
}

static void cut(int fd, off_t len)
{
    if (fds[fd] < 0)
        return;
    add_step(fds[fd], NULL, 0, (size_t)len);
    on_change();
}

static void synced(int fd)
{
    static char bytes[FILE_BYTES_MAX];
    if (fds[fd] == FOLDER) {
        disk->names[0] = *names_now(disk);
        disk->names_count = 1;
    } else if (fds[fd] >= 0) {
        struct inode *i = &disk->inodes[fds[fd]];
        settle(i, bytes, replay(i, i->count, bytes, 0, sizeof bytes));
    }
    on_change();
}

static void renamed(const char *from, const char *to)
{
    struct names *names = change_names();
    const int *slot = slot_of(names, name_of(from));
    if (slot == NULL)
        give_up("a file is renamed that was never seen");
    int inode = *slot;
    remove_name(names, name_of(from));
    add_name(names, name_of(to), inode);
    on_change();
}

static void unlinked(const char *path)
{
    remove_name(change_names(), name_of(path));
    on_change();
}

void disk_follow(struct disk *d, const char *dir, void (*changed)(void))
{
    static const struct torture_watcher watcher = {
        .opened = opened,
        .wrote = wrote,
        .cut = cut,
        .synced = synced,
        .renamed = renamed,
        .unlinked = unlinked,
    };
    for (int i = 0; i < FDS_MAX; i++)
        fds[i] = NO_FILE;
    disk = d;
    folder = dir;
    on_change = changed;
    torture_watch(d != NULL ? &watcher : NULL);
}

/* -- the end --------------------------------------------------------------------------------- */

static size_t any_of(struct jitter *random, size_t count)
{
    return (size_t)jitter_upto(random, (int64_t)count);
}

void disk_fail_power(struct disk *d, struct jitter *random)
{
    static char bytes[FILE_BYTES_MAX], unused[FILE_BYTES_MAX];
    d->names[0] = d->names[any_of(random, d->names_count - 1)];
    d->names_count = 1;
    for (int n = 0; n < d->inode_count; n++) {
        struct inode *i = &d->inodes[n];
        size_t len = replay(i, any_of(random, i->count), unused, 0, 0);
        int64_t style = jitter_upto(random, 4); /* often all of it is there, or nothing */
        for (size_t at = 0; at < len; at += SECTOR) {
            size_t count = style == 0 ? 0 : style == 1 ? i->count : any_of(random, i->count);
            (void)replay(i, count, bytes, at, at + SECTOR);
        }
        settle(i, bytes, len);
    }
}

void disk_write_out(const struct disk *d, const char *dir)
{
    static char bytes[FILE_BYTES_MAX];
    const struct names *names = names_now(d);
    for (int i = 0; i < NAMES_MAX; i++) {
        char path[PATH_MAX];
        if (names->text[i][0] == '\0')
            continue;
        const struct inode *inode = &d->inodes[names->inode[i]];
        size_t len = replay(inode, inode->count, bytes, 0, sizeof bytes);
        (void)snprintf(path, sizeof path, "%s/%s", dir, names->text[i]);
        FILE *f = fopen(path, "we");
        if (f == NULL || fwrite(bytes, 1, len, f) != len || fclose(f) != 0)
            give_up("cannot write a file");
    }
}
