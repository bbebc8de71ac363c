/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_text.c - the parsers of short texts, each against a plain second opinion.
 *
 * Input: which parser (a letter, see `parsers`), then what it reads.
 */
#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h> /* optind: getopt.h has a struct option of its own */

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "config/address.h"
#include "config/argv.h"
#include "config/config.h"
#include "config/option.h"
#include "consul/url.h"
#include "fuzz.h"
#include "model/cluster_id.h"
#include "model/endpoint.h"
#include "model/network.h"
#include "model/table.h"
#include "routes_reference.h"
#include "serve/accept.h"
#include "serve/escape.h"
#include "serve/routes.h"
#include "serve/status.h"

/* Does the extended regular expression match the whole text? Compiled once per call site. */
struct pattern {
    const char *text;
    regex_t compiled;
    bool ready;
};

static bool matches(struct pattern *p, const char *text)
{
    if (!p->ready && regcomp(&p->compiled, p->text, REG_EXTENDED | REG_NOSUB) != 0)
        abort();
    p->ready = true;
    return regexec(&p->compiled, text, 0, NULL, 0) == 0;
}

static void check_refusal(const struct error *error)
{
    HOLDS(error->text[0] != '\0', "refused without a word");
    for (const char *c = error->text; *c != '\0'; c++)
        HOLDS((unsigned char)*c >= 0x20 && *c != 0x7f, "a control character in the message %s",
              error->text);
}

/* -- what a request names -------------------------------------------------------------------- */

static void check_form(const struct reply *r)
{
    static const unsigned known[] = {200, 304, 400, 404, 405, 503};
    bool found = false;
    for (size_t i = 0; i < COUNT_OF(known); i++)
        found |= r->status == known[i];
    HOLDS(found, "status %u", r->status);
    if (r->status < 400)
        HOLDS(r->cluster != NULL
                  ? r->cluster->body_len > 0
                  : r->route >= HTTP_ROUTE_METRICS || (r->text != NULL && *r->text != '\0'),
              "status %u without a body", r->status);
    else
        HOLDS(r->cluster == NULL && r->text == NULL && r->reason != NULL, "status %u with a body",
              r->status);
    HOLDS(r->asked_id[0] == '\0' || r->route == HTTP_ROUTE_EXPLAIN ||
              cluster_id_valid(r->asked_id, strlen(r->asked_id)),
          "the log would show the id %s", r->asked_id);
}

/* A byte of flags, then method, blank, path. */
static void try_target(struct input *in)
{
    unsigned flags = fuzz_byte(in);
    size_t len;
    char *method = fuzz_rest(in, &len);
    char *path = strchr(method, ' ');
    if (path == NULL)
        path = method + strlen(method);
    else
        *path++ = '\0';
    struct registry_status status = {
        .complete = (flags & 1) != 0, .ready = (flags & 2) != 0, .draining = (flags & 4) != 0};
    const char *default_cluster = (flags & 8) != 0 ? "10" : "";
    bool admin = (flags & 16) != 0;
    struct request request = {.method = method, .path = path};
    struct reply r;
    if (admin)
        routes_admin(&request, reference_table(), &status, &r);
    else
        routes_public(&request, reference_table(), &status, default_cluster, &r);
    check_form(&r);

    struct reference_answer a = reference_answer(method, path, &status, admin, default_cluster);
    HOLDS(r.status == a.status, "%s: %u instead of %u", path, r.status, a.status);
    HOLDS((r.cluster != NULL) == (a.id != NULL) &&
              (a.id == NULL || strcmp(r.cluster->id, a.id) == 0),
          "%s: the list of %s instead of that of %s", path,
          r.cluster != NULL ? r.cluster->id : "nobody", a.id != NULL ? a.id : "nobody");
    HOLDS((r.text != NULL) == (a.text != NULL) && (a.text == NULL || strcmp(r.text, a.text) == 0),
          "%s: the text is %s", path, r.text != NULL ? r.text : "none");
    free(method);
}

