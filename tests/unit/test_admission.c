/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "model/admission.h"
#include "unit.h"

#define SETTLE 2000
#define LEAVE 30000
#define GONE 300000
#define DAY INT64_C(86400000)

/* -- a cluster in few words ------------------------------------------------------------------ */

static struct admission cluster;
static struct admission_options options;
static struct decision decision;
static int64_t leave_floor;
static int64_t losing_floor;

static int setup(void **state)
{
    (void)state;
    admission_init(&cluster);
    options = (struct admission_options){
        .settle_ms = SETTLE, .leave_delay_ms = LEAVE, .gone_delay_ms = GONE};
    decision = (struct decision){.why = NULL};
    leave_floor = losing_floor = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    admission_clear(&cluster);
    return 0;
}

static struct endpoint node(long n)
{
    struct endpoint e;
    char address[32];
    (void)snprintf(address, sizeof address, "10.0.0.%ld", n);
    assert_true(endpoint_make(&e, address, 9876));
    return e;
}

/* Words such as "1+ 2- 3m ?": 10.0.0.1 good, .2 failing, .3 in maintenance, one without address. */
static void observe(int64_t asked, int64_t now, bool authoritative, const char *words)
{
    struct instance list[16];
    struct observation o = {.instances = list,
                            .authoritative = authoritative,
                            .asked_ms = asked,
                            .leave_floor_ms = leave_floor,
                            .losing_floor_ms =
                                losing_floor > leave_floor ? losing_floor : leave_floor};
    for (const char *c = words; *c != '\0'; c++) {
        char *end;
        if (*c == '?')
            o.unusable++;
        if (*c == '?' || *c == ' ')
            continue;
        struct instance *i = &list[o.count++];
        i->endpoint = node(strtol(c, &end, 10));
        i->health = *end == '+' ? HEALTH_GOOD : *end == 'm' ? HEALTH_MAINTENANCE : HEALTH_BAD;
        c = end;
    }
    assert_true(admission_observe(&cluster, &o, &options, now, &decision));
}

static void read_at(int64_t now, const char *words)
{
    observe(now, now, true, words);
}

static void watch_at(int64_t now, const char *words)
{
    observe(now, now, false, words);
}

/* A reply that was looked at long after its read had been asked for. */
static void late_read(int64_t asked, int64_t now, const char *words)
{
    observe(asked, now, true, words);
}

/* The last parts of the served addresses, such as "1 2". */
static const char *list(void)
{
    static char out[256];
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < cluster.count; i++)
        len += (size_t)snprintf(out + len, sizeof out - len, "%s%u", i > 0 ? " " : "",
                                cluster.members[i].endpoint.addr[3]);
    return out;
}

static void assert_serves(enum cluster_state state, const char *wanted)
{
    assert_string_equal(list(), wanted);
    assert_string_equal(cluster_state_name(cluster.state), cluster_state_name(state));
}

static bool change_delays(int64_t settle, int64_t leave, int64_t gone, int64_t now)
{
    struct admission_options to = {
        .settle_ms = settle, .leave_delay_ms = leave, .gone_delay_ms = gone};
    bool runs = admission_change_delays(&cluster, &options, &to, now);
    options = to;
    return runs;
}

/* -- J: join --------------------------------------------------------------------------------- */

TEST(test_admission__is_unread_at_first)
{
    assert_serves(CLUSTER_UNREAD, "");
}

TEST(test_admission__good_instances_are_served_at_once)
{
    read_at(0, "2+ 1+");
    assert_serves(CLUSTER_LIVE, "1 2");
    assert_true(decision.changed);
    assert_true(decision.ask_at_ms == CLOCK_NEVER);
}

TEST(test_admission__a_watch_is_enough_to_join)
{
    read_at(0, "1+");
    watch_at(1, "1+ 2+");
    assert_serves(CLUSTER_LIVE, "1 2");
}

TEST(test_admission__what_was_never_good_does_not_join)
{
    read_at(0, "1- 2m 3+");
    assert_serves(CLUSTER_LIVE, "3");
}

TEST(test_admission__a_cluster_without_a_good_instance_is_empty)
{
    read_at(0, "1- 2m ?");
    assert_serves(CLUSTER_EMPTY, "");
}

TEST(test_admission__an_empty_cluster_comes_to_life)
{
    read_at(0, "1-");
    watch_at(1, "1+");
    assert_serves(CLUSTER_LIVE, "1");
}

TEST(test_admission__a_join_does_not_hurry_a_leave)
{
    read_at(0, "1+ 2+");
    watch_at(1, "1+");
    read_at(2, "1+ 3+");
    assert_serves(CLUSTER_LIVE, "1 2 3");
}

TEST(test_admission__the_order_of_rows_does_not_matter)
{
    read_at(0, "1+ 2+ 3+");
    watch_at(1, "3+ 1+ 2+");
    assert_false(decision.changed);
    assert_serves(CLUSTER_LIVE, "1 2 3");
}

TEST(test_admission__the_same_again_is_no_change)
{
    read_at(0, "1+ 2+");
    read_at(5, "1+ 2+");
    assert_false(decision.changed);
    assert_false(decision.losing);
}

/* -- L: leave -------------------------------------------------------------------------------- */

TEST(test_admission__a_failing_member_stays_until_its_delay_is_over)
{
    read_at(0, "1+ 2+");
    watch_at(100, "1+ 2-");
    read_at(100 + LEAVE - 1, "1+ 2-");
    assert_serves(CLUSTER_LIVE, "1 2");
    read_at(100 + LEAVE, "1+ 2-");
    assert_serves(CLUSTER_LIVE, "1");
    assert_true(decision.changed);
}

TEST(test_admission__asks_for_a_read_when_the_delay_is_over)
{
    read_at(0, "1+ 2+");
    watch_at(100, "1+ 2-");
    assert_int_equal(decision.ask_at_ms, 100 + LEAVE);
}

TEST(test_admission__asks_for_the_earliest_of_several)
{
    read_at(0, "1+ 2+ 3+");
    watch_at(100, "1+ 2- 3+");
    watch_at(200, "1+ 2- 3-");
    assert_int_equal(decision.ask_at_ms, 100 + LEAVE);
}

TEST(test_admission__a_watch_takes_nobody_away)
{
    read_at(0, "1+ 2+");
    watch_at(100, "1+ 2-");
    watch_at(DAY, "1+ 2-");
    assert_serves(CLUSTER_LIVE, "1 2");
}

TEST(test_admission__a_deregistered_member_waits_the_same_delay)
{
    read_at(0, "1+ 2+");
    read_at(100, "1+");
    read_at(100 + LEAVE - 1, "1+");
    assert_serves(CLUSTER_LIVE, "1 2");
    read_at(100 + LEAVE, "1+");
    assert_serves(CLUSTER_LIVE, "1");
}

