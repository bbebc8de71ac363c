/* SPDX-License-Identifier: Apache-2.0 */
#include "model/endpoint.h"
#include "unit.h"

static bool parse(const char *text, struct endpoint *out)
{
    return endpoint_parse(out, text, strlen(text));
}

TEST(test_endpoint__make_takes_literal_addresses)
{
    struct endpoint e;
    assert_true(endpoint_make(&e, "10.0.0.1", 9876));
    assert_int_equal(e.family, 4);
    assert_int_equal(e.port, 9876);
    assert_true(endpoint_make(&e, "2001:db8::1", 1));
    assert_int_equal(e.family, 6);
}

TEST(test_endpoint__make_takes_every_port_and_no_other)
{
    struct endpoint e;
    assert_true(endpoint_make(&e, "10.0.0.1", 1));
    assert_true(endpoint_make(&e, "10.0.0.1", 65535));
    assert_false(endpoint_make(&e, "10.0.0.1", 0));
    assert_false(endpoint_make(&e, "10.0.0.1", -1));
    assert_false(endpoint_make(&e, "10.0.0.1", 65536));
    assert_false(endpoint_make(&e, "10.0.0.1", 65536 + 80));
}

TEST(test_endpoint__make_refuses_what_clients_cannot_dial)
{
    static const char *const bad[] = {"",           "0.0.0.0",         "::",          "0:0::0",
                                      "host",       "ns1.example.com", "10.0.0",      "10.0.0.256",
                                      "10.0.0.1 ",  " 1.2.3.4",        "1.2.3.4;5",   "10.0.0.1\n",
                                      "[::1]",      "fe80::1%lo",      "010.0.0.1.1", "1",
                                      "0x7f000001", "10.0.0.1:80",     "1.2.3.4.5"};
    struct endpoint e;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (endpoint_make(&e, bad[i], 80))
            fail_msg("\"%s\" was taken", bad[i]);
}

TEST(test_endpoint__make_writes_nothing_when_it_refuses)
{
    struct endpoint e = {.family = 7, .port = 42};
    assert_false(endpoint_make(&e, "10.0.0.1", 0));
    assert_false(endpoint_make(&e, "no", 80));
    assert_int_equal(e.family, 7);
    assert_int_equal(e.port, 42);
}

TEST(test_endpoint__parse_reverses_format)
{
    static const char *const texts[] = {"1.2.3.4:1", "223.255.255.255:65535", "[::1]:9876",
                                        "[2001:db8::abcd]:80"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct endpoint e;
        char out[ENDPOINT_TEXT_SIZE];
        assert_true(parse(texts[i], &e));
        assert_int_equal(endpoint_format(&e, out), strlen(texts[i]));
        assert_string_equal(out, texts[i]);
    }
}

TEST(test_endpoint__the_longest_address_fits_its_text)
{
    struct endpoint e;
    char out[ENDPOINT_TEXT_SIZE];
    assert_true(endpoint_make(&e, "1111:2222:3333:4444:5555:6666:7777:8888", 65535));
    assert_string_equal((endpoint_format(&e, out), out),
                        "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
}

TEST(test_endpoint__parse_refuses_all_but_one_address)
{
    static const char *const bad[] = {"",
                                      ":",
                                      ":80",
                                      "1.2.3.4",
                                      "1.2.3.4:",
                                      "1.2.3.4:0",
                                      "1.2.3.4:080",
                                      "1.2.3.4:65536",
                                      "1.2.3.4:99999",
                                      "1.2.3.4:123456",
                                      "1.2.3.4:-1",
                                      "1.2.3.4:+1",
                                      "1.2.3.4: 80",
                                      "1.2.3.4:80 ",
                                      " 1.2.3.4:80",
                                      "1.2.3.4:80;",
                                      "1.2.3.4:8x",
                                      "::1:80",
                                      "[1.2.3.4]:80",
                                      "[::1]",
                                      "[::1]80",
                                      "[::1:80",
                                      "[]:80",
                                      "[:80",
                                      "]:80",
                                      "[[::1]]:80",
                                      "host:80",
                                      "0.0.0.0:80",
                                      "[::]:80",
                                      "[fe80::1%lo]:80",
                                      "1.2.3.4:80\n"};
    struct endpoint e;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (parse(bad[i], &e))
            fail_msg("\"%s\" was taken", bad[i]);
}

TEST(test_endpoint__parse_reads_no_further_than_its_length)
{
    struct endpoint e;
    assert_true(endpoint_parse(&e, "1.2.3.4:8076", 10));
    assert_int_equal(e.port, 80);
}

TEST(test_endpoint__parse_refuses_a_nul_within)
{
    struct endpoint e;
    assert_false(endpoint_parse(&e, "1.2.3.4:80\0x", 12));
    assert_false(endpoint_parse(&e, "1.2.3.4\0:80", 11));
}

TEST(test_endpoint__parse_refuses_what_is_too_long_for_any_address)
{
    struct endpoint e;
    char text[200];
    memset(text, '1', sizeof text);
    assert_false(endpoint_parse(&e, text, sizeof text));
}

/* Formats the list as one text. */
static const char *sorted(const char *const *texts, size_t count)
{
    static char out[1024];
    struct endpoint list[16];
    for (size_t i = 0; i < count; i++)
        assert_true(parse(texts[i], &list[i]));
    count = endpoint_sort(list, count);
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        char text[ENDPOINT_TEXT_SIZE];
        (void)endpoint_format(&list[i], text);
        len += (size_t)snprintf(out + len, sizeof out - len, "%s ", text);
    }
    return out;
}

