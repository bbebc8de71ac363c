/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/status.h"

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "base/clock.h"
#include "model/consul_report.h"
#include "model/metrics.h"
#include "model/report.h"
#include "model/table.h"
#include "serve/client_names.h"
#include "unit.h"

#define NOW_WALL INT64_C(1790000000000)
#define NOW_MONO INT64_C(5000000)

static const struct build_info build = {
    .version = "1.2.3", .mhd = "", .curl = "", .cjson = "", .libconfig = ""};
static struct table *table;
static struct consul_report consul;
static struct client_totals clients;
static struct status_view view;
static struct status_query query;
static struct buf out;

static int setup(void **state)
{
    (void)state;
    table = table_new();
    assert_non_null(table);
    consul = (struct consul_report){.enabled = true, .up = true};
    clients = (struct client_totals){.count = 0};
    query = (struct status_query){.page = 0};
    view = (struct status_view){.build = &build,
                                .started_wall_ms = NOW_WALL - 3600000,
                                .now_wall_ms = NOW_WALL,
                                .now_mono_ms = NOW_MONO,
                                .table = table,
                                .registry = {.complete = true, .ready = true},
                                .consul = &consul,
                                .clients = &clients,
                                .excluded = ";",
                                .config = "log : {\n    level = \"<x>\";\n};\n"};
    buf_init(&out, STATUS_MAX);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_clear(&out);
    table_unref(table);
    return 0;
}

/* -- what there is --------------------------------------------------------------------------- */

static const struct report plain = {.verdict = VERDICT_SERVED,
                                    .health = HEALTH_GOOD,
                                    .registered = true,
                                    .port = 9876,
                                    .address = "10.0.0.1",
                                    .node = "n1",
                                    .service_id = "i1",
                                    .check = "",
                                    .status = "",
                                    .detail = ""};

static void add_reported(const char *id, enum cluster_state state, const char *address,
                         const struct report *reports, size_t count)
{
    struct endpoint e;
    struct buf packed;
    buf_init(&packed, REPORTS_MAX);
    for (size_t i = 0; i < count; i++)
        assert_true(report_append(&packed, &reports[i]));
    if (address != NULL)
        assert_true(endpoint_parse(&e, address, strlen(address)));
    struct cluster_parts parts = {.id = id,
                                  .state = state,
                                  .since_wall_ms = NOW_WALL - 90000,
                                  .list = &e,
                                  .count = address != NULL,
                                  .reports = {.data = packed.data, .len = packed.len},
                                  .change = {.count = 2,
                                             .wall_ms = NOW_WALL - 5000,
                                             .why = "instance joined",
                                             .was = CLUSTER_HELD,
                                             .was_body = "10.9.9.9:1"}};
    struct cluster *c = cluster_make(&parts);
    buf_clear(&packed);
    assert_non_null(c);
    assert_true(table_set(table, c));
}

static void add(const char *id, enum cluster_state state, const char *address)
{
    add_reported(id, state, address, NULL, 0);
}

static void add_some(void)
{
    static const struct report failing = {.verdict = VERDICT_UNHEALTHY,
                                          .registered = true,
                                          .address = "10.0.0.7",
                                          .node = "",
                                          .service_id = "",
                                          .check = "",
                                          .status = "",
                                          .detail = ""};
    add("live-b", CLUSTER_LIVE, "10.0.0.2:9876");
    add("live-a", CLUSTER_LIVE, "10.0.0.1:9876");
    add_reported("live-t", CLUSTER_LIVE, "10.0.0.3:9876", &failing, 1);
    add("held", CLUSTER_HELD, "10.0.0.4:9876");
    add("restored", CLUSTER_RESTORED, "10.0.0.5:9876");
    add("empty", CLUSTER_EMPTY, NULL);
    add("unread", CLUSTER_UNREAD, NULL);
}

/* -- queries --------------------------------------------------------------------------------- */

static void parse(const char *text)
{
    status_query_parse(text, strlen(text), &query);
}

TEST(test_status__a_query_is_taken_apart)
{
    parse("q=a%2Fb+c%25&state=held&page=3&cluster=x-1");
    assert_string_equal(query.search, "a/b c%");
    assert_int_equal(query.filter, STATUS_HELD);
    assert_int_equal(query.page, 3);
    assert_string_equal(query.cluster, "x-1");
}

TEST(test_status__what_a_query_has_that_is_not_understood_is_not_there)
{
    parse("state=odd&page=-1&page=x&z=1&q&=&&cluster");
    assert_int_equal(query.filter, STATUS_ALL);
    assert_int_equal(query.page, 0);
    assert_string_equal(query.search, "");
    assert_string_equal(query.cluster, "");
    parse("q=a%0db%zz");
    assert_string_equal(query.search, "a");
    parse("page=99999999999999999999");
    assert_int_equal(query.page, 0);
    parse("q=%4");
    assert_string_equal(query.search, "%4");
}

TEST(test_status__long_values_are_cut)
{
    char text[600] = "q=";
    memset(text + 2, 'a', sizeof text - 3);
    text[sizeof text - 1] = '\0';
    parse(text);
    assert_int_equal(strlen(query.search), STATUS_SEARCH_SIZE - 1);
}

/* -- selections ------------------------------------------------------------------------------ */

