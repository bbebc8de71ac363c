/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scenario.c - plays the scenarios given as files; their language is in scenarios/README.md.
 *
 *   scenario [--history FILE] [--log] [--watches NUMBER] FILE...
 *
 * --watches is consul.max_watches for all that do not set it themselves and do not name a plan.
 *
 * Exit code: 0 when all that is expected happened, 1 when not, 2 when a file cannot be understood.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "model/cluster_id.h"
#include "sim.h"

#define HISTORY_SIZE (64 * 1024 * 1024)
#define SETTINGS_MAX 16
#define SETTING_SIZE 256
#define LINES_MAX 4096
#define LINE_SIZE 1024
#define TAIL_LINES 15
#define SLOWEST_REPLICA_MS 800
#define ANSWERS_SIZE (SIM_CLUSTERS_MAX * 512)

struct scenario {
    const char *path;
    char name[128];
    char *text; /* the whole file, cut into lines */
    char *lines[LINES_MAX];
    size_t line_count;
    size_t at; /* the line being played */
    size_t repeat_from;
    bool repeating;   /* between repeat and end */
    int64_t repeats;  /* still to come */
    const char *rest; /* of the line, behind what has been understood */

    char settings[SETTINGS_MAX][SETTING_SIZE];
    size_t setting_count;
    const char *watches; /* of those that do not say it; NULL: the default */
    bool own_plan;
    bool without_state;
    int64_t replicas;
    int64_t replica; /* the one being played, from 0 */

    char folder[SIM_FOLDER_SIZE];
    struct config *config;
    struct sim_history history;
    bool begun;
    size_t mark; /* "from here": a place in the history */
    uint64_t mark_requests[SIM_KINDS];
    unsigned long expectations;
    int64_t played_ms; /* of virtual time */
};

enum outcome { PLAYED, FAILED, NOT_UNDERSTOOD };

static struct sim sim;

/* -- words ----------------------------------------------------------------------------------- */

static void skip_blanks(struct scenario *sc)
{
    sc->rest += strspn(sc->rest, " \t");
}

/* Takes `words` off if they are next, as whole words. */
static bool take(struct scenario *sc, const char *words)
{
    size_t len = strlen(words);
    skip_blanks(sc);
    if (strncmp(sc->rest, words, len) != 0)
        return false;
    if (sc->rest[len] != '\0' && strchr(" \t,", sc->rest[len]) == NULL)
        return false;
    sc->rest += len;
    return true;
}

/* The next word, which ends at a blank or comma; "" at the end of the line. */
static void take_word(struct scenario *sc, char *out, size_t size)
{
    skip_blanks(sc);
    size_t len = strcspn(sc->rest, " \t,");
    (void)snprintf(out, size, "%.*s", (int)len, sc->rest);
    sc->rest += len;
}

static bool at_end(struct scenario *sc)
{
    skip_blanks(sc);
    return sc->rest[0] == '\0';
}

static bool take_number(struct scenario *sc, int64_t *out)
{
    char word[32];
    char *end;
    take_word(sc, word, sizeof word);
    *out = strtoll(word, &end, 10);
    return end != word && *end == '\0';
}

static bool read_duration(const char *text, int64_t *out)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                 {"h", 3600000}, {"d", 86400000}, {"y", INT64_C(31557600000)}};
    char *end;
    int64_t number = strtoll(text, &end, 10);
    for (size_t i = 0; end != text && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].unit) == 0) {
            *out = number * units[i].ms;
            return true;
        }
    }
    return false;
}

static bool take_duration(struct scenario *sc, int64_t *out)
{
    char word[32];
    take_word(sc, word, sizeof word);
    return read_duration(word, out);
}

static bool take_cluster(struct scenario *sc, size_t *out)
{
    char word[CLUSTER_ID_SIZE + 1];
    take_word(sc, word, sizeof word);
    if (!cluster_id_valid(word, strlen(word)))
        return false;
    *out = sim_cluster(&sim, word);
    return true;
}

/* -- telling --------------------------------------------------------------------------------- */

