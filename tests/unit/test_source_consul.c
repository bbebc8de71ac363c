/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "config_of.h"
#include "fake_httpc.h"
#include "heap.h"
#include "model/registry.h"
#include "model/table.h"
#include "source/merge.h"
#include "source/source.h"

#define NAMES "/v1/catalog/services"
#define HEALTH "/v1/health/service/nameServer"
#define VIEWS "/v1/health/state/"
#define MINUTE 60000

static struct config *config;
static struct registry *registry;
static struct merge *merge;
static struct httpc *httpc;
static struct sources *sources;

static void on_change(void *arg)
{
    (void)arg;
}

/* The world without sources yet; settings may be NULL. */
static void prepare(const char *first, const char *second)
{
    struct error error;
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    config = config_of(first, second, NULL);
    registry = registry_new(&error);
    merge = merge_new(registry, on_change, NULL, &error);
    httpc = httpc_new(config, &error);
    assert_non_null(registry);
    assert_non_null(merge);
    assert_non_null(httpc);
}

static void start(void)
{
    struct error error;
    sources = sources_start(config, httpc, merge, &error);
    assert_non_null(sources);
}

static int setup(void **state)
{
    (void)state;
    sources = NULL;
    httpc = NULL;
    merge = NULL;
    registry = NULL;
    config = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sources_stop(sources);
    httpc_free(httpc);
    merge_free(merge);
    registry_free(registry);
    config_free(config);
    return 0;
}

/* -- Consul in few words --------------------------------------------------------------------- */

static uint64_t last_index = 100;

/* "a b": the services nameServera and nameServerb, and some of others. */
static void names(const char *ids)
{
    char body[4096] = "{\"consul\":[]";
    size_t len = strlen(body);
    for (const char *id = ids; *id != '\0';) {
        size_t n = strcspn(id, " ");
        len +=
            (size_t)snprintf(body + len, sizeof body - len, ",\"nameServer%.*s\":[]", (int)n, id);
        id += n + (id[n] == ' ');
    }
    (void)snprintf(body + len, sizeof body - len, "}");
    fake_rule(httpc, NAMES, 200, ++last_index, body);
}

/* Of all instances; clusters that share an address would contest it. */
static long body_port = 9876;

/* "1+ 2- 3m": 10.0.0.1 passing, .2 critical, .3 in maintenance, all registered as `id`. */
static const char *body_of(const char *id, const char *instances)
{
    static char body[8192];
    size_t len = 0;
    body[len++] = '[';
    for (const char *c = instances; *c != '\0'; c++) {
        char *end;
        if (*c == ' ')
            continue;
        long n = strtol(c, &end, 10);
        len += (size_t)snprintf(
            body + len, sizeof body - len,
            "%s{\"Node\":{\"Address\":\"10.9.9.9\"},\"Service\":{\"ID\":\"i%ld\",\"Service\":"
            "\"nameServer%s\",\"Address\":\"10.0.0.%ld\",\"Port\":%ld},\"Checks\":"
            "[{\"CheckID\":\"%s\",\"Status\":\"%s\"}]}",
            len > 1 ? "," : "", n, id, n, body_port, *end == 'm' ? "_node_maintenance" : "c",
            *end == '+' ? "passing" : "critical");
        c = end;
    }
    (void)snprintf(body + len, sizeof body - len, "]");
    return body;
}

static const char *path_of(const char *id)
{
    static char path[256];
    (void)snprintf(path, sizeof path, HEALTH "%s", id);
    return path;
}

static void instances(const char *id, const char *words)
{
    fake_rule(httpc, path_of(id), 200, ++last_index, body_of(id, words));
}

static size_t reads_of(const char *id)
{
    size_t reads = 0;
    for (size_t i = 0; i < httpc->request_count; i++) {
        const char *path = httpc->requests[i].path;
        size_t len = strlen(path_of(id));
        reads += strncmp(path, path_of(id), len) == 0 && (path[len] == '\0' || path[len] == '?') &&
                 strstr(path, "index=") == NULL;
    }
    return reads;
}

static struct httpc_call *watch_of(const char *id)
{
    char prefix[256];
    (void)snprintf(prefix, sizeof prefix, HEALTH "%s?index=", id);
    return fake_pending(httpc, prefix);
}

/* "live 1 2": the state and the last numbers of the list; "(none)" for no such cluster. */
static const char *served(const char *id)
{
    static char out[512];
    const struct table *t = registry_acquire(registry, NULL);
    const struct cluster *c = table_find(t, id, strlen(id));
    size_t len = (size_t)snprintf(out, sizeof out, "%s",
                                  c != NULL ? cluster_state_name(c->state) : "(none)");
    for (const char *at = c != NULL ? c->body : ""; *at != '\0';) {
        size_t n = strcspn(at, ";");
        const char *colon = memchr(at, ':', n);
        const char *dot = colon;
        while (dot != NULL && dot > at && *dot != '.')
            dot--;
        if (dot != NULL)
            len += (size_t)snprintf(out + len, sizeof out - len, " %.*s", (int)(colon - dot - 1),
                                    dot + 1);
        at += n + (at[n] == ';');
    }
    table_unref(t);
    return out;
}

static void assert_serves(const char *id, const char *wanted)
{
    assert_string_equal(served(id), wanted);
}

/* One cluster "a" with two good instances, watched. */
static void start_with_a(const char *setting)
{
    prepare(setting, NULL);
    names("a");
    instances("a", "1+ 2+");
    start();
    fake_run(httpc, 1000);
    assert_serves("a", "live 1 2");
    assert_non_null(watch_of("a"));
}

/* The first regular read comes at any time, so that not all clusters are read at once; the next one
 * not within four minutes. */
static void await_regular_read(void)
{
    size_t before = reads_of("a");
    for (int second = 0; reads_of("a") == before; second++) {
        assert_true(second < 360);
        fake_run(httpc, 1000);
    }
}

/* -- how often ------------------------------------------------------------------------------- */

TEST(test_source_consul__a_watched_cluster_is_not_read_again_for_minutes)
{
    start_with_a(NULL);
    await_regular_read();
    size_t before = reads_of("a");
    fake_run(httpc, 230000);
    assert_int_equal(reads_of("a"), before);
}

TEST(test_source_consul__a_name_without_instances_stays_what_it_is)
{
    prepare(NULL, NULL);
    names("a");
    instances("a", "");
    start();
    fake_run(httpc, 1000);
    for (int second = 0; second < 600; second++) {
        assert_serves("a", "empty");
        fake_run(httpc, 1000);
    }
    instances("a", "1+");
    fake_run(httpc, 1000);
    assert_serves("a", "live 1");
}

/* -- the first read -------------------------------------------------------------------------- */

TEST(test_source_consul__the_first_complete_read_makes_ready)
{
    prepare(NULL, NULL);
    names("a b");
    instances("a", "1+");
    start();
    fake_run(httpc, 1000);
    assert_false(registry_status(registry).complete);
    assert_serves("a", "live 1");
    assert_serves("b", "unread");
    instances("b", "2+");
    fake_run(httpc, 1000);
    assert_true(registry_status(registry).complete);
    assert_true(registry_status(registry).ready);
    assert_serves("b", "live 2");
}

TEST(test_source_consul__no_clusters_at_all_are_a_complete_read)
{
    prepare(NULL, NULL);
    names("");
    start();
    fake_run(httpc, 1000);
    assert_true(registry_status(registry).complete);
}

