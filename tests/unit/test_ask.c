/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "client/ask.h"
#include "config_of.h"

static struct buf out;
static struct error error;
static struct config *config;

static int setup(void **state)
{
    (void)state;
    buf_init(&out, ASK_URL_MAX);
    config = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_clear(&out);
    config_free(config);
    return 0;
}

static const char *probe_url(const char *setting)
{
    config_free(config);
    config = NULL;
    config = config_of(setting, NULL);
    buf_reset(&out);
    assert_true(ask_probe_url(config, &out, &error));
    return buf_text(&out);
}

TEST(test_ask__the_first_listener_is_probed_on_the_loopback_if_it_has_all_addresses)
{
    assert_string_equal(probe_url("listen=0.0.0.0:8080"), "http://127.0.0.1:8080/healthz");
    assert_string_equal(probe_url("listen=[::]:80,127.0.0.1:81"), "http://[::1]:80/healthz");
    assert_string_equal(probe_url("listen=10.0.0.1:8080"), "http://10.0.0.1:8080/healthz");
}

static const char *explain_url(const char *setting, const char *base, const char *id)
{
    config_free(config);
    config = NULL;
    config = config_of(setting, NULL);
    buf_reset(&out);
    return ask_explain_url(config, base, id, &out, &error) ? buf_text(&out) : error.text;
}

TEST(test_ask__explanations_come_from_the_admin_listener_or_from_where_one_says)
{
    assert_string_equal(explain_url("admin.listen=127.0.0.1:8081", NULL, "a"),
                        "http://127.0.0.1:8081/explain/a");
    assert_string_equal(explain_url("admin.listen=", "http://h:1//", "a"), "http://h:1/explain/a");
}

TEST(test_ask__an_id_is_one_segment_whatever_it_holds)
{
    assert_string_equal(explain_url("admin.listen=127.0.0.1:8081", NULL, "a/../b?c%"),
                        "http://127.0.0.1:8081/explain/a%2F..%2Fb%3Fc%25");
}

TEST(test_ask__without_an_admin_listener_it_says_what_would_be_right)
{
    (void)explain_url("admin.listen=", NULL, "a");
    assert_says(&error, "--url");
}

TEST(test_ask__a_url_that_is_too_long_is_refused)
{
    char base[ASK_URL_MAX + 10];
    memset(base, 'a', sizeof base);
    base[sizeof base - 1] = '\0';
    assert_string_equal(explain_url("admin.listen=", base, "a"),
                        "out of memory, or the URL is too long");
}

TEST(test_ask__a_terminal_is_told_nothing_but_text)
{
    ask_print(&out, "a\x1b[31m\r\n\xc2\x9b"
                    "b\xc3\xa9\x7f");
    assert_string_equal(buf_text(&out), "a?[31m?\n?b\xc3\xa9?");
}

TEST(test_ask__a_terminal_is_told_no_text_that_deceives)
{
    ask_print(&out, "a\u202eb|\u200b|\x9b|\xe2\x80|\xf3\xa0\x81\x81|\xed\xa0\x80|é");
    assert_string_equal(buf_text(&out), "a?b|?|?|??|?|???|é");
}

TEST(test_ask__who_does_not_answer_is_named)
{
    config = config_of(NULL);
    assert_false(ask_probe(config, "http://127.0.0.1:1/healthz", &error));
    assert_says(&error, "http://127.0.0.1:1/healthz");
    bool known;
    assert_false(ask_explain(config, "ftp://127.0.0.1:1", "a", &out, &known, &error));
    assert_says(&error, "ftp");
    assert_false(ask_explain(config, NULL, "a b", &out, &known, &error));
    assert_says(&error, "\"a b\" is no cluster id");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_ask__the_first_listener_is_probed_on_the_loopback_if_it_has_all_addresses, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_ask__explanations_come_from_the_admin_listener_or_from_where_one_says, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_ask__an_id_is_one_segment_whatever_it_holds, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_ask__without_an_admin_listener_it_says_what_would_be_right, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ask__a_url_that_is_too_long_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_ask__a_terminal_is_told_nothing_but_text, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_ask__a_terminal_is_told_no_text_that_deceives, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_ask__who_does_not_answer_is_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