TEST(test_admission__failing_and_then_deregistered_is_one_delay)
{
    read_at(0, "1+ 2+");
    read_at(100, "1+ 2-");
    read_at(20000, "1+");
    read_at(100 + LEAVE, "1+");
    assert_serves(CLUSTER_LIVE, "1");
}

TEST(test_admission__a_member_without_usable_address_leaves_like_a_deregistered_one)
{
    read_at(0, "1+ 2+");
    read_at(100, "1+ ?");
    read_at(100 + LEAVE - 1, "1+ ?");
    assert_serves(CLUSTER_LIVE, "1 2");
    read_at(100 + LEAVE, "1+ ?");
    assert_serves(CLUSTER_LIVE, "1");
}

TEST(test_admission__one_that_is_well_again_does_not_leave)
{
    read_at(0, "1+ 2+");
    watch_at(100, "1+ 2-");
    watch_at(200, "1+ 2+");
    assert_true(decision.ask_at_ms == CLOCK_NEVER);
    read_at(DAY, "1+ 2+");
    assert_serves(CLUSTER_LIVE, "1 2");
}

TEST(test_admission__a_flapping_member_never_leaves)
{
    int64_t now = 0;
    read_at(now, "1+ 2+");
    for (int i = 0; i < 100; i++) {
        read_at(now += LEAVE - 1, "1+ 2-");
        read_at(now += LEAVE - 1, "1+ 2-");
        assert_serves(CLUSTER_LIVE, "1 2");
        read_at(now += 1, "1+ 2+");
    }
    assert_serves(CLUSTER_LIVE, "1 2");
}

TEST(test_admission__a_member_that_flaps_in_and_out_of_the_catalog_stays)
{
    int64_t now = 0;
    read_at(now, "1+ 2+");
    for (int i = 0; i < 100; i++) {
        read_at(now += 10000, "1+");
        read_at(now += 10000, "1+ 2+");
        assert_serves(CLUSTER_LIVE, "1 2");
    }
}

TEST(test_admission__maintenance_leaves_after_settle)
{
    read_at(0, "1+ 2+");
    watch_at(100, "1+ 2m");
    assert_int_equal(decision.ask_at_ms, 100 + SETTLE);
    read_at(100 + SETTLE - 1, "1+ 2m");
    assert_serves(CLUSTER_LIVE, "1 2");
    read_at(100 + SETTLE, "1+ 2m");
    assert_serves(CLUSTER_LIVE, "1");
}

TEST(test_admission__maintenance_brings_a_failing_members_leave_forward)
{
    read_at(0, "1+ 2+");
    read_at(100, "1+ 2-");
    read_at(5000, "1+ 2m");
    assert_int_equal(decision.ask_at_ms, 5000 + SETTLE);
    read_at(5000 + SETTLE, "1+ 2m");
    assert_serves(CLUSTER_LIVE, "1");
}

TEST(test_admission__maintenance_does_not_put_a_leave_off)
{
    read_at(0, "1+ 2+");
    read_at(100, "1+ 2-");
    read_at(LEAVE - 1000, "1+ 2m");
    assert_int_equal(decision.ask_at_ms, 100 + LEAVE);
}

TEST(test_admission__failing_after_maintenance_has_the_whole_delay)
{
    read_at(0, "1+ 2+");
    read_at(100, "1+ 2m");
    read_at(1000, "1+ 2-");
    assert_int_equal(decision.ask_at_ms, 1000 + LEAVE);
    read_at(1000 + LEAVE - 1, "1+ 2-");
    assert_serves(CLUSTER_LIVE, "1 2");
    read_at(1000 + LEAVE, "1+ 2-");
    assert_serves(CLUSTER_LIVE, "1");
}

TEST(test_admission__deregistered_out_of_maintenance_leaves_after_settle)
{
    read_at(0, "1+ 2+");
    read_at(100, "1+ 2m");
    read_at(1000, "1+");
    read_at(100 + SETTLE, "1+");
    assert_serves(CLUSTER_LIVE, "1");
}

TEST(test_admission__without_leave_delay_one_read_is_enough)
{
    options.leave_delay_ms = 0;
    read_at(0, "1+ 2+");
    read_at(1, "1+ 2-");
    assert_serves(CLUSTER_LIVE, "1");
}

TEST(test_admission__without_leave_delay_a_watch_still_takes_nobody_away)
{
    options.leave_delay_ms = 0;
    read_at(0, "1+ 2+");
    watch_at(1, "1+ 2-");
    assert_serves(CLUSTER_LIVE, "1 2");
    assert_int_equal(decision.ask_at_ms, 1);
}

TEST(test_admission__losing_is_said_once)
{
    read_at(0, "1+ 2+");
    assert_false(decision.losing);
    watch_at(1, "1+ 2-");
    assert_true(decision.losing);
    watch_at(2, "1+ 2-");
    assert_false(decision.losing);
    watch_at(3, "1+");
    assert_false(decision.losing);
}

TEST(test_admission__one_that_left_may_come_back)
{
    read_at(0, "1+ 2+");
    read_at(1, "1+");
    read_at(1 + LEAVE, "1+");
    watch_at(2 + LEAVE, "1+ 2+");
    assert_serves(CLUSTER_LIVE, "1 2");
}

TEST(test_admission__an_endless_delay_never_ends)
{
    options.leave_delay_ms = CLOCK_NEVER;
    read_at(5, "1+ 2+");
    read_at(6, "1+");
    assert_true(decision.ask_at_ms == CLOCK_NEVER);
    read_at(DAY * 1000, "1+");
    assert_serves(CLUSTER_LIVE, "1 2");
}

/* -- H: hold --------------------------------------------------------------------------------- */

TEST(test_admission__all_failing_are_held)
{
    read_at(0, "1+ 2+");
    read_at(100, "1- 2-");
    assert_serves(CLUSTER_HELD, "1 2");
    assert_true(decision.changed);
}

TEST(test_admission__why_a_list_is_held_may_change)
{
    read_at(0, "1+");
    read_at(1000, "1-");
    read_at(2000, "");
    assert_true(decision.changed);
    assert_string_equal(decision.why, "nothing registered any more");
    read_at(3000, "");
    assert_false(decision.changed);
    read_at(4000, "1-");
    assert_true(decision.changed);
    assert_string_equal(decision.why, "no registered instance is healthy");
}

