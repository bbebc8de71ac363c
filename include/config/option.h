/*
 * option.h - the table of all options: the parser, --help, --print-config and the documentation
 * check are driven by its rows. Internal to the config room.
 *
 * Ownership  A config owns its values, of which option_free_value() frees one. Texts are copied.
 * Threads    One per config at a time; those that only read it: any.
 * Errors     One line: what is wrong, and what would be right. The caller says where it stands.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONFIG_OPTION_H
#define CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

struct buf;
struct config;
struct error;

enum option_type {
    OPTION_STRING,
    OPTION_BOOL,
    OPTION_INT,
    OPTION_DURATION,
    OPTION_ENUM,
    OPTION_STRINGS,
    OPTION_CLUSTERS,
};

struct option {
    const char *name; /* "consul.tls.ca_file" */
    enum option_type type;
    size_t offset; /* of the value in struct config */
    const char *def;
    int64_t min, max;         /* numbers and durations (ms) */
    const char *const *words; /* enums, NULL-terminated; the value is the place in it */
    bool secret;
    bool reloadable; /* a reload changes it; else it takes a restart */
    const char *help;
};

extern const struct option option_table[];
extern const size_t option_count;

/* The row of that name (len bytes), or NULL. */
const struct option *option_find(const char *name, size_t len);

#define OPTION_NAME_SIZE 64

/* The known name, of an option or of a group, nearest to a misspelt one; false when none is. */
bool option_nearest(const char *name, char out[static OPTION_NAME_SIZE]);

/* Where the value is. */
static inline void *option_at(struct config *c, const struct option *o)
{
    return (char *)c + o->offset;
}

static inline const void *option_const_at(const struct config *c, const struct option *o)
{
    return (const char *)c + o->offset;
}

const char *option_type_name(const struct option *o);

/* Sets the option from text (-o, environment, default, a string in the file). Lists are
 * separated by commas, static clusters are "id=ip:port;ip:port". */
bool option_set_text(struct config *c, const struct option *o, const char *text,
                     struct error *reterr) MUST_CHECK;

/* The same from typed values of the file. */
bool option_set_number(struct config *c, const struct option *o, int64_t value,
                       struct error *reterr) MUST_CHECK;
bool option_set_bool(struct config *c, const struct option *o, bool value,
                     struct error *reterr) MUST_CHECK;
/* Lists are emptied, then filled item by item. */
void option_clear_list(struct config *c, const struct option *o);
bool option_add_string(struct config *c, const struct option *o, const char *text,
                       struct error *reterr) MUST_CHECK;
bool option_add_cluster(struct config *c, const struct option *o, const char *id,
                        const char *const *addresses, size_t count,
                        struct error *reterr) MUST_CHECK;

/* Have both the same value? */
bool option_same(const struct config *a, const struct config *b, const struct option *o);
/* Gives the option of `c` the value that it has in `from`; not for clusters. */
bool option_copy(struct config *c, const struct config *from, const struct option *o,
                 struct error *reterr) MUST_CHECK;

/* Appends the value in the file's syntax, secrets masked; out->failed tells of failure. */
void option_format(const struct config *c, const struct option *o, struct buf *out);

void option_free_value(struct config *c, const struct option *o);

#endif
