/* SPDX-License-Identifier: Apache-2.0 */
#include "model/claims.h"
#include "unit.h"

static struct claims *claims;
static char told[256];

static int setup(void **state)
{
    (void)state;
    claims = claims_new();
    return claims == NULL;
}

static int teardown(void **state)
{
    (void)state;
    claims_free(claims);
    return 0;
}

static void tell(const char *cluster, void *arg)
{
    (void)arg;
    if (strstr(told, cluster) != NULL)
        return;
    strncat(told, cluster, sizeof told - strlen(told) - 1);
    strncat(told, " ", sizeof told - strlen(told) - 1);
}

/* "1+ 2-": 10.0.0.1 with a good claim, 10.0.0.2 with one that is only kept. */
static size_t parse(const char *words, struct claim *out)
{
    size_t count = 0;
    for (const char *c = words; *c != '\0'; c++) {
        char *end;
        char address[32];
        long n = strtol(c, &end, 10);
        (void)snprintf(address, sizeof address, "10.0.0.%ld", n);
        assert_true(endpoint_make(&out[count].endpoint, address, 9876));
        out[count++].good = *end == '+';
        c = end[1] == '\0' ? end : end + 1;
    }
    return count;
}

static void claim(const char *cluster, const char *words)
{
    struct claim list[16];
    told[0] = '\0';
    assert_true(claims_set(claims, cluster, list, parse(words, list), tell, NULL));
}

static size_t contested;

/* The last numbers of what `cluster`, which claims `words`, is granted. */
static const char *granted(const char *cluster, const char *words)
{
    static char out[128];
    struct claim list[16];
    struct endpoint granted_list[16];
    struct grant g = claims_grant(claims, cluster, list, parse(words, list), granted_list);
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < g.count; i++)
        len += (size_t)snprintf(out + len, sizeof out - len, "%s%d", i > 0 ? " " : "",
                                granted_list[i].addr[3]);
    contested = g.contested;
    return out;
}

TEST(test_claims__what_only_one_claims_is_granted)
{
    claim("a", "1+ 2+");
    claim("b", "3+");
    assert_string_equal(granted("a", "1+ 2+"), "1 2");
    assert_string_equal(granted("b", "3+"), "3");
    assert_int_equal(contested, 0);
}

TEST(test_claims__two_good_claims_give_it_to_neither)
{
    claim("a", "1+ 2+");
    claim("b", "2+ 3+");
    assert_string_equal(granted("a", "1+ 2+"), "1");
    assert_string_equal(granted("b", "2+ 3+"), "3");
    assert_int_equal(contested, 1);
}

TEST(test_claims__the_order_of_claims_does_not_matter)
{
    claim("b", "2+ 3+");
    claim("a", "1+ 2+");
    assert_string_equal(granted("a", "1+ 2+"), "1");
    assert_string_equal(granted("b", "2+ 3+"), "3");
}

TEST(test_claims__a_cluster_left_with_none_keeps_its_own)
{
    claim("a", "2+");
    claim("b", "2+ 3+");
    assert_string_equal(granted("a", "2+"), "2");
    assert_string_equal(granted("b", "2+ 3+"), "3");
}

TEST(test_claims__two_clusters_of_the_same_addresses_share_them)
{
    claim("a", "1+ 2+");
    claim("b", "1+ 2+");
    assert_string_equal(granted("a", "1+ 2+"), "1 2");
    assert_string_equal(granted("b", "1+ 2+"), "1 2");
    assert_int_equal(contested, 2);
}

TEST(test_claims__a_good_claim_beats_one_that_is_only_kept)
{
    claim("a", "1+ 2-");
    claim("b", "2+ 3+");
    assert_string_equal(granted("a", "1+ 2-"), "1");
    assert_string_equal(granted("b", "2+ 3+"), "2 3");
}

TEST(test_claims__claims_that_are_only_kept_do_not_contest)
{
    claim("a", "1- 2-");
    claim("b", "2- 3-");
    assert_string_equal(granted("a", "1- 2-"), "1 2");
    assert_string_equal(granted("b", "2- 3-"), "2 3");
}