TEST(test_source_consul__the_first_reads_are_authoritative)
{
    start_with_a("consul.consistency=stale");
    size_t first = fake_find(httpc, "GET " HEALTH "a", 0);
    assert_string_equal(httpc->requests[first].path, HEALTH "a?leader");
}

TEST(test_source_consul__one_failing_cluster_does_not_keep_us_from_being_ready)
{
    prepare(NULL, NULL);
    names("a b");
    instances("a", "1+");
    fake_rule(httpc, HEALTH "b", 500, 0, "rpc error");
    start();
    fake_run(httpc, 1000);
    assert_true(registry_status(registry).ready);
    assert_false(registry_status(registry).complete);
    assert_serves("b", "unread");
}

TEST(test_source_consul__ready_after_an_outage_although_one_cluster_cannot_be_read)
{
    prepare(NULL, NULL);
    fake_rule(httpc, NAMES, 0, 0, "");
    start();
    fake_run(httpc, 5000);
    assert_false(registry_status(registry).ready);
    fake_rule(httpc, HEALTH "b", 500, 0, "rpc error");
    instances("a", "1+");
    names("a b");
    fake_run(httpc, 60000);
    assert_serves("a", "live 1");
    assert_true(registry_status(registry).ready);
}

TEST(test_source_consul__ready_with_the_first_list_when_some_clusters_cannot_be_read)
{
    prepare(NULL, NULL);
    names("a b");
    instances("a", "1-");
    fake_rule(httpc, HEALTH "b", 500, 0, "rpc error");
    start();
    fake_run(httpc, 5000);
    assert_false(registry_status(registry).ready);
    instances("a", "1+");
    fake_run(httpc, 1000);
    assert_serves("a", "live 1");
    assert_true(registry_status(registry).ready);
}

TEST(test_source_consul__an_unreachable_consul_is_told)
{
    prepare(NULL, NULL);
    fake_rule(httpc, NAMES, 0, 0, "");
    start();
    fake_run(httpc, 1000);
    assert_true(registry_status(registry).failed);
    assert_false(registry_status(registry).ready);
    assert_false(registry_status(registry).complete);
}

TEST(test_source_consul__a_consul_that_comes_late_is_read)
{
    prepare(NULL, NULL);
    fake_rule(httpc, NAMES, 0, 0, "");
    start();
    fake_run(httpc, 10 * MINUTE);
    names("a");
    instances("a", "1+");
    fake_run(httpc, 31000);
    assert_serves("a", "live 1");
    assert_true(registry_status(registry).complete);
}

/* -- names ----------------------------------------------------------------------------------- */

TEST(test_source_consul__a_new_name_is_found)
{
    start_with_a(NULL);
    instances("b", "3+");
    names("a b");
    fake_run(httpc, 1000);
    assert_serves("b", "live 3");
}

TEST(test_source_consul__excluded_clusters_are_not_read)
{
    prepare("consul.exclude=b", NULL);
    names("a b");
    instances("a", "1+");
    instances("b", "2+");
    start();
    fake_run(httpc, 1000);
    assert_serves("b", "(none)");
    assert_int_equal(reads_of("b"), 0);
}

TEST(test_source_consul__names_that_are_no_ids_are_ignored)
{
    prepare(NULL, NULL);
    fake_rule(httpc, NAMES, 200, 5,
              "{\"nameServer\":[],\"nameServera b\":[],\"nameServera/b\":[],\"nameServer..\":[],"
              "\"NameServera\":[],\"xnameServera\":[],\"nameServer\\u00e4\":[]}");
    start();
    fake_run(httpc, 1000);
    assert_int_equal(fake_count(httpc, "GET /v1/health/"), 0);
    assert_true(registry_status(registry).complete);
}

TEST(test_source_consul__names_differing_in_case_are_two_clusters)
{
    prepare(NULL, NULL);
    names("a A");
    instances("a", "1+");
    instances("A", "2+");
    start();
    fake_run(httpc, 1000);
    assert_serves("a", "live 1");
    assert_serves("A", "live 2");
}

TEST(test_source_consul__pinned_clusters_are_left_to_the_config)
{
    prepare("static_clusters=a=10.0.0.9:9876", NULL);
    names("a");
    instances("a", "1+");
    start();
    fake_run(httpc, 1000);
    assert_serves("a", "live 9");
    assert_int_equal(reads_of("a"), 0);
}

TEST(test_source_consul__a_lost_name_leads_to_a_read_and_no_more)
{
    start_with_a(NULL);
    size_t before = reads_of("a");
    names("");
    fake_run(httpc, 1000);
    assert_true(reads_of("a") > before);
    fake_run(httpc, 30 * MINUTE);
    assert_serves("a", "live 1 2");
}

TEST(test_source_consul__a_deregistered_cluster_is_gone_after_its_delays)
{
    start_with_a(NULL);
    names("");
    instances("a", "");
    fake_run(httpc, 1000);
    assert_serves("a", "held 1 2");
    fake_run(httpc, 299000);
    assert_serves("a", "held 1 2");
    fake_run(httpc, 10000);
    assert_serves("a", "(none)");
}

TEST(test_source_consul__a_cluster_that_is_gone_is_not_asked_for_any_more)
{
    start_with_a(NULL);
    names("");
    instances("a", "");
    fake_run(httpc, 10 * MINUTE);
    size_t before = httpc->request_count;
    fake_run(httpc, 60 * MINUTE);
    assert_int_equal(fake_find(httpc, "GET " HEALTH "a", before), SIZE_MAX);
}

TEST(test_source_consul__a_cluster_that_was_gone_may_come_back)
{
    start_with_a(NULL);
    names("");
    instances("a", "");
    fake_run(httpc, 10 * MINUTE);
    instances("a", "5+");
    names("a");
    fake_run(httpc, 1000);
    assert_serves("a", "live 5");
}

TEST(test_source_consul__names_hidden_by_acls_are_no_loss)
{
    start_with_a(NULL);
    names("");
    fake_reply_of(httpc, NAMES)->default_deny = true;
    instances("a", "");
    fake_reply_of(httpc, HEALTH "a")->default_deny = true;
    fake_run(httpc, 60 * MINUTE);
    assert_non_null(strstr(served("a"), " 1 2"));
}

TEST(test_source_consul__names_hidden_by_acls_are_no_complete_read)
{
    prepare(NULL, NULL);
    names("");
    fake_reply_of(httpc, NAMES)->filtered = true;
    start();
    fake_run(httpc, 60 * MINUTE);
    assert_false(registry_status(registry).complete);
    assert_true(registry_status(registry).failed);
}

/* -- watching -------------------------------------------------------------------------------- */

TEST(test_source_consul__a_watch_brings_a_join_at_once)
{
    start_with_a(NULL);
    instances("a", "1+ 2+ 3+");
    fake_run(httpc, 0);
    assert_serves("a", "live 1 2 3");
}

TEST(test_source_consul__a_watch_waits_as_configured_more_or_less)
{
    start_with_a(NULL);
    const char *wait = strstr(watch_of("a")->path, "wait=");
    assert_non_null(wait);
    assert_in_range(strtol(wait + 5, NULL, 10), 44000, 66000);
    assert_true(watch_of("a")->timeout_ms > strtol(wait + 5, NULL, 10));
}

