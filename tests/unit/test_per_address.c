/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "config/config.h"
#include "serve/per_address.h"
#include "unit.h"

static struct sockaddr_storage from;

static const struct sockaddr *address(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(9)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(&from, &v4, sizeof v4);
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
        memcpy(&from, &v6, sizeof v6);
    }
    return (const struct sockaddr *)&from;
}

static struct per_address_rules *rules(unsigned max, const char *exempt)
{
    char text[64];
    char *items[] = {text};
    (void)snprintf(text, sizeof text, "%s", exempt != NULL ? exempt : "");
    struct strings networks = {.items = items, .count = exempt != NULL};
    struct error error;
    struct per_address_rules *r = per_address_rules_new(max, &networks, &error);
    assert_non_null(r);
    return r;
}

static struct per_address *with_rules(struct per_address_rules *r)
{
    struct error error;
    struct per_address *p = per_address_new(r, &error);
    if (p == NULL)
        per_address_rules_free(r);
    assert_non_null(p);
    return p;
}

static struct per_address *at_most(unsigned max, const char *exempt)
{
    return with_rules(rules(max, exempt));
}

static bool counted; /* the last one that entered */

static bool enter(struct per_address *p, const char *who)
{
    return per_address_enter(p, address(who), &counted);
}

static void leave(struct per_address *p, const char *who)
{
    per_address_leave(p, address(who));
}

TEST(test_per_address__one_address_has_so_many_and_no_more)
{
    struct per_address *p = at_most(3, NULL);
    for (int i = 0; i < 3; i++)
        assert_true(enter(p, "10.0.0.1"));
    assert_false(enter(p, "10.0.0.1"));
    assert_false(enter(p, "10.0.0.1"));
    per_address_free(p);
}

TEST(test_per_address__others_are_counted_for_themselves)
{
    struct per_address *p = at_most(1, NULL);
    assert_true(enter(p, "10.0.0.1"));
    assert_true(enter(p, "10.0.0.2"));
    assert_true(enter(p, "2001:db8::1"));
    assert_false(enter(p, "10.0.0.2"));
    per_address_free(p);
}

TEST(test_per_address__who_leaves_makes_room_for_one)
{
    struct per_address *p = at_most(2, NULL);
    assert_true(enter(p, "10.0.0.1"));
    assert_true(enter(p, "10.0.0.1"));
    leave(p, "10.0.0.1");
    assert_true(enter(p, "10.0.0.1"));
    assert_false(enter(p, "10.0.0.1"));
    per_address_free(p);
}

TEST(test_per_address__who_was_refused_is_not_counted)
{
    struct per_address *p = at_most(1, NULL);
    assert_true(enter(p, "10.0.0.1"));
    for (int i = 0; i < 1000; i++)
        assert_false(enter(p, "10.0.0.1"));
    leave(p, "10.0.0.1");
    assert_true(enter(p, "10.0.0.1"));
    per_address_free(p);
}

TEST(test_per_address__nothing_is_kept_of_those_who_are_gone)
{
    struct per_address *p = at_most(1, NULL);
    for (int i = 0; i < 1000; i++) {
        char who[24];
        (void)snprintf(who, sizeof who, "10.0.%d.%d", i / 256, i % 256);
        assert_true(enter(p, who));
        leave(p, who);
        assert_true(enter(p, who));
        leave(p, who);
    }
    per_address_free(p);
}

TEST(test_per_address__who_never_entered_cannot_leave)
{
    struct per_address *p = at_most(1, NULL);
    leave(p, "10.0.0.1");
    assert_true(enter(p, "10.0.0.1"));
    assert_false(enter(p, "10.0.0.1"));
    per_address_free(p);
}

TEST(test_per_address__ipv6_is_counted_by_64_bits)
{
    struct per_address *p = at_most(2, NULL);
    assert_true(enter(p, "2001:db8::1"));
    assert_true(enter(p, "2001:db8::ffff:ffff:ffff:ffff"));
    assert_false(enter(p, "2001:db8::2"));
    assert_true(enter(p, "2001:db8:0:1::2"));
    leave(p, "2001:db8::7");
    assert_true(enter(p, "2001:db8::8"));
    per_address_free(p);
}

