/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "config/config.h"
#include "config/option.h"
#include "unit.h"

static struct error error;
static struct config config;

static int setup(void **state)
{
    (void)state;
    memset(&config, 0, sizeof config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < option_count; i++)
        option_free_value(&config, &option_table[i]);
    return 0;
}

static const struct option *option(const char *name)
{
    const struct option *o = option_find(name, strlen(name));
    if (o == NULL)
        fail_msg("no option %s", name);
    return o;
}

static void set(const char *name, const char *text)
{
    if (!option_set_text(&config, option(name), text, &error))
        fail_msg("%s = %s: %s", name, text, error.text);
}

static void refuse(const char *name, const char *text)
{
    if (option_set_text(&config, option(name), text, &error))
        fail_msg("%s = \"%s\" was taken", name, text);
}

static const char *formatted(const char *name)
{
    static char out[1024];
    struct buf b;
    buf_init(&b, sizeof out - 1);
    option_format(&config, option(name), &b);
    (void)snprintf(out, sizeof out, "%s", buf_text(&b));
    buf_clear(&b);
    return out;
}

TEST(test_option__every_default_is_taken_and_says_itself)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        if (!option_set_text(&config, o, o->def, &error))
            fail_msg("%s: %s", o->name, error.text);
        assert_true(strlen(o->name) < OPTION_NAME_SIZE);
        assert_true(o->help[0] != '\0');
        assert_string_not_equal(option_type_name(o), "");
    }
}

TEST(test_option__names_are_unique)
{
    for (size_t i = 0; i < option_count; i++)
        assert_ptr_equal(option_find(option_table[i].name, strlen(option_table[i].name)),
                         &option_table[i]);
}

TEST(test_option__finds_exact_names_only)
{
    assert_null(option_find("consul.toke", 11));
    assert_null(option_find("consul.tokens", 13));
    assert_null(option_find("Consul.token", 12));
    assert_null(option_find("consul", 6));
    assert_ptr_equal(option_find("consul.token=x", 12), option("consul.token"));
}

static const char *nearest(const char *name)
{
    static char out[OPTION_NAME_SIZE];
    return option_nearest(name, out) ? out : "(none)";
}

TEST(test_option__nearest_mends_a_slip)
{
    assert_string_equal(nearest("consul.tokne"), "consul.token");
    assert_string_equal(nearest("http.thread"), "http.threads");
    assert_string_equal(nearest("lisen"), "listen");
    assert_string_equal(nearest("admission.leave-delay"), "admission.leave_delay");
}

TEST(test_option__nearest_finds_a_key_outside_its_group)
{
    assert_string_equal(nearest("token"), "consul.token");
    assert_string_equal(nearest("ca_file"), "consul.tls.ca_file");
}

TEST(test_option__nearest_knows_groups)
{
    assert_string_equal(nearest("admision"), "admission");
    assert_string_equal(nearest("consul.tsl"), "consul.tls");
}

TEST(test_option__nearest_does_not_guess_wildly)
{
    assert_string_equal(nearest("qqqqqqqqqqqq"), "(none)");
}

TEST(test_option__nearest_takes_names_of_any_length)
{
    char name[500];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_string_equal(nearest(name), "(none)");
    (void)nearest("");
}

TEST(test_option__durations_have_units)
{
    set("admission.settle", "500ms");
    assert_int_equal(config.admission.settle_ms, 500);
    set("admission.settle", "30s");
    assert_int_equal(config.admission.settle_ms, 30000);
    set("admission.gone_delay", "5m");
    assert_int_equal(config.admission.gone_delay_ms, 300000);
    set("admission.gone_delay", "2h");
    assert_int_equal(config.admission.gone_delay_ms, 7200000);
    set("admission.gone_delay", "7d");
    assert_int_equal(config.admission.gone_delay_ms, INT64_C(604800000));
}

TEST(test_option__durations_add_up)
{
    set("admission.gone_delay", "1h30m5s10ms");
    assert_int_equal(config.admission.gone_delay_ms, 5405010);
}

TEST(test_option__durations_may_be_zero_where_allowed)
{
    set("admission.settle", "0s");
    assert_int_equal(config.admission.settle_ms, 0);
    refuse("consul.wait", "0s");
}

