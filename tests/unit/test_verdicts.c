/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "model/admission.h"
#include "model/claims.h"
#include "model/verdicts.h"
#include "unit.h"

static struct admission admission;
static struct claims *claims;
static struct buf judged, before;

static int setup(void **state)
{
    (void)state;
    admission_init(&admission);
    buf_init(&judged, REPORTS_MAX);
    buf_init(&before, REPORTS_MAX);
    claims = claims_new();
    return claims == NULL;
}

static int teardown(void **state)
{
    (void)state;
    admission_clear(&admission);
    buf_clear(&judged);
    buf_clear(&before);
    claims_free(claims);
    return 0;
}

static struct endpoint endpoint(long number)
{
    struct endpoint e;
    char address[32];
    (void)snprintf(address, sizeof address, "10.0.0.%ld", number);
    assert_true(endpoint_make(&e, address, 9876));
    return e;
}

static void ignore(const char *cluster, void *arg)
{
    (void)cluster;
    (void)arg;
}

static void claim_elsewhere(const char *cluster, long number)
{
    struct claim c = {.endpoint = endpoint(number), .good = true};
    assert_true(claims_set(claims, cluster, &c, 1, ignore, NULL));
}

/* "1+ 2- 3m 4?": registered as i1 to i4, passing, critical, in maintenance, without an address; each
 * further one of a number is i<number>b. */
static void registered(const char *words, struct buf *seen, struct instance *instances,
                       size_t *count, size_t *unusable)
{
    bool had[256] = {false};
    *count = *unusable = 0;
    for (const char *c = words; *c != '\0'; c++) {
        char *end, address[32], id[16];
        long n = strtol(c, &end, 10);
        (void)snprintf(address, sizeof address, "10.0.0.%ld", n);
        (void)snprintf(id, sizeof id, "i%ld%s", n, had[n] ? "b" : "");
        had[n] = true;
        struct report r = {.verdict = *end == '?' ? VERDICT_UNUSABLE : VERDICT_NONE,
                           .health = *end == '+'   ? HEALTH_GOOD
                                     : *end == 'm' ? HEALTH_MAINTENANCE
                                                   : HEALTH_BAD,
                           .registered = true,
                           .port = 9876,
                           .address = *end == '?' ? "host" : address,
                           .node = "n",
                           .service_id = id,
                           .check = "",
                           .status = "",
                           .detail = *end == '?' ? "no literal" : ""};
        assert_true(report_append(seen, &r));
        if (*end == '?')
            (*unusable)++;
        else
            instances[(*count)++] = (struct instance){.endpoint = endpoint(n), .health = r.health};
        c = end[1] == '\0' ? end : end + 1;
    }
}

static struct endpoint granted[16];
static struct grant given;

static void grant(void)
{
    struct claim list[16];
    for (size_t i = 0; i < admission.count; i++)
        list[i].endpoint = admission.members[i].endpoint;
    given = claims_grant(claims, "a", list, admission.count, granted);
}

static void judge(struct reports seen)
{
    struct judged j = {.cluster = "a",
                       .admission = &admission,
                       .claims = given.contested > 0 ? claims : NULL,
                       .granted = granted,
                       .granted_count = given.count,
                       .before = {.data = before.data, .len = before.len}};
    buf_reset(&judged);
    assert_true(verdicts_append(&j, seen, &judged));
    buf_reset(&before);
    assert_true(buf_append(&before, judged.data, judged.len));
}

/* Consul says so at that time. */
static void observe(const char *words, int64_t now_ms)
{
    struct instance instances[16];
    struct buf seen;
    struct decision d;
    struct admission_options options = {
        .settle_ms = 2000, .leave_delay_ms = 30000, .gone_delay_ms = 300000};
    struct observation o = {.instances = instances, .authoritative = true, .asked_ms = now_ms};
    buf_init(&seen, REPORTS_MAX);
    registered(words, &seen, instances, &o.count, &o.unusable);
    assert_true(admission_observe(&admission, &o, &options, now_ms, &d));
    grant();
    judge((struct reports){.data = seen.data, .len = seen.len});
    buf_clear(&seen);
}