static void say_where(const struct scenario *sc)
{
    (void)fprintf(stderr, "%s:%zu: ", sc->path, sc->at + 1);
}

static enum outcome not_understood(const struct scenario *sc, const char *right)
{
    say_where(sc);
    (void)fprintf(stderr, "not understood: %s\n  right would be: %s\n", sc->lines[sc->at], right);
    return NOT_UNDERSTOOD;
}

static void print_tail(const struct sim_history *h)
{
    size_t at = h->len;
    for (int lines = 0; at > 0; at--) {
        lines += h->text[at - 1] == '\n';
        if (lines > TAIL_LINES) /* the end of the line before */
            break;
    }
    (void)fprintf(stderr, "  the last of the history:\n%.*s", (int)(h->len - at), h->text + at);
}

static enum outcome failed(const struct scenario *sc, const char *got)
{
    say_where(sc);
    (void)fprintf(stderr, "%s\n  got: %s\n", sc->lines[sc->at], got);
    if (sc->replicas > 1)
        (void)fprintf(stderr, "  as replica %" PRId64 " of %" PRId64 "\n", sc->replica + 1,
                      sc->replicas);
    print_tail(&sc->history);
    return FAILED;
}

/* -- before anything happens ----------------------------------------------------------------- */

#define SET_FORM "set <option> = <value>, before all others"

static enum outcome do_set(struct scenario *sc)
{
    char key[64];
    take_word(sc, key, sizeof key);
    if (sc->begun || !take(sc, "=") || sc->setting_count == SETTINGS_MAX)
        return not_understood(sc, SET_FORM);
    skip_blanks(sc);
    const char *value = sc->rest;
    size_t len = strlen(value);
    if (len >= 2 && value[0] == '"' && value[len - 1] == '"') {
        value++;
        len -= 2;
    }
    sc->own_plan |= strcmp(key, "consul.max_watches") == 0;
    (void)snprintf(sc->settings[sc->setting_count++], SETTING_SIZE, "%s=%.*s", key, (int)len,
                   value);
    return PLAYED;
}

static enum outcome do_each_watched(struct scenario *sc)
{
    if (sc->begun)
        return not_understood(sc, "each is watched, before all others");
    sc->own_plan = true;
    return PLAYED;
}

static enum outcome do_without_state(struct scenario *sc)
{
    if (sc->begun)
        return not_understood(sc, "without state, before all others");
    sc->without_state = true;
    return PLAYED;
}

static enum outcome do_replicas(struct scenario *sc)
{
    if (sc->begun || !take_number(sc, &sc->replicas) || sc->replicas < 2)
        return not_understood(sc, "replicas <number, 2 or more>, before all others");
    return PLAYED;
}

static enum outcome begin(struct scenario *sc)
{
    struct error error;
    char *environment[] = {NULL};
    const char *items[SETTINGS_MAX + 2];
    char dir[SIM_FOLDER_SIZE + 16], watches[64];
    size_t count = 0;
    if (sc->watches != NULL && !sc->own_plan) {
        (void)snprintf(watches, sizeof watches, "consul.max_watches=%s", sc->watches);
        items[count++] = watches;
    }
    if (!sc->without_state) {
        (void)snprintf(dir, sizeof dir, "state.dir=%s", sc->folder);
        items[count++] = dir;
    }
    for (size_t i = 0; i < sc->setting_count; i++)
        items[count++] = sc->settings[i];
    struct config_overrides overrides = {.items = items, .count = count};
    sc->config = config_load(NULL, environment, &overrides, &error);
    if (sc->config == NULL)
        return not_understood(sc, error.text);
    sc->begun = true;
    sim_init(&sim, sc->config, &sc->history, sc->name, (uint64_t)sc->replica + 1);
    if (sc->replicas > 1)
        sim.latency_high_ms = SLOWEST_REPLICA_MS;
    return PLAYED;
}

/* -- Consul ---------------------------------------------------------------------------------- */

