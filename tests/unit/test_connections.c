/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "serve/connections.h"
#include "unit.h"

#define HEADER_MS 10000
#define IDLE_MS 60000
#define LOOK_MS (HEADER_MS / 4)
#define SLOW_MS 1000
/* Some time in the life of a machine. */
#define NOW INT64_C(5000000)
#define MANY 16
#define STEPS 200000

static struct connections all;
static struct connection a, b, c;

static int setup(void **state)
{
    (void)state;
    a = b = c = (struct connection){.fd = -1};
    connections_init(&all, HEADER_MS, IDLE_MS);
    return 0;
}

static void add(struct connection *which, int64_t now_ms)
{
    connections_add(&all, which, 7, now_ms);
}

static void add_idle(struct connection *which, int64_t now_ms)
{
    add(which, now_ms);
    connections_answered(&all, which, now_ms);
}

static const struct connection *victim(const struct connection *but, int64_t now_ms)
{
    return connections_victim(&all, but, now_ms);
}

TEST(test_connections__there_is_nothing_to_do_without_any)
{
    assert_int_equal(all.count, 0);
    assert_null(connections_late(&all, INT64_MAX / 2));
    assert_null(connections_next_look(&all, INT64_MAX / 2));
    assert_null(victim(NULL, NOW));
    assert_true(connections_next_ms(&all) == CLOCK_NEVER);
}

/* -- deadlines ------------------------------------------------------------------------------- */

TEST(test_connections__a_new_one_owes_its_request_from_its_start_on)
{
    add(&a, NOW);
    assert_int_equal(a.state, CONNECTION_WAITING);
    assert_int_equal(a.fd, 7);
    assert_true(connections_next_ms(&all) == NOW + HEADER_MS);
    assert_null(connections_late(&all, NOW + HEADER_MS - 1));
    assert_ptr_equal(connections_late(&all, NOW + HEADER_MS), &a);
}

TEST(test_connections__reading_on_moves_no_deadline)
{
    add(&a, NOW);
    connections_asked(&all, &a, NOW + HEADER_MS - 1);
    assert_true(connections_next_ms(&all) == NOW + HEADER_MS);
    assert_ptr_equal(connections_late(&all, NOW + HEADER_MS), &a);
}

TEST(test_connections__an_answered_one_may_be_idle_for_longer)
{
    add(&a, NOW);
    connections_answered(&all, &a, NOW + 5);
    assert_int_equal(a.state, CONNECTION_IDLE);
    assert_null(connections_late(&all, NOW + 5 + IDLE_MS - 1));
    assert_ptr_equal(connections_late(&all, NOW + 5 + IDLE_MS), &a);
}

TEST(test_connections__the_next_request_has_a_deadline_of_its_own)
{
    add_idle(&a, NOW);
    connections_asked(&all, &a, NOW + 30000);
    assert_int_equal(a.state, CONNECTION_WAITING);
    assert_null(connections_late(&all, NOW + 30000 + HEADER_MS - 1));
    assert_ptr_equal(connections_late(&all, NOW + 30000 + HEADER_MS), &a);
}

TEST(test_connections__being_answered_twice_starts_no_new_idle_time)
{
    add_idle(&a, NOW);
    connections_answered(&all, &a, NOW + IDLE_MS - 1);
    assert_ptr_equal(connections_late(&all, NOW + IDLE_MS), &a);
}

TEST(test_connections__of_the_late_the_waiting_come_first_each_in_turn)
{
    add_idle(&a, NOW);
    add(&b, NOW + 1);
    add(&c, NOW + 2);
    int64_t end = NOW + IDLE_MS;
    assert_ptr_equal(connections_late(&all, end), &b);
    connections_dropped(&all, &b);
    assert_ptr_equal(connections_late(&all, end), &c);
    connections_dropped(&all, &c);
    assert_ptr_equal(connections_late(&all, end), &a);
    connections_dropped(&all, &a);
    assert_null(connections_late(&all, end));
}

TEST(test_connections__one_that_was_asked_goes_behind_those_that_waited_before)
{
    add_idle(&a, NOW);
    add(&b, NOW + 1);
    connections_asked(&all, &a, NOW + 2);
    assert_ptr_equal(connections_late(&all, NOW + 2 + HEADER_MS), &b);
    connections_remove(&all, &b);
    assert_ptr_equal(connections_late(&all, NOW + 2 + HEADER_MS), &a);
}

