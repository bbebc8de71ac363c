/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_config.c - settings from a file, from variables and from -o to a config, or to an error.
 *
 * Input: the file; behind a byte \x1e the environment, one variable per line; behind another one
 * the values of -o, one per line. The file may include those of `included`.
 *
 * A config that is loaded is in range and, printed, is a file that gives the same config. An error
 * says where it is.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/config.h"
#include "config/option.h"
#include "fuzz.h"
#include "model/cluster_id.h"

#define LINES_MAX 32

static const char *const included[][2] = {
    {"part.conf", "http : { threads = 2; };\n"},
    {"bad.conf", "log : { level = \"loud\"; };\n"},
    {"loop.conf", "@include \"loop.conf\"\n"},
};

struct lines {
    char *items[LINES_MAX + 1]; /* NULL-terminated; owned */
    size_t count;
};

static void read_lines(struct input part, struct lines *out)
{
    *out = (struct lines){.count = 0};
    while (part.left > 0 && out->count < LINES_MAX)
        out->items[out->count++] = fuzz_line(&part);
}

static void free_lines(struct lines *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->items[i]);
}

/* -- what is owed ---------------------------------------------------------------------------- */

/* The place comes first: a file, a variable, -o, or the default that something else clashes with. */
static void check_error(const struct error *error)
{
    static const char *const places[] = {"-o ",        "NSADDRD_",  "CONSUL_",    "default: ",
                                         "part.conf:", "bad.conf:", "loop.conf:", "fuzz.conf:"};
    const char *folder = fuzz_folder();
    bool placed = strncmp(error->text, folder, strlen(folder)) == 0;
    for (size_t i = 0; i < COUNT_OF(places); i++)
        placed |= strncmp(error->text, places[i], strlen(places[i])) == 0;
    HOLDS(placed, "no place in: %s", error->text);
    HOLDS(strchr(error->text, ' ') != NULL, "only a place: %s", error->text);
    for (const char *c = error->text; *c != '\0'; c++)
        HOLDS((unsigned char)*c >= 0x20 && *c != 0x7f, "a control character in: %s", error->text);
}

static void check_clusters(const struct static_clusters *all)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct static_cluster *s = &all->items[i];
        HOLDS(cluster_id_valid(s->id, strlen(s->id)) && s->count > 0, "cluster %s", s->id);
        for (size_t k = 0; k < i; k++)
            HOLDS(strcmp(all->items[k].id, s->id) != 0, "cluster %s twice", s->id);
        for (size_t k = 1; k < s->count; k++)
            HOLDS(endpoint_compare(&s->list[k - 1], &s->list[k]) < 0, "%s is not sorted", s->id);
    }
}

static void check_option(const struct config *c, const struct option *o)
{
    const void *value = (const char *)c + o->offset;
    int64_t number = 0;
    if (o->type == OPTION_INT || o->type == OPTION_DURATION || o->type == OPTION_ENUM)
        memcpy(&number, value, sizeof number);
    if (o->type == OPTION_INT || o->type == OPTION_DURATION)
        HOLDS(number >= o->min && number <= o->max, "%s is %lld", o->name, (long long)number);
    if (o->type == OPTION_ENUM) {
        int64_t words = 0;
        while (o->words[words] != NULL)
            words++;
        HOLDS(number >= 0 && number < words, "%s is %lld", o->name, (long long)number);
    }
    if (o->type == OPTION_STRING)
        HOLDS(*(const char *const *)value != NULL, "%s has no value", o->name);
    if (o->type == OPTION_CLUSTERS)
        check_clusters(value);
}

static void check_listen(const struct strings *list)
{
    struct listen_address a;
    struct error error;
    for (size_t i = 0; i < list->count; i++)
        HOLDS(listen_address_parse(list->items[i], &a, &error) && a.port != 0, "%s",
              list->items[i]);
}

/* What is served and asked by it works, as far as a text can show that. */
static void check_config(const struct config *c)
{
    struct advertise_address advertised;
    struct error error;
    for (size_t i = 0; i < option_count; i++)
        check_option(c, &option_table[i]);
    HOLDS(c->listen.count > 0, "no address to listen on");
    check_listen(&c->listen);
    check_listen(&c->admin.listen);
    HOLDS(c->default_cluster[0] == '\0' ||
              cluster_id_valid(c->default_cluster, strlen(c->default_cluster)),
          "the default cluster is %s", c->default_cluster);
    HOLDS(strncmp(c->consul.target.base_url, "http", 4) == 0, "Consul is at \"%s\"",
          c->consul.target.base_url);
    HOLDS(cluster_id_valid(c->consul.service_prefix, strlen(c->consul.service_prefix)) ||
              strspn(c->consul.service_prefix, ".") > 0,
          "the prefix is %s", c->consul.service_prefix);
    HOLDS(strstr(c->reg.tag, "<cluster-id>") != NULL && strpbrk(c->reg.tag, "\"\n\r") == NULL,
          "the tag is %s", c->reg.tag);
    HOLDS(c->reg.advertise[0] == '\0' ||
              advertise_address_parse(c->reg.advertise, &advertised, &error),
          "%s is advertised", c->reg.advertise);
}

/* New; its length goes to *len. */
static char *print(const struct config *c, size_t *len)
{
    char *text = NULL;
    FILE *out = fuzz_checked(open_memstream(&text, len));
    HOLDS(config_print(c, out), "the config cannot be printed");
    (void)fclose(out);
    return fuzz_checked(text);
}

static struct config *load(const char *name, struct lines *environment,
                           const struct lines *overrides, struct error *error)
{
    char path[PATH_MAX];
    const char *items[LINES_MAX];
    for (size_t i = 0; i < overrides->count; i++)
        items[i] = overrides->items[i];
    struct config_overrides given = {.items = items, .count = overrides->count};
    (void)snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    return config_load(path, environment->items, &given, error);
}

static void check_printed(const struct config *c)
{
    struct error error;
    struct lines none = {.count = 0};
    size_t len, again_len;
    char *text = print(c, &len);
    fuzz_write_file("printed.conf", text, len);
    struct config *again = load("printed.conf", &none, &none, &error);
    HOLDS(again != NULL, "what is printed is refused: %s\n%s", error.text, text);
    char *again_text = print(again, &again_len);
    HOLDS(strcmp(text, again_text) == 0, "%s\nis printed again as\n%s", text, again_text);
    config_free(again);
    free(again_text);
    free(text);
}

/* libconfig 1.5 loses the strings it has read last when it meets a syntax error. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    struct input in = {.at = data, .left = size};
    struct input file = fuzz_part(&in);
    struct lines environment, overrides;
    struct error error;
    if (!ready)
        for (size_t i = 0; i < COUNT_OF(included); i++)
            fuzz_write_file(included[i][0], included[i][1], strlen(included[i][1]));
    ready = true;
    if (memmem(file.at, file.left, "@include", 8) != NULL &&
        memmem(file.at, file.left, "/", 1) != NULL)
        return 0; /* only from the folder: there are files that never end */
    fuzz_write_file("fuzz.conf", file.at, file.left);
    read_lines(fuzz_part(&in), &environment);
    read_lines(fuzz_part(&in), &overrides);
    struct config *c = load("fuzz.conf", &environment, &overrides, &error);
    if (c != NULL) {
        check_config(c);
        check_printed(c);
    } else {
        check_error(&error);
    }
    config_free(c);
    free_lines(&environment);
    free_lines(&overrides);
    return 0;
}