TEST(test_endpoint__sorts_by_number_and_not_by_text)
{
    static const char *const list[] = {"10.0.0.10:80", "10.0.0.9:80", "9.0.0.1:80", "10.0.0.9:9",
                                       "200.0.0.1:1"};
    assert_string_equal(sorted(list, COUNT_OF(list)),
                        "9.0.0.1:80 10.0.0.9:9 10.0.0.9:80 10.0.0.10:80 200.0.0.1:1 ");
}

TEST(test_endpoint__what_nothing_listens_on_is_refused)
{
    static const char *const texts[] = {"0.0.0.7", "224.0.0.1",      "255.255.255.255", "ff02::1",
                                        "fe80::1", "::ffff:0.0.0.0", "::ffff:224.0.0.1"};
    struct endpoint e;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (endpoint_make(&e, texts[i], 80))
            fail_msg("%s was taken", texts[i]);
}

TEST(test_endpoint__a_mapped_address_is_the_ipv4_address)
{
    struct endpoint mapped, plain;
    assert_true(endpoint_make(&mapped, "::ffff:10.0.0.1", 80));
    assert_true(endpoint_make(&plain, "10.0.0.1", 80));
    assert_int_equal(endpoint_compare(&mapped, &plain), 0);
}

TEST(test_endpoint__sorts_ipv4_before_ipv6)
{
    static const char *const list[] = {"[::1]:80", "223.0.0.1:80", "[2001:db8::2]:80",
                                       "[2001:db8::10]:80"};
    assert_string_equal(sorted(list, COUNT_OF(list)),
                        "223.0.0.1:80 [::1]:80 [2001:db8::2]:80 [2001:db8::10]:80 ");
}

TEST(test_endpoint__sort_drops_duplicates)
{
    static const char *const list[] = {"10.0.0.2:80", "10.0.0.1:80", "10.0.0.2:80", "10.0.0.1:80",
                                       "10.0.0.1:81"};
    assert_string_equal(sorted(list, COUNT_OF(list)), "10.0.0.1:80 10.0.0.1:81 10.0.0.2:80 ");
}

TEST(test_endpoint__sort_takes_empty_and_single_lists)
{
    struct endpoint e;
    assert_int_equal(endpoint_sort(NULL, 0), 0);
    assert_int_equal(endpoint_sort(&e, 1), 1);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endpoint__make_takes_literal_addresses),
        cmocka_unit_test(test_endpoint__make_takes_every_port_and_no_other),
        cmocka_unit_test(test_endpoint__make_refuses_what_clients_cannot_dial),
        cmocka_unit_test(test_endpoint__make_writes_nothing_when_it_refuses),
        cmocka_unit_test(test_endpoint__parse_reverses_format),
        cmocka_unit_test(test_endpoint__the_longest_address_fits_its_text),
        cmocka_unit_test(test_endpoint__parse_refuses_all_but_one_address),
        cmocka_unit_test(test_endpoint__parse_reads_no_further_than_its_length),
        cmocka_unit_test(test_endpoint__parse_refuses_a_nul_within),
        cmocka_unit_test(test_endpoint__parse_refuses_what_is_too_long_for_any_address),
        cmocka_unit_test(test_endpoint__sorts_by_number_and_not_by_text),
        cmocka_unit_test(test_endpoint__sorts_ipv4_before_ipv6),
        cmocka_unit_test(test_endpoint__sort_drops_duplicates),
        cmocka_unit_test(test_endpoint__sort_takes_empty_and_single_lists),
        cmocka_unit_test(test_endpoint__what_nothing_listens_on_is_refused),
        cmocka_unit_test(test_endpoint__a_mapped_address_is_the_ipv4_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
