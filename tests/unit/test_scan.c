/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/log.h"
#include "config_of.h"
#include "fake_httpc.h"
#include "model/registry.h"
#include "source/merge.h"
#include "source/source.h"

#define NAMES "/v1/catalog/services"
#define HEALTH "/v1/health/service/nameServer"
#define ANY "/v1/health/state/any"
#define CRITICAL "/v1/health/state/critical"
#define WARNING "/v1/health/state/warning"
#define MINUTE 60000

static struct config *config;
static struct registry *registry;
static struct merge *merge;
static struct httpc *httpc;
static struct sources *sources;
static uint64_t last_index;
static char listed[32]; /* the clusters that names() said */

static void on_change(void *arg)
{
    (void)arg;
}

static int setup(void **state)
{
    (void)state;
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    config = NULL;
    registry = NULL;
    merge = NULL;
    httpc = NULL;
    sources = NULL;
    last_index = 100;
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

/* "a b c": their services and one of others. */
static void names(const char *ids)
{
    struct buf body;
    (void)snprintf(listed, sizeof listed, "%s", ids);
    buf_init(&body, 65536);
    (void)buf_append_str(&body, "{\"consul\":[]");
    for (const char *id = ids; *id != '\0';) {
        size_t n = strcspn(id, " ");
        (void)buf_printf(&body, ",\"nameServer%.*s\":[]", (int)n, id);
        id += n + (id[n] == ' ');
    }
    assert_true(buf_append_str(&body, "}"));
    fake_rule(httpc, NAMES, 200, ++last_index, buf_text(&body));
    buf_clear(&body);
}

/* One check: "node service-ID cluster status"; "-" for a check of the node. */
static void append_row(struct buf *out, const char *text)
{
    char node[32], id[32], cluster[32], status[32];
    assert_int_equal(sscanf(text, "%31s %31s %31s %31s", node, id, cluster, status), 4);
    bool of_node = strcmp(id, "-") == 0;
    (void)buf_printf(out,
                     "{\"Node\":\"%s\",\"CheckID\":\"c\",\"Status\":\"%s\",\"ServiceID\":\"%s\",",
                     node, status, of_node ? "" : id);
    assert_true(buf_printf(out, "\"ServiceName\":\"%s%s\"}", of_node ? "" : "nameServer",
                           of_node ? "" : cluster));
}

/* What a list of checks shows from now on: such rows, separated by commas. */
static void shows(const char *view, const char *rows)
{
    struct buf body;
    buf_init(&body, 65536);
    (void)buf_append_str(&body, "[");
    for (const char *at = rows; *at != '\0';) {
        char row[128];
        size_t n = strcspn(at, ",");
        (void)snprintf(row, sizeof row, "%.*s", (int)n, at);
        if (at != rows)
            (void)buf_append_str(&body, ",");
        append_row(&body, row);
        at += n + (at[n] == ',');
    }
    assert_true(buf_append_str(&body, "]"));
    fake_rule(httpc, view, 200, ++last_index, buf_text(&body));
    buf_clear(&body);
}

/* One good instance on that node, the check of which is as "1 c passing" on "n1" would be. */
static void instance(const char *id, int number)
{
    char path[64], body[1024];
    (void)snprintf(path, sizeof path, HEALTH "%s", id);
    (void)snprintf(
        body, sizeof body,
        "[{\"Node\":{\"Node\":\"n%d\",\"Address\":\"10.0.0.%d\"},\"Service\":{\"ID\":\"%d\",\"Service\":"
        "\"nameServer%s\",\"Address\":\"\",\"Port\":9876},\"Checks\":[{\"Node\":\"n%d\",\"CheckID\":"
        "\"c\",\"Status\":\"passing\",\"ServiceID\":\"%d\",\"ServiceName\":\"nameServer%s\"}]}]",
        number, number, number, id, number, number, id);
    fake_rule(httpc, path, 200, ++last_index, body);
}

static size_t reads_of(const char *id)
{
    char line[64];
    (void)snprintf(line, sizeof line, "GET " HEALTH "%s", id);
    return fake_count(httpc, line);
}

static size_t asked(const char *view)
{
    char line[64];
    (void)snprintf(line, sizeof line, "GET %s", view);
    return fake_count(httpc, line);
}

static const char *last_path(const char *view)
{
    char line[64];
    (void)snprintf(line, sizeof line, "GET %s", view);
    size_t found = SIZE_MAX;
    for (size_t at = fake_find(httpc, line, 0); at != SIZE_MAX; at = fake_find(httpc, line, at + 1))
        found = at;
    assert_int_not_equal(found, SIZE_MAX);
    return httpc->requests[found].path;
}

static void prepare(const char *setting)
{
    struct error error;
    config = config_of("consul.max_watches=0", setting, NULL);
    registry = registry_new(&error);
    merge = merge_new(registry, on_change, NULL, &error);
    httpc = httpc_new(config, &error);
    assert_non_null(registry);
    assert_non_null(merge);
    assert_non_null(httpc);
}

/* Clusters a, b and c with one instance each, all passing, read and seen. */
static void start_with_three(const char *setting)
{
    struct error error;
    prepare(setting);
    names("a b c");
    instance("a", 1);
    instance("b", 2);
    instance("c", 3);
    shows(ANY, "n1 1 a passing,n2 2 b passing,n3 3 c passing");
    shows(CRITICAL, "");
    shows(WARNING, "");
    sources = sources_start(config, httpc, merge, &error);
    assert_non_null(sources);
    fake_run(httpc, MINUTE);
}

/* Runs for `ms`. Returns which clusters were read, "a c". */
static const char *read_in(int64_t ms)
{
    static char out[16];
    static const char *const ids[] = {"a", "b", "c"};
    size_t before[3];
    out[0] = '\0';
    for (size_t i = 0; i < 3; i++)
        before[i] = reads_of(ids[i]);
    fake_run(httpc, ms);
    for (size_t i = 0; i < 3; i++)
        if (reads_of(ids[i]) > before[i])
            (void)snprintf(out + strlen(out), sizeof out - strlen(out), "%s%s",
                           out[0] != '\0' ? " " : "", ids[i]);
    return out;
}

/* Regular reads fall into any second. When the index of the names goes back all are read, and then
 * none is for four minutes unless something changes. */
static void after_regular_reads(void)
{
    char ids[32];
    (void)snprintf(ids, sizeof ids, "%s", listed);
    fake_run(httpc, MINUTE);
    last_index -= 50;
    names(ids);
    fake_run(httpc, 1000);
    last_index += 50;
    names(ids);
    fake_run(httpc, 1000);
}

/* -- what is asked --------------------------------------------------------------------------- */

TEST(test_scan__views_are_of_our_services_and_of_nodes_that_fail)
{
    start_with_three(NULL);
    size_t first = fake_find(httpc, "GET " ANY, 0);
    assert_string_equal(httpc->requests[first].path,
                        ANY "?leader&filter=ServiceName%20matches%20%60%5EnameServer%60");
    first = fake_find(httpc, "GET " CRITICAL, 0);
    assert_string_equal(httpc->requests[first].path, CRITICAL
                        "?filter=ServiceName%20matches%20%60%5EnameServer%60%20or%20ServiceID"
                        "%20%3D%3D%20%22%22");
    assert_non_null(strstr(last_path(CRITICAL), "?index="));
    assert_string_equal(last_path(WARNING),
                        WARNING "?leader&filter=ServiceName%20matches%20%60%5EnameServer%60%20or%20"
                                "ServiceID%20%3D%3D%20%22%22");
}

TEST(test_scan__warnings_are_not_asked_for_when_they_are_good)
{
    start_with_three("consul.accept=warning");
    assert_int_equal(asked(WARNING), 0);
    assert_true(asked(CRITICAL) > 0);
}

TEST(test_scan__warnings_are_asked_for_once_a_second)
{
    start_with_three(NULL);
    size_t before = asked(WARNING);
    fake_run(httpc, 30000);
    assert_in_range(asked(WARNING) - before, 29, 31);
}

TEST(test_scan__all_are_asked_for_when_something_was_registered_only)
{
    start_with_three(NULL);
    size_t before = asked(ANY);
    fake_run(httpc, 10 * MINUTE);
    assert_int_equal(asked(ANY), before);
    names("a b c");
    fake_run(httpc, 1000);
    assert_int_equal(asked(ANY), before + 1);
}

TEST(test_scan__what_is_registered_during_a_view_of_all_is_in_the_next_one)
{
    start_with_three(NULL);
    fake_no_rule(httpc, ANY);
    size_t before = asked(ANY);
    names("a b c");
    fake_run(httpc, 1000);
    for (int more = 0; more < 5; more++) {
        names("a b c");
        fake_run(httpc, 100);
    }
    assert_int_equal(asked(ANY), before + 1);
    fake_answer(httpc, fake_pending(httpc, ANY), 200, ++last_index, "[]");
    fake_run(httpc, 1000);
    assert_int_equal(asked(ANY), before + 2);
    fake_answer(httpc, fake_pending(httpc, ANY), 200, ++last_index, "[]");
    fake_run(httpc, 20000);
    assert_int_equal(asked(ANY), before + 2);
}

TEST(test_scan__a_view_of_critical_checks_waits_for_news)
{
    start_with_three(NULL);
    size_t before = asked(CRITICAL);
    fake_run(httpc, 10 * MINUTE);
    assert_int_equal(asked(CRITICAL), before);
    assert_non_null(fake_pending(httpc, CRITICAL));
    shows(CRITICAL, "");
    fake_run(httpc, 10);
    assert_int_equal(asked(CRITICAL), before + 1);
}

TEST(test_scan__wakes_without_news_are_held_to_a_rate)
{
    start_with_three(NULL);
    size_t before = asked(CRITICAL);
    for (int i = 0; i < 1000; i++) {
        shows(CRITICAL, "");
        fake_run(httpc, 10);
    }
    assert_in_range(asked(CRITICAL) - before, 40, 60);
}

TEST(test_scan__an_index_that_went_back_is_not_waited_for)
{
    start_with_three(NULL);
    fake_rule(httpc, CRITICAL, 200, 7, "[]");
    fake_run(httpc, 1000);
    assert_non_null(strstr(last_path(CRITICAL), "?index=7&"));
    size_t at = fake_find(httpc, "GET " CRITICAL "?filter=", 1);
    assert_int_not_equal(fake_find(httpc, "GET " CRITICAL "?filter=", at + 1), SIZE_MAX);
}

/* -- what it means --------------------------------------------------------------------------- */

TEST(test_scan__as_long_as_nothing_changes_nothing_is_read)
{
    start_with_three(NULL);
    after_regular_reads();
    shows(CRITICAL, "");
    names("a b c");
    assert_string_equal(read_in(10000), "");
}

TEST(test_scan__what_fails_and_what_recovers_is_read)
{
    start_with_three(NULL);
    after_regular_reads();
    shows(CRITICAL, "n2 2 b critical");
    assert_string_equal(read_in(1000), "b");
    shows(CRITICAL, "n2 2 b critical,n3 3 c critical");
    assert_string_equal(read_in(1000), "c");
    shows(CRITICAL, "n3 3 c critical,n2 2 b critical");
    assert_string_equal(read_in(1000), "");
    shows(CRITICAL, "");
    assert_string_equal(read_in(1000), "b c");
}

TEST(test_scan__a_warning_is_read)
{
    start_with_three(NULL);
    after_regular_reads();
    shows(WARNING, "n1 1 a warning");
    assert_string_equal(read_in(1500), "a");
    shows(WARNING, "");
    assert_string_equal(read_in(1500), "a");
}

TEST(test_scan__what_is_registered_and_what_goes_is_read)
{
    start_with_three(NULL);
    after_regular_reads();
    shows(ANY, "n1 1 a passing,n2 2 b passing,n4 4 b passing");
    names("a b c");
    assert_string_equal(read_in(1000), "b c");
}

TEST(test_scan__a_check_of_a_node_is_of_the_clusters_that_are_there)
{
    start_with_three(NULL);
    after_regular_reads();
    shows(CRITICAL, "n9 - - critical,n2 - - critical,n1 1 a critical,n0 - - critical");
    assert_string_equal(read_in(1000), "a b");
    shows(CRITICAL, "n9 - - critical");
    assert_string_equal(read_in(1000), "a b");
}

TEST(test_scan__many_checks_of_nodes_are_all_looked_at)
{
    char rows[4096] = "n3 - - critical";
    start_with_three(NULL);
    after_regular_reads();
    for (int i = 100; i < 200; i++)
        (void)snprintf(rows + strlen(rows), sizeof rows - strlen(rows), ",n%d - - critical", i);
    shows(CRITICAL, rows);
    assert_string_equal(read_in(1000), "c");
}

/* Whether or not they are filtered: others' checks, other spellings, clusters that are not known. */
TEST(test_scan__rows_of_others_are_passed_over)
{
    start_with_three(NULL);
    after_regular_reads();
    fake_rule(
        httpc, CRITICAL, 200, ++last_index,
        "[{\"Node\":\"n1\",\"CheckID\":\"c\",\"Status\":\"critical\",\"ServiceID\":\"1\",\"ServiceName\":\"web\"},"
        "{\"Node\":\"n1\",\"CheckID\":\"c\",\"Status\":\"critical\",\"ServiceID\":\"1\",\"ServiceName\":\"nameservera\"},"
        "{\"Node\":\"n1\",\"CheckID\":\"c\",\"Status\":\"critical\",\"ServiceID\":\"1\",\"ServiceName\":\"nameServer\"},"
        "{\"Node\":\"n1\",\"CheckID\":\"c\",\"Status\":\"critical\",\"ServiceID\":\"1\",\"ServiceName\":\"nameServerA\"},"
        "{\"Node\":\"n1\",\"CheckID\":\"c\",\"Status\":\"critical\",\"ServiceID\":\"1\",\"ServiceName\":\"nameServerab\"}]");
    assert_string_equal(read_in(1000), "");
}

/* -- what goes wrong ------------------------------------------------------------------------- */

/* From then on clusters are read in turn; once it works again they are not. */
static void assert_fails(long status, uint64_t index, const char *body)
{
    after_regular_reads();
    fake_rule(httpc, WARNING, status, index, body);
    assert_string_equal(read_in(20000), "a b c");
    assert_string_equal(read_in(20000), "a b c");
    shows(WARNING, "");
    fake_run(httpc, MINUTE);
    after_regular_reads();
    assert_string_equal(read_in(MINUTE), "");
}

TEST(test_scan__without_a_usable_reply_clusters_are_read_in_turn)
{
    start_with_three(NULL);
    assert_fails(0, 0, "");
    assert_fails(429, 0, "too many");
    assert_fails(500, 0, "[]");
    assert_fails(403, 0, "Permission denied");
    assert_fails(200, 0, "[]");
    assert_fails(200, 200, "");
    assert_fails(200, 200, "<html>");
    assert_fails(200, 200, "[{\"Node\":\"n1\",\"CheckID\":\"c\"}]");
    assert_fails(200, 200,
                 "[{\"Node\":\"n1\",\"CheckID\":\"c\",\"Status\":\"warning\",\"ServiceID\":\"1\","
                 "\"ServiceName\":\"nameServera\"}");
}

TEST(test_scan__what_the_first_half_of_a_reply_says_is_forgotten)
{
    start_with_three(NULL);
    after_regular_reads();
    fake_rule(
        httpc, CRITICAL, 200, ++last_index,
        "[{\"Node\":\"n1\",\"CheckID\":\"c\",\"Status\":\"critical\",\"ServiceID\":\"1\",\"ServiceName\":"
        "\"nameServera\"},{\"Node\":\"n2\",\"CheckID\":\"c\",\"Status\":\"critical\",\"ServiceID\":\"\"},");
    fake_run(httpc, 10);
    shows(CRITICAL, "");
    fake_run(httpc, MINUTE);
    after_regular_reads();
    shows(CRITICAL, "n3 3 c critical");
    assert_string_equal(read_in(1000), "c");
}

TEST(test_scan__a_view_that_fails_is_tried_ever_slower)
{
    start_with_three(NULL);
    fake_rule(httpc, CRITICAL, 500, 0, "no");
    fake_run(httpc, 5 * MINUTE);
    size_t before = asked(CRITICAL);
    fake_run(httpc, 20 * MINUTE);
    assert_in_range(asked(CRITICAL) - before, 40, 200); /* 15 s apart, more or less */
}

TEST(test_scan__a_refused_view_looks_for_a_new_token)
{
    start_with_three(NULL);
    unsigned before = httpc->reloads;
    fake_rule(httpc, CRITICAL, 403, 0, "Permission denied");
    fake_run(httpc, 100);
    assert_true(httpc->reloads > before);
    httpc->next_token = true;
    fake_run(httpc, MINUTE);
    assert_false(httpc->next_token);
}

TEST(test_scan__a_cluster_that_ended_leaves_the_others_as_they_are)
{
    start_with_three("admission.gone_delay=0s");
    fake_rule(httpc, HEALTH "a", 200, ++last_index, "[]");
    shows(ANY, "n2 2 b passing,n3 3 c passing");
    names("b c");
    fake_run(httpc, MINUTE);
    after_regular_reads();
    size_t before = reads_of("a");
    shows(CRITICAL, "n1 1 a critical,n3 3 c critical");
    assert_string_equal(read_in(1000), "c");
    shows(CRITICAL, "n2 2 b critical,n3 3 c critical");
    assert_string_equal(read_in(1000), "b");
    assert_int_equal(reads_of("a"), before);
}

/* One that does not end keeps the other waiting, and no cluster: reads have a connection left. */
TEST(test_scan__all_and_warnings_take_turns)
{
    start_with_three(NULL);
    after_regular_reads();
    fake_no_rule(httpc, ANY);
    names("a b c");
    fake_run(httpc, 100);
    assert_non_null(fake_pending(httpc, ANY));
    size_t before = asked(WARNING);
    shows(CRITICAL, "n2 2 b critical");
    assert_string_equal(read_in(10000), "b");
    assert_int_equal(asked(WARNING), before);
    fake_answer(httpc, fake_pending(httpc, ANY), 200, ++last_index, "[]");
    assert_int_equal(asked(WARNING), before + 1);
    fake_no_rule(httpc, WARNING);
    fake_run(httpc, 2000);
    size_t views = asked(ANY);
    names("a b c");
    fake_run(httpc, 2000);
    names("a b c");
    fake_run(httpc, 2000);
    assert_int_equal(asked(ANY), views);
    fake_answer(httpc, fake_pending(httpc, WARNING), 200, ++last_index, "[]");
    assert_int_equal(asked(ANY), views + 1);
}

TEST(test_scan__stops_with_replies_on_their_way)
{
    start_with_three(NULL);
    fake_no_rule(httpc, ANY);
    fake_no_rule(httpc, WARNING);
    names("a b c");
    fake_run(httpc, 2000);
    assert_int_equal(fake_count_pending(httpc, "/v1/health/state/"),
                     2); /* critical, and one of the others */
    sources_stop(sources);
    sources = NULL;
    assert_null(httpc->calls);
}

/* 2,500 checks are 22 ms of Consul. */
TEST(test_scan__large_views_take_an_eighth_of_the_time)
{
    struct buf body;
    prepare(NULL);
    names("a");
    instance("a", 1);
    shows(CRITICAL, "");
    shows(WARNING, "");
    buf_init(&body, 4 * 1024 * 1024);
    (void)buf_append_str(&body, "[");
    for (int i = 0; i < 2500; i++) {
        if (i > 0)
            (void)buf_append_str(&body, ",");
        append_row(&body, "n1 1 a passing");
    }
    assert_true(buf_append_str(&body, "]"));
    struct error error;
    sources = sources_start(config, httpc, merge, &error);
    assert_non_null(sources);
    size_t before = 0;
    for (int i = 0; i < 350; i++) { /* registrations all the time; each view takes 20 ms */
        names("a");
        fake_run(httpc, 10);
        struct httpc_call *call = fake_pending(httpc, ANY);
        if (call != NULL && httpc->now_ms - call->sent_ms >= 20)
            fake_answer(httpc, call, 200, ++last_index, buf_text(&body));
        if (i == 49)
            before = asked(ANY);
    }
    assert_in_range(asked(ANY) - before, 15, 19); /* in three seconds */
    buf_clear(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define RUN(name) cmocka_unit_test_setup_teardown(test_scan__##name, setup, teardown)
        RUN(views_are_of_our_services_and_of_nodes_that_fail),
        RUN(warnings_are_not_asked_for_when_they_are_good),
        RUN(warnings_are_asked_for_once_a_second),
        RUN(all_are_asked_for_when_something_was_registered_only),
        RUN(what_is_registered_during_a_view_of_all_is_in_the_next_one),
        RUN(a_view_of_critical_checks_waits_for_news),
        RUN(wakes_without_news_are_held_to_a_rate),
        RUN(an_index_that_went_back_is_not_waited_for),
        RUN(as_long_as_nothing_changes_nothing_is_read),
        RUN(what_fails_and_what_recovers_is_read),
        RUN(a_warning_is_read),
        RUN(what_is_registered_and_what_goes_is_read),
        RUN(a_check_of_a_node_is_of_the_clusters_that_are_there),
        RUN(many_checks_of_nodes_are_all_looked_at),
        RUN(rows_of_others_are_passed_over),
        RUN(without_a_usable_reply_clusters_are_read_in_turn),
        RUN(what_the_first_half_of_a_reply_says_is_forgotten),
        RUN(a_view_that_fails_is_tried_ever_slower),
        RUN(a_refused_view_looks_for_a_new_token),
        RUN(a_cluster_that_ended_leaves_the_others_as_they_are),
        RUN(all_and_warnings_take_turns),
        RUN(stops_with_replies_on_their_way),
        RUN(large_views_take_an_eighth_of_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
