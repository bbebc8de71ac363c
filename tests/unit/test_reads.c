/* SPDX-License-Identifier: Apache-2.0 */
#include "config_of.h"
#include "fake_httpc.h"
#include "source/cluster_watch.h"
#include "source/reads.h"

#define CLUSTERS 3000

static struct config *config;
static struct httpc *httpc;
static struct reads reads;
static struct cluster_watch *all;
static int order[4 * CLUSTERS]; /* of what was sent, by number */
static size_t sent;
static bool no_memory;

static bool send_one(struct cluster_watch *w)
{
    if (no_memory)
        return false;
    order[sent++] = (int)(w - all);
    return true;
}

static int setup(void **state)
{
    struct error error;
    (void)state;
    config = config_of(NULL);
    httpc = httpc_new(config, &error);
    all = calloc(CLUSTERS, sizeof *all);
    sent = 0;
    no_memory = false;
    assert_non_null(httpc);
    assert_non_null(all);
    reads_init(&reads, httpc, send_one);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    reads_clear(&reads);
    httpc_free(httpc);
    config_free(config);
    free(all);
    return 0;
}

static void want(int first, int count)
{
    for (int i = first; i < first + count; i++)
        reads_want(&reads, &all[i]);
}

static void were_read(void)
{
    for (int i = 0; i < CLUSTERS; i++)
        all[i].answered = all[i].was_read = true;
}

/* All that are wanted, each answered at once. Returns how long that took. */
static int64_t answer_until(size_t count)
{
    int64_t begin = httpc->now_ms;
    while (sent < count || reads.running > 0) {
        if (reads.running > 0)
            reads_end(&reads, READ_ANSWERED);
        else
            fake_run(httpc, 1);
        assert_true(httpc->now_ms - begin < 100000);
    }
    return httpc->now_ms - begin;
}

static void refuse(int times)
{
    for (int i = 0; i < times; i++) {
        while (reads.running == 0)
            fake_run(httpc, 1);
        reads_end(&reads, READ_REFUSED);
    }
}

TEST(test_reads__as_many_as_there_are_connections_and_in_order)
{
    want(0, 5);
    assert_int_equal(sent, HTTPC_SHORT_CALLS);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(order[i], i);
        reads_end(&reads, READ_ANSWERED);
    }
    assert_int_equal(sent, 5);
    assert_int_equal(reads.running, 0);
}