/* "10.0.0.1:9876", "[2001:db8::1]:9876", "host:0": whatever somebody may have registered. */
static bool split_address(const char *text, struct sim_instance *out)
{
    char *end;
    const char *colon = strrchr(text, ':');
    if (colon == NULL)
        return false;
    size_t len = (size_t)(colon - text);
    bool brackets = len >= 2 && text[0] == '[' && colon[-1] == ']';
    out->port = strtol(colon + 1, &end, 10);
    (void)snprintf(out->address, sizeof out->address, "%.*s", (int)(brackets ? len - 2 : len),
                   text + (brackets ? 1 : 0));
    return end != colon + 1 && *end == '\0' && strpbrk(text, "\"\\") == NULL;
}

static void take_health(struct scenario *sc, struct sim_instance *out)
{
    static const struct {
        const char *word;
        enum sim_health health;
    } words[] = {{"bad", SIM_CRITICAL},
                 {"warning", SIM_WARNING},
                 {"maintenance", SIM_MAINTENANCE},
                 {"node-maintenance", SIM_NODE_MAINTENANCE}};
    out->unchecked = take(sc, "unchecked");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (take(sc, words[i].word))
            out->health = words[i].health;
    out->on_node = take(sc, "on-node");
}

static bool take_instances(struct scenario *sc, struct sim_instance *list, size_t *count)
{
    *count = 0;
    if (take(sc, "nothing"))
        return at_end(sc);
    for (;;) {
        char word[SIM_ADDRESS_SIZE + 8];
        if (*count == SIM_INSTANCES_MAX)
            return false;
        struct sim_instance *i = &list[(*count)++];
        *i = (struct sim_instance){.health = SIM_PASSING};
        take_word(sc, word, sizeof word);
        if (!split_address(word, i))
            return false;
        take_health(sc, i);
        if (at_end(sc))
            return true;
        if (*sc->rest++ != ',')
            return false;
    }
}

#define SAYS_FORM                                                                                  \
    "consul says <id> = nothing, or <address>:<port> [unchecked] "                                 \
    "[bad|warning|maintenance|node-maintenance] [on-node], ..."

static enum outcome do_says(struct scenario *sc)
{
    struct sim_instance list[SIM_INSTANCES_MAX];
    size_t cluster, count;
    if (!take_cluster(sc, &cluster) || !take(sc, "=") || !take_instances(sc, list, &count))
        return not_understood(sc, SAYS_FORM);
    sim_register(&sim, cluster, list, count);
    return PLAYED;
}

static enum outcome do_forgets(struct scenario *sc)
{
    size_t cluster;
    if (take(sc, "everything"))
        sim_forget_all(&sim);
    else if (take_cluster(sc, &cluster))
        sim_register(&sim, cluster, NULL, 0);
    else
        return not_understood(sc, "consul forgets everything|<id>");
    return PLAYED;
}

static enum outcome do_others(struct scenario *sc)
{
    bool fail = take(sc, "fail");
    if (!fail && !take(sc, "are well"))
        return not_understood(sc, "others fail|are well");
    sim_others_fail(&sim, fail);
    return PLAYED;
}

static enum outcome do_remembers(struct scenario *sc)
{
    (void)sc;
    sim_remember(&sim);
    return PLAYED;
}

static enum outcome do_goes_back(struct scenario *sc)
{
    (void)sc;
    sim_go_back(&sim);
    return PLAYED;
}

static const struct {
    const char *word;
    enum sim_fault fault;
} fault_words[] = {
    {"refused", SIM_REFUSED},
    {"hangs", SIM_HANGS},
    {"reset", SIM_RESET},
    {"garbage", SIM_GARBAGE},
    {"cut", SIM_CUT},
    {"empty", SIM_EMPTY},
    {"lies-empty", SIM_LIES_EMPTY},
    {"filtered", SIM_FILTERED},
    {"denied", SIM_DENIED},
    {"no-leader", SIM_NO_LEADER},
    {"index-back", SIM_INDEX_BACK},
    {"index-zero", SIM_INDEX_ZERO},
    {"index-stuck", SIM_INDEX_STUCK},
    {"stale", SIM_STALE},
    {"partial", SIM_PARTIAL},
    {"odd-row", SIM_ODD_ROW},
};

