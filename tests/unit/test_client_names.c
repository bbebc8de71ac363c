/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"
#include "serve/client_names.h"
#include "unit.h"

static struct client_names *names;
static struct client_totals totals;

static int setup(void **state)
{
    (void)state;
    names = client_names_new(NULL);
    return names == NULL;
}

static int teardown(void **state)
{
    (void)state;
    client_names_free(names);
    return 0;
}

/* "V5 Java/17 3, none": version, agent and requests of each, then of others. */
static const char *seen(void)
{
    static char out[512];
    size_t len = 0;
    client_names_total(names, &totals);
    for (size_t i = 0; i < totals.count && i < 4; i++)
        len +=
            (size_t)snprintf(out + len, sizeof out - len, "[%s|%s] %d, ", totals.names[i].version,
                             totals.names[i].agent, (int)totals.names[i].requests);
    (void)snprintf(out + len, sizeof out - len, "others %d", (int)totals.others);
    return out;
}

TEST(test_client_names__nobody_has_asked_at_first)
{
    assert_string_equal(seen(), "others 0");
}

TEST(test_client_names__each_pair_of_headers_is_counted_most_first)
{
    client_names_note(names, NULL, "Go-http-client/1.1");
    client_names_note(names, "V5_3_3", "Java/17");
    client_names_note(names, "V5_3_3", "Java/17");
    client_names_note(names, NULL, NULL);
    client_names_note(names, "V5_3_3", NULL);
    client_names_note(names, NULL, "Go-http-client/1.1");
    client_names_note(names, "V5_3_3", "Java/17");
    assert_string_equal(seen(), "[V5_3_3|Java/17] 3, [|Go-http-client/1.1] 2, [|] 1, [V5_3_3|] 1, "
                                "others 0");
}

TEST(test_client_names__long_names_are_cut_and_the_same_when_cut)
{
    char name[100];
    memset(name, 'a', sizeof name);
    name[99] = '\0';
    client_names_note(names, name, name);
    name[60] = 'b';
    client_names_note(names, name, name);
    client_names_total(names, &totals);
    assert_int_equal(totals.count, 1);
    assert_int_equal(totals.names[0].requests, 2);
    assert_int_equal(strlen(totals.names[0].agent), CLIENT_AGENT_SIZE - 1);
    assert_int_equal(strlen(totals.names[0].version), CLIENT_VERSION_SIZE - 1);
}

TEST(test_client_names__long_names_are_cut_between_two_characters)
{
    for (size_t lead = 0; lead < 3; lead++) {
        char name[100] = "";
        memset(name, 'a', lead);
        while (strlen(name) < sizeof name - 8)
            (void)strcat(name, "é€");
        client_names_note(names, NULL, name);
        client_names_note(names, NULL, name);
    }
    client_names_total(names, &totals);
    assert_int_equal(totals.count, 3);
    for (size_t i = 0; i < totals.count; i++) {
        assert_int_equal(totals.names[i].requests, 2);
        assert_true(strlen(totals.names[i].agent) >= CLIENT_AGENT_SIZE - 3);
        uint32_t c;
        for (const char *at = totals.names[i].agent; *at != '\0'; at += utf8_decode(at, &c))
            assert_true(utf8_decode(at, &c) > 0);
    }
}

TEST(test_client_names__more_names_than_there_is_room_for_are_others)
{
    char name[32];
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        client_names_note(names, NULL, name);
    }
    client_names_note(names, NULL, "n0");
    client_names_total(names, &totals);
    assert_int_equal(totals.count, CLIENT_NAMES_MAX);
    assert_int_equal(totals.others, 1000 - CLIENT_NAMES_MAX);
    assert_string_equal(totals.names[0].agent, "n0");
    assert_int_equal(totals.names[0].requests, 2);
}

TEST(test_client_names__the_threads_are_added_up)
{
    client_names_note(names, NULL, "curl/8");
    struct client_names *two = client_names_new(names);
    assert_non_null(two);
    names = two;
    client_names_note(two, NULL, "curl/8");
    client_names_note(two, NULL, "x");
    assert_string_equal(seen(), "[|curl/8] 2, [|x] 1, others 0");
}

TEST(test_client_names__names_of_many_threads_do_not_overflow)
{
    char name[32];
    for (int thread = 0; thread < 3; thread++) {
        struct client_names *more = client_names_new(names);
        assert_non_null(more);
        names = more;
        for (int i = 0; i < 40; i++) {
            (void)snprintf(name, sizeof name, "n%d-%d", thread, i);
            client_names_note(more, NULL, name);
        }
    }
    client_names_total(names, &totals);
    assert_int_equal(totals.count, CLIENT_NAMES_MAX);
    assert_int_equal(totals.others, 120 - CLIENT_NAMES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_client_names__nobody_has_asked_at_first, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_client_names__each_pair_of_headers_is_counted_most_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_names__long_names_are_cut_and_the_same_when_cut,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_client_names__long_names_are_cut_between_two_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_client_names__more_names_than_there_is_room_for_are_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_names__the_threads_are_added_up, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_client_names__names_of_many_threads_do_not_overflow,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