TEST(test_source_consul__a_leave_waits_for_its_delay_and_a_read)
{
    start_with_a(NULL);
    await_regular_read();
    size_t before = reads_of("a");
    instances("a", "1+ 2-");
    fake_run(httpc, 29000);
    assert_serves("a", "live 1 2");
    assert_int_equal(reads_of("a"), before);
    fake_run(httpc, 2000);
    assert_serves("a", "live 1");
    assert_int_equal(reads_of("a"), before + 1);
}

TEST(test_source_consul__an_instance_that_the_read_still_sees_stays)
{
    start_with_a(NULL);
    fake_no_rule(httpc, HEALTH "a");
    fake_answer(httpc, watch_of("a"), 200, ++last_index, body_of("a", "1+"));
    fake_run(httpc, 30100);
    struct httpc_call *read = fake_pending(httpc, HEALTH "a");
    while (read != NULL && strstr(read->path, "index=") != NULL)
        read = read->next;
    assert_non_null(read);
    fake_answer(httpc, read, 200, ++last_index, body_of("a", "1+ 2+"));
    assert_serves("a", "live 1 2");
}

TEST(test_source_consul__an_empty_watch_does_nothing_but_ask)
{
    start_with_a(NULL);
    size_t before = reads_of("a");
    fake_no_rule(httpc, HEALTH "a");
    fake_answer(httpc, watch_of("a"), 200, ++last_index, "[]");
    fake_run(httpc, 200);
    assert_int_equal(reads_of("a"), before + 1);
    instances("a", "1+ 2+");
    fake_run(httpc, 1000);
    assert_serves("a", "live 1 2");
    fake_run(httpc, 10 * MINUTE);
    assert_serves("a", "live 1 2");
}

TEST(test_source_consul__emptiness_is_confirmed_by_a_quorum)
{
    start_with_a(NULL);
    instances("a", "");
    fake_run(httpc, 5000);
    assert_true(fake_count(httpc, "GET " HEALTH "a?consistent") > 0);
}

TEST(test_source_consul__an_index_that_goes_back_leads_to_a_read)
{
    start_with_a(NULL);
    size_t before = reads_of("a");
    fake_no_rule(httpc, HEALTH "a");
    fake_answer(httpc, watch_of("a"), 200, 1, "[]");
    assert_serves("a", "live 1 2");
    fake_run(httpc, 200);
    assert_int_equal(reads_of("a"), before + 1);
}

TEST(test_source_consul__after_a_lower_index_the_watch_goes_on_from_there)
{
    start_with_a(NULL);
    fake_rule(httpc, HEALTH "a", 200, 7, body_of("a", "1+ 2+"));
    fake_run(httpc, 1000);
    assert_non_null(watch_of("a"));
    assert_non_null(strstr(watch_of("a")->path, "index=7&"));
    fake_rule(httpc, HEALTH "a", 200, 8, body_of("a", "1+ 2+ 3+"));
    fake_run(httpc, 0);
    assert_serves("a", "live 1 2 3");
}

TEST(test_source_consul__a_names_index_that_goes_back_is_read_anew)
{
    start_with_a(NULL);
    instances("b", "3+");
    fake_rule(httpc, NAMES, 200, 7, "{\"nameServera\":[],\"nameServerb\":[]}");
    fake_run(httpc, 5000);
    assert_serves("b", "live 3");
    assert_non_null(fake_pending(httpc, NAMES "?index=7&"));
}

TEST(test_source_consul__a_names_reply_with_a_lower_index_only_makes_all_be_read)
{
    start_with_a(NULL);
    fake_run(httpc, 20000);
    size_t before = reads_of("a");
    fake_no_rule(httpc, NAMES);
    fake_answer(httpc, fake_pending(httpc, NAMES), 200, 1, "{}");
    fake_run(httpc, 1000);
    assert_int_equal(reads_of("a"), before + 1);
    assert_serves("a", "live 1 2");
    assert_string_equal(fake_pending(httpc, NAMES)->path, NAMES);
}

/* What cannot be read is no second opinion on the index. */
TEST(test_source_consul__a_bad_body_with_a_lower_index_confirms_none)
{
    start_with_a("admission.leave_delay=0s");
    instances("a", "1+ 2+ 3+");
    fake_run(httpc, 1000);
    fake_rule(httpc, HEALTH "a", 200, 50, "[{\"Node\":");
    fake_run(httpc, 310000); /* the sweep */
    fake_rule(httpc, HEALTH "a", 200, 60, body_of("a", "1+"));
    fake_rule(httpc, HEALTH "a?index=", 500, 0, "");
    size_t before = reads_of("a");
    while (reads_of("a") == before)
        fake_run(httpc, 10);
    assert_serves("a", "live 1 2 3"); /* the first complete one of a lower index */
    fake_run(httpc, 10000);
    assert_serves("a", "live 1");
}

/* A slow read of "a" is under way, and the watch has told of later things meanwhile. */
static struct httpc_call *begin_overtaken_read(const char *words)
{
    start_with_a("admission.leave_delay=0s");
    struct httpc_call *watch = watch_of("a");
    fake_no_rule(httpc, HEALTH "a");
    names("");
    fake_run(httpc, 500);
    struct httpc_call *read = fake_pending(httpc, HEALTH "a");
    while (read != NULL && strstr(read->path, "index=") != NULL)
        read = read->next;
    assert_non_null(read);
    fake_answer(httpc, watch, 200, last_index + 10, body_of("a", words));
    return read;
}

TEST(test_source_consul__a_read_older_than_the_last_watch_reply_takes_nothing_away)
{
    struct httpc_call *read = begin_overtaken_read("1+ 2+ 3+");
    fake_answer(httpc, read, 200, last_index, body_of("a", "1+"));
    assert_serves("a", "live 1 2 3");
    size_t before = reads_of("a");
    fake_run(httpc, 1000);
    assert_int_equal(reads_of("a"), before + 1);
    last_index += 1000;
}

TEST(test_source_consul__a_repeated_lower_index_is_a_restored_snapshot)
{
    struct httpc_call *read = begin_overtaken_read("1+ 2+ 3+");
    fake_answer(httpc, read, 200, last_index, body_of("a", "1+"));
    fake_run(httpc, 500);
    read = fake_pending(httpc, HEALTH "a");
    while (read != NULL && strstr(read->path, "index=") != NULL)
        read = read->next;
    assert_non_null(read);
    fake_answer(httpc, read, 200, last_index, body_of("a", "1+ 4+"));
    assert_true(strstr(served("a"), " 4") != NULL);
    last_index += 1000;
}

TEST(test_source_consul__not_ready_when_no_cluster_could_be_read)
{
    prepare(NULL, NULL);
    names("a");
    fake_rule(httpc, HEALTH "a", 500, 0, "No cluster leader");
    start();
    fake_run(httpc, 5000);
    assert_false(registry_status(registry).ready);
    assert_false(registry_status(registry).complete);
    instances("a", "1+");
    fake_run(httpc, 60000);
    assert_true(registry_status(registry).ready);
    assert_true(registry_status(registry).complete);
}

TEST(test_source_consul__an_address_of_two_clusters_is_given_to_neither)
{
    prepare(NULL, NULL);
    names("a b");
    instances("a", "1+ 2+");
    instances("b", "3+");
    start();
    fake_run(httpc, 1000);
    instances("b", "2+ 3+");
    fake_run(httpc, 1000);
    assert_serves("a", "live 1");
    assert_serves("b", "live 3");
    instances("b", "3+");
    fake_run(httpc, 40000);
    assert_serves("a", "live 1 2");
}