static bool take_fault(struct scenario *sc, struct sim_fault_setting *out)
{
    *out = (struct sim_fault_setting){.fault = SIM_STATUS};
    if (take(sc, "status")) {
        int64_t status;
        bool ok = take_number(sc, &status);
        out->status = (long)status;
        return ok;
    }
    for (size_t i = 0; i < sizeof fault_words / sizeof fault_words[0]; i++) {
        if (take(sc, fault_words[i].word)) {
            out->fault = fault_words[i].fault;
            return true;
        }
    }
    return false;
}

#define FAILS_FORM                                                                                 \
    "consul fails refused|hangs|reset|status <number>|garbage|cut|empty|lies-empty|filtered|"      \
    "denied|no-leader|index-back|index-zero|index-stuck|stale|partial|odd-row "                    \
    "[for names|reads|watches|views|all-views|critical-views|warning-views|<id>|reads of <id>|"    \
    "watches of <id>]"

static const struct {
    const char *words;
    int first;
    int last;
} kind_words[] = {
    {"names", SIM_NAMES, SIM_NAMES},
    {"reads", SIM_READ, SIM_READ},
    {"watches", SIM_WATCH, SIM_WATCH},
    {"views", SIM_VIEW_ALL, SIM_VIEW_WARNING},
    {"all-views", SIM_VIEW_ALL, SIM_VIEW_ALL},
    {"critical-views", SIM_VIEW_CRITICAL, SIM_VIEW_CRITICAL},
    {"warning-views", SIM_VIEW_WARNING, SIM_VIEW_WARNING},
};

/* The kinds of requests that are named next, first to last; false, and all of them, when none is. */
static bool take_kinds(struct scenario *sc, int *first, int *last)
{
    *first = 0;
    *last = SIM_KINDS - 1;
    for (size_t i = 0; i < sizeof kind_words / sizeof kind_words[0]; i++) {
        if (!take(sc, kind_words[i].words))
            continue;
        *first = kind_words[i].first;
        *last = kind_words[i].last;
        return true;
    }
    return false;
}

/* Of one cluster only what is about one cluster can fail. */
static void fail_kinds(int first, int last, const size_t *cluster, struct sim_fault_setting fault)
{
    for (int k = first; k <= last; k++) {
        if (cluster == NULL)
            sim_fail(&sim, (enum sim_kind)k, fault);
        else if (k == SIM_READ || k == SIM_WATCH)
            sim_fail_cluster(&sim, *cluster, (enum sim_kind)k, fault);
    }
}

static enum outcome do_fails(struct scenario *sc)
{
    struct sim_fault_setting fault;
    size_t cluster;
    int first, last;
    if (!take_fault(sc, &fault))
        return not_understood(sc, FAILS_FORM);
    if (!take(sc, "for")) {
        fail_kinds(0, SIM_KINDS - 1, NULL, fault);
        return at_end(sc) ? PLAYED : not_understood(sc, FAILS_FORM);
    }
    bool one = !take_kinds(sc, &first, &last) || take(sc, "of");
    if (one && !take_cluster(sc, &cluster))
        return not_understood(sc, FAILS_FORM);
    fail_kinds(first, last, one ? &cluster : NULL, fault);
    return PLAYED;
}

static enum outcome do_recovers(struct scenario *sc)
{
    (void)sc;
    sim_recover(&sim);
    return PLAYED;
}

static enum outcome do_hide_names(struct scenario *sc)
{
    uint64_t hidden = 0;
    while (!at_end(sc)) {
        size_t cluster;
        if (!take_cluster(sc, &cluster))
            return not_understood(sc, "names leave out <id> ...");
        hidden |= UINT64_C(1) << cluster;
    }
    sim_hide_names(&sim, hidden);
    return PLAYED;
}

static enum outcome do_more_names(struct scenario *sc)
{
    skip_blanks(sc);
    (void)snprintf(sim.extra_names, sizeof sim.extra_names, "%s", sc->rest);
    return PLAYED;
}