/* An idle time may be shorter than the time a request may take. */
TEST(test_connections__a_short_idle_time_does_not_touch_who_waits)
{
    connections_init(&all, HEADER_MS, 1000);
    add(&a, NOW);
    add_idle(&b, NOW);
    assert_ptr_equal(connections_late(&all, NOW + 1000), &b);
    connections_dropped(&all, &b);
    assert_null(connections_late(&all, NOW + HEADER_MS - 1));
}

TEST(test_connections__who_was_slow_already_is_not_waited_for)
{
    assert_false(connections_waits(&all, NOW));
    add_idle(&c, NOW);
    add(&a, NOW);
    assert_true(connections_waits(&all, NOW + SLOW_MS - 1));
    assert_false(connections_waits(&all, NOW + SLOW_MS));
    add(&b, NOW + 1);
    assert_true(connections_waits(&all, NOW + SLOW_MS));
    connections_remove(&all, &b);
    assert_false(connections_waits(&all, NOW + SLOW_MS));
}

TEST(test_connections__the_next_time_is_the_earliest_of_all)
{
    add_idle(&a, NOW);
    assert_true(connections_next_ms(&all) == NOW + LOOK_MS);
    add(&b, NOW - HEADER_MS + 1);
    assert_true(connections_next_ms(&all) == NOW + 1);
    connections_dropped(&all, &b);
    connections_init(&all, HEADER_MS, LOOK_MS - 1);
    add_idle(&c, NOW);
    assert_true(connections_next_ms(&all) == NOW + LOOK_MS - 1);
}

/* -- looks ----------------------------------------------------------------------------------- */

TEST(test_connections__an_idle_one_is_looked_at_four_times_within_the_time_of_a_request)
{
    add_idle(&a, NOW);
    int looks = 0;
    for (int64_t now = NOW; now <= NOW + HEADER_MS; now++)
        looks += connections_next_look(&all, now) == &a;
    assert_int_equal(looks, 4);
}

TEST(test_connections__a_look_is_due_once)
{
    add_idle(&a, NOW);
    assert_null(connections_next_look(&all, NOW + LOOK_MS - 1));
    assert_ptr_equal(connections_next_look(&all, NOW + LOOK_MS), &a);
    assert_null(connections_next_look(&all, NOW + LOOK_MS));
    assert_true(connections_next_ms(&all) == NOW + 2 * LOOK_MS);
}

TEST(test_connections__looks_come_in_their_order)
{
    add_idle(&a, NOW);
    add_idle(&b, NOW + 1);
    assert_ptr_equal(connections_next_look(&all, NOW + LOOK_MS + 1), &a);
    assert_ptr_equal(connections_next_look(&all, NOW + LOOK_MS + 1), &b);
    assert_null(connections_next_look(&all, NOW + LOOK_MS + 1));
}

TEST(test_connections__only_the_idle_are_looked_at)
{
    add(&a, NOW);
    add_idle(&b, NOW);
    connections_asked(&all, &b, NOW + 1);
    add_idle(&c, NOW);
    connections_dropped(&all, &c);
    assert_null(connections_next_look(&all, NOW + HEADER_MS));
}

/* -- whom to drop ---------------------------------------------------------------------------- */

TEST(test_connections__the_slowest_goes_first)
{
    add_idle(&a, NOW - IDLE_MS + 1);
    add(&b, NOW);
    add(&c, NOW + 1);
    assert_ptr_equal(victim(NULL, NOW + SLOW_MS + 1), &b);
    connections_dropped(&all, &b);
    assert_ptr_equal(victim(NULL, NOW + SLOW_MS + 1), &c);
    connections_dropped(&all, &c);
    assert_ptr_equal(victim(NULL, NOW + SLOW_MS + 1), &a);
}

TEST(test_connections__who_asked_just_now_is_kept_for_the_idle)
{
    add(&a, NOW);
    add_idle(&b, NOW);
    add_idle(&c, NOW + 1);
    assert_ptr_equal(victim(NULL, NOW + SLOW_MS - 1), &b);
    connections_dropped(&all, &b);
    assert_ptr_equal(victim(NULL, NOW + SLOW_MS - 1), &c);
    connections_dropped(&all, &c);
    assert_ptr_equal(victim(NULL, NOW + SLOW_MS - 1), &a);
    connections_dropped(&all, &a);
    assert_null(victim(NULL, NOW + SLOW_MS - 1));
}

