/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_consul_json.c - bodies of Consul's replies, and what we take from them.
 *
 * Input: which reply (a letter, see `replies`), a byte of flags, a byte (255, 254: the part of the
 * body between \x01 and \x02 is repeated, so that a short input makes a long reply), the body.
 *
 * Lists of checks are handed over in pieces of several sizes.
 *
 * Second opinion: the same JSON by cJSON's own lookups. Text that is no JSON is cJSON's to refuse.
 */
#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"
#include "consul/agent.h"
#include "consul/catalog.h"
#include "consul/check_rows.h"
#include "consul/httpc.h"
#include "fuzz.h"

#define SERVICE "nameServera"
#define BODY_MAX ((size_t)2 * 1024 * 1024)
#define LONG_BODY ((size_t)16 * 1024)
/* What takes time by the square of the length takes longer than one input may. */
#define LONGEST_BODY ((size_t)768 * 1024)

static struct httpc_reply reply;
static struct error error;
static unsigned flags;

static void check_refusal(void)
{
    HOLDS(error.text[0] != '\0', "refused without a word");
    for (const char *c = error.text; *c != '\0'; c++)
        HOLDS((unsigned char)*c >= 0x20 && *c != 0x7f, "a control character in the message %s",
              error.text);
}

/* -- a second opinion ------------------------------------------------------------------------ */

/* An escaped NUL would end the string for cJSON: another control character stands in for it. */
static char *without_nul_escapes(const char *text)
{
    char *copy = fuzz_checked(strdup(text));
    for (char *c = copy; *c != '\0'; c++) {
        if (*c != '\\')
            continue;
        if (strncmp(c + 1, "u0000", 5) == 0)
            memcpy(c + 1, "u0001", 5);
        if (c[1] != '\0')
            c++;
    }
    return copy;
}

static cJSON *second_reading(void)
{
    if (strlen(reply.body) != reply.body_len)
        return NULL;
    char *copy = without_nul_escapes(reply.body);
    cJSON *root = cJSON_ParseWithOpts(copy, NULL, 1);
    free(copy);
    return root;
}

static size_t members(const cJSON *object, const char *name)
{
    size_t count = 0;
    for (const cJSON *i = object != NULL ? object->child : NULL; i != NULL; i = i->next)
        count += i->string != NULL && strcmp(i->string, name) == 0;
    return count;
}

/* The member of that name, unless there are several. */
static const cJSON *only(const cJSON *object, const char *name)
{
    return members(object, name) == 1 ? cJSON_GetObjectItemCaseSensitive(object, name) : NULL;
}