static enum outcome do_latency(struct scenario *sc)
{
    char word[64];
    take_word(sc, word, sizeof word);
    char *dots = strstr(word, "..");
    if (dots != NULL)
        *dots = '\0';
    if (!read_duration(word, &sim.latency_low_ms) ||
        !read_duration(dots != NULL ? dots + 2 : word, &sim.latency_high_ms))
        return not_understood(sc, "latency 5ms, or latency 1ms..800ms");
    return PLAYED;
}

static enum outcome do_disk(struct scenario *sc)
{
    if (!take_duration(sc, &sim.write_ms))
        return not_understood(sc, "disk takes <duration>");
    return PLAYED;
}

/* -- the daemon and time --------------------------------------------------------------------- */

static enum outcome do_start(struct scenario *sc)
{
    struct error error;
    if (sim.up)
        return not_understood(sc, "start, when it is not running");
    if (!sim_start(&sim, &error))
        return failed(sc, error.text);
    return PLAYED;
}

static enum outcome do_stop(struct scenario *sc)
{
    (void)sc;
    sim_stop(&sim);
    return PLAYED;
}

static enum outcome do_kill(struct scenario *sc)
{
    (void)sc;
    sim_kill(&sim);
    return PLAYED;
}

static enum outcome do_restart(struct scenario *sc)
{
    sim_stop(&sim);
    return do_start(sc);
}

static enum outcome do_clock(struct scenario *sc)
{
    int64_t ms;
    skip_blanks(sc);
    if (*sc->rest != '+' || !take_duration(sc, &ms))
        return not_understood(sc, "clock +<duration>");
    sim_run(&sim, ms);
    sc->played_ms += ms;
    return PLAYED;
}

static enum outcome do_wall_clock(struct scenario *sc)
{
    int64_t ms;
    skip_blanks(sc);
    if (strchr("+-", *sc->rest) == NULL || !take_duration(sc, &ms))
        return not_understood(sc, "wall clock +<duration> or -<duration>");
    sim.wall_offset_ms += ms;
    return PLAYED;
}

static enum outcome do_freeze(struct scenario *sc)
{
    (void)sc;
    sim_freeze(&sim);
    return PLAYED;
}

static enum outcome do_thaw(struct scenario *sc)
{
    sim_thaw(&sim, take(sc, "late replies expire"));
    return PLAYED;
}

static enum outcome do_stopped_for(struct scenario *sc)
{
    int64_t ms;
    if (!take_duration(sc, &ms))
        return not_understood(sc, "stopped for <duration> [late replies expire]");
    sim_freeze(&sim);
    sim_run(&sim, ms);
    sc->played_ms += ms;
    return do_thaw(sc);
}

static enum outcome do_from_here(struct scenario *sc)
{
    sc->mark = sc->history.len;
    memcpy(sc->mark_requests, sim.requests, sizeof sc->mark_requests);
    return PLAYED;
}

#define REPEAT_FORM "repeat <times>, ended by end, and none within another"

static enum outcome do_repeat(struct scenario *sc)
{
    int64_t times;
    if (sc->repeating || !take_number(sc, &times) || times < 1)
        return not_understood(sc, REPEAT_FORM);
    sc->repeating = true;
    sc->repeats = times - 1;
    sc->repeat_from = sc->at;
    return PLAYED;
}

static enum outcome do_end(struct scenario *sc)
{
    if (!sc->repeating)
        return not_understood(sc, REPEAT_FORM);
    sc->repeating = sc->repeats > 0;
    if (sc->repeating) {
        sc->repeats--;
        sc->at = sc->repeat_from;
    }
    return PLAYED;
}

/* -- expectations ---------------------------------------------------------------------------- */

/* Is `address` one of the list? */
static bool lists(const char *body, size_t len, const char *address)
{
    size_t wanted = strlen(address);
    const char *end = body + len;
    while (body < end) {
        const char *stop = memchr(body, ';', (size_t)(end - body));
        size_t part = (size_t)((stop != NULL ? stop : end) - body);
        if (part == wanted && memcmp(body, address, wanted) == 0)
            return true;
        body += part + 1;
    }
    return false;
}