TEST(test_source_consul__a_reused_port_goes_to_its_new_cluster_at_once)
{
    prepare(NULL, NULL);
    names("a b");
    instances("a", "1+ 2+");
    instances("b", "3+");
    start();
    fake_run(httpc, 1000);
    instances("a", "1+ 2-"); /* it would be kept for leave_delay */
    instances("b", "2+ 3+");
    fake_run(httpc, 1000);
    assert_serves("a", "live 1");
    assert_serves("b", "live 2 3");
}

TEST(test_source_consul__a_watch_that_is_refused_again_and_again_is_tried_ever_slower)
{
    start_with_a(NULL);
    fake_rule(httpc, HEALTH "a?index=", 429, 0,
              "Your IP is issuing too many concurrent connections");
    fake_answer(httpc, watch_of("a"), 429, 0, "");
    for (int minute = 0; minute < 180; minute++) {
        names("a"); /* a reply at which the plan is chosen */
        fake_run(httpc, MINUTE);
    }
    /* At first a minute or two between two tries, in the end up to half an hour. */
    size_t tries = fake_count(httpc, "GET " HEALTH "a?index=");
    assert_in_range(tries, 6, 40);
    assert_serves("a", "live 1 2");
}

TEST(test_source_consul__a_watch_reply_older_than_the_last_read_is_dropped)
{
    start_with_a(NULL);
    /* The lag: the watch was sent at the old index, and a read has seen much more since. */
    struct httpc_call *watch = watch_of("a");
    fake_no_rule(httpc, HEALTH "a");
    names("");
    fake_run(httpc, 500);
    struct httpc_call *read = fake_pending(httpc, HEALTH "a");
    while (read != NULL && strstr(read->path, "index=") != NULL)
        read = read->next;
    assert_non_null(read);
    fake_answer(httpc, read, 200, last_index + 1000, body_of("a", "1+ 2+ 3+"));
    fake_answer(httpc, watch, 200, last_index + 10, body_of("a", "1+ 4+"));
    assert_serves("a", "live 1 2 3");
    last_index += 1000;
}

TEST(test_source_consul__a_reread_finds_what_the_watch_missed)
{
    start_with_a(NULL);
    /* The body changes, the index does not. */
    fake_rule(httpc, HEALTH "a", 200, last_index, body_of("a", "1+ 2+ 3+"));
    fake_run(httpc, 7 * MINUTE);
    assert_serves("a", "live 1 2 3");
}

TEST(test_source_consul__idle_wakeups_are_held_to_a_rate)
{
    start_with_a(NULL);
    size_t before = httpc->request_count;
    for (int i = 0; i < 10000; i++) {
        instances("a", "1+ 2+");
        fake_run(httpc, 10);
    }
    size_t sent = httpc->request_count - before;
    assert_true(sent < 1500); /* 100 s */
    assert_true(sent > 10);
}

/* -- failures -------------------------------------------------------------------------------- */

static void assert_failure_keeps_the_list(long status, const char *body)
{
    start_with_a(NULL);
    fake_rule(httpc, NAMES, status, status == 200 ? ++last_index : 0, body);
    fake_rule(httpc, HEALTH "a", status, status == 200 ? ++last_index : 0, body);
    fake_run(httpc, 24 * 60 * MINUTE);
    assert_serves("a", "live 1 2");
    names("a");
    instances("a", "1+ 2+ 3+");
    fake_run(httpc, 31000);
    assert_serves("a", "live 1 2 3");
}

TEST(test_source_consul__a_consul_that_is_away_for_a_day_changes_nothing)
{
    assert_failure_keeps_the_list(0, "");
}

TEST(test_source_consul__a_consul_without_leader_changes_nothing)
{
    assert_failure_keeps_the_list(500, "No cluster leader");
}

TEST(test_source_consul__a_consul_that_answers_nonsense_changes_nothing)
{
    assert_failure_keeps_the_list(200, "<html>welcome</html>");
}

TEST(test_source_consul__failures_back_off_up_to_a_cap_and_for_ever)
{
    start_with_a(NULL);
    fake_rule(httpc, HEALTH "a", 500, 0, "x");
    fake_run(httpc, 10 * MINUTE);
    size_t before = reads_of("a");
    fake_run(httpc, 60 * MINUTE);
    size_t tries = reads_of("a") - before;
    assert_true(tries >= 120); /* one in 30 s at the very least */
    assert_true(tries < 1000);
}

TEST(test_source_consul__a_names_failure_backs_off_up_to_a_cap)
{
    prepare(NULL, NULL);
    fake_rule(httpc, NAMES, 0, 0, "");
    start();
    fake_run(httpc, 10 * MINUTE);
    size_t before = fake_count(httpc, "GET " NAMES);
    fake_run(httpc, 60 * MINUTE);
    size_t tries = fake_count(httpc, "GET " NAMES) - before;
    assert_true(tries >= 120);
    assert_true(tries < 1000);
}

TEST(test_source_consul__a_403_reads_the_token_again)
{
    start_with_a(NULL);
    assert_int_equal(httpc->reloads, 0);
    fake_rule(httpc, HEALTH "a", 403, 0, "ACL not found");
    fake_run(httpc, 1000);
    assert_true(httpc->reloads > 0);
}

TEST(test_source_consul__a_403_on_names_reads_the_token_again)
{
    prepare(NULL, NULL);
    fake_rule(httpc, NAMES, 403, 0, "ACL not found");
    start();
    fake_run(httpc, 1000);
    assert_true(httpc->reloads > 0);
}

TEST(test_source_consul__replies_cut_by_acls_change_nothing)
{
    start_with_a(NULL);
    instances("a", "1+");
    fake_reply_of(httpc, HEALTH "a")->filtered = true;
    fake_run(httpc, 60 * MINUTE);
    assert_serves("a", "live 1 2");
}

TEST(test_source_consul__a_stale_leaderless_reply_changes_nothing)
{
    start_with_a(NULL);
    instances("a", "1+");
    fake_reply_of(httpc, HEALTH "a")->leader_unknown = true;
    fake_run(httpc, 60 * MINUTE);
    assert_serves("a", "live 1 2");
}

/* -- many clusters --------------------------------------------------------------------------- */

static void many_names(int count)
{
    char ids[2048];
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += (size_t)snprintf(ids + len, sizeof ids - len, "%sc%02d", i > 0 ? " " : "", i);
    names(ids);
}

static void many_instances(int count, const char *words)
{
    for (int i = 0; i < count; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "c%02d", i);
        body_port = 10000 + i;
        instances(id, words);
    }
    body_port = 9876;
}

static void assert_many_serve(int count, const char *wanted)
{
    for (int i = 0; i < count; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "c%02d", i);
        assert_serves(id, wanted);
    }
}

TEST(test_source_consul__at_most_two_reads_are_under_way)
{
    prepare(NULL, NULL);
    many_names(40);
    start();
    fake_run(httpc, 1000);
    assert_int_equal(fake_count_pending(httpc, HEALTH), HTTPC_SHORT_CALLS);
    many_instances(40, "1+");
    fake_run(httpc, 1000);
    assert_int_equal(httpc->most_pending_reads, HTTPC_SHORT_CALLS);
    assert_many_serve(40, "live 1");
}

