/*
 * log.h - one line per event on standard error.
 *
 * A line is a literal message and typed fields: `LOG_INFO("cluster changed", F_STR("cluster", id))`.
 * Values may come from a peer; they are escaped here and cut to a bounded length, so nothing a
 * peer says can forge a line. Log changes, not iterations.
 *
 * Threads  Any thread; one write(2) per line, so lines do not mix.
 * Errors   A line that cannot be written is dropped: there is nowhere left to say so.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

struct log_field {
    const char *key;
    const char *text; /* NULL: the value is `number` */
    int64_t number;
};

#define F_STR(k, v) ((struct log_field){.key = (k), .text = (v)})
#define F_INT(k, v) ((struct log_field){.key = (k), .number = (int64_t)(v)})

/* Until it is called: info and above, logfmt. Call before other threads start, or from one
 * thread while others log: a line in flight takes the old or the new form. */
void log_configure(enum log_level level, enum log_format format);

/* Use the LOG_ macros below. `message` must be a literal. */
void log_write(enum log_level level, const char *message, const struct log_field *fields,
               size_t count);

#define LOG_AT(level, message, ...)                                                                \
    log_write((level), "" message, (const struct log_field[]){__VA_ARGS__},                        \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define LOG_DEBUG(message, ...) LOG_AT(LOG_LEVEL_DEBUG, message, __VA_ARGS__)
#define LOG_INFO(message, ...) LOG_AT(LOG_LEVEL_INFO, message, __VA_ARGS__)
#define LOG_WARN(message, ...) LOG_AT(LOG_LEVEL_WARN, message, __VA_ARGS__)
#define LOG_ERROR(message, ...) LOG_AT(LOG_LEVEL_ERROR, message, __VA_ARGS__)

#endif
