/* SPDX-License-Identifier: Apache-2.0 */
#include "announce/registrations.h"
#include "unit.h"

static struct registrations *set;

static int setup(void **state)
{
    (void)state;
    set = registrations_new();
    return set == NULL;
}

static int teardown(void **state)
{
    (void)state;
    registrations_free(set);
    return 0;
}

/* One that is to be registered. */
static struct registration *wanted(const char *id)
{
    struct registration *r = registrations_add(set, id);
    assert_non_null(r);
    r->wanted = true;
    return r;
}

/* Takes the next one's turn. */
static const char *next(void)
{
    struct registration *r = registrations_next(set);
    if (r == NULL)
        return "(none)";
    registrations_queue(set, r, TURN_NONE);
    return r->id;
}

TEST(test_registrations__turns_go_in_their_order)
{
    registrations_queue(set, wanted("last"), TURN_LAST);
    registrations_queue(set, wanted("repair"), TURN_REPAIR);
    registrations_queue(set, wanted("change"), TURN_CHANGE);
    registrations_queue(set, wanted("change 2"), TURN_CHANGE);
    registrations_queue(set, wanted("parent"), TURN_PARENT);
    assert_int_equal(registrations_queued(set), 5);
    static const char *const order[] = {"parent", "change", "change 2", "repair", "last", "(none)"};
    for (size_t i = 0; i < COUNT_OF(order); i++)
        assert_string_equal(next(), order[i]);
    assert_int_equal(registrations_queued(set), 0);
}

TEST(test_registrations__an_earlier_turn_is_kept_and_a_later_one_given_up)
{
    struct registration *up = wanted("up");
    registrations_queue(set, up, TURN_REPAIR);
    registrations_queue(set, up, TURN_CHANGE);
    struct registration *kept = wanted("kept");
    registrations_queue(set, kept, TURN_CHANGE);
    registrations_queue(set, kept, TURN_REPAIR);
    assert_int_equal(up->turn, TURN_CHANGE);
    assert_int_equal(kept->turn, TURN_CHANGE);
    assert_int_equal(registrations_queued(set), 2);
}

TEST(test_registrations__who_needs_nothing_loses_its_turn)
{
    struct registration *same = wanted("same");
    same->presence = PRESENCE_SAME;
    registrations_queue(set, same, TURN_REPAIR);
    assert_string_equal(next(), "(none)");
    assert_int_equal(same->turn, TURN_NONE);
    assert_ptr_equal(registrations_find(set, "same"), same);
}

TEST(test_registrations__who_is_neither_wanted_nor_there_is_forgotten)
{
    struct registration *r = registrations_add(set, "gone");
    assert_non_null(r);
    registrations_queue(set, r, TURN_CHANGE);
    assert_string_equal(next(), "(none)");
    assert_null(registrations_find(set, "gone"));
}

TEST(test_registrations__what_is_unsure_is_written_either_way)
{
    struct registration *r = wanted("r");
    r->presence = PRESENCE_UNSURE;
    assert_int_equal(registration_need(r), NEED_REGISTER);
    r->wanted = false;
    assert_int_equal(registration_need(r), NEED_DEREGISTER);
}

TEST(test_registrations__counts_what_consul_may_have)
{
    wanted("parent")->parent = true;
    registrations_find(set, "parent")->presence = PRESENCE_SAME;
    wanted("child")->presence = PRESENCE_UNSURE;
    (void)wanted("absent");
    assert_int_equal(registrations_present(set), 2);
    assert_int_equal(registrations_children(set), 1);
}

TEST(test_registrations__each_id_is_there_once)
{
    struct registration *r = wanted("r");
    assert_ptr_equal(registrations_add(set, "r"), r);
    registrations_queue(set, r, TURN_REPAIR);
    registrations_remove(set, r);
    assert_null(registrations_find(set, "r"));
    assert_int_equal(registrations_queued(set), 0);
}

TEST(test_registrations__free_takes_null)
{
    registrations_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_registrations__turns_go_in_their_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_registrations__an_earlier_turn_is_kept_and_a_later_one_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_registrations__who_needs_nothing_loses_its_turn, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_registrations__who_is_neither_wanted_nor_there_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_registrations__what_is_unsure_is_written_either_way,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_registrations__counts_what_consul_may_have, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_registrations__each_id_is_there_once, setup, teardown),
        cmocka_unit_test(test_registrations__free_takes_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
