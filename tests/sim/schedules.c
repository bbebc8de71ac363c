/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedules.c - random schedules of what can happen to a Consul and to us, each from its seed.
 *
 *   schedules [--seed S] [--count N] [--history FILE] [--log]
 *
 * Runs the seeds S to S+N-1. The same seed gives the same history, byte for byte. After the random
 * part all faults end, and a calm follows in which every list must become what Consul has; that is
 * checked here, all else by whoever reads the history. Exit code 1 when a list did not.
 * In some schedules nothing is broken at any time: then the lists must be so long before every cluster
 * is read again regardless.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "model/endpoint.h"
#include "sim.h"

#define HISTORY_SIZE (64 * 1024 * 1024)
#define TAIL_BYTES 1500
#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define YEAR (8766 * HOUR)
#define LENGTH_MIN_MS (2 * MINUTE)
#define LENGTH_MAX_MS (20 * MINUTE)
/* A sweep comes every 5 minutes and 20 %; then backoff, the guard against mass loss, and reads. */
#define CALM_MS (8 * MINUTE)
/* A guard of 30 s that a loss at its end prolongs, and reads. */
#define PROMPT_MS (75 * 1000)
#define OWN_ADDRESSES 4
#define SHARED_ADDRESSES 3
#define SLOW_DISK_MS 5000
#define FLAPS 30
#define FLAP_MS 100

struct schedule {
    uint64_t seed;
    struct jitter random; /* of the schedule; the world has its own */
    struct config *config;
    struct sim_history history;
    char folder[SIM_FOLDER_SIZE];
    size_t clusters;
    bool unbroken;           /* nothing that only a regular read can find */
    struct sim_catalog lost; /* what an agent that restarts will register again */
    int64_t refill_at_ms;
};

static struct sim sim;

static int64_t upto(struct schedule *s, int64_t bound)
{
    return jitter_upto(&s->random, bound);
}

static bool chance(struct schedule *s, int percent)
{
    return upto(s, 99) < percent;
}

/* -- memberships ----------------------------------------------------------------------------- */

/* Neighbours by prefix, by case and by punctuation. */
static const char *const ids[] = {"1", "10", "a", "A", "b-2", "c.d", "x_1", "100"};

static struct sim_instance random_instance(struct schedule *s, size_t cluster)
{
    struct sim_instance i = {.health = SIM_PASSING, .port = 9876};
    if (chance(s, 12)) {
        (void)snprintf(i.address, sizeof i.address, "10.9.9.%d",
                       (int)(1 + upto(s, SHARED_ADDRESSES - 1)));
    } else if (chance(s, 10)) {
        (void)snprintf(i.address, sizeof i.address, "2001:db8::%zx", cluster + 1);
    } else if (chance(s, 3)) {
        (void)snprintf(i.address, sizeof i.address, "%s", chance(s, 50) ? "ns.example" : "0.0.0.0");
    } else {
        (void)snprintf(i.address, sizeof i.address, "10.0.%zu.%d", cluster,
                       (int)(1 + upto(s, OWN_ADDRESSES - 1)));
    }
    i.on_node = chance(s, 5);
    i.unchecked = !s->unbroken && chance(s, 5);
    return i;
}

static size_t some_cluster(struct schedule *s)
{
    return (size_t)upto(s, (int64_t)s->clusters - 1);
}

static void add_instance(struct schedule *s, size_t cluster)
{
    struct sim_service now = sim.catalog.services[cluster];
    if (now.count == SIM_INSTANCES_MAX)
        return;
    now.list[now.count] = random_instance(s, cluster);
    if (!now.list[now.count].unchecked && chance(s, 20))
        now.list[now.count].health = SIM_CRITICAL;
    sim_register(&sim, cluster, now.list, now.count + 1);
}

static void remove_instance(struct schedule *s, size_t cluster)
{
    struct sim_service now = sim.catalog.services[cluster];
    if (now.count == 0)
        return;
    now.list[upto(s, (int64_t)now.count - 1)] = now.list[now.count - 1];
    sim_register(&sim, cluster, now.list, now.count - 1);
}

/* What has no check cannot fail, but be in maintenance. */
static void set_health(struct sim_instance *i, enum sim_health to)
{
    if (!i->unchecked || to != SIM_CRITICAL)
        i->health = to;
}