TEST(test_connections__an_answer_makes_the_busy_the_last_of_the_idle)
{
    add_idle(&a, NOW);
    add_idle(&b, NOW + 1);
    connections_asked(&all, &a, NOW + 2);
    connections_answered(&all, &a, NOW + 3);
    assert_ptr_equal(victim(NULL, NOW + 4), &b);
}

TEST(test_connections__the_one_to_make_room_for_is_never_the_victim)
{
    add(&a, NOW);
    assert_null(victim(&a, NOW));
    assert_null(victim(&a, NOW + SLOW_MS));
    add(&b, NOW + 1);
    assert_ptr_equal(victim(&a, NOW + SLOW_MS + 1), &b);
    connections_answered(&all, &a, NOW + 2);
    assert_ptr_equal(victim(&a, NOW + 2), &b);
    add_idle(&c, NOW + 3);
    assert_ptr_equal(victim(&a, NOW + 3), &c);
}

/* -- whose to drop, of several threads ------------------------------------------------------- */

static int64_t urgency(int64_t waiting_ms, int64_t idle_ms)
{
    struct connections_oldest oldest = {.waiting_ms = waiting_ms, .idle_ms = idle_ms};
    return connections_urgency(oldest, NOW);
}

TEST(test_connections__tell_since_when_the_first_of_each_kind_is_so)
{
    struct connections_oldest none = connections_oldest(&all, NULL);
    assert_true(none.waiting_ms == CLOCK_NEVER && none.idle_ms == CLOCK_NEVER);
    add(&a, NOW);
    add(&b, NOW + 1);
    add_idle(&c, NOW + 2);
    struct connections_oldest oldest = connections_oldest(&all, NULL);
    assert_true(oldest.waiting_ms == NOW && oldest.idle_ms == NOW + 2);
    assert_true(connections_oldest(&all, &a).waiting_ms == NOW + 1);
    assert_true(connections_oldest(&all, &b).waiting_ms == NOW);
    assert_true(connections_oldest(&all, &c).idle_ms == CLOCK_NEVER);
}

TEST(test_connections__nobody_is_dropped_from_where_nobody_is)
{
    assert_int_equal(urgency(CLOCK_NEVER, CLOCK_NEVER), 0);
    assert_true(urgency(NOW, CLOCK_NEVER) > 0);
    assert_true(urgency(CLOCK_NEVER, NOW) > 0);
}

/* An hour is the longest there is; another thread's may be newer than our own time. */
TEST(test_connections__urgency_is_in_the_order_in_which_one_thread_drops)
{
    static const int64_t never = CLOCK_NEVER, hour = 3600000;
    const struct connections_oldest order[] = {
        {NOW - 2 * hour, never},
        {NOW - hour, NOW - 2 * hour},
        {NOW - SLOW_MS - 1, NOW - 2 * hour},
        {NOW - SLOW_MS, NOW},
        {never, NOW - 2 * hour},
        {NOW - SLOW_MS + 1, NOW - hour},
        {NOW, NOW - 1},
        {never, NOW},
        {NOW - SLOW_MS + 1, never},
        {NOW - 1, never},
        {NOW, never},
        {never, never},
    };
    for (size_t i = 0; i + 1 < COUNT_OF(order); i++)
        assert_true(connections_urgency(order[i], NOW) > connections_urgency(order[i + 1], NOW));
    assert_int_equal(urgency(NOW + 50, never), urgency(NOW, never));
    assert_int_equal(urgency(never, NOW + 50), urgency(never, NOW));
}

/* -- ends ------------------------------------------------------------------------------------ */

TEST(test_connections__a_dropped_one_only_counts_until_it_is_removed)
{
    add(&a, NOW);
    add_idle(&b, NOW);
    connections_dropped(&all, &a);
    connections_dropped(&all, &b);
    assert_int_equal(all.count, 2);
    assert_null(connections_late(&all, NOW + IDLE_MS));
    assert_null(victim(NULL, NOW + IDLE_MS));
    assert_true(connections_next_ms(&all) == CLOCK_NEVER);
    connections_remove(&all, &a);
    connections_remove(&all, &b);
    assert_int_equal(all.count, 0);
}

TEST(test_connections__a_dropped_one_stays_dropped_whatever_its_request_does)
{
    add(&a, NOW);
    connections_dropped(&all, &a);
    connections_asked(&all, &a, NOW);
    connections_answered(&all, &a, NOW);
    assert_int_equal(a.state, CONNECTION_DROPPED);
    assert_true(connections_next_ms(&all) == CLOCK_NEVER);
}

