/* SPDX-License-Identifier: Apache-2.0 */
#include "config/reload.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"
#include "config/option.h"

/* As a config file. */
#define VALUE_MAX (64 * 1024 * 1024)

/* Each cluster that changes is logged in full where it does; thousands of them are no value to read. */
static void describe(const struct config *c, const struct option *o, struct buf *out)
{
    buf_init(out, VALUE_MAX);
    if (o->type == OPTION_CLUSTERS)
        (void)buf_printf(out, "clusters: %zu", c->static_clusters.count);
    else
        option_format(c, o, out);
}

/* Without the quotes around the whole, which are no news. */
static const char *unquoted(struct buf *value)
{
    if (value->len < 2 || value->data[0] != '"')
        return buf_text(value);
    value->data[value->len - 1] = '\0';
    return value->data + 1;
}

static bool tell(const struct config *running, const struct config *read, const struct option *o,
                 void (*visit)(const struct config_change *change, void *arg), void *arg)
{
    struct buf was, is;
    describe(running, o, &was);
    describe(read, o, &is);
    bool ok = !was.failed && !is.failed;
    const struct config_change change = {
        .key = o->name,
        .was = unquoted(&was),
        .is = unquoted(&is),
        .where = read->origins[o - option_table],
        .needs_a_restart = !o->reloadable,
    };
    if (ok)
        visit(&change, arg);
    buf_clear(&was);
    buf_clear(&is);
    return ok;
}

bool config_each_change(const struct config *running, const struct config *read,
                        void (*visit)(const struct config_change *change, void *arg), void *arg,
                        struct error *reterr)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        if (!option_same(running, read, o) && !tell(running, read, o, visit, arg))
            return error_set(reterr, "%s: out of memory", o->name);
    }
    return true;
}

bool config_keep_started(struct config *read, const struct config *running, struct error *reterr)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        if (o->reloadable || option_same(running, read, o))
            continue;
        char *origin = strdup(running->origins[i]);
        if (origin == NULL)
            return error_set(reterr, "%s: out of memory", o->name);
        free(read->origins[i]);
        read->origins[i] = origin;
        if (!option_copy(read, running, o, reterr))
            return false;
    }
    /* Made of consul.address. */
    read->consul.target = running->consul.target;
    return true;
}
