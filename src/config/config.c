/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "config/load.h"
#include "config/option.h"

/* Larger than any config anybody writes by hand or template. */
#define PRINT_MAX (16 * 1024 * 1024)

bool loading_note(struct loading *l, const struct option *o, enum rank rank, const char *where,
                  struct error *reterr)
{
    size_t i = (size_t)(o - option_table);
    char *copy = strdup(where);
    if (copy == NULL)
        return error_set(reterr, "%s: %s: out of memory", where, o->name);
    free(l->config->origins[i]);
    l->config->origins[i] = copy;
    l->ranks[i] = rank;
    return true;
}

bool loading_set_text(struct loading *l, const struct option *o, enum rank rank, const char *where,
                      const char *text, struct error *reterr)
{
    struct error cause;
    if (!option_set_text(l->config, o, text, &cause))
        return error_set(reterr, "%s: %s: %s", where, o->name, cause.text);
    return loading_note(l, o, rank, where, reterr);
}

static bool load_defaults(struct loading *l, struct error *reterr)
{
    for (size_t i = 0; i < option_count; i++)
        if (!loading_set_text(l, &option_table[i], RANK_DEFAULT, "default", option_table[i].def,
                              reterr))
            return false;
    return true;
}

static bool load_overrides(struct loading *l, const struct config_overrides *overrides,
                           struct error *reterr)
{
    for (size_t i = 0; i < overrides->count; i++) {
        const char *item = overrides->items[i];
        size_t len = strcspn(item, "=");
        const struct option *o = option_find(item, len);
        if (item[len] == '\0')
            return error_set(reterr, "-o %s: right is -o key=value", item);
        if (o == NULL) {
            char name[128];
            char near[OPTION_NAME_SIZE];
            (void)snprintf(name, sizeof name, "%.*s", (int)len, item);
            bool found = option_nearest(name, near);
            return error_set(reterr, "-o %s: unknown key; %s%s", name,
                             found ? "the nearest known one is " : "",
                             found ? near : "nsaddrd --help lists the known ones");
        }
        if (!loading_set_text(l, o, RANK_ARGUMENT, "-o", item + len + 1, reterr)) {
            /* "-o: key: ..." reads better as what was typed. */
            struct error cause = *reterr;
            return error_set(reterr, "-o %s", cause.text + strlen("-o: "));
        }
    }
    return true;
}

struct config *config_load(const char *path, char **environment,
                           const struct config_overrides *overrides, struct error *reterr)
{
    struct loading l = {
        .config = calloc(1, sizeof *l.config),
        .ranks = calloc(option_count, sizeof *l.ranks),
    };
    struct config *c = l.config;
    if (c != NULL)
        c->origins = calloc(option_count, sizeof *c->origins);
    if (c == NULL || c->origins == NULL || l.ranks == NULL) {
        error_set(reterr, "out of memory");
        goto fail;
    }
    if (load_defaults(&l, reterr) && load_consul_environment(&l, environment, reterr) &&
        (path == NULL || load_file(&l, path, reterr)) &&
        load_environment(&l, environment, reterr) && load_overrides(&l, overrides, reterr) &&
        check_config(&l, reterr)) {
        free(l.ranks);
        return c;
    }
fail:
    free(l.ranks);
    config_free(c);
    return NULL;
}

void config_free(struct config *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < option_count; i++) {
        option_free_value(c, &option_table[i]);
        if (c->origins != NULL)
            free(c->origins[i]);
    }
    free(c->origins);
    free(c->consul.http_auth);
    free(c);
}

bool config_replace_list(struct config *c, const char *key, const char *const *items, size_t count,
                         const char *where, struct error *reterr)
{
    struct error cause;
    const struct option *o = option_find(key, strlen(key));
    option_clear_list(c, o);
    for (size_t i = 0; i < count; i++)
        if (!option_add_string(c, o, items[i], &cause))
            return error_set(reterr, "%s: %s", where, cause.text);
    return true;
}

void config_where(const struct config *c, const char *key, char *out, size_t size)
{
    const struct option *o = option_find(key, strlen(key));
    const char *origin = c->origins[o - option_table];
    if (strncmp(origin, "NSADDRD_", 8) == 0)
        (void)snprintf(out, size, "%s", origin);
    else
        (void)snprintf(out, size, "%s%s%s", origin, strcmp(origin, "-o") == 0 ? " " : ": ", key);
}

/* How many bytes of dotted groups two names share: "consul.tls.a" and "consul.wait" -> 7. */
static size_t shared_groups(const char *a, const char *b)
{
    size_t shared = 0;
    for (size_t i = 0; a[i] != '\0' && a[i] == b[i]; i++)
        if (a[i] == '.')
            shared = i + 1;
    return shared;
}

static size_t depth(const char *name, size_t len)
{
    size_t dots = 0;
    for (size_t i = 0; i < len; i++)
        dots += name[i] == '.';
    return dots;
}

static void indent(struct buf *out, size_t levels)
{
    for (size_t i = 0; i < levels; i++)
        (void)buf_append_str(out, "    ");
}

/* Closes the groups of `last` and opens those of `name` behind their common ones. */
static void change_group(struct buf *out, const char *last, const char *name)
{
    size_t shared = shared_groups(last, name);
    size_t from = depth(last, strlen(last));
    size_t common = depth(name, shared);
    for (size_t level = from; level > common; level--) {
        indent(out, level - 1);
        (void)buf_append_str(out, "};\n");
    }
    const char *part = name + shared;
    for (const char *dot = strchr(part, '.'); dot != NULL; dot = strchr(part, '.')) {
        indent(out, common++);
        (void)buf_printf(out, "%.*s : {\n", (int)(dot - part), part);
        part = dot + 1;
    }
}

char *config_text(const struct config *c)
{
    struct buf text;
    buf_init(&text, PRINT_MAX);
    const char *last = "";
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        const char *dot = strrchr(o->name, '.');
        change_group(&text, last, o->name);
        indent(&text, depth(o->name, strlen(o->name)));
        (void)buf_printf(&text, "%s = ", dot != NULL ? dot + 1 : o->name);
        option_format(c, o, &text);
        (void)buf_append_str(&text, ";\n");
        last = o->name;
    }
    change_group(&text, last, "");
    char *made = buf_detach(&text);
    buf_clear(&text);
    return made;
}

bool config_print(const struct config *c, FILE *out)
{
    char *text = config_text(c);
    bool ok = text != NULL && fputs(text, out) >= 0;
    free(text);
    return fflush(out) == 0 && ok;
}

bool config_print_options(FILE *out)
{
    bool ok = true;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        ok = fprintf(out, "  %-32s %-15s %-8s default %-34s %s\n", o->name, option_type_name(o),
                     o->reloadable ? "reload" : "restart", o->def[0] != '\0' ? o->def : "\"\"",
                     o->help) >= 0 &&
             ok;
    }
    return ok;
}