static void change_port(struct schedule *s, size_t cluster)
{
    struct sim_service now = sim.catalog.services[cluster];
    if (now.count == 0)
        return;
    now.list[upto(s, (int64_t)now.count - 1)].port = 9876 + upto(s, 2);
    sim_register(&sim, cluster, now.list, now.count);
}

static void change_health(struct schedule *s, size_t cluster, enum sim_health to)
{
    struct sim_service now = sim.catalog.services[cluster];
    if (now.count == 0)
        return;
    struct sim_instance *i = &now.list[upto(s, (int64_t)now.count - 1)];
    set_health(i, i->health == SIM_PASSING ? to : SIM_PASSING);
    sim_register(&sim, cluster, now.list, now.count);
}

static void begin_maintenance(struct schedule *s)
{
    bool of_node = chance(s, 50);
    change_health(s, some_cluster(s), of_node ? SIM_NODE_MAINTENANCE : SIM_MAINTENANCE);
}

/* A NameServer is moved: its address belongs to another cluster now, or to both for a while. */
static void move_instance(struct schedule *s)
{
    size_t from = some_cluster(s), to = some_cluster(s);
    struct sim_service old = sim.catalog.services[from];
    struct sim_service new = sim.catalog.services[to];
    if (from == to || old.count == 0 || new.count == SIM_INSTANCES_MAX)
        return;
    new.list[new.count] = old.list[old.count - 1];
    sim_register(&sim, to, new.list, new.count + 1);
    if (chance(s, 60))
        sim_register(&sim, from, old.list, old.count - 1);
}

static void set_all_health(size_t cluster, enum sim_health to)
{
    struct sim_service now = sim.catalog.services[cluster];
    for (size_t i = 0; i < now.count; i++)
        set_health(&now.list[i], to);
    sim_register(&sim, cluster, now.list, now.count);
}

static void fail_many(struct schedule *s)
{
    for (size_t c = 0; c < s->clusters; c++)
        if (chance(s, 70))
            change_health(s, c, SIM_CRITICAL);
}

static void flap(struct schedule *s)
{
    size_t cluster = some_cluster(s);
    for (int i = 0; i < FLAPS; i++) {
        set_all_health(cluster, i % 2 == 0 ? SIM_CRITICAL : SIM_PASSING);
        sim_run(&sim, FLAP_MS);
    }
}

/* -- Consul's own troubles ------------------------------------------------------------------- */

static const struct sim_fault_setting faults[] = {
    {.fault = SIM_REFUSED},
    {.fault = SIM_HANGS},
    {.fault = SIM_RESET},
    {.fault = SIM_STATUS, .status = 500},
    {.fault = SIM_STATUS, .status = 429},
    {.fault = SIM_STATUS, .status = 403},
    {.fault = SIM_STATUS, .status = 404},
    {.fault = SIM_GARBAGE},
    {.fault = SIM_CUT},
    {.fault = SIM_FILTERED},
    {.fault = SIM_DENIED},
    {.fault = SIM_NO_LEADER},
    {.fault = SIM_INDEX_BACK},
    {.fault = SIM_INDEX_ZERO},
    {.fault = SIM_INDEX_STUCK},
    {.fault = SIM_STALE},
    {.fault = SIM_PARTIAL},
    {.fault = SIM_ODD_ROW},
    {.fault = SIM_EMPTY},
    {.fault = SIM_LIES_EMPTY},
};
#define FAULTS ((int64_t)(sizeof faults / sizeof faults[0]))

static void begin_fault(struct schedule *s)
{
    struct sim_fault_setting fault = faults[upto(s, FAULTS - 1)];
    size_t cluster = some_cluster(s);
    bool one = chance(s, 40);
    bool every_kind = chance(s, 30);
    enum sim_kind only = (enum sim_kind)upto(s, SIM_KINDS - 1);
    for (enum sim_kind kind = 0; kind < SIM_KINDS; kind++) {
        if (!every_kind && kind != only)
            continue;
        if (one && (kind == SIM_READ || kind == SIM_WATCH))
            sim_fail_cluster(&sim, cluster, kind, fault);
        else
            sim_fail(&sim, kind, fault);
    }
}

/* The agent is away, comes back with nothing, and is filled again: critical first, then good. */
static void restart_agent(struct schedule *s)
{
    if (s->refill_at_ms != CLOCK_NEVER)
        return;
    s->lost = sim.catalog;
    s->refill_at_ms = sim.now_ms + 1000 + upto(s, MINUTE);
    for (enum sim_kind kind = 0; kind < SIM_KINDS; kind++)
        sim_fail(&sim, kind, (struct sim_fault_setting){.fault = SIM_RESET});
    sim_run(&sim, upto(s, 3000));
    sim_forget_all(&sim);
    sim_recover(&sim);
}