static void try_if_none_match(struct input *in)
{
    static const struct registry_status status = {.complete = true};
    const struct table *table = reference_table();
    /* A marker for the tag itself, which no mutation would find. */
    const char *etag = table_find(table, "1", 1)->etag;
    size_t len;
    char *given = fuzz_rest(in, &len);
    struct buf text;
    buf_init(&text, 64 * 1024);
    for (const char *c = given; *c != '\0'; c++)
        (void)(*c == '$' ? buf_append_str(&text, etag) : buf_append_char(&text, *c));
    struct request request = {
        .method = "GET", .path = "/rocketmq/1", .if_none_match = buf_text(&text)};
    struct reply r;
    routes_public(&request, table, &status, "", &r);
    check_form(&r);
    HOLDS((r.status == 200 || r.status == 304) && strcmp(r.cluster->id, "1") == 0,
          "status %u for a cluster that has a list", r.status);
    bool named;
    if (!text.failed && reference_tag_list(buf_text(&text), etag, &named))
        HOLDS((r.status == 304) == named, "status %u to If-None-Match: %s", r.status,
              buf_text(&text));
    else
        HOLDS(r.status == 200 || strstr(buf_text(&text), etag) != NULL,
              "304 although nothing says that the list is there: %s", buf_text(&text));
    buf_clear(&text);
    free(given);
}

/* -- addresses ------------------------------------------------------------------------------- */

/* The address between `text` and `end`, in brackets or not, by inet_pton alone. */
static bool literal_ip(const char *text, const char *end, uint8_t addr[static 16], int *family)
{
    char copy[64] = "";
    bool bracketed = text[0] == '[';
    size_t len = (size_t)(end - text);
    memset(addr, 0, 16);
    if (len >= sizeof copy || (bracketed && (len < 2 || end[-1] != ']')))
        return false;
    memcpy(copy, text + bracketed, len - 2 * bracketed);
    *family = bracketed ? AF_INET6 : AF_INET;
    return inet_pton(*family, copy, addr) == 1;
}

/* What may stand in a list, as docs of endpoint.h say it. */
static bool expect_endpoint(const char *text, struct endpoint *out)
{
    static struct pattern form = {"^([0-9.]+|\\[[0-9a-fA-F:.]+\\]):[1-9][0-9]{0,4}$", {0}, false};
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t zero[16];
    int family;
    if (!matches(&form, text))
        return false;
    const char *colon = strrchr(text, ':');
    unsigned long port = strtoul(colon + 1, NULL, 10);
    if (port > 65535 || !literal_ip(text, colon, out->addr, &family))
        return false;
    if (family == AF_INET6 && memcmp(out->addr, mapped, 12) == 0) {
        memcpy(out->addr, out->addr + 12, 4);
        memset(out->addr + 4, 0, 12);
        family = AF_INET;
    }
    out->family = family == AF_INET ? 4 : 6;
    out->port = (uint16_t)port;
    if (family == AF_INET)
        return out->addr[0] >= 1 && out->addr[0] <= 223;
    return memcmp(out->addr, zero, 16) != 0 && out->addr[0] != 0xff &&
           !(out->addr[0] == 0xfe && out->addr[1] >= 0x80 && out->addr[1] <= 0xbf);
}

static bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
    return a->family == b->family && a->port == b->port && memcmp(a->addr, b->addr, 16) == 0;
}

static void try_endpoint(struct input *in)
{
    size_t len;
    char *text = fuzz_rest(in, &len);
    struct endpoint e, wanted, again;
    bool ok = endpoint_parse(&e, text, len);
    bool expected = strlen(text) == len && expect_endpoint(text, &wanted);
    HOLDS(ok == expected, "%s is %s", text, ok ? "taken" : "refused");
    if (ok) {
        char formatted[ENDPOINT_TEXT_SIZE];
        size_t formatted_len = endpoint_format(&e, formatted);
        HOLDS(same_endpoint(&e, &wanted), "%s is read as %s", text, formatted);
        HOLDS(formatted_len == strlen(formatted) &&
                  endpoint_parse(&again, formatted, formatted_len) && same_endpoint(&e, &again),
              "%s becomes %s", text, formatted);
    }
    free(text);
}

static bool ascending(const struct endpoint *a, const struct endpoint *b)
{
    int order =
        a->family != b->family ? (a->family < b->family ? -1 : 1) : memcmp(a->addr, b->addr, 16);
    return order < 0 || (order == 0 && a->port < b->port);
}