TEST(test_admission__nobody_leaves_by_health_out_of_a_hold)
{
    read_at(0, "1+ 2+");
    read_at(100, "1- 2m");
    assert_true(decision.ask_at_ms == CLOCK_NEVER);
    read_at(DAY, "1- 2m");
    assert_serves(CLUSTER_HELD, "1 2");
}

TEST(test_admission__all_in_maintenance_are_held)
{
    read_at(0, "1+ 2+");
    read_at(100, "1m 2m");
    read_at(DAY, "1m 2m");
    assert_serves(CLUSTER_HELD, "1 2");
}

TEST(test_admission__a_hold_keeps_only_the_registered_after_their_delay)
{
    read_at(0, "1+ 2+");
    read_at(100, "1-");
    read_at(100 + LEAVE - 1, "1-");
    assert_serves(CLUSTER_HELD, "1 2");
    read_at(100 + LEAVE, "1-");
    assert_serves(CLUSTER_HELD, "1");
}

TEST(test_admission__others_registered_do_not_push_a_held_list_out)
{
    read_at(0, "1+ 2+");
    read_at(100, "3-");
    read_at(DAY, "3-");
    assert_serves(CLUSTER_HELD, "1 2");
}

TEST(test_admission__instances_without_usable_address_do_not_push_a_held_list_out)
{
    read_at(0, "1+ 2+");
    read_at(100, "?");
    read_at(DAY, "?");
    assert_serves(CLUSTER_HELD, "1 2");
}

TEST(test_admission__one_good_again_ends_the_hold)
{
    read_at(0, "1+ 2+");
    read_at(100, "1- 2-");
    watch_at(200, "1- 2+");
    assert_serves(CLUSTER_LIVE, "1 2");
}

TEST(test_admission__the_first_that_is_registered_again_sends_nobody_away)
{
    read_at(0, "1+ 2+");
    read_at(100, "");
    read_at(60000, "1-");
    assert_serves(CLUSTER_HELD, "1 2");
    read_at(60000 + LEAVE - 1, "1-");
    assert_serves(CLUSTER_HELD, "1 2");
    read_at(60000 + LEAVE, "1-");
    assert_serves(CLUSTER_HELD, "1");
}

TEST(test_admission__the_end_of_a_hold_starts_the_delays_anew)
{
    read_at(0, "1+ 2+ 3m");
    read_at(100, "1- 2-");
    read_at(DAY, "1- 2+");
    assert_serves(CLUSTER_LIVE, "1 2");
    assert_int_equal(decision.ask_at_ms, DAY + LEAVE);
    read_at(DAY + LEAVE - 1, "1- 2+");
    assert_serves(CLUSTER_LIVE, "1 2");
    read_at(DAY + LEAVE, "1- 2+");
    assert_serves(CLUSTER_LIVE, "2");
}

TEST(test_admission__the_end_of_a_hold_gives_maintenance_its_settle)
{
    read_at(0, "1+ 2+");
    read_at(100, "1m 2-");
    read_at(DAY, "1m 2+");
    assert_int_equal(decision.ask_at_ms, DAY + SETTLE);
}

TEST(test_admission__a_new_good_instance_ends_the_hold_of_the_others)
{
    read_at(0, "1+");
    read_at(100, "1-");
    watch_at(200, "1- 2+");
    assert_serves(CLUSTER_LIVE, "1 2");
}

/* -- C: confirm ------------------------------------------------------------------------------ */

TEST(test_admission__an_empty_watch_only_asks_for_a_read)
{
    read_at(0, "1+ 2+");
    watch_at(100, "");
    assert_string_equal(list(), "1 2");
    assert_int_equal(decision.ask_at_ms, 100);
    assert_false(decision.ask_consistent);
}

TEST(test_admission__empty_watches_never_end_a_cluster)
{
    int64_t now = 0;
    read_at(now, "1+ 2+");
    for (int i = 0; i < 1000; i++) {
        watch_at(now += 60000, "");
        assert_string_equal(list(), "1 2");
    }
}

TEST(test_admission__the_second_empty_read_is_wanted_after_settle_with_a_quorum)
{
    read_at(0, "1+");
    read_at(100, "");
    assert_int_equal(decision.ask_at_ms, 100 + SETTLE);
    assert_true(decision.ask_consistent);
    assert_serves(CLUSTER_HELD, "1");
}

TEST(test_admission__a_second_empty_read_before_settle_does_not_count)
{
    read_at(0, "1+");
    read_at(100, "");
    read_at(100 + SETTLE - 1, "");
    assert_int_equal(decision.ask_at_ms, 100 + SETTLE);
}

TEST(test_admission__an_empty_watch_is_no_second_read)
{
    read_at(0, "1+");
    read_at(100, "");
    watch_at(100 + SETTLE, "");
    assert_int_equal(decision.ask_at_ms, 100 + SETTLE);
}

TEST(test_admission__an_instance_seen_between_starts_the_confirming_anew)
{
    read_at(0, "1+");
    read_at(100, "");
    watch_at(200, "1-");
    read_at(100 + SETTLE, "");
    assert_int_equal(decision.ask_at_ms, 100 + 2 * SETTLE);
}

TEST(test_admission__without_settle_two_reads_are_still_wanted)
{
    options.settle_ms = 0;
    options.gone_delay_ms = 0;
    read_at(0, "1+");
    read_at(100, "");
    assert_serves(CLUSTER_HELD, "1");
    assert_int_equal(decision.ask_at_ms, 100);
    read_at(100, "");
    assert_serves(CLUSTER_GONE, "");
}

/* -- G: gone --------------------------------------------------------------------------------- */

/* Good at 0, confirmed as empty at 100 + SETTLE. */
static void confirm_empty(void)
{
    read_at(0, "1+ 2+");
    read_at(100, "");
    read_at(100 + SETTLE, "");
}

TEST(test_admission__a_confirmed_empty_cluster_is_held_for_gone_delay)
{
    confirm_empty();
    assert_int_equal(decision.ask_at_ms, 100 + SETTLE + GONE);
    read_at(100 + SETTLE + GONE - 1, "");
    assert_serves(CLUSTER_HELD, "1 2");
}

TEST(test_admission__a_read_after_gone_delay_ends_the_cluster)
{
    confirm_empty();
    read_at(100 + SETTLE + GONE, "");
    assert_serves(CLUSTER_GONE, "");
    assert_true(decision.changed);
    assert_true(decision.ask_at_ms == CLOCK_NEVER);
}

TEST(test_admission__a_watch_after_gone_delay_does_not_end_the_cluster)
{
    confirm_empty();
    watch_at(DAY, "");
    assert_serves(CLUSTER_HELD, "1 2");
    assert_int_equal(decision.ask_at_ms, 100 + SETTLE + GONE);
}