/* As an agent does that has no connection left for us. */
TEST(test_source_consul__a_refused_watch_is_given_up_and_its_cluster_read_instead)
{
    prepare(NULL, NULL);
    names("a b");
    instances("a", "1+");
    body_port = 9877;
    instances("b", "1+");
    start();
    fake_run(httpc, 1000);
    fake_answer(httpc, watch_of("a"), 429, 0, "too many connections");
    assert_null(watch_of("b"));                            /* that would be refused, too */
    assert_int_equal(fake_count_pending(httpc, VIEWS), 2); /* critical, and one of the others */
    fake_run(httpc, 60000);
    assert_null(watch_of("a"));
    assert_null(watch_of("b"));
    assert_serves("a", "live 1");
    fake_run(httpc, 4 * MINUTE);
    names("a b"); /* a reply at which the plan is chosen */
    fake_run(httpc, 1000);
    assert_non_null(watch_of("a"));
    assert_non_null(watch_of("b"));
    assert_int_equal(fake_count_pending(httpc, VIEWS), 0);
}

/* Four fifths are for those who were too many. */
TEST(test_source_consul__after_a_refusal_as_many_as_may_be_are_watched_again)
{
    prepare("consul.max_watches=2", NULL);
    names("a b");
    instances("a", "1+");
    body_port = 9877;
    instances("b", "1+");
    start();
    fake_run(httpc, 1000);
    fake_answer(httpc, watch_of("a"), 429, 0, "too many connections");
    fake_run(httpc, 5 * MINUTE);
    names("a b");
    fake_run(httpc, 1000);
    assert_non_null(watch_of("a"));
    assert_non_null(watch_of("b"));
}

static void no_checks(void)
{
    fake_rule(httpc, VIEWS, 200, ++last_index, "[]");
}

/* The scan shows none of their instances. */
TEST(test_source_consul__with_more_clusters_than_watches_none_is_watched)
{
    prepare("consul.max_watches=2", NULL);
    many_names(6);
    many_instances(6, "1+");
    no_checks();
    start();
    fake_run(httpc, 20000);
    assert_int_equal(fake_count_pending(httpc, HEALTH), 0);
    assert_int_equal(httpc->kept, 4);
    many_instances(6, "1+ 2+");
    fake_run(httpc, 13000);
    assert_many_serve(6, "live 1 2");
    assert_int_equal(fake_count_pending(httpc, HEALTH), 0);
}

TEST(test_source_consul__without_watches_all_are_read_in_turn)
{
    prepare("consul.max_watches=0", NULL);
    many_names(4);
    many_instances(4, "1+");
    start();
    fake_run(httpc, 1000);
    assert_int_equal(fake_count_pending(httpc, HEALTH), 0);
    many_instances(4, "1+ 2+");
    fake_run(httpc, 13000);
    assert_many_serve(4, "live 1 2");
}

TEST(test_source_consul__watches_are_back_with_four_fifths_of_what_may_be)
{
    prepare("consul.max_watches=2", "admission.gone_delay=0s");
    names("a b c");
    instances("a", "1+");
    body_port++;
    instances("b", "1+");
    body_port++;
    instances("c", "1+");
    no_checks();
    start();
    fake_run(httpc, 1000);
    assert_null(watch_of("b"));
    names("a b");
    instances("c", "");
    fake_run(httpc, 60000);
    assert_serves("c", "(none)");
    names("a b");
    fake_run(httpc, 1000);
    assert_null(watch_of("b")); /* two are too many to go back */
    names("b");
    instances("a", "");
    fake_run(httpc, 60000);
    names("b");
    fake_run(httpc, 1000);
    assert_non_null(watch_of("b"));
    body_port = 9876;
}

TEST(test_source_consul__over_http2_more_clusters_are_watched)
{
    prepare("consul.max_watches=2", NULL);
    many_names(6);
    many_instances(6, "1+");
    fake_reply_of(httpc, NAMES)->http2 = true;
    start();
    fake_run(httpc, 1000);
    assert_int_equal(fake_count_pending(httpc, HEALTH), 6);
}

/* A connection that fails says nothing about how Consul speaks. */
TEST(test_source_consul__a_failure_does_not_change_the_plan)
{
    prepare("consul.max_watches=2", "consul.max_watches_http2=6");
    many_names(6);
    many_instances(6, "1+");
    fake_reply_of(httpc, NAMES)->http2 = true;
    start();
    fake_run(httpc, 1000);
    fake_rule(httpc, NAMES, 0, 0, "");
    fake_answer(httpc, fake_pending(httpc, NAMES), 0, 0, "");
    fake_run(httpc, 10 * MINUTE);
    assert_int_equal(fake_count_pending(httpc, HEALTH), 6);
    assert_int_equal(fake_count(httpc, "GET " VIEWS), 0);
}

/* No view shows that. */
TEST(test_source_consul__a_cluster_without_checks_that_returns_is_read_soon)
{
    prepare("consul.max_watches=0", NULL);
    names("a b");
    instances("a", "1+");
    body_port++;
    instances("b", "1+");
    no_checks();
    start();
    fake_run(httpc, 1000);
    names("b");
    instances("a", "");
    fake_run(httpc, MINUTE);
    names("a b");
    body_port = 9876;
    instances("a", "3+");
    fake_run(httpc, 1000);
    assert_serves("a", "live 1 3");
}

/* As by a policy that leaves something out. */
TEST(test_source_consul__refused_clusters_are_not_asked_for_more_often_than_others)
{
    enum { CLUSTERS = 2000, MINUTES = 20, MOST_PER_SECOND = 60 };
    static char body[64 * 1024];
    size_t len = 0;
    prepare("consul.max_watches=0", NULL);
    for (int i = 0; i < CLUSTERS; i++)
        len += (size_t)snprintf(body + len, sizeof body - len, "%c\"nameServerc%04d\":[]",
                                i > 0 ? ',' : '{', i);
    (void)snprintf(body + len, sizeof body - len, "}");
    fake_rule(httpc, NAMES, 200, ++last_index, body);
    fake_rule(httpc, HEALTH, 403, 0, "Permission denied");
    no_checks();
    start();
    fake_run(httpc, 2 * MINUTE);
    size_t before = fake_count(httpc, "GET " HEALTH);
    fake_run(httpc, MINUTES * MINUTE);
    size_t reads = fake_count(httpc, "GET " HEALTH) - before;
    assert_in_range(reads, CLUSTERS, MINUTES * 60 * MOST_PER_SECOND);
}

/* Each by itself would wait for up to half a minute. */
TEST(test_source_consul__when_consul_answers_again_all_are_read)
{
    prepare("consul.max_watches=0", NULL);
    many_names(20);
    no_checks();
    fake_rule(httpc, HEALTH, 503, 0, "");
    start();
    fake_run(httpc, 20 * MINUTE);
    many_instances(20, "1+");
    fake_run(httpc, 12000);
    assert_many_serve(20, "live 1");
}

TEST(test_source_consul__mass_loss_keeps_everybody_for_thirty_seconds)
{
    prepare("admission.leave_delay=1s", NULL);
    many_names(6);
    many_instances(6, "1+ 2+");
    start();
    fake_run(httpc, 1000);
    many_instances(6, "1+");
    fake_run(httpc, 28000);
    assert_many_serve(6, "live 1 2");
    fake_run(httpc, 10000);
    assert_many_serve(6, "live 1");
}