TEST(test_claims__ports_tell_addresses_apart)
{
    struct claim one = {.good = true}, other = {.good = true};
    struct endpoint out;
    assert_true(endpoint_make(&one.endpoint, "10.0.0.1", 9876));
    assert_true(endpoint_make(&other.endpoint, "10.0.0.1", 9877));
    assert_true(claims_set(claims, "a", &one, 1, tell, NULL));
    assert_true(claims_set(claims, "b", &other, 1, tell, NULL));
    assert_int_equal(claims_grant(claims, "a", &one, 1, &out).contested, 0);
}

TEST(test_claims__others_are_told_of_a_new_claim)
{
    claim("a", "1+ 2+");
    claim("b", "3+");
    claim("c", "2+ 4+");
    assert_string_equal(told, "a ");
}

TEST(test_claims__others_are_told_when_a_claim_ends)
{
    claim("a", "1+ 2+");
    claim("b", "2+ 3+");
    claim("b", "3+");
    assert_string_equal(told, "a ");
    assert_string_equal(granted("a", "1+ 2+"), "1 2");
}

TEST(test_claims__others_are_told_when_a_claim_is_no_longer_good)
{
    claim("a", "1+ 2+");
    claim("b", "2+ 3+");
    claim("b", "2- 3+");
    assert_string_equal(told, "a ");
    assert_string_equal(granted("a", "1+ 2+"), "1 2");
}

TEST(test_claims__the_same_claims_again_tell_nobody)
{
    claim("a", "1+ 2+");
    claim("b", "2+ 3+");
    claim("b", "2+ 3+");
    assert_string_equal(told, "");
}

TEST(test_claims__a_dropped_cluster_claims_nothing)
{
    claim("a", "1+ 2+");
    claim("b", "2+ 3+");
    claims_drop(claims, "b");
    claims_drop(claims, "b");
    assert_string_equal(granted("a", "1+ 2+"), "1 2");
}

/* Against the rule as it is written down, for many small histories. */
TEST(test_claims__random_histories_follow_the_rule)
{
    uint32_t seed = 12345;
    char words[4][8] = {"", "", "", ""};
    for (int round = 0; round < 5000; round++) {
        char names[4][2] = {"a", "b", "c", "d"};
        seed = seed * 1664525u + 1013904223u;
        unsigned who = seed >> 30;
        size_t len = 0;
        words[who][0] = '\0';
        for (int n = 1; n <= 2; n++) {
            unsigned draw = (seed >> (8 + 4 * n)) % 3;
            if (draw > 0)
                len += (size_t)snprintf(words[who] + len, sizeof words[who] - len, "%s%d%c",
                                        len > 0 ? " " : "", n, draw == 1 ? '+' : '-');
        }
        claim(names[who], words[who]);
        for (unsigned x = 0; x < 4; x++) {
            struct claim list[16];
            char wanted[128] = "", all[128] = "";
            size_t count = parse(words[x], list);
            for (size_t i = 0; i < count; i++) {
                char good[24], number[16];
                bool elsewhere = false;
                (void)snprintf(number, sizeof number, "%d", list[i].endpoint.addr[3]);
                (void)snprintf(good, sizeof good, "%s+", number);
                for (unsigned y = 0; y < 4; y++)
                    elsewhere |= y != x && strstr(words[y], good) != NULL;
                (void)snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s",
                               all[0] != '\0' ? " " : "", number);
                if (!elsewhere)
                    (void)snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), "%s%s",
                                   wanted[0] != '\0' ? " " : "", number);
            }
            assert_string_equal(granted(names[x], words[x]), wanted[0] != '\0' ? wanted : all);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_claims__what_only_one_claims_is_granted),
        T(test_claims__two_good_claims_give_it_to_neither),
        T(test_claims__the_order_of_claims_does_not_matter),
        T(test_claims__a_cluster_left_with_none_keeps_its_own),
        T(test_claims__two_clusters_of_the_same_addresses_share_them),
        T(test_claims__a_good_claim_beats_one_that_is_only_kept),
        T(test_claims__claims_that_are_only_kept_do_not_contest),
        T(test_claims__ports_tell_addresses_apart),
        T(test_claims__others_are_told_of_a_new_claim),
        T(test_claims__others_are_told_when_a_claim_ends),
        T(test_claims__others_are_told_when_a_claim_is_no_longer_good),
        T(test_claims__the_same_claims_again_tell_nobody),
        T(test_claims__a_dropped_cluster_claims_nothing),
        T(test_claims__random_histories_follow_the_rule),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