TEST(test_admission__coming_back_within_gone_delay_is_being_live_again)
{
    confirm_empty();
    watch_at(5000, "1+");
    assert_serves(CLUSTER_LIVE, "1 2");
    read_at(5001, "");
    assert_int_equal(decision.ask_at_ms, 5001 + SETTLE);
    read_at(DAY, "");
    assert_serves(CLUSTER_HELD, "1 2");
}

TEST(test_admission__coming_back_unhealthy_stops_the_end_too)
{
    confirm_empty();
    read_at(5000, "1-");
    read_at(DAY, "1-");
    assert_string_equal(list(), "1");
    assert_serves(CLUSTER_HELD, "1");
}

TEST(test_admission__without_gone_delay_the_confirming_read_ends_the_cluster)
{
    options.gone_delay_ms = 0;
    read_at(0, "1+");
    read_at(100, "");
    assert_serves(CLUSTER_HELD, "1");
    read_at(100 + SETTLE, "");
    assert_serves(CLUSTER_GONE, "");
}

TEST(test_admission__a_cluster_that_never_had_a_list_ends_when_confirmed)
{
    read_at(0, "");
    assert_serves(CLUSTER_EMPTY, "");
    read_at(SETTLE, "");
    assert_serves(CLUSTER_GONE, "");
}

TEST(test_admission__a_cluster_of_failing_instances_does_not_end)
{
    read_at(0, "1-");
    read_at(DAY, "1-");
    assert_serves(CLUSTER_EMPTY, "");
}

TEST(test_admission__a_floor_puts_the_end_of_a_cluster_off)
{
    options.gone_delay_ms = 0;
    read_at(0, "1+");
    leave_floor = LEAVE;
    read_at(100, "");
    read_at(100 + SETTLE, "");
    assert_serves(CLUSTER_HELD, "1");
    assert_int_equal(decision.ask_at_ms, 100 + LEAVE);
    read_at(100 + LEAVE - 1, "");
    assert_serves(CLUSTER_HELD, "1");
    read_at(100 + LEAVE, "");
    assert_serves(CLUSTER_GONE, "");
}

/* -- replies looked at late -------------------------------------------------------------------- */

TEST(test_admission__a_read_asked_for_before_the_delay_was_over_takes_nobody_away)
{
    read_at(0, "1+ 2+");
    read_at(100, "1+ 2-");
    late_read(100 + LEAVE - 1, DAY, "1+ 2-");
    assert_serves(CLUSTER_LIVE, "1 2");
    assert_int_equal(decision.ask_at_ms, 100 + LEAVE);
    late_read(100 + LEAVE, DAY + 1, "1+ 2-");
    assert_serves(CLUSTER_LIVE, "1");
}

TEST(test_admission__a_delay_starts_when_the_reply_is_looked_at)
{
    read_at(0, "1+ 2+");
    late_read(1, DAY, "1+ 2-");
    assert_serves(CLUSTER_LIVE, "1 2");
    assert_int_equal(decision.ask_at_ms, DAY + LEAVE);
}

TEST(test_admission__an_empty_reply_of_long_ago_confirms_nothing)
{
    read_at(0, "1+");
    read_at(100, "");
    late_read(100 + SETTLE - 1, DAY, "");
    assert_serves(CLUSTER_HELD, "1");
    assert_int_equal(decision.ask_at_ms, 100 + SETTLE);
    read_at(DAY + 1, "");
    late_read(DAY + GONE, 2 * DAY, "");
    assert_serves(CLUSTER_HELD, "1");
    read_at(2 * DAY + 1, "");
    assert_serves(CLUSTER_GONE, "");
}

/* -- restored -------------------------------------------------------------------------------- */

static void restore(const char *words)
{
    struct endpoint all[8];
    size_t count = 0;
    for (const char *c = words; *c != '\0'; c++)
        if (*c != ' ')
            all[count++] = node(*c - '0');
    assert_true(admission_restore(&cluster, all, count));
}

TEST(test_admission__a_restored_list_is_served_as_such)
{
    restore("1 2");
    assert_serves(CLUSTER_RESTORED, "1 2");
}

TEST(test_admission__a_restored_list_is_confirmed_by_a_good_instance)
{
    restore("1 2");
    watch_at(0, "1+ 2+");
    assert_serves(CLUSTER_LIVE, "1 2");
    assert_true(decision.changed);
}

TEST(test_admission__restored_members_leave_like_others)
{
    restore("1 2");
    read_at(0, "1+ 3+");
    assert_serves(CLUSTER_LIVE, "1 2 3");
    assert_int_equal(decision.ask_at_ms, LEAVE);
    read_at(LEAVE - 1, "1+ 3+");
    assert_serves(CLUSTER_LIVE, "1 2 3");
    read_at(LEAVE, "1+ 3+");
    assert_serves(CLUSTER_LIVE, "1 3");
}

TEST(test_admission__a_restored_list_outlives_an_empty_consul)
{
    restore("1 2");
    read_at(0, "");
    read_at(SETTLE, "");
    read_at(SETTLE + GONE - 1, "");
    assert_serves(CLUSTER_HELD, "1 2");
}

TEST(test_admission__a_restored_list_is_held_when_all_fail)
{
    restore("1 2");
    read_at(0, "1- 2-");
    read_at(DAY, "1- 2-");
    assert_serves(CLUSTER_HELD, "1 2");
}

/* -- unpinned -------------------------------------------------------------------------------- */

static void restore_unpinned(const char *words)
{
    restore(words);
    admission_unpin(&cluster);
}

TEST(test_admission__an_unpinned_list_is_replaced_at_once)
{
    restore_unpinned("1 2");
    read_at(0, "3+");
    assert_serves(CLUSTER_LIVE, "3");
    assert_false(cluster.unpinned);
    assert_false(decision.losing);
    assert_string_equal(decision.why, "static_clusters no more, Consul's list instead");
}

TEST(test_admission__of_an_unpinned_list_who_is_registered_leaves_like_others)
{
    restore_unpinned("1 2 4 5");
    read_at(0, "1- 3+ 4m");
    assert_serves(CLUSTER_LIVE, "1 3 4");
    assert_true(decision.losing);
    read_at(SETTLE, "1- 3+ 4m");
    assert_serves(CLUSTER_LIVE, "1 3");
    read_at(LEAVE - 1, "1- 3+");
    assert_serves(CLUSTER_LIVE, "1 3");
    read_at(LEAVE, "1- 3+");
    assert_serves(CLUSTER_LIVE, "3");
}