static struct consul_reading reported(void)
{
    struct consul_report report;
    consul_metrics_read(httpc_metrics(httpc), &report);
    return report.reading;
}

TEST(test_source_consul__how_far_reading_is_is_told)
{
    prepare(NULL, NULL);
    many_names(6);
    start();
    fake_run(httpc, 100);
    struct consul_reading now = reported();
    assert_int_equal(now.plan, CONSUL_PLAN_EACH);
    assert_int_equal(now.clusters, 6);
    assert_int_equal(now.unread, 6);
    assert_int_equal(now.failing, 0);
    assert_int_equal(now.running, 2);
    assert_int_equal(now.waiting, 4);
    many_instances(6, "1+ 2+");
    fake_run(httpc, 1000);
    now = reported();
    assert_int_equal(now.unread, 0);
    assert_int_equal(now.running + now.waiting, 0);
    assert_true(now.mass_loss_end <= httpc->now_ms);
    many_instances(6, "1+");
    fake_run(httpc, 1000);
    assert_true(reported().mass_loss_end > httpc->now_ms);
    for (int i = 0; i < 6; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "c%02d", i);
        fake_rule(httpc, path_of(id), 500, 0, "no");
    }
    fake_run(httpc, 60000);
    now = reported();
    assert_true(now.failing > 0);
    assert_true(now.spacing_ms > 0);
}

TEST(test_source_consul__a_loss_of_few_is_no_mass_loss)
{
    prepare("admission.leave_delay=1s", NULL);
    many_names(6);
    many_instances(6, "1+ 2+");
    start();
    fake_run(httpc, 1000);
    many_instances(3, "1+");
    fake_run(httpc, 3000);
    assert_many_serve(3, "live 1");
}

/* -- restored -------------------------------------------------------------------------------- */

static void restore_list(const char *id, const struct endpoint *list, size_t count)
{
    assert_true(merge_begin(merge));
    assert_true(merge_set(merge, id, CLUSTER_RESTORED, false, list, count, "test"));
    merge_commit(merge);
}

static void restore_two(const char *id, const char *first, const char *second)
{
    struct endpoint list[2];
    assert_true(endpoint_parse(&list[0], first, strlen(first)));
    assert_true(endpoint_parse(&list[1], second, strlen(second)));
    restore_list(id, list, 2);
}

static void restore(const char *id, const char *address)
{
    struct endpoint e;
    assert_true(endpoint_parse(&e, address, strlen(address)));
    restore_list(id, &e, 1);
}

TEST(test_source_consul__restored_clusters_are_served_until_consul_confirms_them)
{
    prepare(NULL, NULL);
    restore("a", "10.0.0.1:9876");
    start();
    fake_run(httpc, 1000);
    assert_serves("a", "restored 1");
    names("a");
    instances("a", "1+");
    fake_run(httpc, 1000);
    assert_serves("a", "live 1");
}

TEST(test_source_consul__a_restored_address_that_is_anothers_now_is_not_served)
{
    prepare(NULL, NULL);
    restore_two("a", "10.0.0.1:9876", "10.0.0.2:9876");
    fake_rule(httpc, HEALTH "a", 500, 0, "rpc error");
    names("a b");
    instances("b", "1+");
    start();
    fake_run(httpc, 5000);
    assert_serves("b", "live 1");
    assert_serves("a", "restored 2");
}

TEST(test_source_consul__restored_clusters_are_kept_while_consul_is_away)
{
    prepare(NULL, NULL);
    restore("a", "10.0.0.1:9876");
    fake_rule(httpc, NAMES, 0, 0, "");
    fake_rule(httpc, HEALTH, 0, 0, "");
    start();
    fake_run(httpc, 24 * 60 * MINUTE);
    assert_serves("a", "restored 1");
    assert_true(registry_status(registry).ready);
}

TEST(test_source_consul__restored_members_get_their_delay)
{
    prepare(NULL, NULL);
    restore("a", "10.0.0.1:9876");
    names("a");
    instances("a", "2+");
    start();
    fake_run(httpc, 29000);
    assert_serves("a", "live 1 2");
    fake_run(httpc, 5000);
    assert_serves("a", "live 2");
}

/* Wherever memory is refused once: what is watched without its list would take it away. */
TEST(test_source_consul__restored_members_get_their_delay_also_without_memory)
{
    size_t refuse = 0, taken;
    do {
        prepare(NULL, NULL);
        restore_two("a", "10.0.0.1:9876", "10.0.0.2:9876");
        names("a");
        instances("a", "1+");
        start();
        heap_watch(++refuse);
        fake_run(httpc, 5000);
        taken = heap_watched().taken;
        assert_string_equal(strpbrk(served("a"), " "), " 1 2");
        (void)teardown(NULL);
        (void)setup(NULL);
    } while (refuse < taken);
}

TEST(test_source_consul__restored_clusters_that_consul_does_not_know_end_after_their_delays)
{
    prepare(NULL, NULL);
    restore("a", "10.0.0.1:9876");
    names("");
    instances("a", "");
    start();
    fake_run(httpc, 4 * MINUTE);
    assert_serves("a", "held 1");
    fake_run(httpc, 2 * MINUTE);
    assert_serves("a", "(none)");
}

TEST(test_source_consul__restored_clusters_that_are_excluded_now_are_dropped)
{
    prepare("consul.exclude=a", NULL);
    restore("a", "10.0.0.1:9876");
    start();
    assert_serves("a", "(none)");
}

TEST(test_source_consul__stopping_leaves_nothing_behind)
{
    start_with_a(NULL);
    sources_stop(sources);
    sources = NULL;
    assert_null(httpc->calls);
    assert_null(httpc->timers.root);
}
/* -- reports --------------------------------------------------------------------------------- */

/* "i1 served, i2 served-failing": what the table reports of a cluster. */
static const char *reports_of(const char *id)
{
    static char out[512];
    size_t len = 0;
    struct report r;
    struct reports at = merge_find(merge, id)->notes->reports;
    out[0] = '\0';
    while (report_next(&at, &r))
        len += (size_t)snprintf(out + len, sizeof out - len, "%s%s %s", len > 0 ? ", " : "",
                                r.service_id, verdict_name(r.verdict));
    return out;
}

TEST(test_source_consul__reports_follow_each_instance_until_it_has_left)
{
    start_with_a(NULL);
    assert_string_equal(reports_of("a"), "i1 served, i2 served");
    instances("a", "1+ 2- 3-");
    fake_run(httpc, 1000);
    assert_serves("a", "live 1 2");
    assert_string_equal(reports_of("a"), "i1 served, i2 served-failing, i3 failing");
    fake_run(httpc, 40000);
    assert_serves("a", "live 1");
    assert_string_equal(reports_of("a"), "i1 served, i2 failing, i3 failing");
}

TEST(test_source_consul__reports_tell_when_another_cluster_comes_to_claim_an_address)
{
    start_with_a(NULL);
    names("a b");
    instances("b", "2+ 3+");
    fake_run(httpc, 3000);
    assert_string_equal(reports_of("a"), "i1 served, i2 contested");
    assert_string_equal(reports_of("b"), "i2 contested, i3 served");
    instances("b", "3+");
    fake_run(httpc, 40000);
    assert_string_equal(reports_of("a"), "i1 served, i2 served");
}