static void refill_agent(struct schedule *s)
{
    s->refill_at_ms = CLOCK_NEVER;
    for (size_t c = 0; c < s->clusters; c++) {
        sim_register(&sim, c, s->lost.services[c].list, s->lost.services[c].count);
        if (chance(s, 50))
            set_all_health(c, SIM_CRITICAL);
    }
    sim_run(&sim, upto(s, 10000));
    for (size_t c = 0; c < s->clusters; c++)
        set_all_health(c, SIM_PASSING);
}

/* -- our own --------------------------------------------------------------------------------- */

static void start(const struct schedule *s)
{
    struct error error;
    if (sim_start(&sim, &error))
        return;
    (void)fprintf(stderr, "seed %" PRIu64 ": cannot start: %s\n", s->seed, error.text);
    abort();
}

static void restart(struct schedule *s, bool kill)
{
    if (kill)
        sim_kill(&sim);
    else
        sim_stop(&sim);
    if (chance(s, 30))
        sim_run(&sim, upto(s, MINUTE));
    start(s);
}

static void be_stopped(struct schedule *s)
{
    sim_freeze(&sim);
    for (int64_t changes = upto(s, 3); changes > 0; changes--) {
        sim_run(&sim, upto(s, chance(s, 20) ? HOUR : 20000));
        change_health(s, some_cluster(s), SIM_CRITICAL);
    }
    sim_run(&sim, upto(s, chance(s, 20) ? HOUR : 20000));
    sim_thaw(&sim, chance(s, 50));
}

static void jump_wall_clock(struct schedule *s)
{
    sim.wall_offset_ms = (upto(s, 20) - 10) * YEAR;
}

/* -- one schedule ---------------------------------------------------------------------------- */

static void hide_some_names(struct schedule *s)
{
    sim_hide_names(&sim, (uint64_t)upto(s, (INT64_C(1) << s->clusters) - 1));
}

static void act(struct schedule *s)
{
    int64_t dice = upto(s, s->unbroken ? 69 : 99);
    if (dice < 26)
        change_health(s, some_cluster(s), SIM_CRITICAL);
    else if (dice < 40)
        add_instance(s, some_cluster(s));
    else if (dice < 53)
        remove_instance(s, some_cluster(s));
    else if (dice < 60)
        begin_maintenance(s);
    else if (dice < 64)
        move_instance(s);
    else if (dice < 67)
        sim_register(&sim, some_cluster(s), NULL, 0);
    else if (dice < 69)
        set_all_health(some_cluster(s), SIM_CRITICAL);
    else if (dice < 70)
        fail_many(s);
    else if (dice < 71)
        restart_agent(s);
    else if (dice < 72)
        flap(s);
    else if (dice < 73)
        change_port(s, some_cluster(s));
    else if (dice < 74)
        sim_others_fail(&sim, !sim.catalog.others_fail);
    else if (dice < 80)
        begin_fault(s);
    else if (dice < 88)
        sim_recover(&sim);
    else if (dice < 90)
        restart(s, false);
    else if (dice < 93)
        restart(s, true);
    else if (dice < 95)
        be_stopped(s);
    else if (dice < 96)
        jump_wall_clock(s);
    else if (dice < 97)
        sim_remember(&sim);
    else if (dice < 98)
        sim_go_back(&sim);
    else
        hide_some_names(s);
}

/* Events come in bursts, with long times of nothing in between. */
static int64_t pause_ms(struct schedule *s)
{
    static const int64_t reaches[] = {5, 300, 3000, 10000, 40000};
    return upto(s, reaches[upto(s, 4)]);
}

/* Whatever was broken works again, and each cluster has a good instance or none at all. */
static void heal(struct schedule *s)
{
    if (s->refill_at_ms != CLOCK_NEVER)
        refill_agent(s);
    sim_recover(&sim);
    for (size_t c = 0; c < s->clusters; c++) {
        struct sim_service now = sim.catalog.services[c];
        if (now.count == 0)
            continue;
        now.list[0].health = SIM_PASSING;
        sim_register(&sim, c, now.list, now.count);
    }
}

/* -- what Consul has ------------------------------------------------------------------------- */

