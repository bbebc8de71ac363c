/* SPDX-License-Identifier: Apache-2.0 */
#include "source/progress.h"
#include "unit.h"

#define SECOND 1000

TEST(test_progress__short_work_has_no_line)
{
    struct progress p = {.most = 0};
    for (unsigned left = PROGRESS_LONG - 1; left > 0; left--)
        assert_false(progress_note(&p, left, (PROGRESS_LONG - left) * 10 * SECOND));
}

TEST(test_progress__long_work_has_a_line_now_and_then)
{
    struct progress p = {.most = 0};
    unsigned lines = 0;
    for (unsigned i = 0; i <= 10000; i++) /* a thousand a second: 10 s */
        lines += progress_note(&p, 10000 - i, i);
    assert_int_equal(lines, 10 * SECOND / PROGRESS_EVERY_MS - 1);
}

TEST(test_progress__what_does_not_go_on_has_no_line)
{
    struct progress p = {.most = 0};
    for (int64_t now = 0; now < 100 * SECOND; now += SECOND)
        assert_false(progress_note(&p, 1000, now));
    assert_true(progress_note(&p, 999, 100 * SECOND));
    assert_false(progress_note(&p, 998, 101 * SECOND));
    assert_true(progress_note(&p, 998, 105 * SECOND));
}

TEST(test_progress__work_may_grow)
{
    struct progress p = {.most = 0};
    assert_false(progress_note(&p, 10, 0));
    assert_false(progress_note(&p, 1000, 6 * SECOND));
    assert_true(progress_note(&p, 500, 7 * SECOND));
}

TEST(test_progress__new_work_begins_anew)
{
    struct progress p = {.most = 0};
    assert_false(progress_note(&p, 1000, 0));
    assert_false(progress_note(&p, 0, 1 * SECOND));
    assert_false(progress_note(&p, 50, 10 * SECOND));
    assert_false(progress_note(&p, 40, 20 * SECOND));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_progress__short_work_has_no_line),
        cmocka_unit_test(test_progress__long_work_has_a_line_now_and_then),
        cmocka_unit_test(test_progress__what_does_not_go_on_has_no_line),
        cmocka_unit_test(test_progress__work_may_grow),
        cmocka_unit_test(test_progress__new_work_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
