/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "unit.h"

#define SEED 20240229

TEST(test_clock__what_is_done_together_is_done_at_the_next_whole_second)
{
    assert_int_equal(clock_together(5000), 5000);
    assert_int_equal(clock_together(5001), 6000);
    assert_int_equal(clock_together(5999), 6000);
}

TEST(test_clock__backoff_waits_are_within_full_jitter_bounds)
{
    struct jitter j;
    struct backoff b;
    jitter_seed(&j, SEED);
    for (int round = 0; round < 200; round++) {
        backoff_init(&b, 500, 30000);
        int64_t reach = 500;
        for (int i = 0; i < 20; i++) {
            int64_t wait = backoff_next_ms(&b, &j);
            assert_true(wait >= 1);
            assert_true(wait <= reach);
            reach = 2 * reach < 30000 ? 2 * reach : 30000;
        }
    }
}

TEST(test_clock__backoff_uses_the_whole_range)
{
    struct jitter j;
    struct backoff b;
    int64_t least = 1000, most = 0;
    jitter_seed(&j, SEED);
    for (int round = 0; round < 2000; round++) {
        backoff_init(&b, 100, 100);
        int64_t wait = backoff_next_ms(&b, &j);
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    assert_int_equal(least, 1);
    assert_int_equal(most, 100);
}

TEST(test_clock__backoff_never_gives_up)
{
    struct jitter j;
    struct backoff b;
    jitter_seed(&j, SEED);
    backoff_init(&b, 500, 30000);
    for (int i = 0; i < 100000; i++) {
        int64_t wait = backoff_next_ms(&b, &j);
        assert_true(wait >= 1 && wait <= 30000);
    }
}

TEST(test_clock__backoff_starts_small_again_after_reset)
{
    struct jitter j;
    struct backoff b;
    jitter_seed(&j, SEED);
    for (int round = 0; round < 200; round++) {
        backoff_init(&b, 500, 30000);
        for (int i = 0; i < 10; i++)
            (void)backoff_next_ms(&b, &j);
        backoff_reset(&b);
        assert_true(backoff_next_ms(&b, &j) <= 500);
    }
}

TEST(test_clock__bucket_lets_a_burst_through_at_once)
{
    struct bucket b;
    bucket_init(&b, 3, 2000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(bucket_take(&b, 5000), 0);
}

TEST(test_clock__bucket_spaces_what_follows_a_burst)
{
    struct bucket b;
    bucket_init(&b, 3, 2000);
    for (int i = 0; i < 3; i++)
        (void)bucket_take(&b, 5000);
    assert_int_equal(bucket_take(&b, 5000), 2000);
    assert_int_equal(bucket_take(&b, 5000), 4000);
    assert_int_equal(bucket_take(&b, 9000), 2000);
}

TEST(test_clock__bucket_refills_one_by_one)
{
    struct bucket b;
    bucket_init(&b, 3, 2000);
    for (int i = 0; i < 3; i++)
        (void)bucket_take(&b, 0);
    assert_int_equal(bucket_take(&b, 2000), 0);
    assert_int_equal(bucket_take(&b, 2000), 2000);
}

TEST(test_clock__bucket_saves_no_more_than_its_burst)
{
    struct bucket b;
    bucket_init(&b, 2, 1000);
    (void)bucket_take(&b, 0);
    assert_int_equal(bucket_take(&b, 1000000), 0);
    assert_int_equal(bucket_take(&b, 1000000), 0);
    assert_int_equal(bucket_take(&b, 1000000), 1000);
}

TEST(test_clock__jitter_replays_from_its_seed)
{
    struct jitter a, b;
    jitter_seed(&a, SEED);
    jitter_seed(&b, SEED);
    for (int i = 0; i < 100; i++)
        assert_int_equal(jitter_upto(&a, 1000000), jitter_upto(&b, 1000000));
}

TEST(test_clock__jitter_upto_includes_both_ends_and_nothing_beyond)
{
    struct jitter j;
    bool seen[4] = {false};
    jitter_seed(&j, SEED);
    for (int i = 0; i < 1000; i++) {
        int64_t n = jitter_upto(&j, 3);
        assert_in_range(n, 0, 3);
        seen[n] = true;
    }
    assert_true(seen[0] && seen[1] && seen[2] && seen[3]);
}

TEST(test_clock__jitter_upto_nothing_is_nothing)
{
    struct jitter j;
    jitter_seed(&j, SEED);
    assert_int_equal(jitter_upto(&j, 0), 0);
    assert_int_equal(jitter_upto(&j, -5), 0);
}

TEST(test_clock__jitter_spread_stays_within_its_percentage)
{
    static const int64_t values[] = {0, 1, 10, 999, 15000, 55000, INT64_C(300000), INT64_MAX / 400};
    struct jitter j;
    jitter_seed(&j, SEED);
    for (size_t v = 0; v < COUNT_OF(values); v++) {
        int64_t reach = values[v] / 100 * 20 + values[v] % 100 * 20 / 100;
        for (int i = 0; i < 1000; i++) {
            int64_t n = jitter_spread(&j, values[v], 20);
            assert_true(n >= values[v] - reach);
            assert_true(n <= values[v] + reach);
        }
    }
}

TEST(test_clock__formats_utc_with_milliseconds)
{
    char text[CLOCK_TEXT_SIZE];
    clock_format(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    clock_format(INT64_C(1767323045678), text);
    assert_string_equal(text, "2026-01-02T03:04:05.678Z");
    clock_format(INT64_C(951827696007), text);
    assert_string_equal(text, "2000-02-29T12:34:56.007Z");
}

TEST(test_clock__formats_impossible_times_as_the_last_one)
{
    char text[CLOCK_TEXT_SIZE];
    clock_format(INT64_C(253402300800000), text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    clock_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    clock_format(-1, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

TEST(test_clock__monotonic_does_not_go_back)
{
    int64_t last = clock_mono_ms();
    for (int i = 0; i < 10000; i++) {
        int64_t now = clock_mono_ms();
        assert_true(now >= last);
        last = now;
    }
}

TEST(test_clock__nanoseconds_are_of_the_same_clock)
{
    for (int i = 0; i < 10000; i++) {
        int64_t before = clock_mono_ms();
        int64_t ns = clock_mono_ns();
        int64_t after = clock_mono_ms();
        assert_true(before <= ns / 1000000);
        assert_true(ns / 1000000 <= after);
    }
}

/* Two reads in a row are far less than a millisecond apart, most of the time. */
TEST(test_clock__nanoseconds_are_finer_than_milliseconds)
{
    int64_t least = INT64_MAX;
    int64_t last = clock_mono_ns();
    for (int i = 0; i < 10000; i++) {
        int64_t now = clock_mono_ns();
        assert_true(now >= last);
        if (now > last && now - last < least)
            least = now - last;
        last = now;
    }
    assert_true(least < 1000000);
}

TEST(test_clock__system_seeds_differ)
{
    assert_int_not_equal(jitter_system_seed(), jitter_system_seed());
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock__what_is_done_together_is_done_at_the_next_whole_second),
        cmocka_unit_test(test_clock__backoff_waits_are_within_full_jitter_bounds),
        cmocka_unit_test(test_clock__backoff_uses_the_whole_range),
        cmocka_unit_test(test_clock__backoff_never_gives_up),
        cmocka_unit_test(test_clock__backoff_starts_small_again_after_reset),
        cmocka_unit_test(test_clock__bucket_lets_a_burst_through_at_once),
        cmocka_unit_test(test_clock__bucket_spaces_what_follows_a_burst),
        cmocka_unit_test(test_clock__bucket_refills_one_by_one),
        cmocka_unit_test(test_clock__bucket_saves_no_more_than_its_burst),
        cmocka_unit_test(test_clock__jitter_replays_from_its_seed),
        cmocka_unit_test(test_clock__jitter_upto_includes_both_ends_and_nothing_beyond),
        cmocka_unit_test(test_clock__jitter_upto_nothing_is_nothing),
        cmocka_unit_test(test_clock__jitter_spread_stays_within_its_percentage),
        cmocka_unit_test(test_clock__formats_utc_with_milliseconds),
        cmocka_unit_test(test_clock__formats_impossible_times_as_the_last_one),
        cmocka_unit_test(test_clock__monotonic_does_not_go_back),
        cmocka_unit_test(test_clock__nanoseconds_are_of_the_same_clock),
        cmocka_unit_test(test_clock__nanoseconds_are_finer_than_milliseconds),
        cmocka_unit_test(test_clock__system_seeds_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
