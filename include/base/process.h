/*
 * process.h - what this process uses of the machine, as the kernel says it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* In place of a number that cannot be had, or of a limit that is not set. */
#define PROCESS_UNKNOWN (-1)

struct process_usage {
    int64_t cpu_us; /* user and system time, in microseconds */
    int64_t threads;
    int64_t virtual_bytes;
    int64_t virtual_max_bytes;
    int64_t resident_bytes;
    int64_t open_fds;
    int64_t max_fds; /* the soft limit */
};

/* Reads some files of /proc/self; before Linux 6.2 that takes a microsecond for each open file, so
 * it is for a thread that may wait a moment. */
void process_usage_read(struct process_usage *out);

/* -- its parts ------------------------------------------------------------------------------- */

/* How many entries a folder has, hidden ones left out, or PROCESS_UNKNOWN. */
int64_t process_count_entries(const char *folder);

/* The part of it that a /proc/<pid>/stat line has: threads, virtual_bytes, resident_bytes. False,
 * with nothing changed, when the line is not of that form. */
bool process_stat_parse(const char *line, int64_t page_bytes, struct process_usage *out);

/* Gives back the memory that only the start needed: freed heap, and the pages of our own and the
 * libraries' code and constants that it brought in (some twenty libraries set themselves up). What
 * is used again comes back from the page cache by itself. */
void process_settle(void);

#endif