/* The good addresses of a cluster, sorted. */
static size_t good_of(size_t cluster, struct endpoint out[static SIM_INSTANCES_MAX])
{
    const struct sim_service *service = &sim.catalog.services[cluster];
    size_t count = 0;
    for (size_t i = 0; i < service->count; i++)
        if (service->list[i].health == SIM_PASSING &&
            endpoint_make(&out[count], service->list[i].address, service->list[i].port))
            count++;
    return endpoint_sort(out, count);
}

static bool good_elsewhere(const struct schedule *s, size_t cluster, const struct endpoint *e)
{
    for (size_t c = 0; c < s->clusters; c++) {
        struct endpoint good[SIM_INSTANCES_MAX];
        size_t count = c != cluster ? good_of(c, good) : 0;
        for (size_t i = 0; i < count; i++)
            if (endpoint_compare(&good[i], e) == 0)
                return true;
    }
    return false;
}

/* What clients of the cluster must get in the end; "" for 404. */
static void write_expected(const struct schedule *s, size_t cluster, char *out, size_t size)
{
    struct endpoint good[SIM_INSTANCES_MAX];
    size_t count = good_of(cluster, good);
    size_t own = 0, len = 0;
    for (size_t i = 0; i < count; i++)
        own += !good_elsewhere(s, cluster, &good[i]);
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        char text[ENDPOINT_TEXT_SIZE];
        if (own > 0 && good_elsewhere(s, cluster, &good[i]))
            continue;
        (void)endpoint_format(&good[i], text);
        len += (size_t)snprintf(out + len, size - len, "%s%s", len > 0 ? ";" : "", text);
    }
}

static bool check_cluster(const struct schedule *s, size_t cluster)
{
    char expected[SIM_BODY_SIZE];
    struct sim_served got;
    struct endpoint good[SIM_INSTANCES_MAX];
    sim_ask(&sim, ids[cluster], &got);
    write_expected(s, cluster, expected, sizeof expected);
    bool registered = sim.catalog.services[cluster].count > 0;
    bool ok = strcmp(got.body, expected) == 0 && got.status == (registered ? 200 : 404);
    if (registered && good_of(cluster, good) == 0) /* it cannot be served: whatever it had */
        ok = got.status == 503 || (got.status == 200 && strcmp(got.state, "held") == 0);
    if (!ok)
        (void)fprintf(stderr, "seed %" PRIu64 ": cluster %s: expected \"%s\", got %u %s \"%s\"\n",
                      s->seed, ids[cluster], expected, got.status, got.state, got.body);
    return ok;
}

/* -- running --------------------------------------------------------------------------------- */

static const char *pick(struct schedule *s, const char *const *values, int64_t count)
{
    return values[upto(s, count - 1)];
}

static void configure(struct schedule *s)
{
    static const char *const settle[] = {"admission.settle=200ms", "admission.settle=2s"};
    static const char *const leave[] = {"admission.leave_delay=1s", "admission.leave_delay=5s",
                                        "admission.leave_delay=30s"};
    static const char *const gone[] = {"admission.gone_delay=3s", "admission.gone_delay=30s",
                                       "admission.gone_delay=5m"};
    static const char *const wait[] = {"consul.wait=10s", "consul.wait=55s"};
    static const char *const watches[] = {"consul.max_watches=100", "consul.max_watches=2",
                                          "consul.max_watches=0"};
    char dir[SIM_FOLDER_SIZE + 16];
    char *environment[] = {NULL};
    struct error error;
    (void)snprintf(dir, sizeof dir, "state.dir=%s", chance(s, 90) ? s->folder : "");
    /* One after the other: the order of an initialiser's parts is each compiler's own. */
    const char *items[6];
    items[0] = pick(s, settle, 2);
    items[1] = pick(s, leave, 3);
    items[2] = pick(s, gone, 3);
    items[3] = pick(s, wait, 2);
    items[4] = pick(s, watches, 3);
    items[5] = dir;
    struct config_overrides overrides = {.items = items, .count = sizeof items / sizeof items[0]};
    s->config = config_load(NULL, environment, &overrides, &error);
    if (s->config != NULL)
        return;
    (void)fprintf(stderr, "%s\n", error.text);
    abort();
}

static void set_latency(struct schedule *s)
{
    static const int64_t ranges[][2] = {{0, 0}, {1, 5}, {1, 300}, {20, 2500}};
    const int64_t *range = ranges[upto(s, 3)];
    sim.latency_low_ms = range[0];
    sim.latency_high_ms = range[1];
    if (chance(s, 30))
        sim.write_ms = upto(s, SLOW_DISK_MS);
}

