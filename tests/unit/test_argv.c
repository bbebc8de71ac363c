/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>

#include "config/argv.h"
#include "unit.h"

static struct error error;

/* Splits `line` at blanks; getopt starts anew. */
static bool parse(const char *line, struct arguments *out)
{
    static char copy[512];
    static char *argv[32];
    int argc = 0;
    (void)snprintf(copy, sizeof copy, "nsaddrd %s", line);
    char *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    argv[argc] = NULL;
    optind = 0;
    optopt = 0;
    error.text[0] = '\0';
    return arguments_parse(argc, argv, out, &error);
}

static enum action action(const char *line)
{
    struct arguments a;
    if (!parse(line, &a))
        fail_msg("%s: %s", line, error.text);
    enum action found = a.action;
    arguments_clear(&a);
    return found;
}

static void refused(const char *line, const char *says)
{
    struct arguments a;
    if (parse(line, &a))
        fail_msg("%s was taken", line);
    assert_says(&error, says);
}

TEST(test_argv__nothing_means_run)
{
    struct arguments a;
    assert_true(parse("", &a));
    assert_int_equal(a.action, ACTION_RUN);
    assert_null(a.config_path);
    assert_int_equal(a.overrides.count, 0);
    arguments_clear(&a);
}

TEST(test_argv__each_action_has_its_option)
{
    assert_int_equal(action("-t"), ACTION_CHECK);
    assert_int_equal(action("--check-config"), ACTION_CHECK);
    assert_int_equal(action("--print-config"), ACTION_PRINT_CONFIG);
    assert_int_equal(action("--once"), ACTION_ONCE);
    assert_int_equal(action("-V"), ACTION_VERSION);
    assert_int_equal(action("--version"), ACTION_VERSION);
    assert_int_equal(action("-h"), ACTION_HELP);
    assert_int_equal(action("--help"), ACTION_HELP);
}

TEST(test_argv__takes_the_config_file)
{
    struct arguments a;
    assert_true(parse("-c a.conf", &a));
    assert_string_equal(a.config_path, "a.conf");
    arguments_clear(&a);
    assert_true(parse("--config=b.conf -t", &a));
    assert_string_equal(a.config_path, "b.conf");
    assert_int_equal(a.action, ACTION_CHECK);
    arguments_clear(&a);
}

TEST(test_argv__keeps_overrides_in_order)
{
    struct arguments a;
    assert_true(parse("-o a=1 --option b=2 -oc=3", &a));
    assert_int_equal(a.overrides.count, 3);
    assert_string_equal(a.overrides.items[0], "a=1");
    assert_string_equal(a.overrides.items[1], "b=2");
    assert_string_equal(a.overrides.items[2], "c=3");
    arguments_clear(&a);
}

TEST(test_argv__an_unknown_option_is_named)
{
    refused("-x", "unknown option -x");
    refused("--frobnicate", "unknown option --frobnicate");
}

TEST(test_argv__a_value_for_a_flag_is_named)
{
    refused("--once=5", "--once=5");
    refused("--version=5", "--version=5");
}

TEST(test_argv__a_missing_value_is_named)
{
    refused("-c", "-c needs a value");
    refused("--config", "--config needs a value");
    refused("-t -o", "-o needs a value");
}

TEST(test_argv__a_stray_word_is_named)
{
    refused("-t stray", "unexpected argument \"stray\"");
}

TEST(test_argv__clear_may_be_called_twice)
{
    struct arguments a;
    assert_true(parse("-o a=1", &a));
    arguments_clear(&a);
    arguments_clear(&a);
    assert_int_equal(a.overrides.count, 0);
}

TEST(test_argv__help_names_options_and_exit_codes)
{
    static char text[32768];
    FILE *f = tmpfile();
    assert_non_null(f);
    assert_true(arguments_print_help(f));
    rewind(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    (void)fclose(f);
    assert_non_null(strstr(text, "--print-config"));
    assert_non_null(strstr(text, "78 bad config"));
    assert_non_null(strstr(text, "consul.address"));
}

TEST(test_argv__help_that_cannot_be_written_is_a_failure)
{
    FILE *f = fopen("/dev/full", "we");
    assert_non_null(f);
    assert_false(arguments_print_help(f));
    (void)fclose(f);
}

TEST(test_argv__explain_takes_a_cluster_and_where_to_ask)
{
    struct arguments a;
    assert_true(parse("explain -c f -o a=b --url http://h:1 demo", &a));
    assert_int_equal(a.action, ACTION_EXPLAIN);
    assert_string_equal(a.cluster, "demo");
    assert_string_equal(a.url, "http://h:1");
    assert_string_equal(a.config_path, "f");
    assert_int_equal(a.overrides.count, 1);
    arguments_clear(&a);
    refused("explain", "needs a cluster id");
    refused("explain a b", "unexpected argument \"b\"");
    refused("explain -t a", "no such option");
}

TEST(test_argv__probe_takes_a_url_or_none)
{
    struct arguments a;
    assert_true(parse("probe http://h:1/readyz", &a));
    assert_int_equal(a.action, ACTION_PROBE);
    assert_string_equal(a.url, "http://h:1/readyz");
    arguments_clear(&a);
    assert_true(parse("probe", &a));
    assert_null(a.url);
    arguments_clear(&a);
    refused("probe a b", "unexpected argument \"b\"");
    refused("probe --url x", "--url is for nsaddrd explain");
    refused("--url x", "--url is for nsaddrd explain");
}

TEST(test_argv__commands_have_help_and_are_words_in_front)
{
    assert_int_equal(action("explain -h"), ACTION_HELP);
    assert_int_equal(action("probe --help"), ACTION_HELP);
    refused("-t probe", "unexpected argument \"probe\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_argv__nothing_means_run),
        cmocka_unit_test(test_argv__each_action_has_its_option),
        cmocka_unit_test(test_argv__takes_the_config_file),
        cmocka_unit_test(test_argv__keeps_overrides_in_order),
        cmocka_unit_test(test_argv__an_unknown_option_is_named),
        cmocka_unit_test(test_argv__a_missing_value_is_named),
        cmocka_unit_test(test_argv__a_stray_word_is_named),
        cmocka_unit_test(test_argv__clear_may_be_called_twice),
        cmocka_unit_test(test_argv__help_names_options_and_exit_codes),
        cmocka_unit_test(test_argv__help_that_cannot_be_written_is_a_failure),
        cmocka_unit_test(test_argv__a_value_for_a_flag_is_named),
        cmocka_unit_test(test_argv__explain_takes_a_cluster_and_where_to_ask),
        cmocka_unit_test(test_argv__probe_takes_a_url_or_none),
        cmocka_unit_test(test_argv__commands_have_help_and_are_words_in_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
