/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "model/report.h"
#include "unit.h"

static struct buf packed;

static int setup(void **state)
{
    (void)state;
    buf_init(&packed, REPORTS_MAX);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_clear(&packed);
    return 0;
}

static struct report report(const char *address)
{
    return (struct report){.verdict = VERDICT_FAILING,
                           .health = HEALTH_BAD,
                           .registered = true,
                           .port = 9876,
                           .since_ms = 1000,
                           .leaves_ms = 31000,
                           .address = address,
                           .node = "n1",
                           .service_id = "ns-1",
                           .check = "port 9876",
                           .status = "critical",
                           .detail = ""};
}

static struct reports all(void)
{
    return (struct reports){.data = packed.data, .len = packed.len};
}

TEST(test_report__what_is_packed_comes_out_again_in_order)
{
    struct report one = report("10.0.0.1"), two = report("2001:db8::1"), out;
    two.registered = false;
    assert_true(report_append(&packed, &one));
    assert_true(report_append(&packed, &two));
    struct reports at = all();
    assert_true(report_next(&at, &out));
    assert_string_equal(out.address, "10.0.0.1");
    assert_int_equal(out.verdict, VERDICT_FAILING);
    assert_int_equal(out.health, HEALTH_BAD);
    assert_true(out.registered);
    assert_int_equal(out.port, 9876);
    assert_int_equal(out.since_ms, 1000);
    assert_int_equal(out.leaves_ms, 31000);
    assert_string_equal(out.node, "n1");
    assert_string_equal(out.service_id, "ns-1");
    assert_string_equal(out.check, "port 9876");
    assert_string_equal(out.status, "critical");
    assert_string_equal(out.detail, "");
    assert_true(report_next(&at, &out));
    assert_string_equal(out.address, "2001:db8::1");
    assert_false(out.registered);
    assert_false(report_next(&at, &out));
}

TEST(test_report__no_reports_are_none)
{
    struct reports at = {.data = NULL};
    struct report out;
    assert_false(report_next(&at, &out));
}

TEST(test_report__long_texts_are_cut_between_characters)
{
    char name[200];
    struct report one = report("10.0.0.1"), out;
    memset(name, 'x', sizeof name);
    memcpy(name + 127, "\xc3\xa9", 2); /* would end behind the limit */
    name[sizeof name - 1] = '\0';
    one.node = name;
    assert_true(report_append(&packed, &one));
    struct reports at = all();
    assert_true(report_next(&at, &out));
    assert_int_equal(strlen(out.node), 127);
    assert_string_equal(out.service_id, "ns-1");
}

TEST(test_report__what_finds_no_room_is_left_out)
{
    struct report one = report("10.0.0.1"), out;
    for (size_t i = 0; i < 10000; i++)
        assert_true(report_append(&packed, &one));
    assert_true(packed.len <= REPORTS_MAX);
    assert_true(packed.len > REPORTS_MAX - 200);
    struct reports at = all();
    while (report_next(&at, &out))
        assert_string_equal(out.address, "10.0.0.1");
}

TEST(test_report__every_verdict_has_a_word_of_its_own)
{
    for (enum verdict a = 0; a < VERDICTS; a++)
        for (enum verdict b = 0; b < a; b++)
            assert_string_not_equal(verdict_name(a), verdict_name(b));
}

TEST(test_report__what_is_served_without_more_is_no_trouble)
{
    for (enum verdict v = 0; v < VERDICTS; v++)
        assert_int_equal(verdict_is_trouble(v), v != VERDICT_SERVED && v != VERDICT_NONE);
    assert_true(verdict_is_served(VERDICT_HELD));
    assert_false(verdict_is_served(VERDICT_CONTESTED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_report__what_is_packed_comes_out_again_in_order, setup,
                                        teardown),
        cmocka_unit_test(test_report__no_reports_are_none),
        cmocka_unit_test_setup_teardown(test_report__long_texts_are_cut_between_characters, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_report__what_finds_no_room_is_left_out, setup,
                                        teardown),
        cmocka_unit_test(test_report__every_verdict_has_a_word_of_its_own),
        cmocka_unit_test(test_report__what_is_served_without_more_is_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