TEST(test_per_address__ipv4_is_counted_by_all_its_bits_and_the_same_when_mapped)
{
    struct per_address *p = at_most(1, NULL);
    assert_true(enter(p, "::ffff:10.0.0.1"));
    assert_true(enter(p, "::ffff:10.0.0.2"));
    assert_false(enter(p, "10.0.0.1"));
    leave(p, "10.0.0.1");
    assert_true(enter(p, "::ffff:10.0.0.1"));
    per_address_free(p);
}

TEST(test_per_address__exempt_networks_are_not_counted)
{
    struct per_address *p = at_most(1, "10.0.0.0/8");
    for (int i = 0; i < 10; i++) {
        assert_true(enter(p, "10.1.2.3"));
        assert_true(enter(p, "::ffff:10.1.2.3"));
    }
    leave(p, "10.1.2.3");
    assert_true(enter(p, "11.1.2.3"));
    assert_false(enter(p, "11.1.2.3"));
    per_address_free(p);
}

/* The network may be finer than what is counted together. */
TEST(test_per_address__an_exempt_ipv6_host_is_not_counted_with_its_neighbours)
{
    struct per_address *p = at_most(1, "2001:db8::1");
    assert_true(enter(p, "2001:db8::1"));
    assert_true(enter(p, "2001:db8::1"));
    assert_true(enter(p, "2001:db8::2"));
    assert_false(enter(p, "2001:db8::3"));
    assert_true(enter(p, "2001:db8::1"));
    assert_false(counted);
    per_address_free(p);
}

TEST(test_per_address__every_network_of_the_list_counts)
{
    char *items[] = {(char[]){"10.0.0.0/8"}, (char[]){"192.0.2.7"}, (char[]){"2001:db8::/32"}};
    struct strings networks = {.items = items, .count = COUNT_OF(items)};
    struct error error;
    struct per_address_rules *r = per_address_rules_new(1, &networks, &error);
    assert_non_null(r);
    struct per_address *p = with_rules(r);
    for (int i = 0; i < 3; i++) {
        assert_true(enter(p, "10.0.0.1"));
        assert_true(enter(p, "192.0.2.7"));
        assert_true(enter(p, "2001:db8:1::1"));
    }
    assert_true(enter(p, "192.0.2.8"));
    assert_false(enter(p, "192.0.2.8"));
    per_address_free(p);
}

TEST(test_per_address__who_has_no_address_is_let_in)
{
    struct per_address *p = at_most(1, NULL);
    from = (struct sockaddr_storage){.ss_family = AF_UNIX};
    for (int i = 0; i < 3; i++) {
        assert_true(per_address_enter(p, NULL, &counted));
        assert_true(per_address_enter(p, (const struct sockaddr *)&from, &counted));
        per_address_leave(p, NULL);
        per_address_leave(p, (const struct sockaddr *)&from);
    }
    per_address_free(p);
}

TEST(test_per_address__free_takes_null)
{
    per_address_free(NULL);
}

/* -- other rules ----------------------------------------------------------------------------- */

TEST(test_per_address__without_a_limit_nobody_is_counted)
{
    struct per_address *p = at_most(0, NULL);
    for (int i = 0; i < 3; i++) {
        assert_true(enter(p, "10.0.0.1"));
        assert_false(counted);
    }
    per_address_free(p);
}

TEST(test_per_address__another_limit_holds_for_those_who_come)
{
    struct per_address *p = at_most(1, NULL);
    assert_true(enter(p, "10.0.0.1"));
    per_address_change(p, rules(2, NULL));
    assert_true(enter(p, "10.0.0.1"));
    assert_false(enter(p, "10.0.0.1"));
    per_address_change(p, rules(1, NULL));
    leave(p, "10.0.0.1");
    assert_false(enter(p, "10.0.0.1"));
    leave(p, "10.0.0.1");
    assert_true(enter(p, "10.0.0.1"));
    per_address_free(p);
}