TEST(test_source_consul__only_a_read_of_a_healthy_list_confirms_it)
{
    start_with_a(NULL);
    assert_true(cluster_confirmed_ms(merge_find(merge, "a")) > 0);
    cluster_confirm(merge_find(merge, "a"), 1);
    await_regular_read();
    fake_run(httpc, 1000);
    assert_true(cluster_confirmed_ms(merge_find(merge, "a")) > 1);
    instances("a", "1- 2-");
    fake_run(httpc, 1000);
    assert_serves("a", "held 1 2");
    cluster_confirm(merge_find(merge, "a"), 1);
    await_regular_read();
    fake_run(httpc, 1000);
    assert_int_equal(cluster_confirmed_ms(merge_find(merge, "a")), 1);
}

/* -- reload ---------------------------------------------------------------------------------- */

/* As main does it; the config of before is freed. */
static void reload(const char *first, const char *second)
{
    struct error error;
    struct config *next = config_of(first, second, NULL);
    if (!sources_prepare_reload(sources, next, &error)) {
        config_free(next);
        fail_msg("%s", error.text);
    }
    sources_end_reload(sources, next);
    config_free(config);
    config = next;
}

TEST(test_source_consul__a_reload_that_changes_nothing_serves_on)
{
    start_with_a(NULL);
    reload(NULL, NULL);
    assert_serves("a", "live 1 2");
    fake_run(httpc, MINUTE);
    assert_serves("a", "live 1 2");
    assert_non_null(watch_of("a"));
}

TEST(test_source_consul__a_reload_that_is_forgotten_changes_nothing)
{
    struct error error;
    start_with_a(NULL);
    struct config *next = config_of("consul.exclude=a", "static_clusters=b=10.0.0.1:1", NULL);
    bool ok = sources_prepare_reload(sources, next, &error);
    if (ok)
        sources_end_reload(sources, NULL);
    config_free(next);
    assert_true(ok);
    assert_serves("a", "live 1 2");
    assert_serves("b", "(none)");
    fake_run(httpc, MINUTE);
    assert_non_null(watch_of("a"));
}

TEST(test_source_consul__a_reload_changes_the_limit_of_http2)
{
    prepare("consul.max_watches=2", NULL);
    many_names(6);
    many_instances(6, "1+");
    fake_reply_of(httpc, NAMES)->http2 = true;
    start();
    fake_run(httpc, 1000);
    assert_int_equal(fake_count_pending(httpc, HEALTH), 6);
    reload("consul.max_watches=2", "consul.max_watches_http2=5");
    fake_run(httpc, 1000);
    assert_int_equal(fake_count_pending(httpc, HEALTH), 0);
    assert_true(fake_count(httpc, "GET " VIEWS) > 0);
}

TEST(test_source_consul__a_reload_changes_how_many_connections_are_kept)
{
    start_with_a(NULL);
    unsigned before = httpc->kept;
    reload("consul.max_watches=200", NULL);
    assert_int_equal(httpc->kept, before + 100);
}

/* Until the reply that changes it. */
static void await_other(const char *id, const char *before)
{
    for (int i = 0; i < 10 * 60 * 10 && strcmp(served(id), before) == 0; i++)
        fake_run(httpc, 100);
}

TEST(test_source_consul__a_cluster_that_was_pinned_is_served_on_until_it_is_read)
{
    prepare("static_clusters=a=10.0.0.7:9876", NULL);
    names("a");
    instances("a", "1+ 2+");
    start();
    fake_run(httpc, 1000);
    assert_serves("a", "live 7");
    fake_rule(httpc, HEALTH, 0, 0, "");
    fake_no_rule(httpc, HEALTH "a");
    reload(NULL, NULL);
    fake_run(httpc, 10 * MINUTE);
    assert_serves("a", "restored 7");
    instances("a", "1+ 2+");
    await_other("a", "restored 7");
    assert_serves("a", "live 1 2");
}

TEST(test_source_consul__a_cluster_that_was_pinned_is_held_until_one_is_good)
{
    prepare("static_clusters=a=10.0.0.7:9876", NULL);
    names("a");
    instances("a", "1-");
    start();
    fake_run(httpc, 1000);
    reload(NULL, NULL);
    fake_run(httpc, 10 * MINUTE);
    assert_serves("a", "held 7");
    const struct cluster *c = merge_find(merge, "a");
    assert_true(c->notes->unpinned);
    struct reports at = c->notes->reports;
    struct report r;
    assert_true(report_next(&at, &r));
    assert_string_equal(r.detail, "");
    assert_true(report_next(&at, &r));
    assert_string_equal(r.detail, REPORT_UNPINNED);
    instances("a", "1+");
    await_other("a", "held 7");
    assert_serves("a", "live 1");
    assert_false(merge_find(merge, "a")->notes->unpinned);
}

TEST(test_source_consul__who_was_pinned_and_is_failing_keeps_its_delay)
{
    prepare("static_clusters=a=10.0.0.7:9876;10.0.0.8:9876", NULL);
    names("a");
    instances("a", "1+ 7-");
    start();
    fake_run(httpc, 1000);
    reload(NULL, NULL);
    fake_run(httpc, 29000);
    assert_serves("a", "live 1 7");
    fake_run(httpc, 3000);
    assert_serves("a", "live 1");
}

TEST(test_source_consul__a_cluster_that_was_pinned_and_is_not_registered_ends_when_that_is_sure)
{
    prepare("static_clusters=a=10.0.0.7:9876", NULL);
    names("");
    instances("a", "");
    start();
    fake_run(httpc, 1000);
    reload(NULL, NULL);
    assert_serves("a", "restored 7");
    fake_run(httpc, 1900);
    assert_serves("a", "held 7");
    fake_run(httpc, 1000);
    assert_serves("a", "(none)");
}

TEST(test_source_consul__a_cluster_that_was_pinned_is_like_any_once_it_was_seen)
{
    prepare("static_clusters=a=10.0.0.7:9876", NULL);
    names("a");
    instances("a", "1+");
    start();
    fake_run(httpc, 1000);
    reload(NULL, NULL);
    fake_run(httpc, MINUTE);
    assert_serves("a", "live 1");
    names("");
    instances("a", "");
    fake_run(httpc, 4 * MINUTE);
    assert_serves("a", "held 1");
}

TEST(test_source_consul__who_waits_is_read_although_those_being_read_are_pinned)
{
    static const char *const ids[] = {"a", "b", "c"};
    char pinned[128] = "static_clusters=";
    const char *waits = NULL;
    prepare(NULL, NULL);
    names("a b c");
    start();
    fake_run(httpc, 1000);
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        char path[64];
        size_t len = strlen(pinned);
        (void)snprintf(path, sizeof path, HEALTH "%s", ids[i]);
        if (fake_pending(httpc, path) == NULL)
            waits = ids[i];
        else
            (void)snprintf(pinned + len, sizeof pinned - len, "%s%s=10.0.0.7:9876",
                           pinned[len - 1] == '=' ? "" : ",", ids[i]);
    }
    assert_non_null(waits);
    instances(waits, "1+");
    reload(pinned, NULL);
    fake_run(httpc, 1000);
    assert_serves(waits, "live 1");
}

