/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "heap.h"
#include "model/consul_metrics.h"
#include "model/registry.h"
#include "source/merge.h"
#include "unit.h"

static struct registry *registry;
static struct merge *merge;
static int changes;

static void on_change(void *arg)
{
    (void)arg;
    changes++;
}

static int setup(void **state)
{
    (void)state;
    struct error error;
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    changes = 0;
    registry = registry_new(&error);
    merge = merge_new(registry, on_change, NULL, &error);
    return registry != NULL && merge != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    merge_free(merge);
    registry_free(registry);
    return 0;
}

static void set(const char *id, enum cluster_state state, bool pinned, const char *address)
{
    struct endpoint e;
    size_t count = address != NULL;
    if (count > 0)
        assert_true(endpoint_parse(&e, address, strlen(address)));
    assert_true(merge_set(merge, id, state, pinned, &e, count, "a test"));
}

static void set_alone(const char *id, enum cluster_state state, bool pinned, const char *address)
{
    assert_true(merge_begin(merge));
    set(id, state, pinned, address);
    merge_commit(merge);
}

TEST(test_merge__time_to_the_table_is_counted_for_replies)
{
    struct consul_metrics metrics;
    struct consul_report report;
    consul_metrics_init(&metrics);
    merge_count_in(merge, &metrics);
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:1"); /* by no reply */
    consul_metrics_received(&metrics, clock_mono_ns());
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:2");
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:2"); /* no change */
    consul_metrics_read(&metrics, &report);
    uint64_t count = 0;
    for (size_t i = 0; i < PROPAGATION_BUCKETS; i++)
        count += report.propagation[i];
    assert_int_equal(count, 1);
    merge_count_in(merge, NULL);
    consul_metrics_clear(&metrics);
}

/* The body that is served for `id`, "(none)" when there is no such cluster. */
static const char *served(const char *id)
{
    static char out[256];
    const struct table *t = registry_acquire(registry, NULL);
    const struct cluster *c = table_find(t, id, strlen(id));
    (void)snprintf(out, sizeof out, "%s", c != NULL ? c->body : "(none)");
    table_unref(t);
    return out;
}

TEST(test_merge__what_is_committed_is_served)
{
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    assert_string_equal(served("a"), "10.0.0.1:1");
    assert_int_equal(changes, 1);
}

TEST(test_merge__nothing_is_served_before_the_commit)
{
    assert_true(merge_begin(merge));
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    assert_string_equal(served("a"), "(none)");
    set("b", CLUSTER_LIVE, false, "10.0.0.1:1");
    merge_commit(merge);
    assert_string_equal(served("b"), "10.0.0.1:1");
    assert_int_equal(changes, 1);
}

TEST(test_merge__nothing_of_what_is_abandoned_is_served)
{
    assert_true(merge_begin(merge));
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    merge_abandon(merge);
    assert_string_equal(served("a"), "(none)");
    assert_int_equal(changes, 0);
}

