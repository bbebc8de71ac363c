/* SPDX-License-Identifier: Apache-2.0 */
#include "announce/pace.h"
#include "unit.h"

static struct pace pace;
static struct jitter jitter;

static int setup(void **state)
{
    (void)state;
    pace_init(&pace, PACE_FULL);
    jitter_seed(&jitter, 1);
    return 0;
}

/* How many writes begin within `ms` from `from`, each answered well at once. */
static size_t writes_within(int64_t from, int64_t ms)
{
    size_t count = 0;
    int64_t now = from;
    for (;;) {
        now += pace_take(&pace, now);
        if (now >= from + ms)
            return count;
        pace_succeeded(&pace);
        count++;
    }
}

TEST(test_pace__a_second_has_a_burst_and_its_share)
{
    assert_int_equal(writes_within(1000, 1000), PACE_BURST + PACE_FULL - 1);
}

TEST(test_pace__a_refusal_halves_the_rate_and_rests)
{
    int64_t rest = pace_refused(&pace, &jitter, 1000);
    assert_int_equal(pace.rate, PACE_FULL / 2);
    assert_true(rest > 0 && rest <= 1000);
    assert_int_equal(pace_take(&pace, 1000), rest);
}

TEST(test_pace__refusals_in_a_row_rest_longer_up_to_a_limit)
{
    int64_t longest = 0;
    for (int i = 0; i < 100; i++) {
        int64_t rest = pace_refused(&pace, &jitter, 1000);
        assert_true(rest <= 8000);
        longest = rest > longest ? rest : longest;
    }
    assert_int_equal(pace.rate, 1);
    assert_true(longest > 4000);
}

TEST(test_pace__successes_make_it_grow_back)
{
    for (int i = 0; i < 20; i++)
        (void)pace_refused(&pace, &jitter, 1000);
    size_t slow = writes_within(20000, 1000);
    assert_true(slow <= 3);
    (void)writes_within(21000, 10000);
    assert_int_equal(pace.rate, PACE_FULL);
    assert_int_equal(writes_within(60000, 1000), PACE_BURST + PACE_FULL - 1);
}

TEST(test_pace__only_these_statuses_ask_for_less)
{
    assert_true(pace_is_refusal(429) && pace_is_refusal(503));
    assert_false(pace_is_refusal(0) || pace_is_refusal(200) || pace_is_refusal(403) ||
                 pace_is_refusal(500));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_pace__a_second_has_a_burst_and_its_share, setup),
        cmocka_unit_test_setup(test_pace__a_refusal_halves_the_rate_and_rests, setup),
        cmocka_unit_test_setup(test_pace__refusals_in_a_row_rest_longer_up_to_a_limit, setup),
        cmocka_unit_test_setup(test_pace__successes_make_it_grow_back, setup),
        cmocka_unit_test_setup(test_pace__only_these_statuses_ask_for_less, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