TEST(test_admission__a_watch_takes_nothing_from_an_unpinned_list)
{
    restore_unpinned("1 2");
    watch_at(5000, "3+");
    assert_serves(CLUSTER_LIVE, "1 2 3");
    assert_true(cluster.unpinned);
    assert_true(decision.ask_at_ms <= 5000);
    read_at(5100, "1+ 3+");
    assert_serves(CLUSTER_LIVE, "1 3");
}

TEST(test_admission__an_unpinned_list_is_held_while_nobody_is_good)
{
    restore_unpinned("1 2");
    read_at(0, "3-");
    read_at(DAY, "3-");
    assert_serves(CLUSTER_HELD, "1 2");
    read_at(DAY + 1, "3+");
    assert_serves(CLUSTER_LIVE, "3");
}

TEST(test_admission__an_unpinned_list_is_held_as_a_whole)
{
    restore_unpinned("1 2");
    read_at(0, "1-");
    read_at(DAY, "1-");
    assert_serves(CLUSTER_HELD, "1 2");
    read_at(DAY + 1, "1- 3+");
    assert_serves(CLUSTER_LIVE, "1 3");
}

TEST(test_admission__who_was_unpinned_is_like_others_once_consul_had_it)
{
    restore_unpinned("1 2");
    read_at(0, "1- 2-");
    assert_false(cluster.unpinned);
    read_at(DAY, "");
    read_at(DAY + 1, "1+");
    assert_serves(CLUSTER_LIVE, "1 2");
    read_at(DAY + 1 + LEAVE, "1+");
    assert_serves(CLUSTER_LIVE, "1");
}

TEST(test_admission__a_list_of_which_consul_had_some_ends_like_others)
{
    restore_unpinned("1 2");
    read_at(0, "1-");
    read_at(DAY, "");
    read_at(DAY + SETTLE, "");
    read_at(DAY + SETTLE + GONE - 1, "");
    assert_serves(CLUSTER_HELD, "1 2");
    read_at(DAY + SETTLE + GONE, "");
    assert_serves(CLUSTER_GONE, "");
    assert_false(cluster.unpinned);
}

TEST(test_admission__who_joins_an_unpinned_list_is_like_others)
{
    restore_unpinned("1");
    watch_at(0, "2+");
    watch_at(100, "");
    read_at(200, "3+");
    assert_serves(CLUSTER_LIVE, "2 3");
    assert_int_equal(decision.ask_at_ms, 200 + LEAVE);
}

TEST(test_admission__the_floor_holds_for_what_is_unpinned)
{
    leave_floor = LEAVE;
    restore_unpinned("1");
    late_read(0, 50, "2+");
    assert_serves(CLUSTER_LIVE, "1 2");
    assert_int_equal(decision.ask_at_ms, LEAVE);
    read_at(LEAVE, "2+");
    assert_serves(CLUSTER_LIVE, "2");
}

TEST(test_admission__a_late_read_replaces_an_unpinned_list_at_once)
{
    restore_unpinned("1");
    late_read(0, 50, "2-");
    late_read(1000, 1050, "2+");
    assert_serves(CLUSTER_LIVE, "2");
}

TEST(test_admission__another_leave_delay_is_not_for_what_is_unpinned)
{
    restore_unpinned("1");
    read_at(0, "2-");
    assert_true(change_delays(SETTLE, 2 * LEAVE, GONE, 1000));
    read_at(2000, "2+");
    assert_serves(CLUSTER_LIVE, "2");
}

TEST(test_admission__an_unpinned_list_ends_once_that_nothing_is_registered_is_sure)
{
    restore_unpinned("1 2");
    read_at(0, "");
    assert_serves(CLUSTER_HELD, "1 2");
    assert_false(decision.losing);
    read_at(SETTLE - 1, "");
    assert_serves(CLUSTER_HELD, "1 2");
    read_at(SETTLE, "");
    assert_serves(CLUSTER_GONE, "");
    assert_string_equal(decision.why, "static_clusters no more, and nothing is registered");
}

/* -- floor (mass loss) ----------------------------------------------------------------------- */

TEST(test_admission__the_floor_keeps_members_beyond_their_delay)
{
    options.leave_delay_ms = 1000;
    leave_floor = 30000;
    read_at(0, "1+ 2+");
    read_at(100, "1+");
    assert_int_equal(decision.ask_at_ms, 100 + 30000);
    read_at(100 + 29999, "1+");
    assert_serves(CLUSTER_LIVE, "1 2");
    read_at(100 + 30000, "1+");
    assert_serves(CLUSTER_LIVE, "1");
}

TEST(test_admission__the_floor_holds_for_maintenance_too)
{
    leave_floor = 30000;
    read_at(0, "1+ 2+");
    read_at(100, "1+ 2m");
    read_at(100 + 29999, "1+ 2m");
    assert_serves(CLUSTER_LIVE, "1 2");
}

TEST(test_admission__the_floor_of_a_loss_holds_in_the_reply_that_brings_it)
{
    losing_floor = 2 * LEAVE;
    read_at(0, "1+ 2+ 3+");
    read_at(1000, "1+ 2- 3+");
    read_at(1000 + LEAVE, "1+ 2- 3-");
    assert_serves(CLUSTER_LIVE, "1 2 3");
    assert_int_equal(decision.ask_at_ms, 1000 + 2 * LEAVE);
    read_at(1001 + LEAVE, "1+ 2- 3-");
    assert_serves(CLUSTER_LIVE, "1 3");
}

TEST(test_admission__without_the_floor_the_own_delay_is_back)
{
    options.leave_delay_ms = 1000;
    leave_floor = 30000;
    read_at(0, "1+ 2+");
    read_at(100, "1+");
    leave_floor = 0;
    read_at(5000, "1+");
    assert_serves(CLUSTER_LIVE, "1");
}

/* -- two registrations of one address -------------------------------------------------------- */

TEST(test_admission__the_same_address_twice_is_served_once)
{
    read_at(0, "1+ 1+ 2+ 1+");
    assert_serves(CLUSTER_LIVE, "1 2");
}

TEST(test_admission__a_ghost_beside_a_living_registration_takes_nothing_away)
{
    read_at(0, "1- 1+ 2+");
    assert_serves(CLUSTER_LIVE, "1 2");
    read_at(100, "1+ 1- 1m 2+");
    assert_false(decision.losing);
    read_at(DAY, "1m 1+ 2+");
    assert_serves(CLUSTER_LIVE, "1 2");
}

TEST(test_admission__of_two_sick_registrations_the_longer_delay_counts)
{
    read_at(0, "1+ 2+");
    read_at(100, "1m 1- 2+");
    assert_int_equal(decision.ask_at_ms, 100 + LEAVE);
}

/* -- random histories ------------------------------------------------------------------------ */

