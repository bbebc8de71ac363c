/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <link.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"

#define STAT_MAX 4096

/* Fields of the stat line, as proc(5) numbers them. The second, the program's name in parentheses,
 * may hold anything; the third is the first one behind it. */
#define FIELD_FIRST 3
#define FIELD_THREADS 20
#define FIELD_VIRTUAL 23  /* bytes */
#define FIELD_RESIDENT 24 /* pages */

static bool take_number(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    intmax_t value = strtoimax(text, &end, 10);
    if (end == text || errno != 0 || value < 0 || strchr(" \n", *end) == NULL)
        return false;
    *out = value;
    return true;
}

bool process_stat_parse(const char *line, int64_t page_bytes, struct process_usage *out)
{
    int64_t threads = 0;
    int64_t virtual_bytes = 0;
    int64_t pages = 0;
    const char *at = strrchr(line, ')');
    for (int field = FIELD_FIRST; at != NULL && field <= FIELD_RESIDENT; field++) {
        at = strchr(at, ' ');
        if (at == NULL)
            return false;
        at++;
        if ((field == FIELD_THREADS && !take_number(at, &threads)) ||
            (field == FIELD_VIRTUAL && !take_number(at, &virtual_bytes)) ||
            (field == FIELD_RESIDENT && !take_number(at, &pages)))
            return false;
    }
    if (at == NULL)
        return false;
    out->threads = threads;
    out->virtual_bytes = virtual_bytes;
    out->resident_bytes = pages * page_bytes;
    return true;
}

static void read_stat(struct process_usage *out)
{
    struct buf line;
    long page = sysconf(_SC_PAGESIZE);
    buf_init(&line, STAT_MAX);
    if (page > 0 && file_read("/proc/self/stat", &line, NULL))
        (void)process_stat_parse(buf_text(&line), page, out);
    buf_clear(&line);
}

int64_t process_count_entries(const char *folder)
{
    DIR *dir = opendir(folder);
    int64_t count = 0;
    if (dir == NULL)
        return PROCESS_UNKNOWN;
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
        count += e->d_name[0] != '.';
    (void)closedir(dir);
    return count;
}

/* Since Linux 6.2 the folder's size is the number of its entries. Before, they have to be read, a
 * microsecond each, and the folder that is read is one of them. */
static int64_t count_fds(void)
{
    static const char folder[] = "/proc/self/fd";
    struct stat info;
    if (stat(folder, &info) == 0 && info.st_size > 0)
        return info.st_size;
    int64_t count = process_count_entries(folder);
    return count > 0 ? count - 1 : PROCESS_UNKNOWN;
}

static int64_t soft(const struct rlimit *limit)
{
    bool known = limit->rlim_cur != RLIM_INFINITY && limit->rlim_cur <= INT64_MAX;
    return known ? (int64_t)limit->rlim_cur : PROCESS_UNKNOWN;
}

void process_usage_read(struct process_usage *out)
{
    struct rlimit limit;
    struct rusage used;
    *out = (struct process_usage){
        .cpu_us = PROCESS_UNKNOWN,
        .threads = PROCESS_UNKNOWN,
        .virtual_bytes = PROCESS_UNKNOWN,
        .virtual_max_bytes = PROCESS_UNKNOWN,
        .resident_bytes = PROCESS_UNKNOWN,
        .open_fds = count_fds(),
        .max_fds = PROCESS_UNKNOWN,
    };
    if (getrlimit(RLIMIT_AS, &limit) == 0)
        out->virtual_max_bytes = soft(&limit);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        out->max_fds = soft(&limit);
    if (getrusage(RUSAGE_SELF, &used) == 0)
        out->cpu_us = ((int64_t)used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
                      used.ru_utime.tv_usec + used.ru_stime.tv_usec;
    read_stat(out);
}

/* Only what nobody can write is as it is in the file. */
static int release_pages(struct dl_phdr_info *object, size_t size, void *arg)
{
    const ElfW(Addr) page = *(const ElfW(Addr) *)arg;
    (void)size;
    for (ElfW(Half) i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        ElfW(Addr) start = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        ElfW(Addr) end = object->dlpi_addr + segment->p_vaddr + segment->p_memsz;
        union {
            ElfW(Addr) number;
            void *pointer;
        } at = {.number = start};
        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) == 0)
            (void)madvise(at.pointer, end - start, MADV_DONTNEED); /* a hint: it may fail */
    }
    return 0;
}

void process_settle(void)
{
    long size = sysconf(_SC_PAGESIZE);
    ElfW(Addr) page = (ElfW(Addr))size;
    (void)malloc_trim(0);
    if (size > 0)
        (void)dl_iterate_phdr(release_pages, &page);
}