/* "held empty ...": what is on the page. */
static const char *selected(size_t page_size)
{
    static char text[512];
    struct status_selection s;
    size_t len = 0;
    text[0] = '\0';
    assert_true(status_select(&view, &query, page_size, &s));
    for (size_t i = s.first; i < s.first + s.shown; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", len > 0 ? " " : "",
                                s.clusters[i]->id);
    (void)snprintf(text + len, sizeof text - len, " (%zu/%zu)", s.page, s.pages);
    status_selection_clear(&s);
    return text;
}

TEST(test_status__problems_come_first)
{
    add_some();
    assert_string_equal(selected(100), "held empty unread restored live-t live-a live-b (1/1)");
}

TEST(test_status__states_and_problems_can_be_chosen)
{
    add_some();
    parse("state=problems");
    assert_string_equal(selected(100), "held empty unread restored live-t (1/1)");
    parse("state=live");
    assert_string_equal(selected(100), "live-t live-a live-b (1/1)");
    parse("state=restored&q=LIVE");
    assert_string_equal(selected(100), " (1/1)");
}

TEST(test_status__the_search_is_in_ids_without_case_and_in_addresses)
{
    add_some();
    parse("q=LIVE");
    assert_string_equal(selected(100), "live-t live-a live-b (1/1)");
    parse("q=10.0.0.5");
    assert_string_equal(selected(100), "restored (1/1)");
    parse("cluster=live-a");
    assert_string_equal(selected(100), "live-a (1/1)");
}

TEST(test_status__the_search_finds_addresses_that_are_not_served)
{
    struct report r = plain;
    struct endpoint e;
    add_some();
    parse("q=10.0.0.7");
    assert_string_equal(selected(100), "live-t (1/1)");
    r.verdict = VERDICT_UNHEALTHY;
    r.address = "2001:db8::7";
    add_reported("six", CLUSTER_LIVE, "10.0.0.8:9876", &r, 1);
    parse("q=[2001:db8::7]:9876");
    assert_string_equal(selected(100), "six (1/1)");
    parse("q=[2001:db8::7]:987&state=held");
    assert_string_equal(selected(100), " (1/1)");
    assert_true(endpoint_parse(&e, "10.0.0.77:9876", 14));
    struct cluster_parts parts = {.id = "claimed",
                                  .state = CLUSTER_LIVE,
                                  .withheld = &e,
                                  .withheld_count = 1,
                                  .change = {.why = "", .was_body = ""}};
    struct cluster *c = cluster_make(&parts);
    assert_non_null(c);
    assert_true(table_set(table, c));
    parse("q=10.0.0.77:9876");
    assert_string_equal(selected(100), "claimed (1/1)");
}

TEST(test_status__pages_end_with_the_last_one)
{
    add_some();
    assert_string_equal(selected(3), "held empty unread (1/3)");
    parse("page=2");
    assert_string_equal(selected(3), "restored live-t live-a (2/3)");
    parse("page=77");
    assert_string_equal(selected(3), "live-b (3/3)");
    parse("page=2&q=nothing");
    assert_string_equal(selected(3), " (1/1)");
    parse("");
    assert_string_equal(selected(7), "held empty unread restored live-t live-a live-b (1/1)");
}

/* It cannot be read since 3 minutes. */
static void fail_reading(const char *id, const char *text)
{
    struct cluster_failure failure = {.since_wall_ms = NOW_WALL - 180000, .text = text};
    struct cluster *c = cluster_with_failure(table_find(table, id, strlen(id)), &failure);
    assert_non_null(c);
    assert_true(table_set(table, c));
}

TEST(test_status__what_cannot_be_read_is_a_problem)
{
    add_some();
    fail_reading("live-b", "403");
    parse("state=problems");
    assert_string_equal(selected(100), "held empty unread restored live-b live-t (1/1)");
}

/* -- words ----------------------------------------------------------------------------------- */

static const char *summary(const char *health)
{
    static char text[STATUS_SUMMARY_SIZE];
    struct status_selection s;
    assert_true(status_select(&view, &query, 0, &s));
    assert_string_equal(status_health_name(status_summary(&view, &s, text)), health);
    status_selection_clear(&s);
    return text;
}

TEST(test_status__all_live_is_ok)
{
    assert_string_equal(summary("ok"), "No cluster is known");
    add("a", CLUSTER_LIVE, "10.0.0.1:1");
    assert_string_equal(summary("ok"), "All clusters are live: 1");
}

TEST(test_status__what_is_not_live_is_counted)
{
    add_some();
    assert_string_equal(summary("attention"),
                        "Of 7 clusters 3 are live, 1 held, 1 without an address, 1 not read yet, 1 "
                        "restored and not confirmed yet; 1 live with an instance to look at");
}

TEST(test_status__a_consul_that_gives_no_answer_needs_attention)
{
    add("a", CLUSTER_LIVE, "10.0.0.1:1");
    consul.up = false;
    assert_string_equal(summary("ok"), "All clusters are live: 1"); /* it was not asked yet */
    consul.error.last_wall_ms = NOW_WALL;
    assert_string_equal(summary("attention"),
                        "Consul gives no good answer. All clusters are live: 1");
}

TEST(test_status__clusters_that_cannot_be_read_need_attention)
{
    add("a", CLUSTER_LIVE, "10.0.0.1:1");
    add("b", CLUSTER_LIVE, "10.0.0.2:1");
    fail_reading("a", "403");
    assert_string_equal(summary("attention"),
                        "All clusters are live: 2; 1 cannot be read from Consul");
}

