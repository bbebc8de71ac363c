/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "unit.h"

TEST(test_buf__is_empty_text_before_the_first_append)
{
    struct buf b;
    buf_init(&b, 10);
    assert_string_equal(buf_text(&b), "");
    assert_null(b.data);
    buf_clear(&b);
}

TEST(test_buf__keeps_a_nul_behind_the_bytes)
{
    struct buf b;
    buf_init(&b, 1000);
    for (size_t i = 0; i < 1000; i++) {
        assert_true(buf_append_char(&b, 'x'));
        assert_int_equal(b.data[b.len], '\0');
    }
    assert_int_equal(b.len, 1000);
    buf_clear(&b);
}

TEST(test_buf__counts_nul_bytes_that_were_appended)
{
    struct buf b;
    buf_init(&b, 10);
    assert_true(buf_append(&b, "a\0b", 3));
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "a\0b", 4);
    buf_clear(&b);
}

TEST(test_buf__takes_exactly_its_maximum)
{
    struct buf b;
    buf_init(&b, 4);
    assert_true(buf_append_str(&b, "abcd"));
    assert_false(b.failed);
    buf_clear(&b);
}

TEST(test_buf__refuses_one_byte_more_and_keeps_what_it_has)
{
    struct buf b;
    buf_init(&b, 4);
    assert_true(buf_append_str(&b, "abc"));
    assert_false(buf_append_str(&b, "de"));
    assert_true(b.failed);
    assert_string_equal(buf_text(&b), "abc");
    buf_clear(&b);
}

TEST(test_buf__fails_on_after_a_failure)
{
    struct buf b;
    buf_init(&b, 2);
    assert_false(buf_append_str(&b, "abc"));
    assert_false(buf_append_char(&b, 'a'));
    assert_false(buf_printf(&b, "a"));
    assert_false(buf_append(&b, "", 0));
    assert_int_equal(b.len, 0);
    buf_clear(&b);
}

TEST(test_buf__prints_behind_what_is_there)
{
    struct buf b;
    buf_init(&b, 1000);
    assert_true(buf_append_str(&b, "n="));
    assert_true(buf_printf(&b, "%d;%s", 42, "x"));
    assert_string_equal(buf_text(&b), "n=42;x");
    assert_int_equal(b.len, 6);
    buf_clear(&b);
}

TEST(test_buf__does_not_print_half_a_value)
{
    struct buf b;
    buf_init(&b, 5);
    assert_false(buf_printf(&b, "%s", "longer than five"));
    assert_string_equal(buf_text(&b), "");
    buf_clear(&b);
}

TEST(test_buf__clear_forgets_contents_and_failure)
{
    struct buf b;
    buf_init(&b, 3);
    assert_true(buf_append_str(&b, "abc"));
    assert_false(buf_append_str(&b, "d"));
    buf_clear(&b);
    assert_string_equal(buf_text(&b), "");
    assert_true(buf_append_str(&b, "xyz"));
    buf_clear(&b);
}

TEST(test_buf__can_be_used_again_after_clear)
{
    struct buf b;
    buf_init(&b, 3);
    assert_true(buf_append_str(&b, "abc"));
    buf_clear(&b);
    assert_int_equal(b.max, 3);
    assert_true(buf_append_str(&b, "xyz"));
    buf_clear(&b);
}

TEST(test_buf__hands_its_bytes_over)
{
    struct buf b;
    buf_init(&b, 10);
    assert_true(buf_append_str(&b, "abc"));
    char *text = buf_detach(&b);
    assert_string_equal(text, "abc");
    assert_int_equal(b.len, 0);
    assert_null(b.data);
    free(text);
}

TEST(test_buf__hands_nothing_over_after_a_failure)
{
    struct buf b;
    buf_init(&b, 3);
    assert_true(buf_append_str(&b, "abc"));
    assert_false(buf_append_str(&b, "d"));
    assert_null(buf_detach(&b));
    buf_clear(&b);
}

TEST(test_buf__hands_nothing_over_when_nothing_was_appended)
{
    struct buf b;
    buf_init(&b, 3);
    assert_null(buf_detach(&b));
}

TEST(test_buf__reset_forgets_contents_and_failure_and_keeps_the_room)
{
    struct buf b;
    buf_init(&b, 4);
    buf_reset(&b); /* of nothing */
    assert_string_equal(buf_text(&b), "");
    assert_true(buf_append_str(&b, "abcd"));
    const char *data = b.data;
    assert_false(buf_append_char(&b, 'e'));
    buf_reset(&b);
    assert_int_equal(b.len, 0);
    assert_string_equal(buf_text(&b), "");
    assert_true(buf_append_str(&b, "xyz"));
    assert_string_equal(buf_text(&b), "xyz");
    assert_ptr_equal(b.data, data);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf__is_empty_text_before_the_first_append),
        cmocka_unit_test(test_buf__keeps_a_nul_behind_the_bytes),
        cmocka_unit_test(test_buf__counts_nul_bytes_that_were_appended),
        cmocka_unit_test(test_buf__takes_exactly_its_maximum),
        cmocka_unit_test(test_buf__refuses_one_byte_more_and_keeps_what_it_has),
        cmocka_unit_test(test_buf__fails_on_after_a_failure),
        cmocka_unit_test(test_buf__prints_behind_what_is_there),
        cmocka_unit_test(test_buf__does_not_print_half_a_value),
        cmocka_unit_test(test_buf__clear_forgets_contents_and_failure),
        cmocka_unit_test(test_buf__can_be_used_again_after_clear),
        cmocka_unit_test(test_buf__hands_its_bytes_over),
        cmocka_unit_test(test_buf__hands_nothing_over_after_a_failure),
        cmocka_unit_test(test_buf__hands_nothing_over_when_nothing_was_appended),
        cmocka_unit_test(test_buf__reset_forgets_contents_and_failure_and_keeps_the_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
