/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "announce/identity.h"
#include "base/buf.h"
#include "config_of.h"

static struct identity identity;
static struct config *config;

static int teardown(void **state)
{
    (void)state;
    config_free(config);
    config = NULL;
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return 0;
}

static void make(const char *listen, const char *advertise, const char *local_ip)
{
    char items[2][128];
    (void)snprintf(items[0], sizeof items[0], "listen=%s", listen);
    (void)snprintf(items[1], sizeof items[1], "register.advertise=%s", advertise);
    config_free(config);
    config = config_of(items[0], items[1], NULL);
    identity_make(config, local_ip, &identity);
}

static void assert_identity(const char *address, int port, const char *url, const char *suffix)
{
    assert_string_equal(identity.address, address);
    assert_int_equal(identity.port, port);
    assert_string_equal(identity.check_url, url);
    assert_string_equal(identity.suffix, suffix);
}

TEST(test_identity__what_is_advertised_comes_first)
{
    make("10.0.0.1:8080", "10.0.0.9:80", "10.0.0.2");
    assert_identity("10.0.0.9", 80, "http://10.0.0.9:80/readyz", "-10.0.0.9-80");
}

TEST(test_identity__an_advertised_host_has_the_listen_port)
{
    make("0.0.0.0:8080", "ns.example.com", "10.0.0.2");
    assert_identity("ns.example.com", 8080, "http://ns.example.com:8080/readyz",
                    "-ns.example.com-8080");
}

TEST(test_identity__a_particular_listen_address_comes_next)
{
    make("10.0.0.1:8080", "", "10.0.0.2");
    assert_identity("10.0.0.1", 8080, "http://10.0.0.1:8080/readyz", "-10.0.0.1-8080");
}

TEST(test_identity__then_the_address_by_which_we_reach_consul)
{
    make("0.0.0.0:8080", "", "10.0.0.2");
    assert_identity("10.0.0.2", 8080, "http://10.0.0.2:8080/readyz", "-10.0.0.2-8080");
}

TEST(test_identity__ipv6_has_brackets_in_the_url_and_no_colons_in_the_suffix)
{
    make("[::]:8080", "", "2001:db8::2");
    assert_identity("2001:db8::2", 8080, "http://[2001:db8::2]:8080/readyz", "-2001-db8--2-8080");
}

TEST(test_identity__beside_the_agent_its_nodes_address_is_ours)
{
    char host[256] = "";
    char suffix[300];
    assert_int_equal(gethostname(host, sizeof host - 1), 0);
    (void)snprintf(suffix, sizeof suffix, "-%s-8080", host);
    static const char *const local[] = {"127.0.0.1", "127.1.2.3", "::1", ""};
    for (size_t i = 0; i < COUNT_OF(local); i++) {
        make("0.0.0.0:8080", "", local[i]);
        assert_identity("", 8080, "http://127.0.0.1:8080/readyz", suffix);
    }
}

TEST(test_identity__beside_the_agent_an_ipv6_listener_is_checked_by_ipv6)
{
    make("[::]:8080", "", "127.0.0.1");
    assert_string_equal(identity.check_url, "http://[::1]:8080/readyz");
}

TEST(test_identity__the_first_listen_address_counts)
{
    make("10.0.0.1:1,10.0.0.2:2", "", "");
    assert_identity("10.0.0.1", 1, "http://10.0.0.1:1/readyz", "-10.0.0.1-1");
}

static const char *taken(struct buf *b)
{
    static char out[512];
    (void)snprintf(out, sizeof out, "%s", buf_text(b));
    buf_clear(b);
    return out;
}

TEST(test_identity__ids_tell_clusters_and_replicas_apart)
{
    struct buf b;
    make("10.0.0.1:8080", "", "");
    buf_init(&b, 500);
    assert_true(identity_service_id(config, &identity, NULL, &b));
    assert_string_equal(taken(&b), "nameSvrIndex-10.0.0.1-8080");
    assert_true(identity_service_id(config, &identity, "a", &b));
    assert_string_equal(taken(&b), "nameSvrIndex-a-10.0.0.1-8080");
}

TEST(test_identity__names_tell_clusters_apart)
{
    struct buf b;
    make("10.0.0.1:8080", "", "");
    buf_init(&b, 500);
    assert_true(identity_service_name(config, NULL, &b));
    assert_string_equal(taken(&b), "nameSvrIndex");
    assert_true(identity_service_name(config, "a", &b));
    assert_string_equal(taken(&b), "nameSvrIndex-a");
}

TEST(test_identity__the_tag_is_the_clusters_route)
{
    struct buf b;
    make("10.0.0.1:8080", "", "");
    buf_init(&b, 500);
    assert_true(identity_tag(config, "a", &b));
    assert_string_equal(taken(&b), "urlprefix-/rocketmq/a");
}

TEST(test_identity__the_tag_for_all_is_cut_before_the_cluster)
{
    struct buf b;
    make("10.0.0.1:8080", "", "");
    buf_init(&b, 500);
    assert_true(identity_tag(config, NULL, &b));
    assert_string_equal(taken(&b), "urlprefix-/rocketmq/");
}

TEST(test_identity__what_follows_the_cluster_in_the_tag_is_kept)
{
    struct buf b;
    config = config_of("register.tag=urlprefix-/rocketmq/<cluster-id> strip=/x", NULL);
    buf_init(&b, 500);
    assert_true(identity_tag(config, "a", &b));
    assert_string_equal(taken(&b), "urlprefix-/rocketmq/a strip=/x");
}

TEST(test_identity__a_name_that_does_not_fit_is_a_failure)
{
    struct buf b;
    make("10.0.0.1:8080", "", "");
    buf_init(&b, 5);
    assert_false(identity_service_id(config, &identity, "a", &b));
    buf_clear(&b);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_identity__what_is_advertised_comes_first, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_identity__an_advertised_host_has_the_listen_port,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_identity__a_particular_listen_address_comes_next,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_identity__then_the_address_by_which_we_reach_consul,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_identity__ipv6_has_brackets_in_the_url_and_no_colons_in_the_suffix, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_identity__beside_the_agent_its_nodes_address_is_ours,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_identity__beside_the_agent_an_ipv6_listener_is_checked_by_ipv6, setup, teardown),
        cmocka_unit_test_setup_teardown(test_identity__the_first_listen_address_counts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_identity__ids_tell_clusters_and_replicas_apart, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_identity__names_tell_clusters_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_identity__the_tag_is_the_clusters_route, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_identity__the_tag_for_all_is_cut_before_the_cluster,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_identity__what_follows_the_cluster_in_the_tag_is_kept,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_identity__a_name_that_does_not_fit_is_a_failure, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
