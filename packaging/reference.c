/*
 * reference.c - the option table as text for the man page and for shell completion. Run by the
 * build: reference man|bash|zsh|fish TEMPLATE OUTPUT copies the template, and puts the options in
 * the place of its line @OPTIONS@.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"
#include "config/option.h"

#define PLACE "@OPTIONS@\n"
#define LINE_SIZE 1000
#define LINE_WIDTH 78
#define TEXT_MAX 1000

struct format {
    const char *name;
    bool (*write)(const struct option *o, FILE *out); /* false: it cannot be written */
};

/* -- the man page ---------------------------------------------------------------------------- */

/* Words of text in lines that are not too long; none of them is taken for a request of roff. */
static void put_mdoc(const char *text, FILE *out)
{
    size_t column = 0;
    for (; *text != '\0'; text++) {
        bool end = *text == ' ' && column + strcspn(text + 1, " ") >= LINE_WIDTH;
        if (column == 0 && (*text == '.' || *text == '\''))
            (void)fputs("\\&", out);
        (void)fputs(end ? "\n" : *text == '\\' ? "\\e" : (const char[]){*text, '\0'}, out);
        column = end ? 0 : column + 1;
    }
    (void)fputc('\n', out);
}

/* A default or limit as it is written in the file. */
static void add_value(const struct option *o, const char *text, struct buf *out)
{
    static struct config config; /* nothing else in it is looked at */
    struct error error;
    if (option_set_text(&config, o, text, &error))
        option_format(&config, o, out);
    else
        out->failed = true;
    option_free_value(&config, o);
}

static void add_duration(const struct option *o, int64_t ms, struct buf *out)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRId64 "ms", ms);
    add_value(o, text, out);
}

static void add_range(const struct option *o, struct buf *out)
{
    switch (o->type) {
    case OPTION_BOOL:
        (void)buf_append_str(out, "true or false");
        break;
    case OPTION_INT:
        (void)buf_printf(out, "%" PRId64 " to %" PRId64, o->min, o->max);
        break;
    case OPTION_DURATION:
        add_duration(o, o->min, out);
        (void)buf_append_str(out, " to ");
        add_duration(o, o->max, out);
        break;
    case OPTION_ENUM:
        for (size_t i = 0; o->words[i] != NULL; i++)
            (void)buf_printf(out, "%s\"%s\"",
                             i == 0                    ? ""
                             : o->words[i + 1] == NULL ? " or "
                                                       : ", ",
                             o->words[i]);
        break;
    case OPTION_STRING:
        (void)buf_append_str(out, "string");
        break;
    case OPTION_STRINGS:
        (void)buf_append_str(out, "string or list of strings");
        break;
    case OPTION_CLUSTERS:
        (void)buf_append_str(out, "list of groups");
        break;
    }
}

static bool write_man(const struct option *o, FILE *out)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    (void)buf_printf(&text, "%s. (", o->help);
    add_range(o, &text);
    (void)buf_append_str(&text, "; default ");
    add_value(o, o->def, &text);
    (void)buf_append_str(&text, o->reloadable ? "; reload)" : "; restart)");
    bool ok = !text.failed && fprintf(out, ".It Ic %s\n", o->name) > 0;
    if (ok)
        put_mdoc(text.data, out);
    buf_clear(&text);
    return ok;
}

/* -- shell completion ------------------------------------------------------------------------ */

/* A quoted word; `quote` is how the shell writes a ' within one. */
static void put_quoted(const char *text, const char *quote, FILE *out)
{
    for (; *text != '\0'; text++)
        (void)fputs(*text == '\'' ? quote : (const char[]){*text, '\0'}, out);
}

static const char *const *words_of(const struct option *o)
{
    static const char *const truth[] = {"true", "false", NULL};
    static const char *const none[] = {NULL};
    return o->type == OPTION_ENUM ? o->words : o->type == OPTION_BOOL ? truth : none;
}

static void put_words(const struct option *o, FILE *out)
{
    (void)fprintf(out, "    '%s=", o->name);
    for (const char *const *word = words_of(o); *word != NULL; word++)
        (void)fprintf(out, "%s%s", word == words_of(o) ? "" : " ", *word);
}

static bool write_bash(const struct option *o, FILE *out)
{
    put_words(o, out);
    (void)fputs("'\n", out);
    return true;
}

static bool write_zsh(const struct option *o, FILE *out)
{
    put_words(o, out);
    (void)fputc(':', out);
    put_quoted(o->help, "'\\''", out);
    (void)fputs("'\n", out);
    return true;
}

static bool write_fish(const struct option *o, FILE *out)
{
    const char *const *word = words_of(o);
    do {
        (void)fprintf(out, "    echo '%s=%s'\\t'", o->name, *word != NULL ? *word : "");
        put_quoted(o->help, "\\'", out);
        (void)fputs("'\n", out);
    } while (*word != NULL && *++word != NULL);
    return true;
}

/* -- the program ----------------------------------------------------------------------------- */

static bool fill_in(const struct format *format, FILE *in, FILE *out)
{
    char line[LINE_SIZE];
    size_t places = 0;
    bool ok = true;
    while (fgets(line, sizeof line, in) != NULL) {
        if (strcmp(line, PLACE) != 0) {
            (void)fputs(line, out);
            continue;
        }
        places++;
        for (size_t i = 0; i < option_count; i++)
            ok = format->write(&option_table[i], out) && ok;
    }
    return ok && places == 1 && !ferror(in) && !ferror(out);
}

int main(int argc, char **argv)
{
    static const struct format formats[] = {
        {"man", write_man}, {"bash", write_bash}, {"zsh", write_zsh}, {"fish", write_fish}};
    const struct format *format = NULL;
    for (size_t i = 0; argc == 4 && i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(argv[1], formats[i].name) == 0)
            format = &formats[i];
    if (format == NULL) {
        (void)fputs("Usage: reference man|bash|zsh|fish TEMPLATE OUTPUT\n", stderr);
        return EXIT_FAILURE;
    }
    FILE *in = fopen(argv[2], "r");
    FILE *out = fopen(argv[3], "w");
    bool ok = in != NULL && out != NULL && fill_in(format, in, out);
    if (in != NULL)
        (void)fclose(in);
    ok = out != NULL && fclose(out) == 0 && ok;
    if (!ok)
        (void)fprintf(stderr, "reference: cannot make %s from %s\n", argv[3], argv[2]);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