/* One line "<ms> serves <id> <asked> <status> <state> <body>" of the history, taken apart. */
struct serves {
    const char *status;
    const char *body;
    size_t body_len;
};

static bool read_serves(const char *line, size_t len, const char *id, struct serves *out)
{
    char head[CLUSTER_ID_SIZE + 16];
    const char *end = line + len;
    const char *at = memchr(line, ' ', len);
    size_t head_len = (size_t)snprintf(head, sizeof head, " serves %s ", id);
    if (at == NULL || (size_t)(end - at) < head_len || strncmp(at, head, head_len) != 0)
        return false;
    at = strchr(at + head_len, ' ') + 1; /* behind <asked> */
    out->status = at;
    at = strchr(strchr(at, ' ') + 1, ' ') + 1;
    out->body = at;
    out->body_len = (size_t)(end - at);
    return true;
}

/* Every answer since "from here" is judged: all must do (true), or none may (false). */
static bool every_answer(const struct scenario *sc, const char *id, const char *address,
                         bool (*judge)(const struct serves *a, const char *address))
{
    const char *at = sc->history.text + sc->mark;
    const char *end = sc->history.text + sc->history.len;
    while (at < end) {
        struct serves a;
        size_t len = strcspn(at, "\n");
        if (read_serves(at, len, id, &a) && !judge(&a, address))
            return false;
        at += len + 1;
    }
    return true;
}

static bool has_address(const struct serves *a, const char *address)
{
    return lists(a->body, a->body_len, address);
}

static bool lacks_address(const struct serves *a, const char *address)
{
    return !lists(a->body, a->body_len, address);
}

static bool is_list(const struct serves *a, const char *address)
{
    (void)address;
    return strncmp(a->status, "200 ", 4) == 0;
}

static void describe(const struct sim_served *got, char *out, size_t size)
{
    if (got->status == 200)
        (void)snprintf(out, size, "%s %.900s", got->state, got->body);
    else
        (void)snprintf(out, size, "%u %s", got->status, got->reason);
}

#define EXPECT_FORM                                                                                \
    "expect <id> = <list>|live|held|restored|unknown|not ready|no address|kept <address>|"         \
    "never gave <address>|always served, expect ready|not ready, or expect requests|names|reads|"  \
    "watches|views|all-views|critical-views|warning-views <=|>= <number>"

/* What is expected of one cluster; -1 when the words are not understood. */
static int judge_cluster(struct scenario *sc, const char *id, const struct sim_served *got)
{
    static const char *const states[] = {"live", "held", "restored"};
    char word[SIM_BODY_SIZE];
    if (take(sc, "=")) {
        take_word(sc, word, sizeof word);
        return got->status == 200 && strcmp(got->body, word) == 0;
    }
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (take(sc, states[i]))
            return got->status == 200 && strcmp(got->state, states[i]) == 0;
    if (take(sc, "unknown"))
        return got->status == 404;
    if (take(sc, "not ready"))
        return got->status == 503 && strcmp(got->reason, "not-ready") == 0;
    if (take(sc, "no address"))
        return got->status == 503 && strcmp(got->reason, "no-address") == 0;
    if (take(sc, "always served"))
        return got->status == 200 && every_answer(sc, id, NULL, is_list);
    if (take(sc, "kept")) {
        take_word(sc, word, sizeof word);
        return lists(got->body, strlen(got->body), word) && every_answer(sc, id, word, has_address);
    }
    if (take(sc, "never gave")) {
        take_word(sc, word, sizeof word);
        return !lists(got->body, strlen(got->body), word) &&
               every_answer(sc, id, word, lacks_address);
    }
    return -1;
}

static enum outcome expect_cluster(struct scenario *sc)
{
    char id[CLUSTER_ID_SIZE + 1];
    char text[1024];
    struct sim_served got;
    take_word(sc, id, sizeof id);
    if (!sim.up || !cluster_id_valid(id, strlen(id)))
        return not_understood(sc, EXPECT_FORM);
    sim_ask(&sim, id, &got);
    int ok = judge_cluster(sc, id, &got);
    if (ok < 0 || !at_end(sc))
        return not_understood(sc, EXPECT_FORM);
    describe(&got, text, sizeof text);
    return ok ? PLAYED : failed(sc, text);
}