/* "i1 served, i2 served-failing since 5000 until 35000 (detail)" */
static const char *verdicts(void)
{
    static char out[1024];
    size_t len = 0;
    struct reports at = {.data = judged.data, .len = judged.len};
    struct report r;
    out[0] = '\0';
    while (report_next(&at, &r)) {
        len += (size_t)snprintf(out + len, sizeof out - len, "%s%s %s", len > 0 ? ", " : "",
                                r.service_id, verdict_name(r.verdict));
        if (r.since_ms != 0)
            len += (size_t)snprintf(out + len, sizeof out - len, " since %ld until %ld",
                                    (long)r.since_ms, (long)r.leaves_ms);
        if (r.detail[0] != '\0')
            len += (size_t)snprintf(out + len, sizeof out - len, " (%s)", r.detail);
    }
    return out;
}

TEST(test_verdicts__what_is_healthy_is_served_and_the_rest_says_why_not)
{
    observe("1+ 2- 3m 4?", 1000);
    assert_string_equal(verdicts(), "i1 served, i2 failing, i3 maintenance, i4 unusable "
                                    "(no literal)");
}

TEST(test_verdicts__what_leaves_says_since_when_and_until_when)
{
    observe("1+ 2+ 3+", 1000);
    observe("1+ 2- 3m", 5000);
    assert_string_equal(verdicts(), "i1 served, i2 served-failing since 5000 until 35000, "
                                    "i3 served-maintenance since 5000 until 7000");
}

/* A reply that says the same makes the same bytes, whenever it comes. */
TEST(test_verdicts__the_same_reply_later_says_the_same)
{
    observe("1+ 2- 3+", 1000);
    observe("1+ 2- 3-", 5000);
    size_t len = judged.len;
    char *first = malloc(len + 1);
    assert_non_null(first);
    memcpy(first, judged.data, len);
    observe("1+ 2- 3-", 9000);
    assert_int_equal(judged.len, len);
    assert_memory_equal(judged.data, first, len);
    free(first);
}

TEST(test_verdicts__what_is_no_longer_registered_keeps_its_name_until_it_leaves)
{
    observe("1+ 2+", 1000);
    observe("1+", 5000);
    observe("1+", 6000);
    assert_string_equal(verdicts(), "i1 served, i2 served-deregistered since 5000 until 35000");
}

TEST(test_verdicts__ipv6_addresses_find_their_name_too)
{
    struct endpoint e;
    assert_true(endpoint_make(&e, "2001:db8::1", 9876));
    struct member m = {.endpoint = e, .leaving = true, .since_ms = 1, .leave_at_ms = 2};
    admission.members = malloc(sizeof m);
    assert_non_null(admission.members);
    admission.members[0] = m;
    admission.count = 1;
    admission.state = CLUSTER_LIVE;
    struct report r = {.registered = true,
                       .port = 9876,
                       .address = "2001:DB8::1",
                       .node = "n",
                       .service_id = "six",
                       .check = "",
                       .status = "",
                       .detail = ""};
    assert_true(report_append(&before, &r));
    grant();
    judge((struct reports){.data = NULL});
    assert_string_equal(verdicts(), "six served-deregistered since 1 until 2");
    struct reports at = {.data = judged.data, .len = judged.len};
    assert_true(report_next(&at, &r));
    assert_string_equal(r.address, "2001:db8::1");
}

TEST(test_verdicts__what_is_held_has_no_end)
{
    observe("1+ 2+", 1000);
    observe("1- 2-", 5000);
    assert_string_equal(verdicts(),
                        "i1 served-held since 5000 until 0, i2 served-held since 5000 until 0");
    observe("3-", 6000);
    assert_string_equal(verdicts(), "i3 failing, i1 served-held since 5000 until 0, "
                                    "i2 served-held since 5000 until 0");
}