TEST(test_source_consul__an_excluded_cluster_is_read_no_more_and_found_again)
{
    start_with_a(NULL);
    reload("consul.exclude=a", NULL);
    assert_serves("a", "(none)");
    size_t before = reads_of("a");
    fake_run(httpc, 10 * MINUTE);
    assert_serves("a", "(none)");
    assert_int_equal(reads_of("a"), before);
    reload(NULL, NULL);
    fake_run(httpc, 100);
    assert_serves("a", "live 1 2");
}

TEST(test_source_consul__clusters_that_share_an_address_go_together)
{
    prepare(NULL, NULL);
    names("a b c");
    instances("a", "1+");
    instances("b", "1+");
    instances("c", "1+ 2+");
    start();
    fake_run(httpc, 1000);
    assert_serves("c", "live 2");
    reload("consul.exclude=a,b", NULL);
    assert_serves("a", "(none)");
    assert_serves("b", "(none)");
    assert_serves("c", "live 1 2");
}

TEST(test_source_consul__the_scan_follows_what_is_accepted)
{
    prepare("consul.max_watches=0", NULL);
    names("a");
    instances("a", "1+");
    fake_rule(httpc, VIEWS, 200, ++last_index, "[]");
    start();
    fake_run(httpc, 1000);
    size_t warning = fake_count(httpc, "GET " VIEWS "warning");
    assert_true(warning > 0);
    reload("consul.max_watches=0", "consul.accept=warning");
    fake_run(httpc, 5000);
    assert_int_equal(fake_count(httpc, "GET " VIEWS "warning"), warning);
    reload("consul.max_watches=0", NULL);
    fake_run(httpc, 1000);
    assert_true(fake_count(httpc, "GET " VIEWS "warning") > warning);
}

TEST(test_source_consul__what_failed_is_tried_again_at_once)
{
    start_with_a(NULL);
    fake_rule(httpc, NAMES, 403, 0, "denied");
    fake_rule(httpc, HEALTH "a", 403, 0, "denied");
    fake_run(httpc, 60 * MINUTE);
    names("a");
    instances("a", "1+ 2+ 3+");
    reload(NULL, NULL);
    fake_run(httpc, 200);
    assert_serves("a", "live 1 2 3");
}

TEST(test_source_consul__a_reload_before_the_first_turn_begins_all_the_same)
{
    prepare(NULL, NULL);
    names("a");
    instances("a", "1+");
    start();
    reload("default_cluster=a", NULL);
    fake_run(httpc, 1000);
    assert_serves("a", "live 1");
    const struct table *t = registry_acquire(registry, NULL);
    bool is_default = strcmp(table_default(t), "a") == 0;
    table_unref(t);
    assert_true(is_default);
    assert_int_equal(fake_count_pending(httpc, NAMES), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_source_consul__the_first_complete_read_makes_ready,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__no_clusters_at_all_are_a_complete_read,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__how_far_reading_is_is_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__the_first_reads_are_authoritative,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__one_failing_cluster_does_not_keep_us_from_being_ready, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__an_unreachable_consul_is_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__a_consul_that_comes_late_is_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__a_new_name_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__excluded_clusters_are_not_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__names_that_are_no_ids_are_ignored,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__names_differing_in_case_are_two_clusters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__pinned_clusters_are_left_to_the_config,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__a_lost_name_leads_to_a_read_and_no_more,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_deregistered_cluster_is_gone_after_its_delays, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_cluster_that_is_gone_is_not_asked_for_any_more, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__a_cluster_that_was_gone_may_come_back,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__names_hidden_by_acls_are_no_loss, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__names_hidden_by_acls_are_no_complete_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__a_watch_brings_a_join_at_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_watch_waits_as_configured_more_or_less, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__a_leave_waits_for_its_delay_and_a_read,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__an_instance_that_the_read_still_sees_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__an_empty_watch_does_nothing_but_ask,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__emptiness_is_confirmed_by_a_quorum,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__an_index_that_goes_back_leads_to_a_read,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__after_a_lower_index_the_watch_goes_on_from_there, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_names_index_that_goes_back_is_read_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_names_reply_with_a_lower_index_only_makes_all_be_read, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_bad_body_with_a_lower_index_confirms_none, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_watch_reply_older_than_the_last_read_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__a_reread_finds_what_the_watch_missed,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__idle_wakeups_are_held_to_a_rate, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_consul_that_is_away_for_a_day_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__a_consul_without_leader_changes_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_consul_that_answers_nonsense_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__failures_back_off_up_to_a_cap_and_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__a_names_failure_backs_off_up_to_a_cap,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__a_403_reads_the_token_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__a_403_on_names_reads_the_token_again,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__replies_cut_by_acls_change_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_stale_leaderless_reply_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__at_most_two_reads_are_under_way, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_refused_watch_is_given_up_and_its_cluster_read_instead, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__a_failure_does_not_change_the_plan,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_cluster_without_checks_that_returns_is_read_soon, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__refused_clusters_are_not_asked_for_more_often_than_others, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__when_consul_answers_again_all_are_read,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__after_a_refusal_as_many_as_may_be_are_watched_again, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__with_more_clusters_than_watches_none_is_watched, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__without_watches_all_are_read_in_turn,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__watches_are_back_with_four_fifths_of_what_may_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__over_http2_more_clusters_are_watched,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__mass_loss_keeps_everybody_for_thirty_seconds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__a_loss_of_few_is_no_mass_loss, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__restored_clusters_are_served_until_consul_confirms_them, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__restored_clusters_are_kept_while_consul_is_away, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__restored_members_get_their_delay, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__restored_clusters_that_consul_does_not_know_end_after_their_delays,
            setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__restored_clusters_that_are_excluded_now_are_dropped, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__stopping_leaves_nothing_behind, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_watched_cluster_is_not_read_again_for_minutes, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_name_without_instances_stays_what_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_read_older_than_the_last_watch_reply_takes_nothing_away, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_repeated_lower_index_is_a_restored_snapshot, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__not_ready_when_no_cluster_could_be_read,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__an_address_of_two_clusters_is_given_to_neither, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_reused_port_goes_to_its_new_cluster_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_watch_that_is_refused_again_and_again_is_tried_ever_slower, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__ready_after_an_outage_although_one_cluster_cannot_be_read, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__ready_with_the_first_list_when_some_clusters_cannot_be_read, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_restored_address_that_is_anothers_now_is_not_served, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__reports_follow_each_instance_until_it_has_left, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__reports_tell_when_another_cluster_comes_to_claim_an_address, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__only_a_read_of_a_healthy_list_confirms_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__a_reload_that_changes_nothing_serves_on,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_reload_that_is_forgotten_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__a_reload_changes_the_limit_of_http2,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_reload_changes_how_many_connections_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_cluster_that_was_pinned_is_served_on_until_it_is_read, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_cluster_that_was_pinned_is_held_until_one_is_good, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_cluster_that_was_pinned_and_is_not_registered_ends_when_that_is_sure,
            setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_cluster_that_was_pinned_is_like_any_once_it_was_seen, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__an_excluded_cluster_is_read_no_more_and_found_again, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__clusters_that_share_an_address_go_together, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__the_scan_follows_what_is_accepted,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_consul__what_failed_is_tried_again_at_once,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__a_reload_before_the_first_turn_begins_all_the_same, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__who_was_pinned_and_is_failing_keeps_its_delay, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__restored_members_get_their_delay_also_without_memory, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_source_consul__who_waits_is_read_although_those_being_read_are_pinned, setup,
            teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