TEST(test_per_address__who_was_counted_and_is_exempt_now_leaves_all_the_same)
{
    struct per_address *p = at_most(1, NULL);
    assert_true(enter(p, "10.0.0.1"));
    assert_true(counted);
    per_address_change(p, rules(1, "10.0.0.0/8"));
    assert_true(enter(p, "10.0.0.1"));
    assert_false(counted);
    leave(p, "10.0.0.1");
    per_address_change(p, rules(1, NULL));
    assert_true(enter(p, "10.0.0.1"));
    assert_false(enter(p, "10.0.0.1"));
    per_address_free(p);
}

TEST(test_per_address__no_limit_any_more_lets_everybody_in)
{
    struct per_address *p = at_most(1, NULL);
    assert_true(enter(p, "10.0.0.1"));
    per_address_change(p, rules(0, NULL));
    assert_true(enter(p, "10.0.0.1"));
    per_address_free(p);
}

/* -- threads --------------------------------------------------------------------------------- */

#define THREADS 4
#define ROUNDS 20000
#define MOST 2u

struct crowd {
    struct per_address *p;
    atomic_uint inside;
    atomic_uint too_many;
    atomic_uint entered;
};

static void *come_and_go(void *arg)
{
    struct crowd *crowd = arg;
    struct sockaddr_in who = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(0x0a000001)}};
    const struct sockaddr *from_here = (const struct sockaddr *)&who;
    for (int i = 0; i < ROUNDS; i++) {
        bool is_counted;
        if (!per_address_enter(crowd->p, from_here, &is_counted))
            continue;
        if (atomic_fetch_add(&crowd->inside, 1) >= MOST)
            atomic_fetch_add(&crowd->too_many, 1);
        atomic_fetch_add(&crowd->entered, 1);
        atomic_fetch_sub(&crowd->inside, 1);
        per_address_leave(crowd->p, from_here);
    }
    return NULL;
}

TEST(test_per_address__threads_share_one_count)
{
    struct crowd crowd = {.p = at_most(MOST, NULL)};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &crowd), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&crowd.too_many), 0);
    assert_true(atomic_load(&crowd.entered) > 0);
    /* None of them is counted any more. */
    for (unsigned i = 0; i < MOST; i++)
        assert_true(enter(crowd.p, "10.0.0.1"));
    assert_false(enter(crowd.p, "10.0.0.1"));
    per_address_free(crowd.p);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_per_address__one_address_has_so_many_and_no_more),
        cmocka_unit_test(test_per_address__others_are_counted_for_themselves),
        cmocka_unit_test(test_per_address__who_leaves_makes_room_for_one),
        cmocka_unit_test(test_per_address__who_was_refused_is_not_counted),
        cmocka_unit_test(test_per_address__nothing_is_kept_of_those_who_are_gone),
        cmocka_unit_test(test_per_address__who_never_entered_cannot_leave),
        cmocka_unit_test(test_per_address__ipv6_is_counted_by_64_bits),
        cmocka_unit_test(
            test_per_address__ipv4_is_counted_by_all_its_bits_and_the_same_when_mapped),
        cmocka_unit_test(test_per_address__exempt_networks_are_not_counted),
        cmocka_unit_test(test_per_address__an_exempt_ipv6_host_is_not_counted_with_its_neighbours),
        cmocka_unit_test(test_per_address__every_network_of_the_list_counts),
        cmocka_unit_test(test_per_address__who_has_no_address_is_let_in),
        cmocka_unit_test(test_per_address__free_takes_null),
        cmocka_unit_test(test_per_address__without_a_limit_nobody_is_counted),
        cmocka_unit_test(test_per_address__another_limit_holds_for_those_who_come),
        cmocka_unit_test(test_per_address__who_was_counted_and_is_exempt_now_leaves_all_the_same),
        cmocka_unit_test(test_per_address__no_limit_any_more_lets_everybody_in),
        cmocka_unit_test(test_per_address__threads_share_one_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
