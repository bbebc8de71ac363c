/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/timers.h"
#include "unit.h"

/* The names of the timers that fired, in order. */
static char fired[64];

static void note(void *arg)
{
    const char *name = arg;
    size_t len = strlen(fired);
    fired[len] = *name;
    fired[len + 1] = '\0';
}

static struct timer a, b, c;

static struct timers fresh(void)
{
    static char names[] = "a\0b\0c";
    fired[0] = '\0';
    a = TIMER(note, &names[0]);
    b = TIMER(note, &names[2]);
    c = TIMER(note, &names[4]);
    return (struct timers){.root = NULL};
}

TEST(test_timers__fire_earliest_first)
{
    struct timers t = fresh();
    timers_set(&t, &b, 20);
    timers_set(&t, &c, 30);
    timers_set(&t, &a, 10);
    timers_run(&t, 100);
    assert_string_equal(fired, "abc");
}

TEST(test_timers__fire_at_their_time_and_not_before)
{
    struct timers t = fresh();
    timers_set(&t, &a, 10);
    timers_run(&t, 9);
    assert_string_equal(fired, "");
    timers_run(&t, 10);
    assert_string_equal(fired, "a");
}

TEST(test_timers__fire_once)
{
    struct timers t = fresh();
    timers_set(&t, &a, 10);
    timers_run(&t, 10);
    timers_run(&t, 1000);
    assert_string_equal(fired, "a");
    assert_false(a.set);
}

TEST(test_timers__leave_the_later_ones_set)
{
    struct timers t = fresh();
    timers_set(&t, &a, 10);
    timers_set(&t, &b, 20);
    timers_run(&t, 15);
    assert_string_equal(fired, "a");
    assert_int_equal(timers_next(&t), 20);
}

TEST(test_timers__next_is_never_without_timers)
{
    struct timers t = fresh();
    assert_true(timers_next(&t) == CLOCK_NEVER);
    timers_set(&t, &a, 10);
    timers_cancel(&t, &a);
    assert_true(timers_next(&t) == CLOCK_NEVER);
}

TEST(test_timers__next_is_the_earliest)
{
    struct timers t = fresh();
    timers_set(&t, &a, 30);
    timers_set(&t, &b, 10);
    timers_set(&t, &c, 20);
    assert_int_equal(timers_next(&t), 10);
}

TEST(test_timers__cancelled_ones_do_not_fire)
{
    struct timers t = fresh();
    timers_set(&t, &a, 10);
    timers_set(&t, &b, 20);
    timers_set(&t, &c, 30);
    timers_cancel(&t, &b);
    timers_run(&t, 100);
    assert_string_equal(fired, "ac");
}

TEST(test_timers__cancelling_one_that_is_not_set_does_nothing)
{
    struct timers t = fresh();
    timers_set(&t, &a, 10);
    timers_cancel(&t, &b);
    timers_run(&t, 100);
    assert_string_equal(fired, "a");
}

TEST(test_timers__setting_again_moves_to_a_later_time)
{
    struct timers t = fresh();
    timers_set(&t, &a, 10);
    timers_set(&t, &b, 20);
    timers_set(&t, &a, 30);
    timers_run(&t, 100);
    assert_string_equal(fired, "ba");
}

TEST(test_timers__setting_again_moves_to_an_earlier_time)
{
    struct timers t = fresh();
    timers_set(&t, &a, 10);
    timers_set(&t, &b, 20);
    timers_set(&t, &b, 5);
    timers_run(&t, 100);
    assert_string_equal(fired, "ba");
}

TEST(test_timers__times_before_zero_are_times)
{
    struct timers t = fresh();
    timers_set(&t, &a, -10);
    timers_set(&t, &b, -20);
    timers_run(&t, -10);
    assert_string_equal(fired, "ba");
}

struct setter {
    struct timers *timers;
    struct timer *sets;
    int64_t at_ms;
};

static void set_another(void *arg)
{
    const struct setter *s = arg;
    timers_set(s->timers, s->sets, s->at_ms);
}

TEST(test_timers__one_set_by_another_for_a_time_due_fires_in_the_same_run)
{
    struct timers t = fresh();
    struct setter s = {.timers = &t, .sets = &b, .at_ms = 50};
    a = TIMER(set_another, &s);
    timers_set(&t, &a, 10);
    timers_run(&t, 100);
    assert_string_equal(fired, "b");
}

