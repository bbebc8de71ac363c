/*
 * log.h - one line per event on standard error.
 *
 * A line is a literal message and typed fields: `LOG_INFO("cluster changed", F_STR("cluster", id))`.
 * Values may come from a peer; they are escaped here and cut to a bounded length, so nothing a
 * peer says can forge a line, or show it in another order. Valid UTF-8 is kept. Log changes, not
 * iterations; what may fail again and again is held to a rate (struct log_limit).
 *
 * In the journal of a service manager each line has its level in front, "<6>".
 *
 * Threads  Any thread; one write(2) per line, so lines do not mix. Where nobody reads what is written,
 *          a thread waits for room for 50 ms at most, and all of them once a second at most.
 * Errors   A line that cannot be written, or finds no room, is dropped; the next that gets through says
 *          how many were (lines_dropped), and log_lines_dropped() counts them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

struct log_field {
    const char *key;  /* NULL: there is no such field */
    const char *text; /* NULL: the value is `number` */
    int64_t number;
};

#define F_STR(k, v) ((struct log_field){.key = (k), .text = (v)})
#define F_INT(k, v) ((struct log_field){.key = (k), .number = (int64_t)(v)})

/* The same, left out when it is zero. */
#define F_SOME(k, v) log_field_if_any((k), (int64_t)(v))

static inline struct log_field log_field_if_any(const char *key, int64_t number)
{
    return (struct log_field){.key = number != 0 ? key : NULL, .number = number};
}

/* How often one thing is said. Starts zeroed. */
struct log_limit {
    atomic_int_fast64_t began_ms;
    atomic_uint passed; /* since then */
    atomic_uint left_out;
};

#define LOG_LIMIT_MS 60000
#define LOG_LIMIT_BURST 10 /* who looks sees that it comes and goes */

/* May it be said once more? So often at most, and then not before LOG_LIMIT_MS are over. *left_out: how
 * often it was not said since it was. Any thread; `now_ms` is that of clock_mono_ms(). */
bool log_limit_pass(struct log_limit *l, unsigned burst, int64_t now_ms, unsigned *left_out);

/* A failure that lasts: said when it begins and when it is over. One that comes and goes is held to a
 * rate; while it lasts and was not said yet, that is tried with each further failure. Starts zeroed.
 * One thread. */
struct log_complaint {
    struct log_limit limit;
    bool told;
};

/* True when the failure is to be said now; *left_out as above. */
bool log_complaint_begins(struct log_complaint *c, int64_t now_ms, unsigned *left_out);
/* It is over. True when it was said. */
bool log_complaint_ends(struct log_complaint *c);

/* Looks whether standard error is the journal (JOURNAL_STREAM). Before other threads start. */
void log_open(void);

/* What belongs in front of a line of that level on standard error: "" or "<3>". */
const char *log_prefix(enum log_level level);

/* Until it is called: info and above, logfmt. Call before other threads start, or from one
 * thread while others log: a line in flight takes the old or the new form. */
void log_configure(enum log_level level, enum log_format format);

/* Use the LOG_ macros below. `message` must be a literal. */
void log_write(enum log_level level, const char *message, const struct log_field *fields,
               size_t count);

/* Since the start. Any thread. */
uint64_t log_lines_dropped(void);

#define LOG_AT(level, message, ...)                                                                \
    log_write((level), "" message, (const struct log_field[]){__VA_ARGS__},                        \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define LOG_DEBUG(message, ...) LOG_AT(LOG_LEVEL_DEBUG, message, __VA_ARGS__)
#define LOG_INFO(message, ...) LOG_AT(LOG_LEVEL_INFO, message, __VA_ARGS__)
#define LOG_WARN(message, ...) LOG_AT(LOG_LEVEL_WARN, message, __VA_ARGS__)
#define LOG_ERROR(message, ...) LOG_AT(LOG_LEVEL_ERROR, message, __VA_ARGS__)

#endif
