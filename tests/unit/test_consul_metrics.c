/* SPDX-License-Identifier: Apache-2.0 */
#include "model/consul_metrics.h"
#include "unit.h"

#define LATER 1700000000500

static struct consul_metrics metrics;
static struct consul_report report;

static int setup(void **state)
{
    (void)state;
    consul_metrics_init(&metrics);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    consul_metrics_clear(&metrics);
    return 0;
}

static void answer(long status)
{
    consul_metrics_answered(&metrics, CONSUL_OP_NAMES, status, LATER);
}

static void fail_with(enum consul_failure why, const char *text, int64_t wall_ms)
{
    consul_metrics_failed(&metrics, CONSUL_OP_NAMES, 0, why, text, wall_ms);
}

static void read_all(void)
{
    consul_metrics_read(&metrics, &report);
}

TEST(test_consul_metrics__nothing_is_known_at_first)
{
    read_all();
    assert_false(report.enabled);
    assert_false(report.up);
    assert_int_equal(report.last_good_wall_ms, 0);
    assert_string_equal(report.error.text, "");
    assert_int_equal(report.error.since_wall_ms, 0);
    assert_int_equal(report.error.last_wall_ms, 0);
    assert_int_equal(report.reading.plan, CONSUL_PLAN_NONE);
}

TEST(test_consul_metrics__every_value_has_a_name)
{
    for (enum consul_op op = 0; op < CONSUL_OPS; op++)
        assert_true(consul_op_name(op)[0] != '\0');
    for (enum consul_code code = 0; code < CONSUL_CODES; code++)
        assert_true(consul_code_name(code)[0] != '\0');
    for (enum consul_failure why = 0; why < CONSUL_FAILURES; why++)
        assert_true(consul_failure_name(why)[0] != '\0');
    for (enum consul_plan plan = 0; plan < CONSUL_PLANS; plan++)
        assert_true(consul_plan_name(plan)[0] != '\0');
}

TEST(test_consul_metrics__a_status_has_its_code)
{
    static const struct {
        long status;
        const char *name;
        bool good;
    } cases[] = {
        {0, "none", false},  {200, "200", true},  {204, "other", true},  {301, "other", false},
        {400, "400", false}, {403, "403", false}, {404, "404", true},    {429, "429", false},
        {500, "500", false}, {503, "503", false}, {502, "other", false}, {199, "other", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_string_equal(consul_code_name(consul_code_of(cases[i].status)), cases[i].name);
        assert_int_equal(consul_status_is_good(cases[i].status), cases[i].good);
    }
}

TEST(test_consul_metrics__requests_are_counted_by_op_and_code)
{
    answer(200);
    answer(200);
    answer(404);
    consul_metrics_failed(&metrics, CONSUL_OP_REGISTER, 403, CONSUL_FAILURE_ACL, "no", LATER);
    read_all();
    assert_int_equal(report.requests[CONSUL_OP_NAMES][CONSUL_CODE_200], 2);
    assert_int_equal(report.requests[CONSUL_OP_NAMES][CONSUL_CODE_404], 1);
    assert_int_equal(report.requests[CONSUL_OP_REGISTER][CONSUL_CODE_403], 1);
    assert_int_equal(report.failures[CONSUL_OP_REGISTER][CONSUL_FAILURE_ACL], 1);
    assert_int_equal(report.failures[CONSUL_OP_NAMES][CONSUL_FAILURE_ACL], 0);
}

TEST(test_consul_metrics__up_until_three_failures_in_a_row)
{
    consul_metrics_enable(&metrics);
    answer(200);
    read_all();
    assert_true(report.enabled);
    assert_true(report.up);
    assert_int_equal(report.last_good_wall_ms, LATER);
    fail_with(CONSUL_FAILURE_CONNECT, "refused", LATER + 1);
    fail_with(CONSUL_FAILURE_CONNECT, "refused", LATER + 2);
    assert_true(consul_metrics_is_up(&metrics));
    fail_with(CONSUL_FAILURE_CONNECT, "refused", LATER + 3);
    assert_false(consul_metrics_is_up(&metrics));
    answer(200);
    assert_true(consul_metrics_is_up(&metrics));
}

static void fail_thrice(enum consul_op op, long status)
{
    answer(200);
    for (int i = 0; i < 3; i++)
        consul_metrics_failed(&metrics, op, status, CONSUL_FAILURE_OTHER, "no", LATER);
}

TEST(test_consul_metrics__what_one_cluster_is_refused_does_not_mean_away)
{
    static const struct {
        enum consul_op op;
        long status;
        bool up;
    } cases[] = {
        {CONSUL_OP_CLUSTER_READ, 403, true},   {CONSUL_OP_CLUSTER_WATCH, 403, true},
        {CONSUL_OP_CLUSTER_READ, 500, true},   {CONSUL_OP_CLUSTER_READ, 200, true},
        {CONSUL_OP_CLUSTER_READ, 0, false},    {CONSUL_OP_CLUSTER_READ, 429, false},
        {CONSUL_OP_CLUSTER_WATCH, 503, false}, {CONSUL_OP_NAMES, 403, false},
        {CONSUL_OP_CHECKS, 500, false},
    };
    consul_metrics_reading(&metrics, &(struct consul_reading){.clusters = 10, .failing = 9});
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        fail_thrice(cases[i].op, cases[i].status);
        if (consul_metrics_is_up(&metrics) != cases[i].up)
            fail_msg("op %d, status %ld", (int)cases[i].op, cases[i].status);
    }
}