TEST(test_timers__one_set_by_another_for_later_waits)
{
    struct timers t = fresh();
    struct setter s = {.timers = &t, .sets = &b, .at_ms = 150};
    a = TIMER(set_another, &s);
    timers_set(&t, &a, 10);
    timers_run(&t, 100);
    assert_string_equal(fired, "");
    timers_run(&t, 150);
    assert_string_equal(fired, "b");
}

TEST(test_timers__one_can_move_another_that_is_due_in_the_same_run)
{
    struct timers t = fresh();
    struct setter s = {.timers = &t, .sets = &b, .at_ms = 150};
    a = TIMER(set_another, &s);
    timers_set(&t, &a, 10);
    timers_set(&t, &b, 20);
    timers_run(&t, 100);
    assert_string_equal(fired, "");
    assert_int_equal(timers_next(&t), 150);
}

static void cancel_another(void *arg)
{
    const struct setter *s = arg;
    timers_cancel(s->timers, s->sets);
}

TEST(test_timers__one_can_cancel_another_that_is_due_in_the_same_run)
{
    struct timers t = fresh();
    struct setter s = {.timers = &t, .sets = &b};
    a = TIMER(cancel_another, &s);
    timers_set(&t, &a, 10);
    timers_set(&t, &b, 20);
    timers_run(&t, 100);
    assert_string_equal(fired, "");
}

/* -- a long random history beside a plain list ----------------------------------------------- */

#define MANY 150

struct model {
    struct timer timer;
    struct model *self;
    bool set;
    int64_t at_ms;
};

static struct model model[MANY];
static int64_t run_now, last_fired;

static void check_fired(void *arg)
{
    struct model *m = arg;
    assert_true(m->set);
    assert_true(m->at_ms <= run_now);
    assert_true(m->at_ms >= last_fired);
    last_fired = m->at_ms;
    m->set = false;
}

static int64_t model_next(void)
{
    int64_t next = CLOCK_NEVER;
    for (size_t i = 0; i < MANY; i++)
        if (model[i].set && model[i].at_ms < next)
            next = model[i].at_ms;
    return next;
}

TEST(test_timers__agree_with_a_plain_list_over_a_random_history)
{
    struct timers t = {.root = NULL};
    struct jitter j;
    jitter_seed(&j, 4711);
    run_now = 0;
    for (size_t i = 0; i < MANY; i++)
        model[i] = (struct model){.timer = TIMER(check_fired, &model[i])};
    for (int step = 0; step < 20000; step++) {
        struct model *m = &model[jitter_upto(&j, MANY - 1)];
        int64_t dice = jitter_upto(&j, 9);
        if (dice < 6) {
            m->set = true;
            m->at_ms = run_now + jitter_upto(&j, 500) - 50;
            timers_set(&t, &m->timer, m->at_ms);
        } else if (dice < 9) {
            m->set = false;
            timers_cancel(&t, &m->timer);
        } else {
            run_now += jitter_upto(&j, 100);
            last_fired = INT64_MIN;
            timers_run(&t, run_now);
            assert_true(model_next() > run_now);
        }
        assert_true(timers_next(&t) == model_next());
    }
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers__fire_earliest_first),
        cmocka_unit_test(test_timers__fire_at_their_time_and_not_before),
        cmocka_unit_test(test_timers__fire_once),
        cmocka_unit_test(test_timers__leave_the_later_ones_set),
        cmocka_unit_test(test_timers__next_is_never_without_timers),
        cmocka_unit_test(test_timers__next_is_the_earliest),
        cmocka_unit_test(test_timers__cancelled_ones_do_not_fire),
        cmocka_unit_test(test_timers__cancelling_one_that_is_not_set_does_nothing),
        cmocka_unit_test(test_timers__setting_again_moves_to_a_later_time),
        cmocka_unit_test(test_timers__setting_again_moves_to_an_earlier_time),
        cmocka_unit_test(test_timers__times_before_zero_are_times),
        cmocka_unit_test(test_timers__one_set_by_another_for_a_time_due_fires_in_the_same_run),
        cmocka_unit_test(test_timers__one_set_by_another_for_later_waits),
        cmocka_unit_test(test_timers__one_can_move_another_that_is_due_in_the_same_run),
        cmocka_unit_test(test_timers__one_can_cancel_another_that_is_due_in_the_same_run),
        cmocka_unit_test(test_timers__agree_with_a_plain_list_over_a_random_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
