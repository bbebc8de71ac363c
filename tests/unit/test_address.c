/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "config/address.h"
#include "unit.h"

static struct error error;

/* -- listen ---------------------------------------------------------------------------------- */

TEST(test_address__listen_takes_ipv4_and_port)
{
    struct listen_address a;
    assert_true(listen_address_parse("10.1.2.3:8080", &a, &error));
    const struct sockaddr_in *in = (const struct sockaddr_in *)&a.sockaddr;
    assert_int_equal(in->sin_family, AF_INET);
    assert_int_equal(ntohs(in->sin_port), 8080);
    assert_int_equal(ntohl(in->sin_addr.s_addr), 0x0a010203);
    assert_int_equal(a.len, sizeof *in);
    assert_string_equal(a.host, "10.1.2.3");
    assert_int_equal(a.port, 8080);
    assert_false(a.wildcard);
}

TEST(test_address__listen_takes_ipv6_in_brackets)
{
    struct listen_address a;
    assert_true(listen_address_parse("[::1]:65535", &a, &error));
    const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)&a.sockaddr;
    assert_int_equal(in->sin6_family, AF_INET6);
    assert_int_equal(ntohs(in->sin6_port), 65535);
    assert_int_equal(a.len, sizeof *in);
    assert_string_equal(a.host, "::1");
    assert_false(a.wildcard);
}

TEST(test_address__listen_knows_wildcards)
{
    struct listen_address a;
    assert_true(listen_address_parse("0.0.0.0:80", &a, &error));
    assert_true(a.wildcard);
    assert_true(listen_address_parse("[::]:80", &a, &error));
    assert_true(a.wildcard);
}

TEST(test_address__listen_refuses_the_rest_and_says_what_is_right)
{
    static const char *const bad[] = {
        "",          "8080",          ":8080",     "10.0.0.1",      "10.0.0.1:0",
        "10.0.0.1:", "1.2.3.4:65536", "host:80",   "localhost:80",  "::1:80",
        "[::1]",     "[1.2.3.4]:80",  "[::1]:80x", "1.2.3.4:-1",    "[]:80",
        "[::1]80",   "1.2.3.4:80 ",   "*:80",      "1.2.3.4:999999"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct listen_address a = {.port = 7};
        if (listen_address_parse(bad[i], &a, &error))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_int_equal(a.port, 7);
        assert_says(&error, "right is");
    }
}

/* -- Consul ---------------------------------------------------------------------------------- */

static const char *base_url(const char *text, bool force_tls)
{
    static struct consul_address a;
    if (!consul_address_parse(text, force_tls, &a, &error))
        fail_msg("\"%s\": %s", text, error.text);
    return a.base_url;
}

TEST(test_address__consul_takes_every_form_of_its_own_client)
{
    assert_string_equal(base_url("127.0.0.1:8500", false), "http://127.0.0.1:8500");
    assert_string_equal(base_url("http://consul:8500", false), "http://consul:8500");
    assert_string_equal(base_url("https://consul:8501", false), "https://consul:8501");
    assert_string_equal(base_url("HTTPS://consul:8501", false), "https://consul:8501");
    assert_string_equal(base_url("http://[::1]:8500", false), "http://[::1]:8500");
    assert_string_equal(base_url("[::1]:8500", false), "http://[::1]:8500");
}

TEST(test_address__consul_has_a_default_port)
{
    assert_string_equal(base_url("consul", false), "http://consul:8500");
    assert_string_equal(base_url("http://[::1]", false), "http://[::1]:8500");
}

TEST(test_address__consul_keeps_a_path_as_prefix_without_its_last_slash)
{
    assert_string_equal(base_url("http://h:1/a/b", false), "http://h:1/a/b");
    assert_string_equal(base_url("http://h:1/a/", false), "http://h:1/a");
    assert_string_equal(base_url("http://h:1/", false), "http://h:1");
}

TEST(test_address__consul_plain_addresses_become_tls_when_forced)
{
    assert_string_equal(base_url("h:8501", true), "https://h:8501");
    assert_string_equal(base_url("http://h:8501", true), "https://h:8501");
}