/* What is said of a pinned cluster that goes, or does not in the end. */
static const char *logged(bool taken)
{
    static char text[4096];
    int ends[2], kept = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    (void)dup2(ends[1], STDERR_FILENO);
    (void)close(ends[1]);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    bool begun = merge_begin(merge);
    if (begun)
        begun = merge_remove_pinned(merge, "a", "a test");
    if (begun && taken)
        merge_commit(merge);
    else if (begun)
        merge_abandon(merge);
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    (void)dup2(kept, STDERR_FILENO);
    (void)close(kept);
    ssize_t n = read(ends[0], text, sizeof text - 1);
    (void)close(ends[0]);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

TEST(test_merge__what_is_not_served_is_not_logged)
{
    set_alone("a", CLUSTER_LIVE, true, "10.0.0.1:1");
    assert_string_equal(logged(false), "");
    assert_non_null(strstr(logged(true), "msg=\"cluster gone\" cluster=a"));
}

TEST(test_merge__the_same_again_is_no_change)
{
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    assert_int_equal(changes, 1);
}

TEST(test_merge__another_state_of_the_same_list_is_a_change)
{
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    set_alone("a", CLUSTER_HELD, false, "10.0.0.1:1");
    assert_int_equal(changes, 2);
}

TEST(test_merge__a_state_keeps_its_since_while_its_list_changes)
{
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    const struct table *before = merge_table(merge);
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.2:1");
    const struct table *after = merge_table(merge);
    assert_int_equal(table_find(before, "a", 1)->since_wall_ms,
                     table_find(after, "a", 1)->since_wall_ms);
    table_unref(before);
    table_unref(after);
}

TEST(test_merge__a_pinned_cluster_is_not_changed)
{
    set_alone("a", CLUSTER_LIVE, true, "10.0.0.1:1");
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.2:1");
    assert_string_equal(served("a"), "10.0.0.1:1");
}

TEST(test_merge__a_pinned_cluster_is_not_removed)
{
    set_alone("a", CLUSTER_LIVE, true, "10.0.0.1:1");
    assert_true(merge_begin(merge));
    assert_true(merge_remove(merge, "a", "a test"));
    merge_commit(merge);
    assert_string_equal(served("a"), "10.0.0.1:1");
}

TEST(test_merge__pinning_replaces_what_was_found)
{
    set_alone("a", CLUSTER_RESTORED, false, "10.0.0.2:1");
    set_alone("a", CLUSTER_LIVE, true, "10.0.0.1:1");
    assert_string_equal(served("a"), "10.0.0.1:1");
}

TEST(test_merge__removing_takes_a_cluster_away)
{
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    assert_true(merge_begin(merge));
    assert_true(merge_remove(merge, "a", "a test"));
    assert_true(merge_remove(merge, "never there", "a test"));
    merge_commit(merge);
    assert_string_equal(served("a"), "(none)");
    assert_int_equal(changes, 2);
}

TEST(test_merge__removing_nothing_is_no_change)
{
    assert_true(merge_begin(merge));
    assert_true(merge_remove(merge, "a", "a test"));
    merge_commit(merge);
    assert_int_equal(changes, 0);
}

/* Both are in the table that is served: the one in the making needs memory to do without one. */
TEST(test_merge__a_removal_without_memory_is_said_and_may_be_tried_again)
{
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    set_alone("b", CLUSTER_LIVE, false, "10.0.0.2:1");
    assert_true(merge_begin(merge));
    heap_watch(1);
    bool removed = merge_remove(merge, "a", "a test");
    (void)heap_watched();
    assert_false(removed);
    merge_commit(merge);
    assert_string_equal(served("a"), "10.0.0.1:1");
    assert_int_equal(changes, 2);
    assert_true(merge_begin(merge));
    assert_true(merge_remove(merge, "a", "a test"));
    merge_commit(merge);
    assert_string_equal(served("a"), "(none)");
    assert_string_equal(served("b"), "10.0.0.2:1");
}

TEST(test_merge__a_change_without_memory_is_said_and_may_be_tried_again)
{
    struct endpoint e;
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    set_alone("b", CLUSTER_LIVE, false, "10.0.0.2:1");
    assert_true(endpoint_parse(&e, "10.0.0.3:1", strlen("10.0.0.3:1")));
    assert_true(merge_begin(merge));
    heap_watch(1);
    bool changed = merge_set(merge, "a", CLUSTER_LIVE, false, &e, 1, "a test");
    (void)heap_watched();
    assert_false(changed);
    merge_commit(merge);
    assert_string_equal(served("a"), "10.0.0.1:1");
    assert_int_equal(changes, 2);
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.3:1");
    assert_string_equal(served("a"), "10.0.0.3:1");
}

TEST(test_merge__a_source_read_in_part_is_ready_with_the_first_list)
{
    merge_expect(merge);
    set_alone("a", CLUSTER_UNREAD, false, NULL);
    merge_first_read(merge, FIRST_READ_PARTLY);
    set_alone("a", CLUSTER_EMPTY, false, NULL);
    assert_false(registry_status(registry).ready);
    set_alone("b", CLUSTER_LIVE, false, "10.0.0.1:1");
    assert_true(registry_status(registry).ready);
}

TEST(test_merge__is_complete_when_every_source_is)
{
    merge_expect(merge);
    merge_expect(merge);
    merge_first_read(merge, FIRST_READ_COMPLETE);
    assert_false(registry_status(registry).complete);
    assert_false(registry_status(registry).ready);
    merge_first_read(merge, FIRST_READ_COMPLETE);
    assert_true(registry_status(registry).complete);
    assert_true(registry_status(registry).ready);
    assert_int_equal(changes, 2);
}

TEST(test_merge__an_unreachable_source_with_lists_at_hand_is_ready_but_not_complete)
{
    merge_expect(merge);
    merge_expect(merge);
    set_alone("a", CLUSTER_LIVE, true, "10.0.0.1:1");
    merge_first_read(merge, FIRST_READ_COMPLETE);
    merge_first_read(merge, FIRST_READ_UNREACHABLE);
    assert_true(registry_status(registry).ready);
    assert_true(registry_status(registry).failed);
    assert_false(registry_status(registry).complete);
}

TEST(test_merge__an_unreachable_source_without_any_list_is_not_ready)
{
    merge_expect(merge);
    set_alone("a", CLUSTER_UNREAD, false, NULL);
    merge_first_read(merge, FIRST_READ_UNREACHABLE);
    assert_false(registry_status(registry).ready);
    assert_true(registry_status(registry).failed);
}

TEST(test_merge__a_source_may_be_complete_later)
{
    merge_expect(merge);
    merge_first_read(merge, FIRST_READ_UNREACHABLE);
    merge_first_read(merge, FIRST_READ_COMPLETE);
    assert_true(registry_status(registry).complete);
    assert_true(registry_status(registry).ready);
}

/* -- reports and history --------------------------------------------------------------------- */

/* One report, of an instance with that status. */
static void report(const char *address, const char *status)
{
    struct endpoint e;
    struct buf packed;
    struct report r = {.verdict = VERDICT_SERVED,
                       .registered = true,
                       .address = "10.0.0.1",
                       .node = "",
                       .service_id = "",
                       .check = "",
                       .status = status,
                       .detail = ""};
    buf_init(&packed, REPORTS_MAX);
    assert_true(report_append(&packed, &r));
    assert_true(endpoint_parse(&e, address, strlen(address)));
    struct cluster_parts parts = {.id = "a",
                                  .state = CLUSTER_LIVE,
                                  .list = &e,
                                  .count = 1,
                                  .reports = {.data = packed.data, .len = packed.len}};
    assert_true(merge_begin(merge));
    assert_true(merge_put(merge, &parts, "a test"));
    merge_commit(merge);
    buf_clear(&packed);
}

static const char *reported(void)
{
    static char out[64];
    struct reports at = merge_find(merge, "a")->notes->reports;
    struct report r;
    assert_true(report_next(&at, &r));
    (void)snprintf(out, sizeof out, "%s", r.status);
    return out;
}

TEST(test_merge__other_reports_are_served_but_are_no_change)
{
    report("10.0.0.1:1", "passing");
    assert_int_equal(changes, 1);
    int64_t since = merge_find(merge, "a")->since_wall_ms;
    report("10.0.0.1:1", "warning");
    assert_int_equal(changes, 1);
    assert_string_equal(reported(), "warning");
    assert_int_equal(merge_find(merge, "a")->since_wall_ms, since);
    assert_int_equal(merge_find(merge, "a")->notes->change.count, 1);
}

TEST(test_merge__the_same_reports_again_leave_the_cluster_as_it_is)
{
    report("10.0.0.1:1", "passing");
    const struct cluster *first = cluster_ref(merge_find(merge, "a"));
    report("10.0.0.1:1", "passing");
    assert_ptr_equal(merge_find(merge, "a"), first);
    cluster_unref(first);
}

TEST(test_merge__a_cluster_remembers_its_last_change)
{
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    set_alone("a", CLUSTER_HELD, false, "10.0.0.1:1");
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.2:1");
    const struct cluster_change *c = &merge_find(merge, "a")->notes->change;
    assert_int_equal(c->count, 3);
    assert_int_equal(c->was, CLUSTER_HELD);
    assert_string_equal(c->was_body, "10.0.0.1:1");
    assert_string_equal(c->why, "a test");
    assert_true(c->wall_ms > 0);
}

/* Ten thousand of them come at the start. */
TEST(test_merge__what_is_restored_or_only_named_is_no_change)
{
    set_alone("a", CLUSTER_UNREAD, false, NULL);
    assert_int_equal(merge_find(merge, "a")->notes->change.count, 0);
    set_alone("b", CLUSTER_RESTORED, false, "10.0.0.1:1");
    assert_int_equal(merge_find(merge, "b")->notes->change.count, 0);
    assert_string_equal(merge_find(merge, "b")->notes->change.why, "");
}

TEST(test_merge__when_it_was_confirmed_outlives_a_change)
{
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    assert_int_equal(cluster_confirmed_ms(merge_find(merge, "a")), 0);
    merge_confirm(merge, "a");
    int64_t when = cluster_confirmed_ms(merge_find(merge, "a"));
    assert_true(when > 0);
    set_alone("a", CLUSTER_HELD, false, "10.0.0.1:1");
    assert_int_equal(cluster_confirmed_ms(merge_find(merge, "a")), when);
}

TEST(test_merge__what_is_pinned_or_unknown_is_not_confirmed)
{
    set_alone("a", CLUSTER_LIVE, true, "10.0.0.1:1");
    merge_confirm(merge, "a");
    merge_confirm(merge, "b");
    assert_int_equal(cluster_confirmed_ms(merge_find(merge, "a")), 0);
    assert_null(merge_find(merge, "b"));
}

TEST(test_merge__what_is_withheld_has_a_reason_of_its_own)
{
    struct endpoint list, other;
    assert_true(endpoint_parse(&list, "10.0.0.1:1", 10));
    assert_true(endpoint_parse(&other, "10.0.0.2:1", 10));
    struct cluster_parts parts = {.id = "a", .state = CLUSTER_LIVE, .list = &list, .count = 1};
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    parts.withheld = &other;
    parts.withheld_count = 1;
    assert_true(merge_begin(merge));
    assert_true(merge_put(merge, &parts, "instance joined"));
    merge_commit(merge);
    assert_string_equal(merge_find(merge, "a")->notes->change.why, MERGE_CLAIMS_CHANGED);
    assert_string_equal(merge_find(merge, "a")->withheld, "10.0.0.2:1");
}

TEST(test_merge__why_a_list_is_held_may_change)
{
    struct endpoint list;
    assert_true(endpoint_parse(&list, "10.0.0.1:1", 10));
    struct cluster_parts parts = {.id = "a",
                                  .state = CLUSTER_HELD,
                                  .list = &list,
                                  .count = 1,
                                  .unregistered = true,
                                  .gone_ms = 1};
    set_alone("a", CLUSTER_HELD, false, "10.0.0.1:1");
    for (; parts.gone_ms < 3; parts.gone_ms++) { /* when it ends is no change */
        assert_true(merge_begin(merge));
        assert_true(merge_put(merge, &parts, "nothing registered"));
        merge_commit(merge);
        assert_string_equal(merge_find(merge, "a")->notes->change.why, "nothing registered");
        assert_int_equal(merge_find(merge, "a")->notes->change.count, 2);
        assert_int_equal(merge_find(merge, "a")->notes->gone_ms, parts.gone_ms);
    }
}

TEST(test_merge__what_was_restored_and_had_ended_is_no_change)
{
    set_alone("a", CLUSTER_RESTORED, false, "10.0.0.1:1");
    set_alone("b", CLUSTER_LIVE, true, "10.0.0.2:1");
    assert_true(merge_begin(merge));
    assert_true(merge_remove_restored(merge, "a"));
    assert_true(merge_remove_restored(merge, "b"));
    assert_true(merge_remove_restored(merge, "c"));
    merge_commit(merge);
    assert_string_equal(served("a"), "(none)");
    assert_string_equal(served("b"), "10.0.0.2:1");
}

TEST(test_merge__what_comes_to_be_pinned_is_confirmed_by_nobody)
{
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    merge_confirm(merge, "a");
    set_alone("a", CLUSTER_LIVE, true, "10.0.0.2:1");
    assert_int_equal(cluster_confirmed_ms(merge_find(merge, "a")), 0);
}

TEST(test_merge__free_takes_null)
{
    merge_free(NULL);
}
/* -- a config that is read again ------------------------------------------------------------- */

static bool unpin(const char *id, const char *address)
{
    struct endpoint e;
    assert_true(endpoint_parse(&e, address, strlen(address)));
    assert_true(merge_begin(merge));
    bool ok = merge_unpin(merge, id, &e, 1, "no more");
    merge_commit(merge);
    return ok;
}

TEST(test_merge__what_was_pinned_is_served_until_another_source_knows_better)
{
    set_alone("a", CLUSTER_LIVE, true, "10.0.0.1:1");
    assert_true(unpin("a", "10.0.0.1:1"));
    assert_string_equal(served("a"), "10.0.0.1:1");
    const struct table *t = merge_table(merge);
    const struct cluster *c = table_find(t, "a", 1);
    assert_int_equal(c->state, CLUSTER_RESTORED);
    assert_true(c->notes->unpinned);
    assert_string_equal(c->notes->change.why, "no more");
    table_unref(t);
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.2:1");
    assert_string_equal(served("a"), "10.0.0.2:1");
}

TEST(test_merge__that_a_list_was_pinned_is_no_more_is_told_without_a_change)
{
    set_alone("a", CLUSTER_LIVE, true, "10.0.0.1:1");
    assert_true(unpin("a", "10.0.0.1:1"));
    uint64_t before = merge_find(merge, "a")->notes->change.count;
    set_alone("a", CLUSTER_RESTORED, false, "10.0.0.1:1");
    assert_false(merge_find(merge, "a")->notes->unpinned);
    assert_true(merge_find(merge, "a")->notes->change.count == before);
}

TEST(test_merge__what_is_not_pinned_cannot_be_unpinned)
{
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    assert_true(unpin("a", "10.0.0.2:1"));
    assert_string_equal(served("a"), "10.0.0.1:1");
    assert_true(unpin("b", "10.0.0.2:1"));
    assert_string_equal(served("b"), "(none)");
}

TEST(test_merge__what_is_pinned_can_be_changed_and_removed_by_who_pins)
{
    set_alone("a", CLUSTER_LIVE, true, "10.0.0.1:1");
    set_alone("a", CLUSTER_LIVE, true, "10.0.0.2:1");
    assert_string_equal(served("a"), "10.0.0.2:1");
    assert_true(merge_begin(merge));
    assert_true(merge_remove_pinned(merge, "a", "a test"));
    assert_true(merge_remove_pinned(merge, "b", "a test"));
    merge_commit(merge);
    assert_string_equal(served("a"), "(none)");
}

TEST(test_merge__the_default_cluster_comes_with_the_same_commit)
{
    assert_true(merge_begin(merge));
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    merge_set_default(merge, "a");
    const struct table *before = merge_table(merge);
    assert_string_equal(table_default(before), "");
    table_unref(before);
    merge_commit(merge);
    const struct table *after = merge_table(merge);
    assert_string_equal(table_default(after), "a");
    table_unref(after);
    assert_true(merge_begin(merge));
    merge_set_default(merge, "a");
    merge_commit(merge);
    assert_int_equal(changes, 1);
}

/* -- what cannot be read --------------------------------------------------------------------- */

static const char *failure_of(const char *id)
{
    return merge_find(merge, id)->notes->failure.text;
}

static int64_t failing_since(const char *id)
{
    return merge_find(merge, id)->notes->failure.since_wall_ms;
}

TEST(test_merge__what_cannot_be_read_is_told_but_is_no_change)
{
    report("10.0.0.1:1", "passing");
    merge_confirm(merge, "a");
    int64_t confirmed = cluster_confirmed_ms(merge_find(merge, "a"));
    merge_note_failure(merge, "a", "first");
    int64_t since = failing_since("a");
    assert_int_not_equal(since, 0);
    assert_string_equal(failure_of("a"), "first");
    merge_note_failure(merge, "a", "second");
    assert_string_equal(failure_of("a"), "second");
    assert_int_equal(failing_since("a"), since);
    assert_int_equal(changes, 1);
    assert_string_equal(served("a"), "10.0.0.1:1");
    assert_string_equal(reported(), "passing");
    assert_int_equal(cluster_confirmed_ms(merge_find(merge, "a")), confirmed);
    assert_int_equal(merge_find(merge, "a")->notes->change.count, 1);
}

TEST(test_merge__what_is_told_already_leaves_the_cluster_as_it_is)
{
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    const struct cluster *well = cluster_ref(merge_find(merge, "a"));
    merge_note_failure(merge, "a", "");
    assert_ptr_equal(merge_find(merge, "a"), well);
    merge_note_failure(merge, "a", "403");
    const struct cluster *failing = cluster_ref(merge_find(merge, "a"));
    merge_note_failure(merge, "a", "403");
    assert_ptr_equal(merge_find(merge, "a"), failing);
    cluster_unref(well);
    cluster_unref(failing);
}

TEST(test_merge__a_failure_stays_until_it_is_over)
{
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    merge_note_failure(merge, "a", "403");
    set_alone("a", CLUSTER_HELD, false, "10.0.0.1:1");
    assert_string_equal(failure_of("a"), "403");
    merge_note_failure(merge, "a", "");
    assert_string_equal(failure_of("a"), "");
    assert_int_equal(failing_since("a"), 0);
    assert_int_equal(changes, 2);
}

TEST(test_merge__a_failure_of_what_is_pinned_or_unknown_is_nobodys)
{
    merge_note_failure(merge, "a", "403");
    assert_null(merge_find(merge, "a"));
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    merge_note_failure(merge, "a", "403");
    set_alone("a", CLUSTER_LIVE, true, "10.0.0.1:1");
    assert_string_equal(failure_of("a"), "");
    merge_note_failure(merge, "a", "403");
    assert_string_equal(failure_of("a"), "");
}

TEST(test_merge__a_failure_without_memory_is_told_with_the_next_one)
{
    set_alone("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    heap_watch(1);
    merge_note_failure(merge, "a", "403");
    (void)heap_watched();
    assert_string_equal(failure_of("a"), "");
    merge_note_failure(merge, "a", "403");
    assert_string_equal(failure_of("a"), "403");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_merge__what_is_committed_is_served, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge__nothing_is_served_before_the_commit, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_merge__nothing_of_what_is_abandoned_is_served, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_merge__what_is_not_served_is_not_logged, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_merge__the_same_again_is_no_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge__time_to_the_table_is_counted_for_replies, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_merge__another_state_of_the_same_list_is_a_change,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge__a_state_keeps_its_since_while_its_list_changes,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge__a_pinned_cluster_is_not_changed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_merge__a_pinned_cluster_is_not_removed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_merge__pinning_replaces_what_was_found, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_merge__removing_takes_a_cluster_away, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge__removing_nothing_is_no_change, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_merge__a_removal_without_memory_is_said_and_may_be_tried_again, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_merge__a_change_without_memory_is_said_and_may_be_tried_again, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_merge__a_source_read_in_part_is_ready_with_the_first_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge__is_complete_when_every_source_is, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_merge__an_unreachable_source_with_lists_at_hand_is_ready_but_not_complete, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_merge__an_unreachable_source_without_any_list_is_not_ready, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge__a_source_may_be_complete_later, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_merge__other_reports_are_served_but_are_no_change,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_merge__the_same_reports_again_leave_the_cluster_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge__a_cluster_remembers_its_last_change, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_merge__what_is_restored_or_only_named_is_no_change,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge__when_it_was_confirmed_outlives_a_change, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_merge__what_is_pinned_or_unknown_is_not_confirmed,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge__what_comes_to_be_pinned_is_confirmed_by_nobody,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge__what_is_withheld_has_a_reason_of_its_own, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_merge__why_a_list_is_held_may_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge__what_was_restored_and_had_ended_is_no_change,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge__free_takes_null, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_merge__what_was_pinned_is_served_until_another_source_knows_better, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_merge__what_is_not_pinned_cannot_be_unpinned, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_merge__what_is_pinned_can_be_changed_and_removed_by_who_pins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge__the_default_cluster_comes_with_the_same_commit,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge__what_cannot_be_read_is_told_but_is_no_change,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_merge__what_is_told_already_leaves_the_cluster_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge__a_failure_stays_until_it_is_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_merge__a_failure_of_what_is_pinned_or_unknown_is_nobodys, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_merge__a_failure_without_memory_is_told_with_the_next_one, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_merge__that_a_list_was_pinned_is_no_more_is_told_without_a_change, setup,
            teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