TEST(test_status__what_fails_beside_the_lists_needs_attention)
{
    add("a", CLUSTER_LIVE, "10.0.0.1:1");
    consul.registrations.failing = true;
    assert_string_equal(summary("attention"),
                        "Our registrations in Consul fail. All clusters are live: 1");
    consul.registrations.failing = false;
    consul.reading.scan_failing = true;
    assert_string_equal(summary("attention"),
                        "The checks in Consul cannot be followed. All clusters are live: 1");
    consul.reading.scan_failing = false;
    consul.state_error.since_wall_ms = NOW_WALL;
    assert_string_equal(summary("attention"),
                        "The state on disk cannot be written. All clusters are live: 1");
    consul.state_error.since_wall_ms = 0;
    view.reload_refused = true;
    assert_string_equal(summary("attention"), "The last reload was refused, the config of before "
                                              "is in use. All clusters are live: 1");
}

TEST(test_status__the_summary_has_room_for_all_at_once)
{
    static const struct report failing = {.verdict = VERDICT_UNHEALTHY,
                                          .registered = true,
                                          .address = "10.0.0.7",
                                          .node = "",
                                          .service_id = "",
                                          .check = "",
                                          .status = "",
                                          .detail = ""};
    struct status_selection s = {.troubled = 0};
    char text[STATUS_SUMMARY_SIZE];
    add_reported("a", CLUSTER_LIVE, "10.0.0.3:9876", &failing, 1);
    view.registry.complete = false;
    view.registry.draining = true;
    view.reload_refused = true;
    consul.up = false;
    consul.error.last_wall_ms = 1;
    consul.registrations.failing = consul.reading.scan_failing = true;
    consul.state_error.since_wall_ms = 1;
    for (size_t i = 0; i < COUNT_OF(s.in_state); i++)
        s.in_state[i] = SIZE_MAX / 100;
    s.troubled = s.ending = s.failing = SIZE_MAX / 100;
    (void)status_summary(&view, &s, text);
    static const char end[] = " cannot be read from Consul";
    assert_string_equal(text + strlen(text) - strlen(end), end);
}

TEST(test_status__the_start_and_the_end_come_before_all_else)
{
    view.registry.complete = false;
    assert_string_equal(summary("starting"),
                        "Starting: not every cluster has been read yet. No cluster is known");
    view.registry.draining = true;
    assert_string_equal(summary("stopping"),
                        "Stopping, and answering those who still come. No cluster is known");
}

TEST(test_status__ages_have_the_units_that_matter)
{
    static const struct {
        int64_t ms;
        const char *text;
    } ages[] = {{-5, "0 s"},           {59999, "59 s"},          {60000, "1 min"},
                {3599999, "59 min"},   {3600000, "1 h 0 min"},   {86399999, "23 h 59 min"},
                {90000000, "1 d 1 h"}, {8640000000, "100 d 0 h"}};
    char text[STATUS_AGE_SIZE];
    for (size_t i = 0; i < COUNT_OF(ages); i++) {
        status_age(ages[i].ms, text);
        assert_string_equal(text, ages[i].text);
    }
}

static void as_it_is(struct buf *to, const char *text)
{
    (void)buf_append_str(to, text);
}

static const char *described_until(enum verdict verdict, bool registered, int64_t leaves_ms)
{
    struct report r = plain;
    r.verdict = verdict;
    r.registered = registered;
    r.check = "tcp";
    r.status = "critical";
    r.detail = registered ? "other" : "";
    r.since_ms = NOW_MONO - 7000;
    r.leaves_ms = leaves_ms;
    buf_reset(&out);
    status_describe(&view, &r, as_it_is, &out);
    return buf_text(&out);
}

static const char *described(enum verdict verdict, bool registered)
{
    return described_until(verdict, registered, verdict != VERDICT_HELD ? NOW_MONO + 22500 : 0);
}

#define TCP "check \xe2\x80\x9ctcp\xe2\x80\x9d is critical"

TEST(test_status__each_verdict_says_why)
{
    assert_string_equal(described(VERDICT_SERVED, true), "served, " TCP);
    assert_string_equal(
        described(VERDICT_SHARED, true),
        "served, although cluster other claims the address, too: there is no other");
    assert_string_equal(described(VERDICT_HELD, true),
                        "served, although " TCP " for 7 s; held, for no instance is healthy");
    assert_string_equal(described(VERDICT_HELD, false),
                        "served, no longer registered for 7 s; held, for no instance is healthy");
    assert_string_equal(described(VERDICT_FAILING, true),
                        "served, although " TCP " for 7 s; leaves in 23 s at the earliest");
    assert_string_equal(described(VERDICT_LEAVING, true),
                        "served, in maintenance for 7 s; leaves in 23 s at the earliest");
    assert_string_equal(described(VERDICT_DEREGISTERED, false),
                        "served, no longer registered for 7 s; leaves in 23 s at the earliest");
    assert_string_equal(described(VERDICT_UNHEALTHY, true), "not served: " TCP);
    assert_string_equal(described(VERDICT_MAINTENANCE, true), "not served: in maintenance");
    assert_string_equal(described(VERDICT_UNUSABLE, true), "not served: other");
    assert_string_equal(described(VERDICT_CONTESTED, true),
                        "not served: cluster other claims the address, too");
    assert_string_equal(described(VERDICT_DUPLICATE, true),
                        "does not count: the same address is registered as other, too");
    assert_string_equal(described(VERDICT_NONE, true), "not judged yet");
}

