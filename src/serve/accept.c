/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/accept.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define TOKEN_BYTES "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* Longer than any value of ours; a longer one is cut and so equals none. */
#define VALUE_SIZE 64

#define WEIGHT_MAX 1000

struct span {
    const char *text;
    size_t len;
};

/* How well one media range, or so far the best one, fits an offer. */
struct fit {
    bool fits;
    int detail; /* the more a range says, the more it counts */
    int weight; /* in thousandths */
};

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

static bool take_token(const char **at, struct span *out)
{
    *out = (struct span){.text = *at, .len = strspn(*at, TOKEN_BYTES)};
    *at += out->len;
    return out->len > 0;
}

static bool same(const struct span *a, const struct span *b)
{
    return a->len == b->len && strncasecmp(a->text, b->text, a->len) == 0;
}

static bool is_word(const struct span *s, const char *word)
{
    return same(s, &(struct span){.text = word, .len = strlen(word)});
}

static bool is_any(const struct span *s)
{
    return is_word(s, "*");
}

/* What may stand in a quoted string, bare or behind a backslash. */
static bool is_quotable(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

/* A quoted string, without its quotes and backslashes. */
static bool take_quoted(const char **at, char out[static VALUE_SIZE])
{
    size_t len = 0;
    const char *p = *at + 1;
    for (; *p != '"'; p++) {
        if (*p == '\\')
            p++;
        if (!is_quotable(*p))
            return false;
        if (len < VALUE_SIZE - 1)
            out[len++] = *p;
    }
    out[len] = '\0';
    *at = p + 1;
    return true;
}

static bool take_value(const char **at, char out[static VALUE_SIZE])
{
    struct span token;
    if (**at == '"')
        return take_quoted(at, out);
    if (!take_token(at, &token))
        return false;
    size_t len = token.len < VALUE_SIZE ? token.len : VALUE_SIZE - 1;
    memcpy(out, token.text, len);
    out[len] = '\0';
    return true;
}

/* "0" to "1", with up to three digits behind a point. */
static bool parse_weight(const char *text, int *out)
{
    int weight = 0;
    if (text[0] != '0' && text[0] != '1')
        return false;
    if (text[1] != '\0' && text[1] != '.')
        return false;
    const char *digits = text + 1 + (text[1] == '.');
    size_t len = strspn(digits, "0123456789");
    if (len > 3 || digits[len] != '\0')
        return false;
    for (size_t i = 0; i < 3; i++)
        weight = weight * 10 + (i < len ? digits[i] - '0' : 0);
    weight += text[0] == '1' ? WEIGHT_MAX : 0;
    *out = weight;
    return weight <= WEIGHT_MAX;
}

/* "text/plain; charset=utf-8", which is of ours and so well-formed. */
struct offer {
    struct span type;
    struct span subtype;
    const char *parameters;
};

static struct offer read_offer(const char *text)
{
    struct offer offer;
    (void)take_token(&text, &offer.type);
    text++;
    (void)take_token(&text, &offer.subtype);
    offer.parameters = text;
    return offer;
}

static bool has_parameter(const struct offer *offer, const struct span *name, const char *value)
{
    const char *at = offer->parameters;
    while (*at != '\0') {
        struct span own_name;
        struct span own_value;
        at += strspn(at, "; ");
        (void)take_token(&at, &own_name);
        at++;
        (void)take_token(&at, &own_value);
        if (same(&own_name, name))
            return is_word(&own_value, value);
    }
    return false;
}

/* One of a range's parameters; its weight is named q and may stand anywhere among them. */
static bool take_parameter(const char **at, const struct offer *offer, bool *weighed,
                           struct fit *fit)
{
    struct span name;
    char value[VALUE_SIZE];
    bool quoted;
    if (!take_token(at, &name) || *(*at)++ != '=')
        return false;
    quoted = **at == '"';
    if (!take_value(at, value))
        return false;
    if (is_word(&name, "q")) {
        bool first = !*weighed;
        *weighed = true;
        return first && !quoted && parse_weight(value, &fit->weight);
    }
    fit->fits = fit->fits && has_parameter(offer, &name, value);
    fit->detail++;
    return true;
}

/* A media range with its parameters, and how it fits the offer; *at moves behind it. */
static bool take_range(const char **at, const struct offer *offer, struct fit *fit)
{
    struct span type;
    struct span subtype;
    bool weighed = false;
    if (!take_token(at, &type) || *(*at)++ != '/' || !take_token(at, &subtype) ||
        (is_any(&type) && !is_any(&subtype)))
        return false;
    fit->fits = (is_any(&type) || same(&type, &offer->type)) &&
                (is_any(&subtype) || same(&subtype, &offer->subtype));
    /* Any subtype counts less than one that is named, whatever the parameters. */
    fit->detail = is_any(&type) ? 0 : is_any(&subtype) ? 1000 : 2000;
    fit->weight = WEIGHT_MAX;
    for (;;) {
        const char *next = skip_blanks(*at);
        if (*next != ';')
            return true;
        *at = skip_blanks(next + 1);
        /* Nothing between two semicolons is allowed. */
        if (**at != ';' && **at != ',' && **at != '\0' && !take_parameter(at, offer, &weighed, fit))
            return false;
    }
}

/* The weight of the most detailed range that fits; 0 when none does, -1 for a malformed header. */
static int weigh(const char *header, const struct offer *offer)
{
    struct fit best = {.detail = -1};
    const char *at = skip_blanks(header);
    while (*at != '\0') {
        struct fit fit;
        if (*at != ',') { /* empty elements of a list are allowed */
            if (!take_range(&at, offer, &fit))
                return -1;
            if (fit.fits && fit.detail > best.detail)
                best = fit;
            at = skip_blanks(at);
            if (*at != ',' && *at != '\0')
                return -1;
        }
        if (*at == ',')
            at = skip_blanks(at + 1);
    }
    return best.weight;
}

size_t accept_choose(const char *header, const char *const *offers, size_t count)
{
    size_t chosen = count;
    int most = 0;
    for (size_t i = 0; header != NULL && i < count; i++) {
        struct offer offer = read_offer(offers[i]);
        int weight = weigh(header, &offer);
        if (weight <= most)
            continue;
        most = weight;
        chosen = i;
    }
    return chosen;
}