/* How many requests of these kinds were sent. */
static enum outcome expect_requests(struct scenario *sc, int first, int last)
{
    int64_t number, sent = 0;
    char text[64];
    for (int k = first; k <= last; k++)
        sent += (int64_t)(sim.requests[k] - sc->mark_requests[k]);
    (void)snprintf(text, sizeof text, "%" PRId64, sent);
    if (take(sc, "<=") && take_number(sc, &number))
        return sent <= number ? PLAYED : failed(sc, text);
    if (take(sc, ">=") && take_number(sc, &number))
        return sent >= number ? PLAYED : failed(sc, text);
    return not_understood(sc, EXPECT_FORM);
}

static enum outcome do_expect(struct scenario *sc)
{
    int first, last;
    sc->expectations++;
    if (take_kinds(sc, &first, &last) || take(sc, "requests"))
        return expect_requests(sc, first, last);
    if (take(sc, "ready"))
        return sim_ready(&sim) ? PLAYED : failed(sc, "not ready");
    if (take(sc, "not ready"))
        return !sim_ready(&sim) ? PLAYED : failed(sc, "ready");
    return expect_cluster(sc);
}

/* -- playing --------------------------------------------------------------------------------- */

static const struct statement {
    const char *words;
    enum outcome (*play)(struct scenario *sc);
    bool before; /* says how the world shall be, before there is one */
} statements[] = {
    {"set", do_set, true},
    {"without state", do_without_state, true},
    {"each is watched", do_each_watched, true},
    {"replicas", do_replicas, true},
    {"latency", do_latency, false},
    {"disk takes", do_disk, false},
    {"consul says", do_says, false},
    {"consul forgets", do_forgets, false},
    {"others", do_others, false},
    {"consul remembers", do_remembers, false},
    {"consul goes back", do_goes_back, false},
    {"consul fails", do_fails, false},
    {"consul recovers", do_recovers, false},
    {"names leave out", do_hide_names, false},
    {"names also list", do_more_names, false},
    {"start", do_start, false},
    {"stop", do_stop, false},
    {"kill", do_kill, false},
    {"restart", do_restart, false},
    {"clock", do_clock, false},
    {"wall clock", do_wall_clock, false},
    {"freeze", do_freeze, false},
    {"thaw", do_thaw, false},
    {"stopped for", do_stopped_for, false},
    {"from here", do_from_here, false},
    {"repeat", do_repeat, false},
    {"end", do_end, false},
    {"expect", do_expect, false},
};

static enum outcome play_line(struct scenario *sc)
{
    sc->rest = sc->lines[sc->at];
    if (at_end(sc))
        return PLAYED;
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        if (!take(sc, statements[i].words))
            continue;
        enum outcome o = sc->begun || statements[i].before ? PLAYED : begin(sc);
        if (o == PLAYED)
            o = statements[i].play(sc);
        return o == PLAYED && !statements[i].before && !at_end(sc) &&
                       statements[i].play != do_more_names
                   ? not_understood(sc, "nothing more on this line")
                   : o;
    }
    char known[1024] = "";
    for (size_t i = 0, len = 0; i < sizeof statements / sizeof statements[0]; i++)
        len += (size_t)snprintf(known + len, sizeof known - len, "%s%s", i > 0 ? " | " : "",
                                statements[i].words);
    return not_understood(sc, known);
}

/* What each cluster's clients get at the end, as one text. */
static void write_answers(char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; sim.up && i < sim.cluster_count; i++) {
        struct sim_served got;
        sim_ask(&sim, sim.ids[i], &got);
        len += (size_t)snprintf(out + len, size - len, "%s %u %.400s\n", sim.ids[i], got.status,
                                got.body);
    }
}