#define HELD_GONE "served, no longer registered for 7 s; held, for nothing is registered, "

TEST(test_status__held_with_nothing_registered_says_that_it_ends)
{
    assert_string_equal(described_until(VERDICT_HELD, false, NOW_MONO + 270000),
                        HELD_GONE "unknown (404) in 4 min at the earliest");
    assert_string_equal(described_until(VERDICT_HELD, false, NOW_MONO),
                        HELD_GONE "unknown (404) when Consul confirms it");
    assert_string_equal(described_until(VERDICT_HELD, false, CLOCK_NEVER),
                        HELD_GONE "unknown (404) admission.gone_delay after Consul confirms it");
}

TEST(test_status__held_in_maintenance_is_said_so)
{
    struct report r = plain;
    r.verdict = VERDICT_HELD;
    r.health = HEALTH_MAINTENANCE;
    r.check = "_service_maintenance:i1";
    r.status = "critical";
    r.since_ms = NOW_MONO - 7000;
    status_describe(&view, &r, as_it_is, &out);
    assert_string_equal(buf_text(&out),
                        "served, in maintenance for 7 s; held, for no instance is healthy");
}

TEST(test_status__the_end_of_a_delay_may_have_come_or_be_never)
{
    struct report r = plain;
    r.verdict = VERDICT_LEAVING;
    r.since_ms = NOW_MONO - 7000;
    r.leaves_ms = NOW_MONO;
    status_describe(&view, &r, as_it_is, &out);
    assert_string_equal(buf_text(&out),
                        "served, in maintenance for 7 s; leaves when Consul confirms it");
    r.leaves_ms = CLOCK_NEVER;
    buf_reset(&out);
    status_describe(&view, &r, as_it_is, &out);
    assert_string_equal(buf_text(&out),
                        "served, in maintenance for 7 s; leaves never (admission.leave_delay)");
}

TEST(test_status__without_a_check_there_is_still_a_reason)
{
    struct report r = plain;
    r.verdict = VERDICT_UNHEALTHY;
    status_describe(&view, &r, as_it_is, &out);
    assert_string_equal(buf_text(&out), "not served: not healthy");
    r.verdict = VERDICT_SERVED;
    buf_reset(&out);
    status_describe(&view, &r, as_it_is, &out);
    assert_string_equal(buf_text(&out), "served");
}

/* -- explanations ---------------------------------------------------------------------------- */

static const char *explained(const char *id, bool known)
{
    bool found;
    buf_reset(&out);
    assert_true(status_explain(&view, id, &found, &out));
    assert_int_equal(found, known);
    return buf_text(&out);
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("\"%s\" is in \"%s\"", part, text);
}

TEST(test_status__an_explanation_has_list_history_and_instances)
{
    struct report reports[] = {plain, plain};
    reports[1].verdict = VERDICT_UNUSABLE;
    reports[1].address = "fe80::1";
    reports[1].service_id = "\x1b[2J";
    reports[1].node = "";
    reports[1].port = 0;
    reports[1].detail = "because";
    add_reported("a", CLUSTER_LIVE, "10.0.0.1:9876", reports, 2);
    cluster_confirm(table_find(table, "a", 1), NOW_WALL - 61000);
    assert_string_equal(explained("a", true),
                        "cluster a: live, as Consul confirmed 1 min ago\n"
                        "since:       2026-09-21T14:11:50.000Z, 1 min ago\n"
                        "served:      10.0.0.1:9876\n"
                        "confirmed:   2026-09-21T14:12:19.000Z, 1 min ago\n"
                        "last change: 2026-09-21T14:13:15.000Z, 5 s ago: instance joined\n"
                        "  before:    10.9.9.9:1 (held)\n"
                        "  changes:   2 since the start\n"
                        "instances:\n"
                        "  10.0.0.1:9876  served\n"
                        "      registered as i1 on node n1\n"
                        "  [fe80::1]  not served: because\n"
                        "      registered as \\x1b[2J\n");
}

TEST(test_status__an_explanation_says_why_it_cannot_be_read)
{
    add("a", CLUSTER_LIVE, "10.0.0.1:9876");
    assert_has(explained("a", true), "cluster a: live, as Consul says\n");
    assert_lacks(explained("a", true), "reading:");
    fail_reading("a", "Consul answers 403: \x1b[2J");
    assert_has(explained("a", true),
               "\nreading:     fails since 2026-09-21T14:10:20.000Z, 3 min ago: "
               "Consul answers 403: \\x1b[2J\n");
}

TEST(test_status__each_state_is_explained)
{
    add_some();
    assert_has(explained("held", true), "kept against what Consul says now");
    assert_has(explained("restored", true), "of an earlier run");
    assert_has(explained("empty", true), "clients get 503");
    assert_has(explained("unread", true), "not read from Consul yet");
    assert_has(explained("unread", true), "served:      nothing");
}