TEST(test_reads__who_waits_already_keeps_its_place)
{
    want(0, 4);
    want(3, 1);
    want(2, 1);
    answer_until(4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(order[i], i);
    fake_run(httpc, 5000);
    assert_int_equal(sent, 4);
}

TEST(test_reads__first_reads_are_held_to_no_rate)
{
    want(0, CLUSTERS);
    assert_int_equal(answer_until(CLUSTERS), 0);
}

TEST(test_reads__further_ones_come_at_a_thousand_a_second_beyond_the_first_thousand)
{
    were_read();
    want(0, CLUSTERS);
    while (reads.running > 0)
        reads_end(&reads, READ_ANSWERED);
    assert_in_range(sent, 1000, 1001);
    int64_t took = answer_until(CLUSTERS);
    assert_in_range(took, CLUSTERS - 1002, CLUSTERS - 998);
}

TEST(test_reads__a_first_read_does_not_use_the_rate_up)
{
    want(0, CLUSTERS);
    answer_until(CLUSTERS);
    were_read();
    want(0, 1000);
    assert_int_equal(answer_until(CLUSTERS + 1000), 0);
}

TEST(test_reads__what_was_never_tried_comes_before_further_reads)
{
    were_read();
    all[CLUSTERS - 3].answered = all[CLUSTERS - 3].was_read = false;
    all[CLUSTERS - 2].answered = all[CLUSTERS - 2].was_read = false;
    all[CLUSTERS - 1].was_read = false; /* it failed */
    want(0, CLUSTERS - 3);
    want(CLUSTERS - 1, 1);
    want(CLUSTERS - 3, 2);
    answer_until(CLUSTERS);
    assert_int_equal(order[HTTPC_SHORT_CALLS], CLUSTERS - 3);
    assert_int_equal(order[HTTPC_SHORT_CALLS + 1], CLUSTERS - 2);
    assert_int_equal(order[HTTPC_SHORT_CALLS + 2], HTTPC_SHORT_CALLS);
    assert_int_equal(order[CLUSTERS - 1], CLUSTERS - 1);
}

/* It was answered for meanwhile, by a Consul that refuses all. */
TEST(test_reads__who_waits_for_a_first_try_stays_in_that_queue)
{
    want(0, 6);
    all[4].answered = true;
    reads_withdraw(&reads, &all[4]);
    answer_until(5);
    assert_int_equal(order[4], 5);
    assert_int_equal(reads.waiting, 0);
}

TEST(test_reads__while_consul_refuses_there_is_one_at_a_time_and_ever_fewer)
{
    static const int64_t gaps[] = {80, 160, 320, 640, 1000, 1000};
    want(0, 20);
    reads_end(&reads, READ_REFUSED);
    assert_int_equal(reads.gap_ms, 20);
    reads_end(&reads, READ_REFUSED); /* the other one, of before */
    assert_int_equal(reads.gap_ms, 40);
    assert_int_equal(sent, 2);
    for (size_t i = 0; i < COUNT_OF(gaps); i++) {
        refuse(1);
        size_t before = sent;
        assert_int_equal(reads.gap_ms, gaps[i]);
        assert_int_equal(sent, before);
        fake_run(httpc, gaps[i] - 1);
        assert_int_equal(sent, before);
        fake_run(httpc, 1);
        assert_int_equal(sent, before + 1);
        assert_int_equal(reads.running, 1);
    }
}

TEST(test_reads__answers_bring_the_pace_back)
{
    want(0, 40);
    refuse(10);
    assert_true(reads_are_refused(&reads));
    while (reads.running == 0)
        fake_run(httpc, 1);
    int64_t begin = httpc->now_ms;
    reads_end(&reads, READ_ANSWERED);
    assert_false(reads_are_refused(&reads));
    answer_until(40);
    assert_int_equal(reads.gap_ms, 0);
    assert_in_range(httpc->now_ms - begin, 500, 2000);
}

TEST(test_reads__a_refusal_is_waited_out_even_when_nobody_waits)
{
    want(0, 1);
    reads_end(&reads, READ_REFUSED);
    want(1, 1);
    assert_int_equal(sent, 1);
    fake_run(httpc, 20);
    assert_int_equal(sent, 2);
}

TEST(test_reads__who_withdraws_is_not_read)
{
    want(0, 6);
    reads_withdraw(&reads, &all[2]); /* the first, */
    reads_withdraw(&reads, &all[4]); /* one in the middle */
    reads_withdraw(&reads, &all[5]); /* and the last of those who wait */
    reads_withdraw(&reads, &all[5]);
    reads_withdraw(&reads, &all[0]); /* is under way: its sender cancels it */
    answer_until(3);
    assert_int_equal(sent, 3);
    assert_int_equal(order[2], 3);
    want(5, 1);
    answer_until(4);
    assert_int_equal(order[3], 5);
}

TEST(test_reads__what_is_cancelled_is_followed_by_the_next_a_moment_later)
{
    want(0, 6);
    reads_end(&reads, READ_CANCELLED);
    reads_end(&reads, READ_CANCELLED);
    assert_int_equal(sent, 2);
    assert_int_equal(reads.running, 0);
    assert_int_equal(reads.gap_ms, 0);
    fake_run(httpc, 1);
    assert_int_equal(sent, 4);
}

TEST(test_reads__what_could_not_be_sent_is_not_under_way)
{
    no_memory = true;
    want(0, 4);
    assert_int_equal(reads.running, 0);
    assert_int_equal(reads.waiting, 0);
    no_memory = false;
    want(0, 1);
    assert_int_equal(reads.running, 1);
}

TEST(test_reads__can_be_cleared_before_it_was_begun)
{
    struct reads none = {.httpc = NULL};
    reads_clear(&none);
    want(0, 6);
    reads_end(&reads, READ_REFUSED);
    reads_end(&reads, READ_REFUSED);
    reads_clear(&reads);
    fake_run(httpc, 5000);
    assert_int_equal(sent, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads__as_many_as_there_are_connections_and_in_order,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_reads__who_waits_already_keeps_its_place, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_reads__first_reads_are_held_to_no_rate, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_reads__further_ones_come_at_a_thousand_a_second_beyond_the_first_thousand, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_reads__a_first_read_does_not_use_the_rate_up, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_reads__while_consul_refuses_there_is_one_at_a_time_and_ever_fewer, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_reads__answers_bring_the_pace_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reads__a_refusal_is_waited_out_even_when_nobody_waits,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_reads__who_withdraws_is_not_read, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_reads__what_is_cancelled_is_followed_by_the_next_a_moment_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reads__what_could_not_be_sent_is_not_under_way, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_reads__can_be_cleared_before_it_was_begun, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_reads__what_was_never_tried_comes_before_further_reads,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_reads__who_waits_for_a_first_try_stays_in_that_queue,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