#define NODES 6

/* What the rules promise, kept beside the module in the plainest way. */
struct witness {
    bool ever_good[NODES + 1];
    int64_t not_good_since[NODES + 1]; /* CLOCK_NEVER while good */
    int64_t maintenance_since[NODES + 1];
    int64_t empty_since; /* no observation since then had anything registered */
    bool any_ever;
    bool unpinned[NODES + 1]; /* rule U */
    int64_t first_asked;      /* when the first observation was asked for */
};

struct history {
    struct jitter jitter;
    struct witness witness;
    int64_t now;
    int64_t asked;   /* of the observation being made */
    int64_t floor;   /* in it */
    int64_t lag_max; /* of replies */
    enum health health[NODES + 1];
    bool registered[NODES + 1];
};

static void change_world(struct history *h)
{
    int64_t dice = jitter_upto(&h->jitter, 99);
    if (dice < 2) {
        for (int n = 1; n <= NODES; n++)
            h->registered[n] = false;
    } else if (dice < 4) {
        for (int n = 1; n <= NODES; n++)
            h->health[n] = HEALTH_BAD;
    } else {
        int64_t n = 1 + jitter_upto(&h->jitter, NODES - 1);
        h->registered[n] = jitter_upto(&h->jitter, 3) > 0;
        h->health[n] = (enum health)jitter_upto(&h->jitter, 2);
    }
}

static void tell_witness(struct history *h)
{
    struct witness *w = &h->witness;
    bool any = false;
    for (int n = 1; n <= NODES; n++) {
        bool good = h->registered[n] && h->health[n] == HEALTH_GOOD;
        bool maintenance = h->registered[n] && h->health[n] == HEALTH_MAINTENANCE;
        any |= h->registered[n];
        w->unpinned[n] &= !h->registered[n];
        w->ever_good[n] |= good;
        w->any_ever |= good;
        if (good)
            w->not_good_since[n] = w->maintenance_since[n] = CLOCK_NEVER;
        else if (w->not_good_since[n] == CLOCK_NEVER)
            w->not_good_since[n] = h->now;
        if (maintenance && w->maintenance_since[n] == CLOCK_NEVER)
            w->maintenance_since[n] = h->now;
    }
    if (w->first_asked == CLOCK_NEVER)
        w->first_asked = h->asked;
    if (any)
        w->empty_since = CLOCK_NEVER;
    else if (w->empty_since == CLOCK_NEVER)
        w->empty_since = h->now;
}

static bool contains(const struct member *members, size_t count, int n)
{
    struct endpoint e = node(n);
    for (size_t i = 0; i < count; i++)
        if (endpoint_compare(&members[i].endpoint, &e) == 0)
            return true;
    return false;
}

static void check_leaver(const struct history *h, int n, bool authoritative)
{
    const struct witness *w = &h->witness;
    assert_true(authoritative);
    assert_true(w->not_good_since[n] != CLOCK_NEVER);
    if (cluster.state == CLUSTER_GONE) {
        int64_t delay = cluster.unpinned ? 0 : options.gone_delay_ms;
        assert_true(h->asked - w->empty_since >= options.settle_ms + delay);
        assert_true(h->asked - w->empty_since >= h->floor);
        return;
    }
    if (w->unpinned[n]) {
        assert_int_equal(cluster.state, CLUSTER_LIVE);
        assert_true(h->asked - w->first_asked >= h->floor);
        return;
    }
    bool after_delay = h->asked - w->not_good_since[n] >= options.leave_delay_ms;
    bool after_settle = w->maintenance_since[n] != CLOCK_NEVER &&
                        h->asked - w->maintenance_since[n] >= options.settle_ms;
    assert_true(after_delay || after_settle);
    assert_true(h->asked - w->not_good_since[n] >= h->floor);
}

/* Does it bring the loss of a good member? */
static bool is_losing(const struct history *h)
{
    for (size_t i = 0; i < cluster.count; i++)
        for (int n = 1; n <= NODES; n++) {
            struct endpoint e = node(n);
            bool good = h->registered[n] && h->health[n] == HEALTH_GOOD;
            const struct member *m = &cluster.members[i];
            if (endpoint_compare(&m->endpoint, &e) == 0 && !m->leaving && !good &&
                !h->witness.unpinned[n])
                return true;
        }
    return false;
}

static void step(struct history *h, bool authoritative)
{
    struct instance seen[2 * NODES];
    struct member before[NODES + 1];
    size_t before_count = cluster.count;
    struct observation o = {.instances = seen, .authoritative = authoritative};
    if (before_count > 0)
        memcpy(before, cluster.members, before_count * sizeof before[0]);
    for (int n = 1; n <= NODES; n++)
        if (h->registered[n])
            seen[o.count++] = (struct instance){.endpoint = node(n), .health = h->health[n]};
    for (size_t i = o.count; i > 1; i--) {
        size_t k = (size_t)jitter_upto(&h->jitter, (int64_t)i - 1);
        struct instance swap = seen[i - 1];
        seen[i - 1] = seen[k];
        seen[k] = swap;
    }
    o.leave_floor_ms = leave_floor;
    o.losing_floor_ms = losing_floor > leave_floor ? losing_floor : leave_floor;
    h->asked = h->now - jitter_upto(&h->jitter, h->lag_max);
    o.asked_ms = h->asked;
    tell_witness(h);
    h->floor = is_losing(h) ? o.losing_floor_ms : o.leave_floor_ms;
    assert_true(admission_observe(&cluster, &o, &options, h->now, &decision));

    for (size_t i = 1; i < cluster.count; i++)
        assert_true(
            endpoint_compare(&cluster.members[i - 1].endpoint, &cluster.members[i].endpoint) < 0);
    if (h->witness.any_ever && cluster.state != CLUSTER_GONE)
        assert_true(cluster.count > 0);
    bool changed = before_count != cluster.count;
    for (int n = 1; n <= NODES; n++) {
        bool was = contains(before, before_count, n);
        bool is = contains(cluster.members, cluster.count, n);
        changed |= was != is;
        if (h->registered[n] && h->health[n] == HEALTH_GOOD)
            assert_true(is);
        if (is)
            assert_true(h->witness.ever_good[n]);
        if (was && !is)
            check_leaver(h, n, authoritative);
    }
    if (changed)
        assert_true(decision.changed);
    if (cluster.state == CLUSTER_GONE) {
        admission_clear(&cluster);
        h->witness.any_ever = false;
        memset(h->witness.ever_good, 0, sizeof h->witness.ever_good);
        memset(h->witness.unpinned, 0, sizeof h->witness.unpinned);
    }
}