TEST(test_status__a_list_that_the_config_had_is_explained_as_such)
{
    struct report r = plain;
    struct endpoint e;
    struct buf packed;
    r.verdict = VERDICT_HELD;
    r.registered = false;
    r.node = r.service_id = "";
    r.since_ms = NOW_MONO - 7000;
    r.detail = REPORT_UNPINNED;
    buf_init(&packed, REPORTS_MAX);
    assert_true(report_append(&packed, &r));
    assert_true(endpoint_parse(&e, "10.0.0.1:9876", 13));
    struct cluster_parts parts = {.id = "a",
                                  .state = CLUSTER_RESTORED,
                                  .unpinned = true,
                                  .list = &e,
                                  .count = 1,
                                  .change = {.why = "", .was_body = ""}};
    struct cluster *restored = cluster_make(&parts);
    parts.id = "b";
    parts.state = CLUSTER_HELD;
    parts.reports = (struct reports){.data = packed.data, .len = packed.len};
    struct cluster *held = cluster_make(&parts);
    parts.id = "c";
    parts.state = CLUSTER_LIVE;
    struct cluster *live = cluster_make(&parts);
    buf_clear(&packed);
    assert_non_null(live);
    assert_non_null(restored);
    assert_non_null(held);
    assert_true(table_set(table, restored));
    assert_true(table_set(table, held));
    cluster_confirm(live, NOW_WALL);
    assert_true(table_set(table, live));
    assert_has(explained("a", true), "restored, as static_clusters had it");
    assert_has(explained("b", true), "held, as static_clusters had it");
    assert_has(explained("c", true), "live, as Consul says, and what static_clusters had until");
    assert_has(explained("b", true), "served, taken out of static_clusters for 7 s; held, for no "
                                     "instance is healthy\n      not registered in Consul\n");
}

/* In `ms` from now, held with nothing registered until then. */
static void add_ending(const char *id, int64_t ms)
{
    struct endpoint e;
    assert_true(endpoint_parse(&e, "10.0.0.9:9876", 13));
    struct cluster_parts parts = {.id = id,
                                  .state = CLUSTER_HELD,
                                  .since_wall_ms = NOW_WALL - 90000,
                                  .list = &e,
                                  .count = 1,
                                  .unregistered = true,
                                  .gone_ms = NOW_MONO + ms,
                                  .change = {.why = "", .was_body = ""}};
    struct cluster *c = cluster_make(&parts);
    assert_non_null(c);
    assert_true(table_set(table, c));
}

TEST(test_status__a_cluster_that_ends_says_when)
{
    add_some();
    add_ending("ending", 200000);
    assert_has(explained("ending", true),
               "\nends:        nothing is registered, unknown (404) in 3 min at the earliest\n");
    assert_lacks(explained("held", true), "\nends:");
    assert_has(summary("attention"), "; 1 held with nothing registered, until gone_delay is over");
}

TEST(test_status__an_explanation_says_when_consul_cannot_be_read)
{
    add_some();
    assert_lacks(explained("held", true), "Consul gives");
    consul.up = false;
    consul.error = (struct metric_error){.last_wall_ms = 1, .text = "no\x1broute"};
    assert_has(explained("held", true), "Consul gives no good answer: no\\x1broute\n");
}

TEST(test_status__an_unknown_id_brings_the_nearest)
{
    add("DemoCluster", CLUSTER_LIVE, "10.0.0.1:1");
    add("demo-cluster-2", CLUSTER_LIVE, "10.0.0.1:1");
    add("other", CLUSTER_LIVE, "10.0.0.1:1");
    assert_has(explained("democluster", false), "(case matters): DemoCluster");
    assert_lacks(explained("democluster", false), "other");
    assert_has(explained("demo-clustre-2", false), "demo-cluster-2");
    assert_has(explained("demo", false), "DemoCluster");
    assert_has(explained("democluster", false), "clients get 404");
    assert_lacks(explained("zzzz", false), "nearest");
    view.registry.complete = false;
    assert_has(explained("zzzz", false), "clients get 503");
    assert_has(explained("\x1b]0;x\x07", false), "cluster \\x1b]0;x\\x07 cannot be");
}

TEST(test_status__an_unknown_id_may_be_excluded_or_be_none)
{
    view.excluded = ";b;aa;";
    assert_lacks(explained("a", false), "consul.exclude");
    assert_lacks(explained("B", false), "consul.exclude");
    assert_has(explained("b", false), "clients get 404\nconsul.exclude has it: ");
    assert_has(explained("aa", false), "consul.exclude has it: ");
    assert_lacks(explained("aa", false), "is registered in Consul");
    assert_has(explained("..", false), "and is not \".\" or \"..\"");
}

TEST(test_status__of_many_near_ids_the_nearest_are_named)
{
    char id[32];
    for (int i = 0; i < 30; i++) {
        (void)snprintf(id, sizeof id, "cluster-%02d", i);
        add(id, CLUSTER_LIVE, "10.0.0.1:1");
    }
    const char *text = explained("Cluster-07", false);
    assert_has(text, "(case matters): cluster-07, ");
    size_t commas = 0;
    for (const char *c = strstr(text, "nearest"); *c != '\n'; c++)
        commas += *c == ',';
    assert_int_equal(commas, 4);
}

/* -- JSON ------------------------------------------------------------------------------------ */

