/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/escape.h"
#include "unit.h"

static struct buf out;

static int setup(void **state)
{
    (void)state;
    buf_init(&out, 65536);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_clear(&out);
    return 0;
}

static const char *html(const char *text)
{
    buf_reset(&out);
    escape_html(&out, text);
    return buf_text(&out);
}

static const char *plain(const char *text)
{
    buf_reset(&out);
    escape_plain(&out, text);
    return buf_text(&out);
}

static const char *json(const char *text)
{
    buf_reset(&out);
    escape_json(&out, text);
    return buf_text(&out);
}

TEST(test_escape__what_is_syntax_in_html_is_text)
{
    assert_string_equal(html("<a href=\"x\" id='y'>&amp;"),
                        "&#60;a href=&#34;x&#34; id=&#39;y&#39;&#62;&#38;amp;");
    assert_string_equal(plain("<b>"), "<b>");
}

TEST(test_escape__letters_of_all_languages_stay)
{
    assert_string_equal(html("\xe9\x9b\x86\xe7\xbe\xa4 caf\xc3\xa9 \xf0\x9f\x98\x80"),
                        "\xe9\x9b\x86\xe7\xbe\xa4 caf\xc3\xa9 \xf0\x9f\x98\x80");
}

TEST(test_escape__controls_are_shown_not_passed_on)
{
    assert_string_equal(plain("\x1b[31m\r\n\t\x7f"), "\\x1b[31m\\x0d\\x0a\\x09\\u{007f}");
    assert_string_equal(plain("\xc2\x9b"
                              "1m"),
                        "\\u{009b}1m");
    assert_string_equal(json("\x1b\r\n"), "\"\\u001b\\u000d\\n\"");
}

TEST(test_escape__what_changes_how_others_show_is_shown)
{
    assert_string_equal(html("\xe2\x80\xae"
                             "abc"),
                        "\\u{202e}abc");
    assert_string_equal(html("a\xe2\x80\x8b"
                             "b"),
                        "a\\u{200b}b");
    assert_string_equal(json("\xef\xbb\xbf"), "\"\\ufeff\"");
    assert_string_equal(json("\xf3\xa0\x81\x81"), "\"\\udb40\\udc41\"");
}

TEST(test_escape__what_is_no_utf8_is_shown_byte_by_byte)
{
    assert_string_equal(plain("\xff\xc3"), "\\xff\\xc3");
    assert_string_equal(plain("\xc0\xaf"), "\\xc0\\xaf");          /* too long a form */
    assert_string_equal(plain("\xed\xa0\x80"), "\\xed\\xa0\\x80"); /* half of a pair */
    assert_string_equal(plain("\xf5\x80\x80\x80"), "\\xf5\\x80\\x80\\x80");
    assert_string_equal(json("a\xff"), "\"a\\ufffd\"");
}

/* So that what looks like an escape is not one. */
TEST(test_escape__a_backslash_is_doubled)
{
    assert_string_equal(plain("\\x1b"), "\\\\x1b");
    assert_string_equal(json("\\\"/"), "\"\\\\\\\"/\"");
}

TEST(test_escape__lines_of_html_keep_their_ends_and_backslashes)
{
    escape_html_lines(&out, "a = \"\\d\";\n\tb<");
    assert_string_equal(buf_text(&out), "a = &#34;\\d&#34;;\n\\x09b&#60;");
}

TEST(test_escape__no_byte_of_any_text_is_markup)
{
    for (int first = 1; first < 256; first++)
        for (int second = 0; second < 256; second++) {
            const char text[] = {(char)first, (char)second, 'x', '\0'};
            assert_null(strpbrk(html(text), "<>\"'\n\x1b\x7f"));
        }
}

TEST(test_escape__a_url_has_letters_digits_and_numbers_of_bytes)
{
    escape_url(&out, "a-b_c.d e&f=\"\xc3\xa9");
    assert_string_equal(buf_text(&out), "a-b_c.d%20e%26f%3D%22%C3%A9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_escape__what_is_syntax_in_html_is_text, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_escape__letters_of_all_languages_stay, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_escape__controls_are_shown_not_passed_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_escape__what_changes_how_others_show_is_shown, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_escape__what_is_no_utf8_is_shown_byte_by_byte, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_escape__a_backslash_is_doubled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_escape__lines_of_html_keep_their_ends_and_backslashes,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_escape__no_byte_of_any_text_is_markup, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_escape__a_url_has_letters_digits_and_numbers_of_bytes,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
