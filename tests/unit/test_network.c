/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "model/network.h"
#include "unit.h"

static struct network network(const char *text)
{
    struct network n;
    if (!network_parse(text, &n))
        fail_msg("refused: %s", text);
    return n;
}

static void address(const char *text, uint8_t out[static 16])
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(9)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
    const void *from = &v6;
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        from = &v4;
    else
        assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    assert_true(network_address(from, out));
}

static bool has(const char *block, const char *who)
{
    struct network n = network(block);
    uint8_t bytes[16];
    address(who, bytes);
    return network_has(&n, bytes);
}

TEST(test_network__without_bits_it_is_one_address)
{
    assert_int_equal(network("10.0.0.1").bits, 128);
    assert_int_equal(network("2001:db8::1").bits, 128);
    assert_true(has("10.0.0.1", "10.0.0.1"));
    assert_false(has("10.0.0.1", "10.0.0.0"));
    assert_true(has("2001:db8::1", "2001:db8::1"));
    assert_false(has("2001:db8::1", "2001:db8::"));
}

TEST(test_network__ipv4_bits_count_behind_the_mapping)
{
    assert_int_equal(network("0.0.0.0/0").bits, 96);
    assert_int_equal(network("10.0.0.0/8").bits, 104);
    assert_int_equal(network("10.0.0.1/32").bits, 128);
}

TEST(test_network__has_all_from_its_first_to_its_last_address)
{
    static const struct {
        const char *block, *first, *last, *before, *behind;
    } cases[] = {
        {"10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
        {"10.0.0.0/9", "10.0.0.0", "10.127.255.255", "9.255.255.255", "10.128.0.0"},
        {"10.1.128.0/17", "10.1.128.0", "10.1.255.255", "10.1.127.255", "10.2.0.0"},
        {"10.1.2.4/31", "10.1.2.4", "10.1.2.5", "10.1.2.3", "10.1.2.6"},
        {"10.1.2.4/32", "10.1.2.4", "10.1.2.4", "10.1.2.3", "10.1.2.5"},
        {"128.0.0.0/1", "128.0.0.0", "255.255.255.255", "127.255.255.255", "::1"},
        {"2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
         "2001:db7:ffff::", "2001:db9::"},
        {"2001:db8::/61", "2001:db8::", "2001:db8:0:7:ffff::", "2001:db7:ffff::", "2001:db8:0:8::"},
        {"2001:db8::a/127", "2001:db8::a", "2001:db8::b", "2001:db8::9", "2001:db8::c"},
        {"8000::/1", "8000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "7fff::", "10.0.0.1"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_true(has(cases[i].block, cases[i].first));
        assert_true(has(cases[i].block, cases[i].last));
        assert_false(has(cases[i].block, cases[i].before));
        assert_false(has(cases[i].block, cases[i].behind));
    }
}

TEST(test_network__no_bits_at_all_have_everybody)
{
    assert_true(has("0.0.0.0/0", "0.0.0.0"));
    assert_true(has("0.0.0.0/0", "255.255.255.255"));
    assert_false(has("0.0.0.0/0", "2001:db8::1"));
    assert_true(has("::/0", "2001:db8::1"));
    assert_true(has("::/0", "::"));
}

/* As a socket for both families shows it. */
TEST(test_network__an_ipv4_client_is_the_same_through_a_dual_stack_socket)
{
    uint8_t plain[16], mapped[16];
    address("10.1.2.3", plain);
    address("::ffff:10.1.2.3", mapped);
    assert_memory_equal(plain, mapped, sizeof plain);
    assert_true(has("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(has("::ffff:10.0.0.0/104", "10.1.2.3"));
    assert_false(has("::ffff:10.0.0.0/104", "11.1.2.3"));
}

TEST(test_network__tells_ipv4_from_ipv6)
{
    static const char *const v4[] = {"0.0.0.0", "10.1.2.3", "::ffff:10.1.2.3"};
    static const char *const v6[] = {"::1", "::", "::10.1.2.3", "2001:db8::ffff:a01:203",
                                     "::fffe:10.1.2.3"};
    uint8_t bytes[16];
    for (size_t i = 0; i < COUNT_OF(v4); i++) {
        address(v4[i], bytes);
        assert_true(network_is_ipv4(bytes));
    }
    for (size_t i = 0; i < COUNT_OF(v6); i++) {
        address(v6[i], bytes);
        assert_false(network_is_ipv4(bytes));
    }
}

TEST(test_network__another_family_has_no_address)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    uint8_t bytes[16];
    assert_false(network_address((const struct sockaddr *)&un, bytes));
}

TEST(test_network__bits_behind_the_prefix_must_be_zero)
{
    static const char *const bad[] = {
        "10.0.0.1/8",     "10.0.0.1/31",     "10.128.0.0/8", "128.0.0.0/0", "::1/127",
        "2001:db8::1/32", "2001:db8:8::/44", "8000::/0",     "::1/0",       "2001:db8::100/119",
    };
    struct network n;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (network_parse(bad[i], &n))
            fail_msg("taken: %s", bad[i]);
}

TEST(test_network__what_is_no_network_is_refused)
{
    static const char *const bad[] = {
        "",
        "/",
        "/8",
        "x",
        "host/8",
        "10",
        "10.0.0/8",
        "10.0.0.0.0/8",
        "256.0.0.0/8",
        "010.0.0.0/8",
        " 10.0.0.0/8",
        "10.0.0.0 /8",
        "10.0.0.0/8 ",
        "10.0.0.0/",
        "10.0.0.0//8",
        "10.0.0.0/8/8",
        "10.0.0.0/+8",
        "10.0.0.0/-8",
        "10.0.0.0/08",
        "10.0.0.0/0x8",
        "10.0.0.0/8.0",
        "10.0.0.0/33",
        "10.0.0.0/264", /* 8, in a byte */
        "10.0.0.0/4294967304",
        "10.0.0.0/255.0.0.0",
        "10.0.0.0:80",
        "[::1]",
        "[2001:db8::]/32",
        "::/129",
        "::/00",
        ":::/0",
        "1:2:3:4:5:6:7:8:9/128",
        "fe80::1%lo/128",
        "2001:db8:0000:0000:0000:0000:0000:0000:0000:0000/32",
    };
    struct network n;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (network_parse(bad[i], &n))
            fail_msg("taken: %s", bad[i]);
}

TEST(test_network__the_longest_text_of_an_address_is_taken)
{
    assert_int_equal(network("1111:2222:3333:4444:5555:6666:123.123.123.123/128").bits, 128);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_network__without_bits_it_is_one_address),
        cmocka_unit_test(test_network__ipv4_bits_count_behind_the_mapping),
        cmocka_unit_test(test_network__has_all_from_its_first_to_its_last_address),
        cmocka_unit_test(test_network__no_bits_at_all_have_everybody),
        cmocka_unit_test(test_network__an_ipv4_client_is_the_same_through_a_dual_stack_socket),
        cmocka_unit_test(test_network__tells_ipv4_from_ipv6),
        cmocka_unit_test(test_network__another_family_has_no_address),
        cmocka_unit_test(test_network__bits_behind_the_prefix_must_be_zero),
        cmocka_unit_test(test_network__what_is_no_network_is_refused),
        cmocka_unit_test(test_network__the_longest_text_of_an_address_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