static cJSON *json(void)
{
    char bytes[1000];
    size_t len;
    buf_reset(&out);
    struct status_json *j = status_json_new(&view, &query);
    assert_non_null(j);
    do {
        assert_true(status_json_read(j, bytes, sizeof bytes, &len));
        assert_true(buf_append(&out, bytes, len));
    } while (len > 0);
    status_json_free(j);
    cJSON *root = cJSON_ParseWithLengthOpts(buf_text(&out), out.len, NULL, false);
    assert_non_null(root);
    return root;
}

static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    assert_non_null(item);
    return cJSON_IsNull(item) ? "null" : cJSON_GetStringValue(item);
}

static int number_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    assert_true(cJSON_IsNumber(item));
    return item->valueint;
}

TEST(test_status__json_has_every_cluster_unless_a_page_is_asked_for)
{
    char id[16];
    for (int i = 0; i < 250; i++) {
        (void)snprintf(id, sizeof id, "c%03d", i);
        add(id, CLUSTER_LIVE, "10.0.0.1:1");
    }
    cJSON *root = json();
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(root, "clusters")), 250);
    assert_int_equal(number_of(root, "pages"), 1);
    cJSON_Delete(root);
    parse("page=3");
    root = json();
    const cJSON *list = cJSON_GetObjectItem(root, "clusters");
    assert_int_equal(cJSON_GetArraySize(list), 50);
    assert_string_equal(text_of(cJSON_GetArrayItem(list, 0), "id"), "c200");
    assert_int_equal(number_of(root, "pages"), 3);
    assert_int_equal(number_of(root, "matching"), 250);
    cJSON_Delete(root);
}

TEST(test_status__json_without_clusters_is_json_too)
{
    cJSON *root = json();
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(root, "clusters")), 0);
    cJSON_Delete(root);
    status_json_free(NULL);
}

TEST(test_status__json_tells_all_of_a_cluster)
{
    struct report r = plain;
    r.verdict = VERDICT_FAILING;
    r.check = "\"tcp\"";
    r.status = "critical";
    r.since_ms = NOW_MONO - 1000;
    r.leaves_ms = NOW_MONO + 1000;
    add_reported("a", CLUSTER_HELD, "10.0.0.1:9876", &r, 1);
    cJSON *root = json();
    const cJSON *c = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "clusters"), 0);
    assert_string_equal(text_of(c, "id"), "a");
    assert_string_equal(text_of(c, "state"), "held");
    assert_string_equal(text_of(c, "since"), "2026-09-21T14:11:50.000Z");
    assert_string_equal(text_of(c, "confirmed"), "null");
    assert_int_equal(number_of(c, "changes"), 2);
    const cJSON *change = cJSON_GetObjectItem(c, "last_change");
    assert_string_equal(text_of(change, "why"), "instance joined");
    assert_string_equal(text_of(change, "old_state"), "held");
    const cJSON *i = cJSON_GetArrayItem(cJSON_GetObjectItem(c, "instances"), 0);
    assert_string_equal(text_of(i, "verdict"), "served-failing");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(i, "served")));
    assert_string_equal(text_of(i, "check"), "\"tcp\"");
    assert_string_equal(text_of(i, "detail"), "null");
    assert_string_equal(text_of(i, "since"), "2026-09-21T14:13:19.000Z");
    assert_string_equal(text_of(i, "leaves_not_before"), "2026-09-21T14:13:21.000Z");
    cJSON_Delete(root);
}

TEST(test_status__json_tells_which_cluster_cannot_be_read)
{
    add("a", CLUSTER_LIVE, "10.0.0.1:9876");
    add("b", CLUSTER_LIVE, "10.0.0.1:9876");
    fail_reading("a", "\"no\"");
    cJSON *root = json();
    const cJSON *clusters = cJSON_GetObjectItem(root, "clusters");
    const cJSON *e = cJSON_GetObjectItem(cJSON_GetArrayItem(clusters, 0), "read_error");
    assert_string_equal(text_of(e, "text"), "\"no\"");
    assert_string_equal(text_of(e, "since"), "2026-09-21T14:10:20.000Z");
    assert_string_equal(text_of(cJSON_GetArrayItem(clusters, 1), "read_error"), "null");
    cJSON_Delete(root);
}

TEST(test_status__json_tells_when_a_cluster_ends)
{
    add_ending("a", 200000);
    add("b", CLUSTER_HELD, "10.0.0.1:9876");
    cJSON *root = json();
    const cJSON *all = cJSON_GetObjectItem(root, "clusters");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(cJSON_GetArrayItem(all, 0), "unregistered")));
    assert_string_equal(text_of(cJSON_GetArrayItem(all, 0), "gone_not_before"),
                        "2026-09-21T14:16:40.000Z");
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(cJSON_GetArrayItem(all, 1), "unregistered")));
    assert_string_equal(text_of(cJSON_GetArrayItem(all, 1), "gone_not_before"), "null");
    cJSON_Delete(root);
}