TEST(test_verdicts__who_is_no_longer_registered_leaves_those_that_are_held)
{
    observe("1+ 2+", 1000);
    observe("1-", 5000);
    assert_string_equal(
        verdicts(),
        "i1 served-held since 5000 until 0, i2 served-deregistered since 5000 until 35000");
}

TEST(test_verdicts__what_is_held_with_nothing_registered_ends)
{
    observe("1+", 1000);
    observe("", 5000);
    assert_true(strstr(verdicts(), "i1 served-held since 5000 until 9") !=
                NULL); /* never, so far */
    observe("", 8000);
    assert_string_equal(verdicts(), "i1 served-held since 5000 until 308000");
    observe("1-", 9000);
    assert_string_equal(verdicts(), "i1 served-held since 5000 until 0");
}

TEST(test_verdicts__what_the_config_had_and_consul_never_says_so)
{
    struct endpoint e = endpoint(7);
    assert_true(admission_restore(&admission, &e, 1));
    admission_unpin(&admission);
    observe("1-", 5000);
    assert_string_equal(verdicts(),
                        "i1 failing,  served-held since 5000 until 0 (" REPORT_UNPINNED ")");
}

TEST(test_verdicts__the_end_of_a_hold_does_not_hide_since_when_one_fails)
{
    observe("1+ 2+", 1000);
    observe("1- 2-", 5000);
    observe("1- 2+", 11000);
    assert_string_equal(verdicts(), "i1 served-failing since 5000 until 41000, i2 served");
}

TEST(test_verdicts__an_address_that_another_cluster_claims_names_it)
{
    claim_elsewhere("z", 2);
    claim_elsewhere("b", 2);
    observe("1+ 2+", 1000);
    assert_string_equal(verdicts(), "i1 served, i2 contested (b)");
    observe("2+", 2000);
    observe("2+", 40000);
    assert_string_equal(verdicts(), "i2 served-shared (b)");
}

TEST(test_verdicts__of_two_registrations_of_one_address_the_healthier_counts)
{
    observe("1- 1+ 2+ 2+", 1000);
    assert_string_equal(verdicts(),
                        "i1 duplicate (i1b), i1b served, i2 served, i2b duplicate (i2)");
}

/* When what others claim changes, there is no reply of this cluster. */
TEST(test_verdicts__what_was_judged_can_be_judged_again)
{
    observe("1+ 2+ 3- 4?", 1000);
    observe("1+ 3- 4?", 2000);
    claim_elsewhere("b", 1);
    grant();
    struct buf seen;
    buf_init(&seen, REPORTS_MAX);
    assert_true(buf_append(&seen, before.data, before.len));
    judge((struct reports){.data = seen.data, .len = seen.len});
    assert_string_equal(verdicts(), "i1 contested (b), i3 failing, i4 unusable (no literal), "
                                    "i2 served-deregistered since 2000 until 32000");
    buf_clear(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_verdicts__what_is_healthy_is_served_and_the_rest_says_why_not, setup, teardown),
        cmocka_unit_test_setup_teardown(test_verdicts__what_leaves_says_since_when_and_until_when,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_verdicts__the_same_reply_later_says_the_same, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_verdicts__what_is_no_longer_registered_keeps_its_name_until_it_leaves, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_verdicts__ipv6_addresses_find_their_name_too, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_verdicts__what_is_held_has_no_end, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_verdicts__who_is_no_longer_registered_leaves_those_that_are_held, setup, teardown),
        cmocka_unit_test_setup_teardown(test_verdicts__what_is_held_with_nothing_registered_ends,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_verdicts__what_the_config_had_and_consul_never_says_so,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_verdicts__the_end_of_a_hold_does_not_hide_since_when_one_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_verdicts__an_address_that_another_cluster_claims_names_it, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_verdicts__of_two_registrations_of_one_address_the_healthier_counts, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_verdicts__what_was_judged_can_be_judged_again, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