/* With a world that stands still, reading when asked to comes to rest at exactly the good ones. */
static void settle_down(struct history *h)
{
    int good = 0, registered = 0;
    for (int n = 1; n <= NODES; n++) {
        good += h->registered[n] && h->health[n] == HEALTH_GOOD;
        registered += h->registered[n];
    }
    h->lag_max = 0;
    step(h, true);
    for (int i = 0; decision.ask_at_ms != CLOCK_NEVER; i++) {
        assert_true(i < 4 * NODES);
        h->now = decision.ask_at_ms > h->now ? decision.ask_at_ms : h->now;
        step(h, true);
    }
    if (good > 0)
        assert_int_equal(cluster.count, good);
    if (registered == 0)
        assert_int_equal(cluster.count, 0);
}

/* The first so many nodes were the config's, and then all go on as Consul says. */
static void live_on(uint64_t seed, int steps, int unpinned)
{
    struct history h = {.now = 1000000, .witness.first_asked = CLOCK_NEVER};
    struct endpoint list[NODES];
    jitter_seed(&h.jitter, seed);
    h.witness.empty_since = CLOCK_NEVER;
    for (int n = 1; n <= NODES; n++) {
        h.health[n] = HEALTH_GOOD;
        h.registered[n] = true;
        h.witness.not_good_since[n] = h.witness.maintenance_since[n] = CLOCK_NEVER;
    }
    for (int n = 1; n <= unpinned; n++) {
        list[n - 1] = node(n);
        h.registered[n] = jitter_upto(&h.jitter, 2) == 0;
        h.health[n] = (enum health)jitter_upto(&h.jitter, 2);
        h.witness.ever_good[n] = h.witness.any_ever = h.witness.unpinned[n] = true;
    }
    if (unpinned > 0) {
        assert_true(admission_restore(&cluster, list, (size_t)unpinned));
        admission_unpin(&cluster);
    }
    for (int i = 0; i < steps; i++) {
        bool settled = jitter_upto(&h.jitter, 199) == 0;
        if (settled) {
            settle_down(&h);
            continue;
        }
        if (jitter_upto(&h.jitter, 2) > 0)
            change_world(&h);
        h.now += jitter_upto(&h.jitter, jitter_upto(&h.jitter, 3) > 0 ? 3000 : 200000);
        h.lag_max = jitter_upto(&h.jitter, 3) > 0 ? 100 : 100000;
        step(&h, jitter_upto(&h.jitter, 1) == 0);
    }
    admission_clear(&cluster);
}

static void live_through(uint64_t seed, int steps)
{
    live_on(seed, steps, 0);
}

TEST(test_admission__keeps_its_promises_of_what_was_unpinned)
{
    for (uint64_t seed = 3000; seed < 6000; seed++) {
        losing_floor = seed % 2 == 0 ? 0 : 30000;
        live_on(seed, 20, 1 + (int)(seed % NODES));
    }
}

TEST(test_admission__keeps_its_promises_with_a_floor_of_losses)
{
    losing_floor = 30000;
    options.leave_delay_ms = 5000;
    for (uint64_t seed = 7000; seed < 7005; seed++)
        live_through(seed, 3000);
}

TEST(test_admission__keeps_its_promises_over_random_histories)
{
    static const uint64_t seeds[] = {1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987};
    for (size_t i = 0; i < COUNT_OF(seeds); i++)
        live_through(seeds[i], 3000);
}

TEST(test_admission__keeps_its_promises_with_a_floor)
{
    leave_floor = 30000;
    options.leave_delay_ms = 5000;
    for (uint64_t seed = 1000; seed < 1005; seed++)
        live_through(seed, 3000);
}

TEST(test_admission__keeps_its_promises_without_any_delay)
{
    options = (struct admission_options){.settle_ms = 0};
    for (uint64_t seed = 2000; seed < 2005; seed++)
        live_through(seed, 3000);
}

/* Two replicas that saw different histories serve the same bytes once both have come to rest. */
TEST(test_admission__the_same_set_has_the_same_order_after_any_history)
{
    for (uint64_t seed = 3000; seed < 3020; seed++) {
        struct history h = {.now = 1000};
        jitter_seed(&h.jitter, seed);
        h.witness.empty_since = CLOCK_NEVER;
        for (int n = 1; n <= NODES; n++)
            h.witness.not_good_since[n] = h.witness.maintenance_since[n] = CLOCK_NEVER;
        for (int i = 0; i < 200; i++) {
            change_world(&h);
            h.now += jitter_upto(&h.jitter, 5000);
            step(&h, jitter_upto(&h.jitter, 1) == 0);
        }
        for (int n = 1; n <= NODES; n++) {
            h.registered[n] = n != 3;
            h.health[n] = HEALTH_GOOD;
        }
        settle_down(&h);
        assert_serves(CLUSTER_LIVE, "1 2 4 5 6");
        admission_clear(&cluster);
    }
}
/* -- other delays while some run ------------------------------------------------------------- */

TEST(test_admission__other_delays_mean_nothing_to_who_is_well)
{
    read_at(0, "1+ 2+");
    assert_false(change_delays(1, 1, 1, 1000));
    read_at(2000, "1+ 2+");
    assert_serves(CLUSTER_LIVE, "1 2");
}

TEST(test_admission__a_longer_delay_counts_from_its_start)
{
    read_at(0, "1+ 2+");
    read_at(1000, "1+ 2-");
    assert_true(change_delays(SETTLE, 2 * LEAVE, GONE, 20000));
    read_at(1000 + 2 * LEAVE - 1, "1+ 2-");
    assert_serves(CLUSTER_LIVE, "1 2");
    read_at(1000 + 2 * LEAVE, "1+ 2-");
    assert_serves(CLUSTER_LIVE, "1");
}

TEST(test_admission__a_longer_gone_delay_is_not_for_what_is_unpinned)
{
    leave_floor = LEAVE;
    restore_unpinned("1");
    read_at(0, "");
    read_at(SETTLE, "");
    assert_serves(CLUSTER_HELD, "1");
    (void)change_delays(SETTLE, LEAVE, DAY, SETTLE);
    read_at(LEAVE, "");
    assert_serves(CLUSTER_GONE, "");
}

TEST(test_admission__a_shorter_delay_counts_from_its_change)
{
    read_at(0, "1+ 2+");
    read_at(1000, "1+ 2-");
    assert_true(change_delays(SETTLE, 5000, GONE, 20000));
    read_at(24999, "1+ 2-");
    assert_serves(CLUSTER_LIVE, "1 2");
    read_at(25000, "1+ 2-");
    assert_serves(CLUSTER_LIVE, "1");
}