TEST(test_connections__a_removed_one_is_in_no_list)
{
    add(&a, NOW);
    add_idle(&b, NOW);
    connections_remove(&all, &a);
    connections_remove(&all, &b);
    assert_int_equal(all.count, 0);
    assert_null(all.waiting);
    assert_null(all.idle);
    assert_null(all.looks);
}

/* -- against a plain model ------------------------------------------------------------------- */

struct model {
    bool open;
    enum connection_state state;
    int64_t since_ms;
};

static struct connection many[MANY];
static struct model models[MANY];

/* The one in this state for longest, or -1. */
static int longest(enum connection_state state)
{
    int found = -1;
    for (int i = 0; i < MANY; i++)
        if (models[i].open && models[i].state == state &&
            (found < 0 || models[i].since_ms < models[found].since_ms))
            found = i;
    return found;
}

static int index_of(const struct connection *which)
{
    return which == NULL ? -1 : (int)(which - many);
}

static void agree(int64_t now_ms)
{
    size_t count = 0;
    for (int i = 0; i < MANY; i++)
        count += models[i].open;
    assert_int_equal(all.count, count);
    int waiting = longest(CONNECTION_WAITING), idle = longest(CONNECTION_IDLE);
    bool slow = waiting >= 0 && now_ms - models[waiting].since_ms >= SLOW_MS;
    assert_int_equal(index_of(victim(NULL, now_ms)), slow || idle < 0 ? waiting : idle);
    int64_t much = connections_urgency(connections_oldest(&all, NULL), now_ms);
    assert_int_equal(much > 0, waiting >= 0 || idle >= 0);
    int late = -1;
    if (idle >= 0 && now_ms - models[idle].since_ms >= IDLE_MS)
        late = idle;
    if (waiting >= 0 && now_ms - models[waiting].since_ms >= HEADER_MS)
        late = waiting;
    assert_int_equal(index_of(connections_late(&all, now_ms)), late);
}

static void step(int i, int what, int64_t now_ms)
{
    struct model *m = &models[i];
    if (!m->open) {
        connections_add(&all, &many[i], i, now_ms);
        *m = (struct model){.open = true, .state = CONNECTION_WAITING, .since_ms = now_ms};
    } else if (what < 4) {
        connections_asked(&all, &many[i], now_ms);
        if (m->state == CONNECTION_IDLE)
            *m = (struct model){.open = true, .state = CONNECTION_WAITING, .since_ms = now_ms};
    } else if (what < 8) {
        connections_answered(&all, &many[i], now_ms);
        if (m->state == CONNECTION_WAITING)
            *m = (struct model){.open = true, .state = CONNECTION_IDLE, .since_ms = now_ms};
    } else if (what == 8 && m->state != CONNECTION_DROPPED) {
        connections_dropped(&all, &many[i]);
        m->state = CONNECTION_DROPPED;
    } else if (what == 9) {
        connections_remove(&all, &many[i]);
        m->open = false;
    }
}

TEST(test_connections__agree_with_a_plain_list_over_a_random_history)
{
    struct jitter random;
    jitter_seed(&random, 20260117);
    int64_t now_ms = NOW;
    int64_t looked_ms[MANY] = {0};
    for (int n = 0; n < STEPS; n++) {
        /* Each at a moment of its own, so that the oldest is always one. */
        now_ms += 1 + jitter_upto(&random, n % 100 == 0 ? IDLE_MS / 4 : 200);
        int i = (int)jitter_upto(&random, MANY - 1);
        step(i, (int)jitter_upto(&random, 9), now_ms);
        struct connection *look;
        while ((look = connections_next_look(&all, now_ms)) != NULL) {
            assert_int_equal(models[index_of(look)].state, CONNECTION_IDLE);
            looked_ms[index_of(look)] = now_ms;
        }
        /* Nobody is idle for longer than the time between looks without one. */
        for (int k = 0; k < MANY; k++)
            if (models[k].open && models[k].state == CONNECTION_IDLE)
                assert_true(now_ms - models[k].since_ms < LOOK_MS ||
                            now_ms - looked_ms[k] < LOOK_MS);
        agree(now_ms);
    }
}
TEST(test_connections__another_timeout_holds_for_those_that_are_open)
{
    add(&a, NOW);
    add_idle(&b, NOW);
    connections_set_timeouts(&all, HEADER_MS, IDLE_MS, NOW);
    assert_null(connections_late(&all, NOW + 2000));
    connections_set_timeouts(&all, 2000, IDLE_MS, NOW);
    assert_ptr_equal(connections_late(&all, NOW + 2000), &a);
    connections_dropped(&all, &a);
    assert_null(connections_late(&all, NOW + 3000));
    connections_set_timeouts(&all, 2000, 3000, NOW);
    assert_ptr_equal(connections_late(&all, NOW + 3000), &b);
}