static const char *only_text(const cJSON *object, const char *name)
{
    const cJSON *item = only(object, name);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static bool is_text(const cJSON *object, const char *name, const char *wanted)
{
    const char *text = only_text(object, name);
    return text != NULL && strcmp(text, wanted) == 0;
}

static bool is_unique(const cJSON *object)
{
    size_t count = 0;
    for (const cJSON *i = object->child; i != NULL; i = i->next)
        if (++count > 256) /* Consul's have about twenty */
            return false;
    for (const cJSON *i = object->child; i != NULL; i = i->next)
        if (members(object, i->string) != 1)
            return false;
    return true;
}

static long port_of(const cJSON *item)
{
    bool fits = cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble <= 65535;
    long port = fits ? (long)item->valuedouble : -1;
    return fits && (double)port < item->valuedouble ? -1 : port;
}

/* -- /v1/health/service ---------------------------------------------------------------------- */

static const char *const froms[] = {"auto", "service", "node", "wan"};

/* The address and port that consul.address_from means. */
static const char *address_of(const cJSON *service, const cJSON *node, const char *from, long *port)
{
    const char *own = only_text(service, "Address");
    const char *of_node = only_text(node, "Address");
    *port = port_of(only(service, "Port"));
    if (strcmp(from, "service") == 0)
        return own;
    if (strcmp(from, "node") == 0)
        return of_node;
    if (strcmp(from, "auto") == 0)
        return own != NULL && own[0] != '\0' ? own : of_node;
    const cJSON *tagged = only(only(service, "TaggedAddresses"), from);
    own = only_text(tagged, "Address");
    if (own == NULL || own[0] == '\0')
        return only_text(only(node, "TaggedAddresses"), from);
    *port = port_of(only(tagged, "Port"));
    return own;
}

/* May the row be served, and under which address? */
static bool expect_endpoint(const cJSON *row, const char *from, struct endpoint *out)
{
    const cJSON *service = only(row, "Service"), *node = only(row, "Node");
    const cJSON *own = only(service, "Address");
    long port;
    const char *address = address_of(service, node, from, &port);
    if (own != NULL && !cJSON_IsString(own) && !cJSON_IsNull(own))
        return false;
    return is_unique(row) && is_unique(service) && is_unique(node) && address != NULL &&
           endpoint_make(out, address, port);
}

static bool expect_health(const cJSON *checks, bool warning_is_good, enum health *out)
{
    bool bad = false, maintenance = false;
    if (checks != NULL && !cJSON_IsArray(checks) && !cJSON_IsNull(checks))
        return false;
    for (const cJSON *c = checks != NULL ? checks->child : NULL; c != NULL; c = c->next) {
        const char *id = only_text(c, "CheckID");
        bool passes = is_text(c, "Status", "passing");
        bool good = passes || (warning_is_good && is_text(c, "Status", "warning"));
        if (only_text(c, "Status") == NULL)
            return false;
        bad |= !good;
        maintenance |=
            !passes && id != NULL &&
            (strcmp(id, "_node_maintenance") == 0 || strncmp(id, "_service_maintenance:", 21) == 0);
    }
    *out = maintenance ? HEALTH_MAINTENANCE : bad ? HEALTH_BAD : HEALTH_GOOD;
    return true;
}

/* Could nobody doubt that this is what Consul sends? */
static bool is_row(const cJSON *row, bool warning_is_good)
{
    enum health ignored;
    return only_text(only(row, "Service"), "Service") != NULL &&
           cJSON_IsObject(only(row, "Node")) &&
           expect_health(only(row, "Checks"), warning_is_good, &ignored);
}

static bool expect_health_reply(const cJSON *root, bool warning_is_good, bool has_token)
{
    if (!cJSON_IsArray(root) || reply.filtered)
        return false;
    if (root->child == NULL && reply.default_deny && !has_token)
        return false;
    for (const cJSON *row = root->child; row != NULL; row = row->next)
        if (!is_row(row, warning_is_good))
            return false;
    return true;
}

/* P2: each address is that of a row of exactly this service, each row gives at most one. */
static void check_instances(const cJSON *root, const struct catalog_health *got, const char *from,
                            bool warning_is_good)
{
    size_t served = 0, unusable = 0;
    for (const cJSON *row = root->child; row != NULL; row = row->next) {
        struct endpoint e, again;
        enum health health;
        char text[ENDPOINT_TEXT_SIZE];
        if (!is_text(only(row, "Service"), "Service", SERVICE))
            continue;
        if (!expect_endpoint(row, from, &e)) {
            unusable++;
            continue;
        }
        HOLDS(served < got->count, "only %zu instances", got->count);
        const struct instance *i = &got->instances[served++];
        (void)endpoint_format(&i->endpoint, text);
        HOLDS(endpoint_compare(&i->endpoint, &e) == 0, "instance %zu has the address %s", served,
              text);
        HOLDS(endpoint_parse(&again, text, strlen(text)) && endpoint_compare(&again, &e) == 0,
              "%s cannot be read again", text);
        HOLDS(expect_health(only(row, "Checks"), warning_is_good, &health) && health == i->health,
              "%s has the health %d", text, (int)i->health);
    }
    HOLDS(served == got->count && unusable == got->unusable,
          "%zu instances and %zu unusable ones instead of %zu and %zu", got->count, got->unusable,
          served, unusable);
    HOLDS((got->example[0] != '\0') == (unusable > 0) &&
              memchr(got->example, '\0', sizeof got->example) != NULL,
          "%zu are unusable, and the example is %.*s", unusable, (int)sizeof got->example,
          got->example);
}

static void try_health(void)
{
    char from[8], prefix[] = "nameServer";
    bool warning_is_good = (flags & 1) != 0, has_token = (flags & 2) != 0;
    struct config c = {.consul = {.accept = warning_is_good ? ACCEPT_WARNING : ACCEPT_PASSING,
                                  .address_from = from,
                                  .service_prefix = prefix}};
    struct catalog_health got;
    (void)snprintf(from, sizeof from, "%s", froms[flags >> 6 & 3]);
    cJSON *root = second_reading();
    bool ok = catalog_parse_health(&reply, &c, SERVICE, has_token, &got, &error);
    HOLDS(ok == expect_health_reply(root, warning_is_good, has_token), "the reply is %s",
          ok ? "taken" : "refused");
    if (ok) {
        check_instances(root, &got, from, warning_is_good);
        catalog_health_clear(&got);
    } else {
        check_refusal();
    }
    cJSON_Delete(root);
}

/* -- /v1/catalog/services -------------------------------------------------------------------- */

static const cJSON *next_name;

static void check_name(const char *name, void *arg)
{
    (void)arg;
    HOLDS(next_name != NULL && strcmp(next_name->string, name) == 0, "%s is visited out of turn",
          name);
    next_name = next_name->next;
}

static void try_services(void)
{
    cJSON *root = second_reading();
    next_name = root != NULL ? root->child : NULL;
    bool ok = catalog_parse_services(&reply, check_name, NULL, &error);
    HOLDS(ok == (bool)cJSON_IsObject(root), "the reply is %s", ok ? "taken" : "refused");
    HOLDS(!ok || next_name == NULL, "%s is not visited", next_name->string);
    if (!ok)
        check_refusal();
    cJSON_Delete(root);
}

/* -- /v1/agent/services and /v1/agent/checks ------------------------------------------------- */

#define OWNER "nameSvrIndex-h-1"

static const char *const tags[] = {"urlprefix-/rocketmq/a", "x"};

/* A parent and a child of it. */
static const struct agent_service registrations[] = {
    {.id = OWNER,
     .name = "nameSvrIndex",
     .owner = OWNER,
     .address = "10.0.0.1",
     .port = 1,
     .check_url = "http://10.0.0.1:1/readyz",
     .interval_ms = 5000,
     .timeout_ms = 1500,
     .deregister_after_ms = 1800000},
    {.id = "nameSvrIndex-a-h-1",
     .name = "nameSvrIndex-a",
     .owner = OWNER,
     .address = "",
     .port = 65535,
     .tags = tags,
     .tag_count = COUNT_OF(tags),
     .alias_of = OWNER,
     .deregister_after_ms = 1800000},
};

/* The hash in our own registration, which no mutation would find; new. */
static char *definition_of(const struct agent_service *s)
{
    struct buf text;
    buf_init(&text, BODY_MAX);
    HOLDS(agent_register_body(s, &text), "%s cannot be registered", s->id);
    cJSON *made = cJSON_Parse(buf_text(&text));
    const char *hash = only_text(only(made, "Meta"), "definition");
    HOLDS(hash != NULL, "no definition in %s", buf_text(&text));
    char *copy = fuzz_checked(strdup(hash));
    cJSON_Delete(made);
    buf_clear(&text);
    return copy;
}

static bool has_tags(const cJSON *list, const struct agent_service *s)
{
    const cJSON *item = list != NULL ? list->child : NULL;
    for (size_t i = 0; i < s->tag_count; i++, item = item->next)
        if (!cJSON_IsString(item) || strcmp(item->valuestring, s->tags[i]) != 0)
            return false;
    return item == NULL;
}

/* Is nothing of it missing or different? */
static bool expect_has(const cJSON *services, const cJSON *checks, const struct agent_service *s)
{
    const cJSON *has = only(services, s->id), *meta = only(has, "Meta");
    char check_id[64];
    (void)snprintf(check_id, sizeof check_id, "%s:check", s->id);
    if (!is_text(only(checks, check_id), "ServiceID", s->id) || !is_text(meta, "owner", s->owner))
        return false;
    char *hash = definition_of(s);
    bool same = is_text(meta, "definition", hash);
    free(hash);
    return same && is_text(has, "Service", s->name) && is_text(has, "Address", s->address) &&
           port_of(only(has, "Port")) == s->port && has_tags(only(has, "Tags"), s);
}

static const cJSON *next_owned;

static void skip_others(void)
{
    while (next_owned != NULL && !is_text(only(next_owned, "Meta"), "owner", OWNER))
        next_owned = next_owned->next;
}

static void check_owned(const char *id, void *arg)
{
    (void)arg;
    HOLDS(next_owned != NULL && strcmp(next_owned->string, id) == 0, "%s is visited", id);
    next_owned = next_owned->next;
    skip_others();
}

static void check_view(const struct agent_view *v, const cJSON *services, const cJSON *checks)
{
    for (size_t i = 0; i < COUNT_OF(registrations); i++) {
        const struct agent_service *s = &registrations[i];
        char id[64];
        (void)snprintf(id, sizeof id, "_service_maintenance:%s", s->id);
        bool has = agent_view_has(v, s);
        HOLDS(has == expect_has(services, checks, s), "%s is %s", s->id,
              has ? "there" : "not there");
        HOLDS(agent_view_in_own_maintenance(v, s->id) ==
                  is_text(only(checks, id), "Notes", "nsaddrd is stopping"),
              "%s", id);
    }
    next_owned = services->child;
    skip_others();
    agent_view_each(v, OWNER, check_owned, NULL);
    HOLDS(next_owned == NULL, "%s is not visited", next_owned->string);
}

/* The first line is the services, the rest the checks. */
static void try_agent(void)
{
    cJSON *checks = NULL;
    char *behind = strchr(reply.body, '\n');
    size_t whole = reply.body_len;
    const char *of_checks = behind != NULL ? behind + 1 : NULL;
    if (behind != NULL) {
        *behind = '\0';
        reply.body_len = (size_t)(behind - reply.body);
    }
    cJSON *services = second_reading();
    struct agent_view *v = agent_view_new(&reply, &error);
    HOLDS((v != NULL) == (bool)cJSON_IsObject(services), "the services are %s",
          v != NULL ? "taken" : "refused");
    if (v != NULL && of_checks != NULL) {
        reply.body = of_checks;
        reply.body_len = whole - reply.body_len - 1;
        cJSON *read = second_reading();
        bool ok = agent_view_add_checks(v, &reply, &error);
        HOLDS(ok == (bool)cJSON_IsObject(read), "the checks are %s", ok ? "taken" : "refused");
        if (ok)
            checks = read;
        else
            cJSON_Delete(read);
    }
    if (v != NULL)
        check_view(v, services, checks);
    else
        check_refusal();
    agent_view_free(v);
    cJSON_Delete(services);
    cJSON_Delete(checks);
}

/* -- /v1/health/state ------------------------------------------------------------------------ */

/* "" when absent, NULL when it is no text: as check_rows.h has it, a member that is there twice is as
 * one that is not there. */
static const char *text_or_none(const cJSON *row, const char *name)
{
    const cJSON *item = only(row, name);
    return item == NULL || cJSON_IsNull(item) ? "" : cJSON_GetStringValue(item);
}

static const char *const row_members[] = {"Node", "CheckID", "ServiceID", "ServiceName", "Status"};

static bool is_check(const cJSON *row)
{
    if (!cJSON_IsObject(row))
        return false;
    for (size_t i = 0; i < COUNT_OF(row_members); i++)
        if (text_or_none(row, row_members[i]) == NULL)
            return false;
    return text_or_none(row, "Node")[0] != '\0' && text_or_none(row, "Status")[0] != '\0';
}

static const cJSON *next_check; /* of the second reading */
static bool compares_checks;

static void check_row_taken(const struct check_row *row, void *arg)
{
    const char *const got[] = {row->node, row->check_id, row->service_id, row->service,
                               row->status};
    (void)arg;
    if (!compares_checks)
        return;
    HOLDS(next_check != NULL && is_check(next_check), "there is no such row");
    for (size_t i = 0; i < COUNT_OF(got); i++)
        HOLDS(strcmp(got[i], text_or_none(next_check, row_members[i])) == 0, "%s is %s",
              row_members[i], got[i]);
    next_check = next_check->next;
}

/* In pieces of up to `most` bytes, each a copy that ends where it does. */
static bool feed_checks(struct check_rows *r, size_t most, unsigned seed)
{
    size_t size;
    check_rows_init(r, check_row_taken, NULL);
    for (size_t at = 0; at < reply.body_len; at += size) {
        seed = seed * 1103515245u + 12345u;
        size = 1 + (seed >> 16) % most;
        size = size < reply.body_len - at ? size : reply.body_len - at;
        char *piece = fuzz_checked(malloc(size));
        memcpy(piece, reply.body + at, size);
        bool ok = check_rows_feed(r, piece, size);
        free(piece);
        if (!ok)
            return false;
    }
    return check_rows_end(r);
}

/* Where cJSON is no help: it skips all control characters and a byte order mark, and the nesting of the
 * list itself counts for it. */
static bool cjson_differs(void)
{
    size_t depth = 0, deepest = 0;
    if (strncmp(reply.body, "\xef\xbb\xbf", 3) == 0)
        return true;
    for (size_t i = 0; i < reply.body_len; i++) {
        char c = reply.body[i];
        if ((unsigned char)c < 0x20 && strchr("\t\r\n", c) == NULL)
            return true;
        depth += c == '[' || c == '{';
        depth -= depth > 0 && (c == ']' || c == '}');
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest >= CJSON_NESTING_LIMIT;
}

static void try_checks(void)
{
    static const size_t pieces[] = {1, 3, 64, 16384};
    cJSON *root = second_reading();
    bool expected = cJSON_IsArray(root);
    for (const cJSON *row = expected ? root->child : NULL; row != NULL; row = row->next)
        expected &= is_check(row);
    compares_checks = root != NULL && !cjson_differs();
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        struct check_rows r;
        next_check = root != NULL ? root->child : NULL;
        bool ok = feed_checks(&r, pieces[i], flags);
        if (!ok)
            HOLDS(r.error.text[0] != '\0', "refused without a word");
        if (!cjson_differs())
            HOLDS(ok == expected, "the checks are %s", ok ? "taken" : "refused");
        HOLDS(!ok || next_check == NULL || !compares_checks, "a row is missing");
        check_rows_clear(&r);
    }
    cJSON_Delete(root);
}

/* -- /v1/health/service again ---------------------------------------------------------------- */

static void try_listed(void)
{
    cJSON *root = second_reading();
    bool expected = false;
    for (const cJSON *row = root != NULL ? root->child : NULL; row != NULL; row = row->next)
        expected |= is_text(only(row, "Service"), "ID", OWNER);
    HOLDS(agent_catalog_lists(&reply, OWNER) == expected, "it is %slisted", expected ? "" : "not ");
    cJSON_Delete(root);
}

/* -- the input ------------------------------------------------------------------------------- */

static void append_marked(struct buf *out, const char *bytes, size_t len, size_t number)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '@' && i + 1 < len && bytes[i + 1] == 'n') {
            (void)buf_printf(out, "%zu", number);
            i++;
            continue;
        }
        bool marker =
            bytes[i] == '@' && i + 1 < len && (bytes[i + 1] == '1' || bytes[i + 1] == '2');
        if (!marker) {
            (void)buf_append_char(out, bytes[i]);
            continue;
        }
        char *hash = definition_of(&registrations[bytes[++i] - '1']);
        (void)buf_append_str(out, hash);
        free(hash);
    }
}