TEST(test_option__durations_refuse_the_rest)
{
    static const char *const bad[] = {
        "",    "30", "s",  "-1s", "1.5s", " 1s", "1s ",
        "1 s", "1S", "1y", "1s2", "0x1s", "+1s", "99999999999999999999s",
        "1sm"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        refuse("admission.settle", bad[i]);
}

TEST(test_option__a_duration_error_says_the_range)
{
    refuse("consul.wait", "11m");
    assert_says(&error, "right is \"1s\" to \"10m\"");
}

TEST(test_option__a_duration_that_would_overflow_is_refused)
{
    refuse("admission.gone_delay", "999999999999d999999999999d");
}

TEST(test_option__a_bare_number_is_no_duration)
{
    assert_false(option_set_number(&config, option("consul.wait"), 55, &error));
    assert_says(&error, "has no unit");
}

TEST(test_option__numbers_hold_their_range)
{
    set("http.threads", "64");
    assert_int_equal(config.http.threads, 64);
    refuse("http.threads", "65");
    assert_says(&error, "right is 0 to 64");
    refuse("http.threads", "-1");
    assert_int_equal(config.http.threads, 64);
}

TEST(test_option__numbers_refuse_the_rest)
{
    static const char *const bad[] = {"", "x", "1x", "1.5", "0x10", "99999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        refuse("http.threads", bad[i]);
}

TEST(test_option__numbers_are_refused_elsewhere)
{
    assert_false(option_set_number(&config, option("consul.token"), 1, &error));
    assert_false(option_set_number(&config, option("consul.enabled"), 1, &error));
    assert_false(option_set_number(&config, option("log.level"), 1, &error));
}

TEST(test_option__truth_values_are_two_words)
{
    set("consul.enabled", "true");
    assert_true(config.consul.enabled);
    set("consul.enabled", "false");
    assert_false(config.consul.enabled);
    refuse("consul.enabled", "yes");
    refuse("consul.enabled", "1");
    refuse("consul.enabled", "TRUE");
    refuse("consul.enabled", "");
    assert_says(&error, "right is true or false");
}

TEST(test_option__truth_values_are_refused_elsewhere)
{
    assert_false(option_set_bool(&config, option("http.threads"), true, &error));
    assert_false(option_set_bool(&config, option("listen"), true, &error));
}

TEST(test_option__words_are_the_place_in_their_list)
{
    set("register.mode", "single");
    assert_int_equal(config.reg.mode, REGISTER_SINGLE);
    set("consul.consistency", "stale");
    assert_int_equal(config.consul.consistency, CONSISTENCY_STALE);
    set("consul.accept", "warning");
    assert_int_equal(config.consul.accept, ACCEPT_WARNING);
    set("log.level", "error");
    assert_int_equal(config.log.level, 3);
}

TEST(test_option__an_unknown_word_is_told_the_known_ones)
{
    refuse("register.mode", "Single");
    assert_says(&error, "right is \"per-cluster\", \"single\" or \"off\"");
}

TEST(test_option__strings_are_kept_as_they_are)
{
    set("consul.token", " a,b ");
    assert_string_equal(config.consul.token, " a,b ");
    set("consul.token", "");
    assert_string_equal(config.consul.token, "");
}

TEST(test_option__lists_are_split_at_commas)
{
    set("listen", "1.2.3.4:80,[::1]:80");
    assert_int_equal(config.listen.count, 2);
    assert_string_equal(config.listen.items[0], "1.2.3.4:80");
    assert_string_equal(config.listen.items[1], "[::1]:80");
}

TEST(test_option__a_list_set_again_is_another_list)
{
    set("listen", "a,b,c");
    set("listen", "d");
    assert_int_equal(config.listen.count, 1);
    set("listen", "");
    assert_int_equal(config.listen.count, 0);
}

TEST(test_option__clusters_are_parsed_and_sorted)
{
    set("static_clusters", "a=10.0.0.2:80;10.0.0.1:80;10.0.0.2:80,b=[::1]:9876");
    assert_int_equal(config.static_clusters.count, 2);
    assert_string_equal(config.static_clusters.items[0].id, "a");
    assert_int_equal(config.static_clusters.items[0].count, 2);
    assert_int_equal(config.static_clusters.items[0].list[0].addr[3], 1);
    assert_string_equal(config.static_clusters.items[1].id, "b");
    assert_int_equal(config.static_clusters.items[1].list[0].family, 6);
}

TEST(test_option__clusters_refuse_what_could_not_be_served)
{
    refuse("static_clusters", "a");
    refuse("static_clusters", "a=");
    assert_says(&error, "has no addresses");
    refuse("static_clusters", "a=host:80");
    assert_says(&error, "is not an address");
    refuse("static_clusters", "a/b=10.0.0.1:80");
    assert_says(&error, "is not a cluster id");
    refuse("static_clusters", "=10.0.0.1:80");
    refuse("static_clusters", "a=10.0.0.1:80,a=10.0.0.2:80");
    assert_says(&error, "is there twice");
    refuse("static_clusters", "a=0.0.0.0:80");
}

TEST(test_option__too_many_addresses_are_refused)
{
    char text[8192] = "a=";
    size_t len = 2;
    for (int i = 0; i < 300; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "10.0.%d.%d:80;", i / 250, i % 250);
    refuse("static_clusters", text);
    assert_says(&error, "more than 256 addresses");
}

TEST(test_option__formats_each_type_in_the_files_syntax)
{
    set("consul.address", "a\"b\\c\nd");
    assert_string_equal(formatted("consul.address"), "\"a\\\"b\\\\c\\nd\"");
    set("consul.enabled", "true");
    assert_string_equal(formatted("consul.enabled"), "true");
    set("http.threads", "7");
    assert_string_equal(formatted("http.threads"), "7");
    set("consul.wait", "90s");
    assert_string_equal(formatted("consul.wait"), "\"90s\"");
    set("consul.wait", "120s");
    assert_string_equal(formatted("consul.wait"), "\"2m\"");
    set("log.format", "json");
    assert_string_equal(formatted("log.format"), "\"json\"");
    set("listen", "a,b");
    assert_string_equal(formatted("listen"), "[ \"a\", \"b\" ]");
    set("listen", "");
    assert_string_equal(formatted("listen"), "[]");
    assert_string_equal(formatted("static_clusters"), "()");
}

TEST(test_option__masks_secrets_but_not_their_absence)
{
    set("consul.token", "s3cret");
    assert_null(strstr(formatted("consul.token"), "s3cret"));
    set("consul.token", "");
    assert_string_equal(formatted("consul.token"), "\"\"");
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_option__every_default_is_taken_and_says_itself, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_option__names_are_unique, setup, teardown),
        cmocka_unit_test_setup_teardown(test_option__finds_exact_names_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_option__nearest_mends_a_slip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_option__nearest_finds_a_key_outside_its_group, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_option__nearest_knows_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(test_option__nearest_does_not_guess_wildly, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_option__nearest_takes_names_of_any_length, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_option__durations_have_units, setup, teardown),
        cmocka_unit_test_setup_teardown(test_option__durations_add_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_option__durations_may_be_zero_where_allowed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_option__durations_refuse_the_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_option__a_duration_error_says_the_range, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_option__a_duration_that_would_overflow_is_refused,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_option__a_bare_number_is_no_duration, setup, teardown),
        cmocka_unit_test_setup_teardown(test_option__numbers_hold_their_range, setup, teardown),
        cmocka_unit_test_setup_teardown(test_option__numbers_refuse_the_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_option__numbers_are_refused_elsewhere, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_option__truth_values_are_two_words, setup, teardown),
        cmocka_unit_test_setup_teardown(test_option__truth_values_are_refused_elsewhere, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_option__words_are_the_place_in_their_list, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_option__an_unknown_word_is_told_the_known_ones, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_option__strings_are_kept_as_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(test_option__lists_are_split_at_commas, setup, teardown),
        cmocka_unit_test_setup_teardown(test_option__a_list_set_again_is_another_list, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_option__clusters_are_parsed_and_sorted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_option__clusters_refuse_what_could_not_be_served,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_option__too_many_addresses_are_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_option__formats_each_type_in_the_files_syntax, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_option__masks_secrets_but_not_their_absence, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
