/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"
#include "unit.h"

static void assert_decodes(const char *text, size_t len, uint32_t wanted)
{
    uint32_t c = 0;
    assert_int_equal(utf8_decode(text, &c), len);
    assert_int_equal(c, wanted);
}

static void assert_refuses(const char *text)
{
    uint32_t c = 0;
    assert_int_equal(utf8_decode(text, &c), 0);
}

TEST(test_utf8__the_first_and_last_of_each_length)
{
    assert_decodes("\x01", 1, 1);
    assert_decodes("\x7f", 1, 0x7f);
    assert_decodes("\xc2\x80", 2, 0x80);
    assert_decodes("\xdf\xbf", 2, 0x7ff);
    assert_decodes("\xe0\xa0\x80", 3, 0x800);
    assert_decodes("\xef\xbf\xbf", 3, 0xffff);
    assert_decodes("\xf0\x90\x80\x80", 4, 0x10000);
    assert_decodes("\xf4\x8f\xbf\xbf", 4, 0x10ffff);
}

TEST(test_utf8__what_follows_is_not_looked_at)
{
    assert_decodes("a\xff", 1, 'a');
    assert_decodes("\xc3\xbcz", 2, 0xfc);
}

TEST(test_utf8__cut_ones_are_none)
{
    assert_refuses("\xc2");
    assert_refuses("\xe0\xa0");
    assert_refuses("\xf0\x90\x80");
    assert_refuses("\xc2z");
}

TEST(test_utf8__overlong_ones_are_none)
{
    assert_refuses("\xc0\xaf");
    assert_refuses("\xe0\x9f\xbf");
    assert_refuses("\xf0\x8f\xbf\xbf");
}

TEST(test_utf8__surrogates_and_what_is_too_large_are_none)
{
    assert_refuses("\xed\xa0\x80");
    assert_refuses("\xed\xbf\xbf");
    assert_refuses("\xf4\x90\x80\x80");
    assert_refuses("\xf8\x88\x80\x80\x80");
}

TEST(test_utf8__lonely_bytes_are_none)
{
    assert_refuses("\x80");
    assert_refuses("\xbf");
    assert_refuses("\xff");
}

TEST(test_utf8__what_hides_or_turns_text_around_is_not_shown)
{
    static const uint32_t hidden[][2] = {
        {0, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},   {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff},
    };
    for (size_t i = 0; i < COUNT_OF(hidden); i++) {
        if (hidden[i][0] > 0)
            assert_true(utf8_is_shown(hidden[i][0] - 1));
        for (uint32_t c = hidden[i][0]; c <= hidden[i][1]; c++)
            assert_false(utf8_is_shown(c));
        assert_true(utf8_is_shown(hidden[i][1] + 1));
    }
}

TEST(test_utf8__escaped_as_json_has_it)
{
    char out[UTF8_ESCAPED_SIZE];
    utf8_escape(0x1b, out);
    assert_string_equal(out, "\\u001b");
    utf8_escape(0xffff, out);
    assert_string_equal(out, "\\uffff");
    utf8_escape(0xe0041, out);
    assert_string_equal(out, "\\udb40\\udc41");
    utf8_escape(0x10ffff, out);
    assert_string_equal(out, "\\udbff\\udfff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8__the_first_and_last_of_each_length),
        cmocka_unit_test(test_utf8__what_follows_is_not_looked_at),
        cmocka_unit_test(test_utf8__cut_ones_are_none),
        cmocka_unit_test(test_utf8__overlong_ones_are_none),
        cmocka_unit_test(test_utf8__surrogates_and_what_is_too_large_are_none),
        cmocka_unit_test(test_utf8__lonely_bytes_are_none),
        cmocka_unit_test(test_utf8__what_hides_or_turns_text_around_is_not_shown),
        cmocka_unit_test(test_utf8__escaped_as_json_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