TEST(test_consul_metrics__what_all_clusters_are_refused_does)
{
    consul_metrics_reading(&metrics, &(struct consul_reading){.clusters = 10, .failing = 10});
    fail_thrice(CONSUL_OP_CLUSTER_READ, 403);
    assert_false(consul_metrics_is_up(&metrics));
}

TEST(test_consul_metrics__an_error_is_kept_and_told_since_when)
{
    fail_with(CONSUL_FAILURE_CONNECT, "first", 1000);
    fail_with(CONSUL_FAILURE_TIMEOUT, "second", 2000);
    read_all();
    assert_string_equal(report.error.text, "second");
    assert_int_equal(report.error.since_wall_ms, 1000);
    assert_int_equal(report.error.last_wall_ms, 2000);
    answer(200);
    read_all();
    assert_string_equal(report.error.text, "second");
    assert_int_equal(report.error.since_wall_ms, 0);
    assert_int_equal(report.error.last_wall_ms, 2000);
}

TEST(test_consul_metrics__a_long_error_is_cut)
{
    char text[2 * METRIC_ERROR_SIZE];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    fail_with(CONSUL_FAILURE_OTHER, text, LATER);
    read_all();
    assert_int_equal(strlen(report.error.text), METRIC_ERROR_SIZE - 1);
}

TEST(test_consul_metrics__a_good_status_that_cannot_be_used_is_a_failure)
{
    answer(200);
    consul_metrics_unusable(&metrics, "not JSON");
    answer(200);
    read_all();
    assert_int_equal(report.requests[CONSUL_OP_NAMES][CONSUL_CODE_200], 2);
    assert_int_equal(report.failures[CONSUL_OP_NAMES][CONSUL_FAILURE_CONTENT], 1);
    assert_string_equal(report.error.text, "not JSON");
    answer(200);
    read_all();
    assert_int_equal(report.failures[CONSUL_OP_NAMES][CONSUL_FAILURE_CONTENT], 1);
    assert_int_equal(report.error.since_wall_ms, 0);
}

TEST(test_consul_metrics__who_takes_a_refusal_knows_better_what_it_means)
{
    consul_metrics_unusable(&metrics, "the token needs service_prefix read");
    consul_metrics_failed(&metrics, CONSUL_OP_NAMES, 403, CONSUL_FAILURE_ACL, "403", LATER);
    read_all();
    assert_int_equal(report.failures[CONSUL_OP_NAMES][CONSUL_FAILURE_ACL], 1);
    assert_string_equal(report.error.text, "the token needs service_prefix read");
    fail_with(CONSUL_FAILURE_CONNECT, "refused", LATER);
    read_all();
    assert_string_equal(report.error.text, "refused");
}

TEST(test_consul_metrics__reading_is_as_it_was_said_last)
{
    const struct consul_reading now = {.plan = CONSUL_PLAN_SCAN,
                                       .scan_failing = true,
                                       .clusters = 10,
                                       .unread = 3,
                                       .failing = 2,
                                       .mass_loss_end = 99};
    consul_metrics_reading(&metrics, &now);
    consul_metrics_reads(&metrics, 7, 2, 160);
    consul_metrics_watches(&metrics, 5);
    read_all();
    assert_int_equal(report.reading.plan, CONSUL_PLAN_SCAN);
    assert_true(report.reading.scan_failing);
    assert_int_equal(report.reading.clusters, 10);
    assert_int_equal(report.reading.unread, 3);
    assert_int_equal(report.reading.failing, 2);
    assert_int_equal(report.reading.waiting, 7);
    assert_int_equal(report.reading.running, 2);
    assert_int_equal(report.reading.spacing_ms, 160);
    assert_int_equal(report.reading.mass_loss_end, 99);
    assert_int_equal(report.watches, 5);
}