static void try_endpoint_list(struct input *in)
{
    size_t len, count = 0, expected_count = 0;
    char *text = fuzz_rest(in, &len);
    struct endpoint *list = endpoint_parse_list(text, &count);
    struct endpoint *wanted = fuzz_checked(calloc(len + 1, sizeof *wanted));
    bool expected = true;
    for (char *at = text; at != NULL && expected;) {
        char *end = strchr(at, ';');
        struct endpoint *e = &wanted[expected_count++];
        if (end != NULL)
            *end++ = '\0';
        expected = expect_endpoint(at, e) && (expected_count == 1 || ascending(e - 1, e));
        at = end;
    }
    HOLDS((list != NULL) == expected, "the list is %s", expected ? "refused" : "taken");
    HOLDS(list == NULL || count == expected_count, "%zu instead of %zu addresses", count,
          expected_count);
    for (size_t i = 0; list != NULL && i < count; i++)
        HOLDS(same_endpoint(&list[i], &wanted[i]), "address %zu differs", i + 1);
    HOLDS(list == NULL || endpoint_sort(list, count) == count, "not sorted");
    free(wanted);
    free(list);
    free(text);
}

static void try_cluster_id(struct input *in)
{
    size_t len;
    char *text = fuzz_rest(in, &len);
    static struct pattern form = {"^[A-Za-z0-9._-]{1,128}$", {0}, false};
    bool expected = strlen(text) == len && matches(&form, text) && strcmp(text, ".") != 0 &&
                    strcmp(text, "..") != 0;
    HOLDS(cluster_id_valid(text, len) == expected, "%s is %s", text,
          expected ? "refused" : "taken");
    free(text);
}

static void try_listen(struct input *in)
{
    static struct pattern form = {"^([0-9.]+|\\[[0-9a-fA-F:.]+\\]):[0-9]{1,5}$", {0}, false};
    static const uint8_t zero[16];
    size_t len;
    char *text = fuzz_rest(in, &len);
    const char *colon = strrchr(text, ':');
    struct listen_address a;
    struct error error;
    uint8_t addr[16];
    int family = 0;
    unsigned long port = colon != NULL ? strtoul(colon + 1, NULL, 10) : 0;
    bool expected = matches(&form, text) && port >= 1 && port <= 65535 &&
                    literal_ip(text, colon, addr, &family);
    bool ok = listen_address_parse(text, &a, &error);
    HOLDS(ok == expected, "%s is %s", text, ok ? "taken" : "refused");
    if (ok) {
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        memcpy(&v4, &a.sockaddr, sizeof v4);
        memcpy(&v6, &a.sockaddr, sizeof v6);
        HOLDS(a.sockaddr.ss_family == family && a.port == port &&
                  a.wildcard == (memcmp(addr, zero, 16) == 0),
              "%s", text);
        HOLDS(family == AF_INET6 || (a.len == sizeof v4 && ntohs(v4.sin_port) == port &&
                                     memcmp(&v4.sin_addr, addr, 4) == 0),
              "%s", text);
        HOLDS(family == AF_INET || (a.len == sizeof v6 && ntohs(v6.sin6_port) == port &&
                                    memcmp(&v6.sin6_addr, addr, 16) == 0),
              "%s", text);
    } else {
        check_refusal(&error);
    }
    free(text);
}

/* Whatever is taken must be a URL that curl reads as we do, and mean the same when read again. */
static void try_consul(struct input *in)
{
    static struct pattern url = {
        "^https?://(\\[[0-9A-Za-z._:-]+\\]|[0-9A-Za-z._-]+):[1-9][0-9]{0,4}"
        "(/([A-Za-z0-9/._~-]*[A-Za-z0-9._~-])?)?$",
        {0},
        false};
    unsigned flags = fuzz_byte(in);
    size_t len;
    char *text = fuzz_rest(in, &len);
    struct consul_address a, again;
    struct error error;
    if (!consul_address_parse(text, (flags & 1) != 0, &a, &error)) {
        check_refusal(&error);
        free(text);
        return;
    }
    if (a.unix_socket[0] != '\0') {
        HOLDS(strncasecmp(text, "unix:///", 8) == 0 && strcmp(text + 7, a.unix_socket) == 0 &&
                  strcmp(a.base_url, "http://localhost") == 0 && a.host[0] == '\0',
              "%s becomes %s behind %s", text, a.base_url, a.unix_socket);
    } else {
        HOLDS(matches(&url, a.base_url), "%s becomes %s", text, a.base_url);
        HOLDS(strncmp(a.base_url, a.tls ? "https:" : "http:", a.tls ? 6 : 5) == 0, "%s becomes %s",
              text, a.base_url);
        HOLDS((flags & 1) == 0 || a.tls, "%s without TLS", text);
        HOLDS(strstr(text, a.host) != NULL && strstr(a.base_url, a.host) != NULL,
              "%s: the host is %s", text, a.host);
        unsigned long port = strtoul(strrchr(a.base_url, ':') + 1, NULL, 10);
        HOLDS(port >= 1 && port <= 65535, "%s: port %lu", text, port);
        /* One whose address hardly fitted is too long for an address itself. */
        bool fits = strlen(a.base_url) < CONSUL_URL_MAX - 32;
        HOLDS(!fits ||
                  (consul_address_parse(a.base_url, false, &again, &error) && again.tls == a.tls &&
                   strcmp(again.base_url, a.base_url) == 0 && strcmp(again.host, a.host) == 0),
              "%s becomes %s, which is read otherwise", text, a.base_url);
    }
    free(text);
}