/* The body: @1 and @2 become the hashes of our registrations; one part is there as often as fits into
 * `most` bytes, with its number in place of @n. */
static char *make_body(const char *given, size_t len, size_t most, size_t *made_len)
{
    struct buf out;
    buf_init(&out, BODY_MAX);
    const char *start = memchr(given, 1, len);
    const char *end = start != NULL ? memchr(start, 2, len - (size_t)(start - given)) : NULL;
    if (end == NULL) {
        append_marked(&out, given, len, 0);
    } else {
        size_t behind = len - (size_t)(end + 1 - given);
        append_marked(&out, given, (size_t)(start - given), 0);
        for (size_t i = 0; i == 0 || (i < most && out.len < most); i++)
            append_marked(&out, start + 1, (size_t)(end - start - 1), i);
        append_marked(&out, end + 1, behind, 0);
    }
    /* A copy that ends where the text does, so that reads behind it are seen. */
    char *made = fuzz_checked(malloc(out.len + 1));
    memcpy(made, buf_text(&out), out.len + 1);
    *made_len = out.len;
    buf_clear(&out);
    return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        char letter;
        void (*attempt)(void);
    } replies[] = {{'H', try_health},
                   {'S', try_services},
                   {'A', try_agent},
                   {'L', try_listed},
                   {'C', try_checks}};
    struct input in = {.at = data, .left = size};
    size_t len, made_len;
    unsigned letter = fuzz_byte(&in);
    flags = fuzz_byte(&in);
    unsigned repeat = fuzz_byte(&in);
    size_t most = repeat == 255 ? LONG_BODY : repeat == 254 ? LONGEST_BODY : 0;
    char *given = fuzz_rest(&in, &len);
    char *made = make_body(given, len, most, &made_len);
    reply = (struct httpc_reply){.status = 200,
                                 .body = made,
                                 .body_len = made_len,
                                 .index = 1,
                                 .filtered = (flags & 4) != 0,
                                 .default_deny = (flags & 8) != 0};
    for (size_t i = 0; i < COUNT_OF(replies); i++)
        if (letter == (unsigned char)replies[i].letter)
            replies[i].attempt();
    free(made);
    free(given);
    return 0;
}