TEST(test_status__json_tells_of_consul_registrations_and_disk)
{
    consul.up = false;
    consul.error = (struct metric_error){
        .text = "refused", .since_wall_ms = NOW_WALL, .last_wall_ms = NOW_WALL};
    consul.registrations =
        (struct registration_numbers){.wanted = 5, .registered = 3, .pending = 2};
    consul.state_write_failures = 4;
    clients.count = 1;
    clients.names[0] = (struct client_name){.requests = 9, .version = "V5", .agent = ""};
    cJSON *root = json();
    const cJSON *c = cJSON_GetObjectItem(root, "consul");
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(c, "up")));
    assert_string_equal(text_of(cJSON_GetObjectItem(c, "error"), "text"), "refused");
    assert_int_equal(number_of(cJSON_GetObjectItem(root, "registrations"), "pending"), 2);
    assert_int_equal(number_of(cJSON_GetObjectItem(root, "state_on_disk"), "write_failures"), 4);
    const cJSON *client = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "clients"), 0);
    assert_string_equal(text_of(client, "client_version"), "V5");
    assert_string_equal(text_of(client, "user_agent"), "null");
    assert_int_equal(number_of(client, "requests"), 9);
    assert_string_equal(text_of(root, "config"), view.config);
    cJSON_Delete(root);
}

/* -- the page -------------------------------------------------------------------------------- */

static const char *html(void)
{
    buf_reset(&out);
    assert_true(status_html(&view, &query, &out));
    return buf_text(&out);
}

TEST(test_status__the_page_has_clusters_and_what_concerns_all)
{
    add_some();
    clients.count = 1;
    clients.others = 7;
    clients.names[0] = (struct client_name){.requests = 9, .version = "", .agent = "Java/17"};
    assert_has(html(), "<!DOCTYPE html>");
    assert_has(html(), "Of 7 clusters 3 are live");
    assert_has(html(), "<a href=\"/status?cluster=live-a\">live-a</a>");
    assert_has(html(), "<code>10.0.0.1:9876</code>");
    assert_has(html(), "Java/17");
    assert_has(html(), "7 requests of further ones");
    assert_has(html(), "level = &#34;&#60;x&#62;&#34;;\n");
    assert_lacks(html(), "<script");
}

TEST(test_status__a_refused_reload_is_told)
{
    view.config_wall_ms = NOW_WALL - 120000;
    assert_has(html(), "<dt>Config</dt><dd>read <time");
    assert_lacks(html(), "refused");
    view.reload_refused = true;
    assert_has(html(),
               "the last reload was refused</span>: the log says why; what is in use was read "
               "<time");
    cJSON *root = json();
    const cJSON *reload = cJSON_GetObjectItem(root, "reload");
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(reload, "successful")));
    assert_string_equal(text_of(reload, "last_success"), "2026-09-21T14:11:20.000Z");
    cJSON_Delete(root);
}

TEST(test_status__the_page_tells_when_a_cluster_ends)
{
    add_ending("a", 200000);
    add("b", CLUSTER_HELD, "10.0.0.1:9876");
    assert_has(html(), "nothing is registered, unknown (404) in 3 min at the earliest");
    parse("cluster=a");
    assert_has(html(), "nothing is registered, unknown (404) in 3 min at the earliest");
    parse("cluster=b");
    assert_lacks(html(), "nothing is registered, ");
}

TEST(test_status__the_page_tells_what_fails)
{
    assert_has(html(), ">answers<");
    consul.up = false;
    assert_has(html(), "no answer yet");
    consul.error = (struct metric_error){
        .text = "<b>", .since_wall_ms = NOW_WALL - 1000, .last_wall_ms = NOW_WALL};
    consul.state_error = consul.error;
    consul.registration_error = consul.error;
    consul.registrations =
        (struct registration_numbers){.wanted = 5, .leaving = 1, .failing = true};
    consul.reading = (struct consul_reading){.plan = CONSUL_PLAN_SCAN,
                                             .scan_failing = true,
                                             .clusters = 10,
                                             .unread = 4,
                                             .failing = 3,
                                             .waiting = 2,
                                             .running = 1,
                                             .mass_loss_end = NOW_MONO + 1};
    consul.last_good_wall_ms = NOW_WALL - 5000;
    consul.state_last_write_wall_ms = NOW_WALL - 6000;
    const char *page = html();
    assert_has(page, "gives no good answer</span>: &#60;b&#62; (");
    assert_has(page, "the scan fails");
    assert_has(page, "6 of 10 clusters were read");
    assert_has(page, "3 cannot be read");
    assert_has(page, "2 reads wait, 1 are under way");
    assert_has(page, "nobody leaves for now");
    assert_has(page, "0 of 5 are in Consul");
    assert_has(page, "1 are being removed");
    assert_has(page, "; last written ");
    consul.enabled = false;
    assert_has(html(), "not used (consul.enabled)");
}

TEST(test_status__the_pages_tell_which_cluster_cannot_be_read)
{
    add("a", CLUSTER_LIVE, "10.0.0.1:9876");
    assert_lacks(html(), "cannot be read");
    fail_reading("a", "<b>no");
    assert_has(html(), "cannot be read <time datetime=\"2026-09-21T14:10:20.000Z\"");
    parse("cluster=a");
    assert_has(html(), "<dt>Reading</dt><dd><span class=\"s bad\">fails</span>: &#60;b&#62;no (");
}