static enum outcome play_once(struct scenario *sc)
{
    enum outcome o = PLAYED;
    sc->setting_count = 0;
    sc->own_plan = false;
    sc->begun = false;
    sc->mark = sc->history.len;
    memset(sc->mark_requests, 0, sizeof sc->mark_requests);
    sc->repeating = false;
    for (sc->at = 0; o == PLAYED && sc->at < sc->line_count; sc->at++)
        o = play_line(sc);
    if (o != PLAYED || !sc->repeating)
        return o;
    (void)fprintf(stderr, "%s: the end of this is missing: %s\n", sc->path, REPEAT_FORM);
    return NOT_UNDERSTOOD;
}

static void end_once(struct scenario *sc)
{
    if (sc->begun)
        sim_clear(&sim);
    config_free(sc->config);
    sc->config = NULL;
    sim_empty_folder(sc->folder);
}

static enum outcome play(struct scenario *sc)
{
    static char first[ANSWERS_SIZE], other[ANSWERS_SIZE];
    enum outcome o = PLAYED;
    sc->replicas = 1;
    for (sc->replica = 0; o == PLAYED && sc->replica < sc->replicas; sc->replica++) {
        o = play_once(sc);
        if (o == PLAYED)
            write_answers(sc->replica == 0 ? first : other, ANSWERS_SIZE);
        if (o == PLAYED && sc->replica > 0 && strcmp(first, other) != 0) {
            (void)fprintf(stderr, "%s: replicas answer differently:\n%s and\n%s", sc->path, first,
                          other);
            o = FAILED;
        }
        end_once(sc);
    }
    return o;
}

/* -- files ----------------------------------------------------------------------------------- */

static void split_lines(struct scenario *sc)
{
    char *at = sc->text;
    sc->line_count = 0;
    while (*at != '\0' && sc->line_count < LINES_MAX) {
        size_t len = strcspn(at, "\n");
        bool more = at[len] == '\n';
        at[len] = '\0';
        at[strcspn(at, "#\r")] = '\0';
        for (size_t n = strlen(at); n > 0 && strchr(" \t", at[n - 1]) != NULL; n--)
            at[n - 1] = '\0';
        sc->lines[sc->line_count++] = at;
        at += len + (more ? 1 : 0);
    }
}

static bool read_scenario(struct scenario *sc, const char *path)
{
    static char text[256 * 1024];
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    size_t len = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    text[len] = '\0';
    sc->path = path;
    sc->text = text;
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    (void)snprintf(sc->name, sizeof sc->name, "%.*s", (int)strcspn(base, "."), base);
    split_lines(sc);
    return true;
}

static bool append_history(const char *path, const struct sim_history *h)
{
    FILE *f = fopen(path, "ae");
    bool ok = f != NULL && fwrite(h->text, 1, h->len, f) == h->len;
    ok = f != NULL && fclose(f) == 0 && ok;
    if (!ok)
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return ok;
}

int main(int argc, char **argv)
{
    static struct scenario sc;
    const char *history = NULL;
    int played = 0, bad = 0;
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    sc.history = (struct sim_history){.text = malloc(HISTORY_SIZE), .size = HISTORY_SIZE};
    if (sc.history.text == NULL)
        return 2;
    sim_make_folder(sc.folder);
    int code = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--history") == 0 && i + 1 < argc) {
            history = argv[++i];
            continue;
        }
        if (strcmp(argv[i], "--watches") == 0 && i + 1 < argc) {
            sc.watches = argv[++i];
            continue;
        }
        if (strcmp(argv[i], "--log") == 0) {
            log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT);
            continue;
        }
        enum outcome o = read_scenario(&sc, argv[i]) ? play(&sc) : NOT_UNDERSTOOD;
        if (history != NULL && !append_history(history, &sc.history))
            o = NOT_UNDERSTOOD;
        sc.history.len = 0;
        played++;
        bad += o != PLAYED;
        code = (int)o > code ? (int)o : code;
    }
    sim_remove_folder(sc.folder);
    free(sc.history.text);
    if (played == 0)
        code = (int)NOT_UNDERSTOOD;
    (void)printf("%d scenarios, %d failed; %lu expectations, %" PRId64 " minutes of their time\n",
                 played, bad, sc.expectations, sc.played_ms / 60000);
    return code;
}