TEST(test_address__consul_takes_unix_sockets)
{
    struct consul_address a;
    assert_true(consul_address_parse("unix:///run/consul.sock", false, &a, &error));
    assert_string_equal(a.unix_socket, "/run/consul.sock");
    assert_string_equal(a.base_url, "http://localhost");
    assert_string_equal(a.host, "");
}

TEST(test_address__consul_fills_every_field)
{
    struct consul_address a;
    assert_true(consul_address_parse("https://[2001:db8::1]:8501/x", false, &a, &error));
    assert_string_equal(a.host, "2001:db8::1");
    assert_string_equal(a.unix_socket, "");
    assert_true(a.tls);
}

TEST(test_address__consul_refuses_the_rest_and_says_what_is_right)
{
    static const char *const bad[] = {"",
                                      "http://",
                                      "ftp://h:1",
                                      "http://h:0",
                                      "http://h:65536",
                                      "http://h:x",
                                      "http://:8500",
                                      "unix://relative",
                                      "unix://",
                                      "http://h h:1",
                                      "http://h:1/a b",
                                      "http://h:1/?x",
                                      "http://user:pw@h:1",
                                      "http://h:1\r\nX: y",
                                      "::1:8500"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct consul_address a;
        if (consul_address_parse(bad[i], false, &a, &error))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_says(&error, "right is");
    }
}

TEST(test_address__consul_refuses_what_is_too_long)
{
    char text[CONSUL_URL_MAX + 100];
    struct consul_address a;
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(consul_address_parse(text, false, &a, &error));
    memcpy(text, "unix:///", 8);
    text[300] = '\0';
    assert_false(consul_address_parse(text, false, &a, &error));
}

/* -- advertise ------------------------------------------------------------------------------- */

TEST(test_address__advertise_takes_hosts_with_and_without_port)
{
    struct advertise_address a;
    assert_true(advertise_address_parse("10.0.0.5", &a, &error));
    assert_string_equal(a.host, "10.0.0.5");
    assert_int_equal(a.port, 0);
    assert_true(advertise_address_parse("ns.example.com:8080", &a, &error));
    assert_string_equal(a.host, "ns.example.com");
    assert_int_equal(a.port, 8080);
}

TEST(test_address__advertise_takes_ipv6_bare_and_in_brackets)
{
    struct advertise_address a;
    assert_true(advertise_address_parse("2001:db8::5", &a, &error));
    assert_string_equal(a.host, "2001:db8::5");
    assert_true(advertise_address_parse("[2001:db8::5]:80", &a, &error));
    assert_string_equal(a.host, "2001:db8::5");
    assert_int_equal(a.port, 80);
}

TEST(test_address__advertise_refuses_what_nobody_can_reach)
{
    static const char *const bad[] = {
        "",        "0.0.0.0", "0.0.0.0:80", "::",   "[::]:80", "a b",        "h:0",
        "h:65536", ":80",     "h:",         "a\"b", "a;b",     "http://h:1", "h/path"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct advertise_address a;
        if (advertise_address_parse(bad[i], &a, &error))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_says(&error, "right is");
    }
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address__listen_takes_ipv4_and_port),
        cmocka_unit_test(test_address__listen_takes_ipv6_in_brackets),
        cmocka_unit_test(test_address__listen_knows_wildcards),
        cmocka_unit_test(test_address__listen_refuses_the_rest_and_says_what_is_right),
        cmocka_unit_test(test_address__consul_takes_every_form_of_its_own_client),
        cmocka_unit_test(test_address__consul_has_a_default_port),
        cmocka_unit_test(test_address__consul_keeps_a_path_as_prefix_without_its_last_slash),
        cmocka_unit_test(test_address__consul_plain_addresses_become_tls_when_forced),
        cmocka_unit_test(test_address__consul_takes_unix_sockets),
        cmocka_unit_test(test_address__consul_fills_every_field),
        cmocka_unit_test(test_address__consul_refuses_the_rest_and_says_what_is_right),
        cmocka_unit_test(test_address__consul_refuses_what_is_too_long),
        cmocka_unit_test(test_address__advertise_takes_hosts_with_and_without_port),
        cmocka_unit_test(test_address__advertise_takes_ipv6_bare_and_in_brackets),
        cmocka_unit_test(test_address__advertise_refuses_what_nobody_can_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