static void try_advertise(struct input *in)
{
    size_t len;
    char *text = fuzz_rest(in, &len);
    struct advertise_address a, again;
    struct error error;
    if (advertise_address_parse(text, &a, &error)) {
        char written[sizeof a.host + 16];
        bool v6 = strchr(a.host, ':') != NULL;
        int n = snprintf(written, sizeof written, v6 ? "[%s]" : "%s", a.host);
        if (a.port != 0)
            (void)snprintf(written + n, sizeof written - (size_t)n, ":%u", (unsigned)a.port);
        HOLDS(a.host[0] != '\0' &&
                  strspn(a.host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                 "0123456789._:-") == strlen(a.host),
              "%s: the host is %s", text, a.host);
        HOLDS(strcmp(a.host, "0.0.0.0") != 0 && strcmp(a.host, "::") != 0, "%s", text);
        HOLDS(advertise_address_parse(written, &again, &error) && again.port == a.port &&
                  strcmp(again.host, a.host) == 0,
              "%s is written as %s and read as %s", text, written, again.host);
    } else {
        check_refusal(&error);
    }
    free(text);
}

/* Address and number by themselves; then a bit of an address matters exactly inside the prefix. */
static void try_network(struct input *in)
{
    static struct pattern number = {"^(0|[1-9][0-9]{0,2})$", {0}, false};
    size_t len;
    char *text = fuzz_rest(in, &len);
    char *copy = fuzz_checked(strdup(text));
    char *bits = strchr(copy, '/');
    if (bits != NULL)
        *bits++ = '\0';
    uint8_t address[16] = {[10] = 0xff, [11] = 0xff};
    bool v4 = inet_pton(AF_INET, copy, address + 12) == 1;
    unsigned long most = v4 ? 32 : 128;
    unsigned long wanted = bits == NULL             ? most
                           : matches(&number, bits) ? strtoul(bits, NULL, 10)
                                                    : 129;
    bool expected = (v4 || inet_pton(AF_INET6, copy, address) == 1) && wanted <= most;
    wanted += v4 ? 96 : 0;
    for (unsigned long bit = wanted; expected && bit < 128; bit++)
        expected = (address[bit / 8] >> (7 - bit % 8) & 1) == 0;
    struct network n;
    bool ok = network_parse(text, &n);
    HOLDS(ok == expected, "%s is %s", text, ok ? "taken" : "refused");
    HOLDS(!ok || (n.bits == wanted && network_has(&n, address)), "%s: %u bits", text, n.bits);
    for (unsigned bit = 0; ok && bit < 128; bit++) {
        address[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        HOLDS(network_has(&n, address) == (bit >= wanted), "%s: bit %u", text, bit);
        address[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
    }
    free(copy);
    free(text);
}

/* -- options --------------------------------------------------------------------------------- */

static const struct option *option_of(const char *name)
{
    const struct option *o = option_find(name, strlen(name));
    HOLDS(o != NULL, "there is no option %s", name);
    return o;
}

/* A value as it is printed; new. */
static char *printed(const struct config *c, const struct option *o)
{
    struct buf out;
    buf_init(&out, 16 * 1024 * 1024);
    option_format(c, o, &out);
    HOLDS(!out.failed, "%s cannot be printed", o->name);
    return fuzz_checked(buf_detach(&out));
}

static void try_duration(struct input *in)
{
    static struct pattern form = {"^([0-9]{1,12}(ms|s|m|h|d))+$", {0}, false};
    const struct option *o = option_of("admission.gone_delay");
    size_t len;
    char *text = fuzz_rest(in, &len);
    struct config c = {.admission = {.gone_delay_ms = -1}};
    struct error error;
    __int128 sum = 0;
    bool expected = matches(&form, text);
    for (char *at = text; expected && *at != '\0';) {
        unsigned long long n = strtoull(at, &at, 10);
        bool ms = strncmp(at, "ms", 2) == 0;
        sum += (__int128)n * (ms           ? 1
                              : *at == 's' ? 1000
                              : *at == 'm' ? 60000
                              : *at == 'h' ? 3600000
                                           : 86400000);
        at += ms ? 2 : 1;
    }
    expected = expected && sum >= o->min && sum <= o->max;
    bool ok = option_set_text(&c, o, text, &error);
    HOLDS(ok == expected, "%s is %s", text, ok ? "taken" : "refused");
    if (ok) {
        HOLDS(c.admission.gone_delay_ms == (int64_t)sum, "%s is read as %" PRId64 " ms", text,
              c.admission.gone_delay_ms);
        char *again = printed(&c, o); /* in quotes, for a file */
        char *inside = again + 1;
        again[strlen(again) - 1] = '\0';
        HOLDS(option_set_text(&c, o, inside, &error) && c.admission.gone_delay_ms == (int64_t)sum,
              "%s is printed as %s", text, inside);
        free(again);
    } else {
        HOLDS(c.admission.gone_delay_ms == -1, "%s is refused, and yet a value", text);
        check_refusal(&error);
    }
    free(text);
}

static void try_number(struct input *in)
{
    static struct pattern form = {"^[[:space:]]*[+-]?[0-9]+$", {0}, false};
    const struct option *o = option_of("http.max_connections");
    size_t len;
    char *text = fuzz_rest(in, &len);
    struct config c = {.http = {.max_connections = -1}};
    struct error error;
    long double value = matches(&form, text) ? strtold(text, NULL) : -1;
    bool expected = value >= (long double)o->min && value <= (long double)o->max;
    bool ok = option_set_text(&c, o, text, &error);
    HOLDS(ok == expected, "%s is %s", text, ok ? "taken" : "refused");
    HOLDS(c.http.max_connections == (ok ? (int64_t)value : -1), "%s is read as %" PRId64, text,
          c.http.max_connections);
    if (!ok)
        check_refusal(&error);
    free(text);
}

/* Parts between commas, empty ones left out. */
static void try_strings(struct input *in)
{
    const struct option *o = option_of("register.tags");
    size_t len, items = 0;
    char *text = fuzz_rest(in, &len);
    struct config c = {.http = {.threads = 0}};
    struct error error;
    HOLDS(option_set_text(&c, o, text, &error), "%s", error.text);
    for (const char *part = text; *part != '\0'; part += strcspn(part, ",")) {
        part += strspn(part, ",");
        size_t part_len = strcspn(part, ",");
        if (part_len == 0)
            break;
        HOLDS(items < c.reg.tags.count && strlen(c.reg.tags.items[items]) == part_len &&
                  strncmp(c.reg.tags.items[items], part, part_len) == 0,
              "item %zu of %s", items, text);
        items++;
    }
    HOLDS(items == c.reg.tags.count, "%zu items of %s", c.reg.tags.count, text);
    option_free_value(&c, o);
    free(text);
}

/* What is taken is valid, and means the same when it is written and read again. */
static void try_clusters(struct input *in)
{
    const struct option *o = option_of("static_clusters");
    size_t len;
    char *text = fuzz_rest(in, &len);
    struct config c = {.http = {.threads = 0}};
    struct error error;
    if (!option_set_text(&c, o, text, &error)) {
        check_refusal(&error);
        option_free_value(&c, o);
        free(text);
        return;
    }
    struct buf again;
    buf_init(&again, 16 * 1024 * 1024);
    for (size_t i = 0; i < c.static_clusters.count; i++) {
        const struct static_cluster *s = &c.static_clusters.items[i];
        HOLDS(cluster_id_valid(s->id, strlen(s->id)) && s->count > 0, "cluster %s", s->id);
        for (size_t k = 0; k < i; k++)
            HOLDS(strcmp(c.static_clusters.items[k].id, s->id) != 0, "%s twice", s->id);
        (void)buf_printf(&again, "%s%s=", i > 0 ? "," : "", s->id);
        for (size_t k = 0; k < s->count; k++) {
            char address[ENDPOINT_TEXT_SIZE];
            (void)endpoint_format(&s->list[k], address);
            (void)buf_printf(&again, "%s%s", k > 0 ? ";" : "", address);
            HOLDS(k == 0 || ascending(&s->list[k - 1], &s->list[k]), "%s is not sorted", s->id);
        }
    }
    char *first = printed(&c, o);
    HOLDS(option_set_text(&c, o, buf_text(&again), &error), "%s: %s", buf_text(&again), error.text);
    char *second = printed(&c, o);
    HOLDS(strcmp(first, second) == 0, "%s becomes %s", first, second);
    free(first);
    free(second);
    buf_clear(&again);
    option_free_value(&c, o);
    free(text);
}

/* What is malformed wants nothing; a choice stands by itself, and whatever stands behind it. */
static void try_accept(struct input *in)
{
#define TOKEN "[-!#$%&'*+.^_`|~0-9A-Za-z]+"
#define PARAMETER TOKEN "=(" TOKEN "|\"([^\"\\\\]|\\\\.)*\")"
#define RANGE TOKEN "/" TOKEN "([ \t]*;[ \t]*(" PARAMETER ")?)*"
    static struct pattern list = {
        "^[ \t]*(" RANGE ")?[ \t]*(,[ \t]*(" RANGE ")?[ \t]*)*$", {0}, false};
    static const char *const offers[] = {"text/plain; version=0.0.4; charset=utf-8",
                                         "application/openmetrics-text; version=1.0.0",
                                         "text/html"};
    size_t len;
    char *text = fuzz_rest(in, &len);
    size_t chosen = accept_choose(text, offers, COUNT_OF(offers));
    HOLDS(chosen <= COUNT_OF(offers), "%zu is chosen", chosen);
    HOLDS(chosen == COUNT_OF(offers) || matches(&list, text), "%s is no list of media ranges",
          text);
    for (size_t i = 0; i < COUNT_OF(offers); i++) {
        bool alone = accept_choose(text, &offers[i], 1) == 0;
        HOLDS(i == chosen ? alone : chosen < COUNT_OF(offers) || !alone, "%s: %s alone", text,
              offers[i]);
    }
    if (chosen < COUNT_OF(offers)) {
        const char *const equal[] = {offers[chosen], offers[chosen]};
        HOLDS(accept_choose(text, equal, 2) == 0, "%s: of equal ones not the first", text);
    }
    char *longer = fuzz_checked(malloc(len + 32));
    (void)snprintf(longer, len + 32, ",%s , image/x;q=0.5", text);
    HOLDS(accept_choose(longer, offers, COUNT_OF(offers)) == chosen, "%s chooses otherwise",
          longer);
    free(longer);
    free(text);
}

/* -- the rest -------------------------------------------------------------------------------- */

static void try_encoding(struct input *in)
{
    size_t len;
    char *text = fuzz_rest(in, &len);
    struct buf out;
    buf_init(&out, 16 * 1024 * 1024);
    url_append_encoded(&out, text);
    const char *c = text;
    for (const char *at = buf_text(&out); *at != '\0'; c++) {
        char *end = NULL;
        char digits[3] = "";
        if (*at != '%') {
            HOLDS(*at == *c && strchr("&=?#/+ ;", *at) == NULL, "%s", buf_text(&out));
            at++;
            continue;
        }
        (void)snprintf(digits, sizeof digits, "%.2s", at + 1);
        HOLDS(strtoul(digits, &end, 16) == (unsigned char)*c && end == digits + 2, "%s",
              buf_text(&out));
        at += 3;
    }
    HOLDS(*c == '\0' && !out.failed, "%s is cut", buf_text(&out));
    buf_clear(&out);
    free(text);
}

/* fuzz.c judges the line. */
static void try_log(struct input *in)
{
    unsigned flags = fuzz_byte(in);
    size_t len;
    char *text = fuzz_rest(in, &len);
    log_configure(LOG_LEVEL_INFO, (flags & 1) != 0 ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT);
    LOG_INFO("a peer says", F_STR("text", text), F_INT("len", len), F_STR("again", text));
    free(text);
}

/* -- what a page shows ----------------------------------------------------------------------- */

/* No byte of anybody's text is syntax, moves a cursor or is no character. */
static void try_escape(struct input *in)
{
    size_t len;
    char *text = fuzz_rest(in, &len);
    struct buf html, plain, json;
    buf_init(&html, SIZE_MAX / 2);
    buf_init(&plain, SIZE_MAX / 2);
    buf_init(&json, SIZE_MAX / 2);
    escape_html(&html, text);
    escape_plain(&plain, text);
    escape_json(&json, text);
    HOLDS(strpbrk(buf_text(&html), "<>\"'") == NULL, "the page has %s", buf_text(&html));
    for (const char *c = buf_text(&html); (c = strchr(c, '&')) != NULL; c++)
        HOLDS(c[1] == '#', "an entity in %s", buf_text(&html));
    for (const char *c = buf_text(&plain); *c != '\0'; c++)
        HOLDS((unsigned char)*c >= 0x20 && *c != 0x7f, "a control in %s", buf_text(&plain));
    cJSON *parsed = cJSON_ParseWithLengthOpts(buf_text(&json), json.len + 1, NULL, true);
    HOLDS(cJSON_IsString(parsed), "no string: %s", buf_text(&json));
    cJSON_Delete(parsed);
    buf_clear(&html);
    buf_clear(&plain);
    buf_clear(&json);
    free(text);
}

static void try_status_query(struct input *in)
{
    size_t len;
    char *text = fuzz_rest(in, &len);
    struct status_query q;
    status_query_parse(text, len, &q);
    HOLDS(q.filter < STATUS_FILTERS, "filter %d", (int)q.filter);
    for (const char *c = q.search; *c != '\0'; c++)
        HOLDS((unsigned char)*c >= 0x20, "a control in the search");
    free(text);
}

#define ARGUMENTS_MAX 16

/* One argument per line. */
static void try_arguments(struct input *in)
{
    static char name[] = "nsaddrd";
    char *argv[ARGUMENTS_MAX + 2] = {name};
    int argc = 1;
    while (in->left > 0 && argc <= ARGUMENTS_MAX)
        argv[argc++] = fuzz_line(in);
    char *given[ARGUMENTS_MAX + 2];
    memcpy(given, argv, sizeof argv); /* getopt sorts them */
    struct arguments a;
    struct error error;
    optind = 0; /* glibc: from the beginning */
    if (arguments_parse(argc, argv, &a, &error)) {
        bool known = a.config_path == NULL;
        for (int i = 1; i < argc && !known; i++)
            known = a.config_path >= given[i] && a.config_path <= given[i] + strlen(given[i]);
        HOLDS(known, "the path is no argument");
        HOLDS(a.action >= ACTION_RUN && a.action <= ACTION_PROBE, "action %d", (int)a.action);
        HOLDS((a.cluster != NULL) == (a.action == ACTION_EXPLAIN), "action %d", (int)a.action);
        HOLDS(a.overrides.count < (size_t)argc, "%zu overrides", a.overrides.count);
        for (size_t i = 0; i < a.overrides.count; i++)
            HOLDS(a.overrides.items[i] != NULL, "override %zu", i);
        arguments_clear(&a);
    } else {
        check_refusal(&error);
    }
    for (int i = 1; i < argc; i++)
        free(given[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        char letter;
        void (*attempt)(struct input *in);
    } parsers[] = {
        {'T', try_target},        {'I', try_if_none_match}, {'E', try_endpoint},
        {'L', try_endpoint_list}, {'K', try_cluster_id},    {'S', try_listen},
        {'C', try_consul},        {'A', try_advertise},     {'D', try_duration},
        {'N', try_number},        {'W', try_strings},       {'P', try_clusters},
        {'U', try_encoding},      {'O', try_arguments},     {'X', try_network},
        {'Q', try_accept},        {'G', try_log},           {'H', try_escape},
        {'Y', try_status_query},
    };
    struct input in = {.at = data, .left = size};
    unsigned letter = fuzz_byte(&in);
    for (size_t i = 0; i < COUNT_OF(parsers); i++)
        if (letter == (unsigned char)parsers[i].letter)
            parsers[i].attempt(&in);
    return 0;
}