TEST(test_connections__who_is_idle_is_looked_at_as_often_as_a_shorter_timeout_wants)
{
    add_idle(&a, NOW);
    connections_set_timeouts(&all, 2000, IDLE_MS, NOW + 10);
    assert_null(connections_next_look(&all, NOW + 509));
    assert_ptr_equal(connections_next_look(&all, NOW + 510), &a);
    assert_ptr_equal(connections_next_look(&all, NOW + 1010), &a);
    /* A longer one moves no look that is planned. */
    connections_set_timeouts(&all, HEADER_MS, IDLE_MS, NOW + 1010);
    assert_ptr_equal(connections_next_look(&all, NOW + 1510), &a);
    assert_null(connections_next_look(&all, NOW + 1510 + LOOK_MS - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_connections__there_is_nothing_to_do_without_any, setup),
        cmocka_unit_test_setup(test_connections__a_new_one_owes_its_request_from_its_start_on,
                               setup),
        cmocka_unit_test_setup(test_connections__reading_on_moves_no_deadline, setup),
        cmocka_unit_test_setup(test_connections__an_answered_one_may_be_idle_for_longer, setup),
        cmocka_unit_test_setup(test_connections__the_next_request_has_a_deadline_of_its_own, setup),
        cmocka_unit_test_setup(test_connections__being_answered_twice_starts_no_new_idle_time,
                               setup),
        cmocka_unit_test_setup(test_connections__of_the_late_the_waiting_come_first_each_in_turn,
                               setup),
        cmocka_unit_test_setup(
            test_connections__one_that_was_asked_goes_behind_those_that_waited_before, setup),
        cmocka_unit_test_setup(test_connections__a_short_idle_time_does_not_touch_who_waits, setup),
        cmocka_unit_test_setup(test_connections__who_was_slow_already_is_not_waited_for, setup),
        cmocka_unit_test_setup(test_connections__the_next_time_is_the_earliest_of_all, setup),
        cmocka_unit_test_setup(
            test_connections__an_idle_one_is_looked_at_four_times_within_the_time_of_a_request,
            setup),
        cmocka_unit_test_setup(test_connections__a_look_is_due_once, setup),
        cmocka_unit_test_setup(test_connections__looks_come_in_their_order, setup),
        cmocka_unit_test_setup(test_connections__only_the_idle_are_looked_at, setup),
        cmocka_unit_test_setup(test_connections__the_slowest_goes_first, setup),
        cmocka_unit_test_setup(test_connections__who_asked_just_now_is_kept_for_the_idle, setup),
        cmocka_unit_test_setup(test_connections__an_answer_makes_the_busy_the_last_of_the_idle,
                               setup),
        cmocka_unit_test_setup(test_connections__the_one_to_make_room_for_is_never_the_victim,
                               setup),
        cmocka_unit_test_setup(test_connections__tell_since_when_the_first_of_each_kind_is_so,
                               setup),
        cmocka_unit_test_setup(test_connections__nobody_is_dropped_from_where_nobody_is, setup),
        cmocka_unit_test_setup(test_connections__urgency_is_in_the_order_in_which_one_thread_drops,
                               setup),
        cmocka_unit_test_setup(test_connections__a_dropped_one_only_counts_until_it_is_removed,
                               setup),
        cmocka_unit_test_setup(
            test_connections__a_dropped_one_stays_dropped_whatever_its_request_does, setup),
        cmocka_unit_test_setup(test_connections__a_removed_one_is_in_no_list, setup),
        cmocka_unit_test_setup(test_connections__agree_with_a_plain_list_over_a_random_history,
                               setup),
        cmocka_unit_test_setup(test_connections__another_timeout_holds_for_those_that_are_open,
                               setup),
        cmocka_unit_test_setup(
            test_connections__who_is_idle_is_looked_at_as_often_as_a_shorter_timeout_wants, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