static void prepare(struct schedule *s)
{
    char name[32];
    configure(s);
    (void)snprintf(name, sizeof name, "seed-%" PRIu64, s->seed);
    sim_init(&sim, s->config, &s->history, name, s->seed);
    set_latency(s);
    s->refill_at_ms = CLOCK_NEVER;
    s->clusters = (size_t)(3 + upto(s, 5));
    s->unbroken = chance(s, 25);
    for (size_t c = 0; c < s->clusters; c++) {
        (void)sim_cluster(&sim, ids[c]);
        for (int64_t n = upto(s, 3); n >= 0; n--)
            add_instance(s, c);
    }
    sim_remember(&sim);
}

static bool check_all(const struct schedule *s, bool ended)
{
    bool ok = true;
    for (size_t c = 0; c < s->clusters; c++)
        if (ended || sim.catalog.services[c].count > 0)
            ok = check_cluster(s, c) && ok;
    return ok;
}

/* Where nothing is broken, lists follow what is registered without any help. */
static bool check_promptly(struct schedule *s)
{
    if (!s->unbroken)
        return true;
    sim_run(&sim, PROMPT_MS + s->config->admission.leave_delay_ms);
    return check_all(s, false);
}

static bool run(struct schedule *s)
{
    bool ok = true;
    prepare(s);
    start(s);
    int64_t end = sim.now_ms + LENGTH_MIN_MS + upto(s, LENGTH_MAX_MS - LENGTH_MIN_MS);
    while (sim.now_ms < end) {
        sim_run(&sim, pause_ms(s));
        if (sim.now_ms >= s->refill_at_ms)
            refill_agent(s);
        else
            act(s);
        if (chance(s, 5))
            ok = check_promptly(s) && ok;
    }
    heal(s);
    ok = check_promptly(s) && ok;
    sim_run(&sim,
            CALM_MS + s->config->admission.leave_delay_ms + s->config->admission.gone_delay_ms);
    ok = check_all(s, true) && ok;
    sim_clear(&sim);
    config_free(s->config);
    sim_empty_folder(s->folder);
    return ok;
}

static void tell_how_to_replay(const struct schedule *s)
{
    size_t tail = s->history.len < TAIL_BYTES ? s->history.len : TAIL_BYTES;
    (void)fprintf(stderr, "%.*s  replay: schedules --seed %" PRIu64 " --count 1 --history FILE\n",
                  (int)tail, s->history.text + s->history.len - tail, s->seed);
}

static bool write_history(FILE *out, struct sim_history *h)
{
    bool ok = out == NULL || fwrite(h->text, 1, h->len, out) == h->len;
    h->len = 0;
    return ok;
}

static int run_all(struct schedule *s, uint64_t first, uint64_t count, FILE *out)
{
    uint64_t bad = 0;
    for (uint64_t i = 0; i < count; i++) {
        s->seed = first + i;
        jitter_seed(&s->random, ~s->seed);
        if (!run(s)) {
            bad++;
            tell_how_to_replay(s);
        }
        if (!write_history(out, &s->history)) {
            (void)fprintf(stderr, "the history cannot be written: %s\n", strerror(errno));
            return 2;
        }
    }
    (void)printf("%" PRIu64 " schedules from seed %" PRIu64 ", %" PRIu64 " failed\n", count, first,
                 bad);
    return bad > 0;
}

int main(int argc, char **argv)
{
    static struct schedule s;
    uint64_t seed = 1, count = 100;
    FILE *out = NULL;
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    for (int i = 1; i < argc; i++) {
        bool value = i + 1 < argc;
        if (strcmp(argv[i], "--seed") == 0 && value)
            seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--count") == 0 && value)
            count = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--history") == 0 && value)
            out = fopen(argv[++i], "we");
        else if (strcmp(argv[i], "--log") == 0)
            log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT);
        else
            return fprintf(stderr, "schedules: what is %s?\n", argv[i]) < 0 ? 1 : 2;
    }
    s.history = (struct sim_history){.text = malloc(HISTORY_SIZE), .size = HISTORY_SIZE};
    if (s.history.text == NULL)
        return 2;
    sim_make_folder(s.folder);
    int code = run_all(&s, seed, count, out);
    if (out != NULL && fclose(out) != 0)
        code = 2;
    sim_remove_folder(s.folder);
    free(s.history.text);
    return code;
}