TEST(test_consul_metrics__registrations_fail_until_they_work)
{
    const struct registration_numbers now = {
        .wanted = 5, .registered = 3, .pending = 2, .leaving = 1, .draining = true};
    consul_metrics_registrations(&metrics, &now);
    consul_metrics_registration_failed(&metrics, "refused", 1000);
    read_all();
    assert_int_equal(report.registrations.wanted, 5);
    assert_int_equal(report.registrations.registered, 3);
    assert_int_equal(report.registrations.pending, 2);
    assert_int_equal(report.registrations.leaving, 1);
    assert_true(report.registrations.draining);
    assert_true(report.registrations.failing);
    assert_string_equal(report.registration_error.text, "refused");
    assert_int_equal(report.registration_error.since_wall_ms, 1000);
    consul_metrics_registration_works(&metrics);
    read_all();
    assert_false(report.registrations.failing);
    assert_int_equal(report.registration_error.since_wall_ms, 0);
}

TEST(test_consul_metrics__writes_of_the_state_are_counted)
{
    consul_metrics_state_written(&metrics, 1000);
    consul_metrics_state_failed(&metrics, "disk full", 2000);
    read_all();
    assert_int_equal(report.state_writes, 1);
    assert_int_equal(report.state_write_failures, 1);
    assert_int_equal(report.state_last_write_wall_ms, 1000);
    assert_string_equal(report.state_error.text, "disk full");
    assert_int_equal(report.state_error.since_wall_ms, 2000);
    consul_metrics_state_written(&metrics, 3000);
    read_all();
    assert_int_equal(report.state_error.since_wall_ms, 0);
    assert_int_equal(report.state_last_write_wall_ms, 3000);
}

TEST(test_consul_metrics__propagation_is_from_a_reply_to_the_table)
{
    consul_metrics_published(&metrics, 5); /* at the start, without a reply */
    consul_metrics_received(&metrics, 1000);
    consul_metrics_published(&metrics, 1000 + (int64_t)propagation_bucket_ns[0]);
    consul_metrics_published(&metrics, 1001 + (int64_t)propagation_bucket_ns[0]);
    consul_metrics_published(&metrics, INT64_C(60000000000) + 1000);
    consul_metrics_received(&metrics, 0);
    consul_metrics_published(&metrics, 5);
    read_all();
    assert_int_equal(report.propagation[0], 1);
    assert_int_equal(report.propagation[1], 1);
    assert_int_equal(report.propagation[PROPAGATION_BUCKETS - 1], 1);
    assert_int_equal(report.propagation_ns,
                     UINT64_C(60000000000) + 2 * propagation_bucket_ns[0] + 1);
}

TEST(test_consul_metrics__bounds_grow)
{
    for (size_t i = 1; i < PROPAGATION_BUCKETS - 1; i++)
        assert_true(propagation_bucket_ns[i] > propagation_bucket_ns[i - 1]);
}

#define METRICS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        METRICS_TEST(test_consul_metrics__nothing_is_known_at_first),
        METRICS_TEST(test_consul_metrics__every_value_has_a_name),
        METRICS_TEST(test_consul_metrics__a_status_has_its_code),
        METRICS_TEST(test_consul_metrics__requests_are_counted_by_op_and_code),
        METRICS_TEST(test_consul_metrics__up_until_three_failures_in_a_row),
        METRICS_TEST(test_consul_metrics__an_error_is_kept_and_told_since_when),
        METRICS_TEST(test_consul_metrics__a_long_error_is_cut),
        METRICS_TEST(test_consul_metrics__a_good_status_that_cannot_be_used_is_a_failure),
        METRICS_TEST(test_consul_metrics__who_takes_a_refusal_knows_better_what_it_means),
        METRICS_TEST(test_consul_metrics__reading_is_as_it_was_said_last),
        METRICS_TEST(test_consul_metrics__registrations_fail_until_they_work),
        METRICS_TEST(test_consul_metrics__writes_of_the_state_are_counted),
        METRICS_TEST(test_consul_metrics__propagation_is_from_a_reply_to_the_table),
        METRICS_TEST(test_consul_metrics__bounds_grow),
        METRICS_TEST(test_consul_metrics__what_one_cluster_is_refused_does_not_mean_away),
        METRICS_TEST(test_consul_metrics__what_all_clusters_are_refused_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