TEST(test_status__a_page_of_one_cluster_has_its_instances)
{
    struct report reports[] = {plain, plain};
    reports[1].verdict = VERDICT_CONTESTED;
    reports[1].service_id = "<img src=x onerror=alert(1)>";
    reports[1].detail = "b";
    reports[1].address = "";
    add_reported("a", CLUSTER_LIVE, "10.0.0.1:9876", reports, 2);
    cluster_confirm(table_find(table, "a", 1), NOW_WALL);
    parse("cluster=a");
    assert_has(html(), "<title>a - nsaddrd status</title>");
    assert_has(html(), "not served: cluster b claims the address, too");
    assert_has(html(), "&#60;img src=x onerror=alert(1)&#62;");
    assert_lacks(html(), "<img");
    parse("cluster=%3Cb%3E");
    assert_has(html(), "&#60;b&#62;</h2><p>is not known");
}

TEST(test_status__what_was_searched_for_is_shown_and_kept_from_page_to_page)
{
    char id[16];
    for (int i = 0; i < 250; i++) {
        (void)snprintf(id, sizeof id, "c%03d", i);
        add(id, CLUSTER_LIVE, "10.0.0.1:1");
    }
    parse("q=c&state=live&page=2");
    assert_has(html(), "name=\"q\" maxlength=\"64\" value=\"c\"");
    assert_has(html(), "<option value=\"live\" selected>");
    assert_has(html(), "<a href=\"/status?q=c&amp;state=live&amp;page=1\">previous</a>");
    assert_has(html(), "<a href=\"/status?q=c&amp;state=live&amp;page=3\">next</a>");
    assert_has(html(), "101 to 200 of 250");
    parse("q=%22%3E%3Cb%3E");
    assert_has(html(), "value=\"&#34;&#62;&#60;b&#62;\"");
    assert_has(html(), "None.");
}

TEST(test_status__a_page_is_small_however_many_clusters_and_addresses_there_are)
{
    char id[32];
    struct endpoint list[200];
    for (size_t i = 0; i < COUNT_OF(list); i++)
        assert_true(endpoint_make(&list[i], "10.0.0.1", (long)i + 1));
    for (int i = 0; i < 300; i++) {
        (void)snprintf(id, sizeof id, "some-cluster-%04d", i);
        struct cluster *c = cluster_new(id, CLUSTER_LIVE, 0, list, COUNT_OF(list));
        assert_non_null(c);
        assert_true(table_set(table, c));
    }
    assert_has(html(), "and 188 more");
    assert_true(out.len < 150 * 1024);
}

int main(void)
{
#define RUN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        RUN(test_status__a_query_is_taken_apart),
        RUN(test_status__what_a_query_has_that_is_not_understood_is_not_there),
        RUN(test_status__long_values_are_cut),
        RUN(test_status__problems_come_first),
        RUN(test_status__states_and_problems_can_be_chosen),
        RUN(test_status__the_search_is_in_ids_without_case_and_in_addresses),
        RUN(test_status__the_search_finds_addresses_that_are_not_served),
        RUN(test_status__pages_end_with_the_last_one),
        RUN(test_status__all_live_is_ok),
        RUN(test_status__what_is_not_live_is_counted),
        RUN(test_status__a_consul_that_gives_no_answer_needs_attention),
        RUN(test_status__what_fails_beside_the_lists_needs_attention),
        RUN(test_status__the_summary_has_room_for_all_at_once),
        RUN(test_status__the_start_and_the_end_come_before_all_else),
        RUN(test_status__ages_have_the_units_that_matter),
        RUN(test_status__each_verdict_says_why),
        RUN(test_status__held_with_nothing_registered_says_that_it_ends),
        RUN(test_status__held_in_maintenance_is_said_so),
        RUN(test_status__the_end_of_a_delay_may_have_come_or_be_never),
        RUN(test_status__without_a_check_there_is_still_a_reason),
        RUN(test_status__an_explanation_has_list_history_and_instances),
        RUN(test_status__each_state_is_explained),
        RUN(test_status__a_list_that_the_config_had_is_explained_as_such),
        RUN(test_status__a_cluster_that_ends_says_when),
        RUN(test_status__an_explanation_says_when_consul_cannot_be_read),
        RUN(test_status__an_unknown_id_brings_the_nearest),
        RUN(test_status__an_unknown_id_may_be_excluded_or_be_none),
        RUN(test_status__of_many_near_ids_the_nearest_are_named),
        RUN(test_status__json_has_every_cluster_unless_a_page_is_asked_for),
        RUN(test_status__json_without_clusters_is_json_too),
        RUN(test_status__json_tells_all_of_a_cluster),
        RUN(test_status__json_tells_when_a_cluster_ends),
        RUN(test_status__json_tells_of_consul_registrations_and_disk),
        RUN(test_status__the_page_has_clusters_and_what_concerns_all),
        RUN(test_status__a_refused_reload_is_told),
        RUN(test_status__the_page_tells_when_a_cluster_ends),
        RUN(test_status__the_page_tells_what_fails),
        RUN(test_status__a_page_of_one_cluster_has_its_instances),
        RUN(test_status__what_was_searched_for_is_shown_and_kept_from_page_to_page),
        RUN(test_status__a_page_is_small_however_many_clusters_and_addresses_there_are),
        RUN(test_status__what_cannot_be_read_is_a_problem),
        RUN(test_status__clusters_that_cannot_be_read_need_attention),
        RUN(test_status__an_explanation_says_why_it_cannot_be_read),
        RUN(test_status__the_pages_tell_which_cluster_cannot_be_read),
        RUN(test_status__json_tells_which_cluster_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