TEST(test_admission__a_shorter_delay_ends_no_later_than_the_longer_one)
{
    read_at(0, "1+ 2+");
    read_at(1000, "1+ 2-");
    assert_true(change_delays(SETTLE, LEAVE - 1, GONE, LEAVE));
    read_at(1000 + LEAVE, "1+ 2-");
    assert_serves(CLUSTER_LIVE, "1");
}

TEST(test_admission__a_changed_settle_is_for_who_is_in_maintenance)
{
    read_at(0, "1+ 2+ 3+");
    read_at(1000, "1+ 2m 3-");
    assert_true(change_delays(10000, LEAVE, GONE, 1500));
    read_at(10999, "1+ 2m 3-");
    assert_serves(CLUSTER_LIVE, "1 2 3");
    read_at(11000, "1+ 2m 3-");
    assert_serves(CLUSTER_LIVE, "1 3");
}

TEST(test_admission__a_changed_gone_delay_holds_for_who_is_gone)
{
    read_at(0, "1+");
    read_at(1000, "");
    read_at(1000 + SETTLE, "");
    assert_serves(CLUSTER_HELD, "1");
    assert_true(change_delays(SETTLE, LEAVE, 10000, 5000));
    read_at(14999, "");
    assert_serves(CLUSTER_HELD, "1");
    read_at(15000, "");
    assert_serves(CLUSTER_GONE, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_admission__is_unread_at_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__good_instances_are_served_at_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_admission__a_watch_is_enough_to_join, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__what_was_never_good_does_not_join, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_admission__a_cluster_without_a_good_instance_is_empty,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__an_empty_cluster_comes_to_life, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_admission__a_join_does_not_hurry_a_leave, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_admission__the_order_of_rows_does_not_matter, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_admission__the_same_again_is_no_change, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__a_failing_member_stays_until_its_delay_is_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__asks_for_a_read_when_the_delay_is_over,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__asks_for_the_earliest_of_several, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_admission__a_watch_takes_nobody_away, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__a_deregistered_member_waits_the_same_delay,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__failing_and_then_deregistered_is_one_delay,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__a_member_without_usable_address_leaves_like_a_deregistered_one, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_admission__one_that_is_well_again_does_not_leave,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__a_flapping_member_never_leaves, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__a_member_that_flaps_in_and_out_of_the_catalog_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__maintenance_leaves_after_settle, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__maintenance_brings_a_failing_members_leave_forward, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__maintenance_does_not_put_a_leave_off, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__failing_after_maintenance_has_the_whole_delay, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__deregistered_out_of_maintenance_leaves_after_settle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__without_leave_delay_one_read_is_enough,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__without_leave_delay_a_watch_still_takes_nobody_away, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__losing_is_said_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__one_that_left_may_come_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_admission__an_endless_delay_never_ends, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_admission__all_failing_are_held, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__why_a_list_is_held_may_change, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_admission__nobody_leaves_by_health_out_of_a_hold,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__all_in_maintenance_are_held, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__a_hold_keeps_only_the_registered_after_their_delay, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__others_registered_do_not_push_a_held_list_out, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__instances_without_usable_address_do_not_push_a_held_list_out, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_admission__one_good_again_ends_the_hold, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__the_first_that_is_registered_again_sends_nobody_away, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__the_end_of_a_hold_starts_the_delays_anew,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__the_end_of_a_hold_gives_maintenance_its_settle, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__a_new_good_instance_ends_the_hold_of_the_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__an_empty_watch_only_asks_for_a_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_admission__empty_watches_never_end_a_cluster, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__the_second_empty_read_is_wanted_after_settle_with_a_quorum, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__a_second_empty_read_before_settle_does_not_count, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__an_empty_watch_is_no_second_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__an_instance_seen_between_starts_the_confirming_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__without_settle_two_reads_are_still_wanted,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__a_confirmed_empty_cluster_is_held_for_gone_delay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__a_read_after_gone_delay_ends_the_cluster,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__a_watch_after_gone_delay_does_not_end_the_cluster, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__coming_back_within_gone_delay_is_being_live_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__coming_back_unhealthy_stops_the_end_too,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__without_gone_delay_the_confirming_read_ends_the_cluster, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__a_cluster_that_never_had_a_list_ends_when_confirmed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__a_cluster_of_failing_instances_does_not_end,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__a_floor_puts_the_end_of_a_cluster_off,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__a_read_asked_for_before_the_delay_was_over_takes_nobody_away, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_admission__a_delay_starts_when_the_reply_is_looked_at,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__an_empty_reply_of_long_ago_confirms_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__a_restored_list_is_served_as_such, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__a_restored_list_is_confirmed_by_a_good_instance, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__restored_members_leave_like_others, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_admission__a_restored_list_outlives_an_empty_consul,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__a_restored_list_is_held_when_all_fail,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__the_floor_keeps_members_beyond_their_delay,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__the_floor_holds_for_maintenance_too, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_admission__without_the_floor_the_own_delay_is_back,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__the_same_address_twice_is_served_once,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__a_ghost_beside_a_living_registration_takes_nothing_away, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__of_two_sick_registrations_the_longer_delay_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__keeps_its_promises_over_random_histories,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__keeps_its_promises_with_a_floor, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_admission__keeps_its_promises_without_any_delay, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__the_same_set_has_the_same_order_after_any_history, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__other_delays_mean_nothing_to_who_is_well,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__a_longer_delay_counts_from_its_start, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_admission__a_shorter_delay_counts_from_its_change,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__a_shorter_delay_ends_no_later_than_the_longer_one, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__a_changed_settle_is_for_who_is_in_maintenance, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__a_changed_gone_delay_holds_for_who_is_gone,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__an_unpinned_list_is_replaced_at_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__of_an_unpinned_list_who_is_registered_leaves_like_others, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_admission__a_watch_takes_nothing_from_an_unpinned_list,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__an_unpinned_list_is_held_while_nobody_is_good, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__an_unpinned_list_ends_once_that_nothing_is_registered_is_sure, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__a_longer_gone_delay_is_not_for_what_is_unpinned, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__the_floor_of_a_loss_holds_in_the_reply_that_brings_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__an_unpinned_list_is_held_as_a_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__who_was_unpinned_is_like_others_once_consul_had_it, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__a_list_of_which_consul_had_some_ends_like_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__who_joins_an_unpinned_list_is_like_others,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__the_floor_holds_for_what_is_unpinned, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__a_late_read_replaces_an_unpinned_list_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_admission__another_leave_delay_is_not_for_what_is_unpinned, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__keeps_its_promises_of_what_was_unpinned,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_admission__keeps_its_promises_with_a_floor_of_losses,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
