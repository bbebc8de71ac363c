/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "drops.h"
#include "model/table.h"
#include "unit.h"

#define MANY 5000

static struct endpoint endpoint(const char *text)
{
    struct endpoint e;
    assert_true(endpoint_parse(&e, text, strlen(text)));
    return e;
}

static struct cluster *cluster(const char *id, const char *address)
{
    struct endpoint e = endpoint(address);
    struct cluster *c = cluster_new(id, CLUSTER_LIVE, 42, &e, 1);
    assert_non_null(c);
    return c;
}

static const struct cluster *find(const struct table *t, const char *id)
{
    return table_find(t, id, strlen(id));
}

static struct table *new_table(void)
{
    struct table *t = table_new();
    assert_non_null(t);
    return t;
}

static struct table *copy(const struct table *base)
{
    struct table *t = table_copy(base);
    assert_non_null(t);
    return t;
}

static void set(struct table *t, const char *id, const char *address)
{
    assert_true(table_set(t, cluster(id, address)));
}

static void name_of(int n, char out[static 16])
{
    (void)snprintf(out, 16, "c%d", n);
}

TEST(test_table__an_empty_table_finds_nothing)
{
    struct table *t = new_table();
    assert_int_equal(table_count(t), 0);
    assert_null(find(t, "a"));
    assert_null(find(t, ""));
    table_unref(t);
}

TEST(test_table__finds_every_one_of_many)
{
    struct table *t = new_table();
    char name[16];
    for (int i = 0; i < MANY; i++) {
        name_of(i, name);
        set(t, name, "10.0.0.1:80");
    }
    assert_int_equal(table_count(t), MANY);
    for (int i = 0; i < MANY; i++) {
        name_of(i, name);
        const struct cluster *c = find(t, name);
        assert_non_null(c);
        assert_string_equal(c->id, name);
    }
    assert_null(find(t, "c5000"));
    table_unref(t);
}

TEST(test_table__removing_some_keeps_the_others_findable)
{
    struct table *t = new_table();
    char name[16];
    for (int i = 0; i < MANY; i++) {
        name_of(i, name);
        set(t, name, "10.0.0.1:80");
    }
    for (int i = 0; i < MANY; i += 3) {
        name_of(i, name);
        assert_true(table_remove(t, name));
    }
    for (int i = 0; i < MANY; i++) {
        name_of(i, name);
        assert_int_equal(find(t, name) != NULL, i % 3 != 0);
    }
    table_unref(t);
}

TEST(test_table__agrees_with_a_plain_list_over_a_random_history)
{
    enum { NAMES = 64 };
    bool in[NAMES] = {false};
    size_t count = 0;
    struct table *t = new_table();
    struct jitter j;
    char name[16];
    jitter_seed(&j, 99);
    for (int step = 0; step < 20000; step++) {
        int n = (int)jitter_upto(&j, NAMES - 1);
        bool put = jitter_upto(&j, 1) == 0;
        name_of(n, name);
        if (put)
            set(t, name, "10.0.0.1:80");
        else
            assert_true(table_remove(t, name));
        count = count + (put && !in[n]) - (!put && in[n]);
        in[n] = put;
        assert_int_equal(table_count(t), count);
        n = (int)jitter_upto(&j, NAMES - 1);
        name_of(n, name);
        assert_int_equal(find(t, name) != NULL, in[n]);
    }
    table_unref(t);
}

TEST(test_table__finds_exactly_all_bytes)
{
    struct table *t = new_table();
    set(t, "1", "10.0.0.1:80");
    set(t, "10", "10.0.0.2:80");
    assert_string_equal(table_find(t, "10", 1)->body, "10.0.0.1:80");
    assert_string_equal(table_find(t, "10", 2)->body, "10.0.0.2:80");
    assert_null(table_find(t, "100", 3));
    assert_null(table_find(t, "10\0", 3));
    assert_null(table_find(t, "10", 0));
    table_unref(t);
}

TEST(test_table__ids_are_case_sensitive)
{
    struct table *t = new_table();
    set(t, "a", "10.0.0.1:80");
    assert_null(find(t, "A"));
    table_unref(t);
}

TEST(test_table__setting_again_replaces)
{
    struct table *t = new_table();
    set(t, "a", "10.0.0.1:80");
    set(t, "a", "10.0.0.2:80");
    assert_int_equal(table_count(t), 1);
    assert_string_equal(find(t, "a")->body, "10.0.0.2:80");
    table_unref(t);
}

TEST(test_table__removing_what_is_not_there_does_nothing)
{
    struct table *t = new_table();
    set(t, "a", "10.0.0.1:80");
    assert_true(table_remove(t, "b"));
    assert_int_equal(table_count(t), 1);
    table_unref(t);
}

TEST(test_table__a_copy_shares_its_clusters)
{
    struct table *t = new_table();
    set(t, "a", "10.0.0.1:80");
    struct table *next = copy(t);
    assert_ptr_equal(find(t, "a"), find(next, "a"));
    table_unref(t);
    assert_string_equal(find(next, "a")->body, "10.0.0.1:80");
    table_unref(next);
}

TEST(test_table__changing_a_copy_leaves_the_base_alone)
{
    struct table *t = new_table();
    set(t, "a", "10.0.0.1:80");
    set(t, "b", "10.0.0.1:80");
    struct table *next = copy(t);
    set(next, "a", "10.0.0.2:80");
    set(next, "c", "10.0.0.2:80");
    assert_true(table_remove(next, "b"));
    assert_string_equal(find(t, "a")->body, "10.0.0.1:80");
    assert_non_null(find(t, "b"));
    assert_null(find(t, "c"));
    table_unref(next);
    table_unref(t);
}

TEST(test_table__a_cluster_outlives_its_tables_while_it_is_held)
{
    struct table *t = new_table();
    set(t, "a", "10.0.0.1:80");
    const struct cluster *held = cluster_ref(find(t, "a"));
    table_unref(t);
    assert_string_equal(held->body, "10.0.0.1:80");
    cluster_unref(held);
}

TEST(test_table__a_table_lives_until_its_last_holder_lets_go)
{
    struct table *t = new_table();
    set(t, "a", "10.0.0.1:80");
    const struct table *held = table_ref(t);
    table_unref(t);
    assert_non_null(find(held, "a"));
    table_unref(held);
}

TEST(test_table__unref_takes_null)
{
    table_unref(NULL);
}

static bool count_visit(const struct cluster *c, void *arg)
{
    (void)c;
    int *left = arg;
    return --*left > 0;
}

TEST(test_table__each_visits_all)
{
    struct table *t = new_table();
    set(t, "a", "10.0.0.1:80");
    set(t, "b", "10.0.0.1:80");
    set(t, "c", "10.0.0.1:80");
    int left = 100;
    table_each(t, count_visit, &left);
    assert_int_equal(left, 97);
    table_unref(t);
}

TEST(test_table__each_stops_when_told)
{
    struct table *t = new_table();
    set(t, "a", "10.0.0.1:80");
    set(t, "b", "10.0.0.1:80");
    set(t, "c", "10.0.0.1:80");
    int left = 2;
    table_each(t, count_visit, &left);
    assert_int_equal(left, 0);
    table_unref(t);
}

/* -- renderings ------------------------------------------------------------------------------ */

TEST(test_table__a_rendering_goes_with_the_last_table_that_has_its_cluster)
{
    struct table *one = new_table();
    set(one, "a", "10.0.0.1:1");
    struct table *two = copy(one);
    (void)cluster_keep_rendering(find(one, "a"), &numbers[0], drop_number);
    assert_ptr_equal(cluster_rendering(find(two, "a")), &numbers[0]);
    table_unref(one);
    assert_int_equal(drops[0], 0);
    set(two, "a", "10.0.0.2:1");
    assert_int_equal(drops[0], 1);
    assert_null(cluster_rendering(find(two, "a")));
    table_unref(two);
}

TEST(test_table__a_rendering_can_be_seen_ahead_by_its_hash)
{
    struct table *t = new_table();
    set(t, "a", "10.0.0.1:1");
    uint64_t hash = table_hash("a", 1);
    table_warm_slot(t, hash);
    table_warm_cluster(t, hash);
    assert_null(table_peek_rendering(t, hash));
    (void)cluster_keep_rendering(find(t, "a"), &numbers[0], drop_number);
    assert_ptr_equal(table_peek_rendering(t, hash), &numbers[0]);
    table_warm_cluster(t, table_hash("b", 1));
    assert_null(table_peek_rendering(t, table_hash("b", 1)));
    table_unref(t);
}

TEST(test_table__a_copy_has_the_same_default_until_it_has_another)
{
    struct table *t = new_table();
    assert_string_equal(table_default(t), "");
    table_set_default(t, "a");
    struct table *copy = table_copy(t);
    assert_non_null(copy);
    assert_string_equal(table_default(copy), "a");
    table_set_default(copy, "");
    assert_string_equal(table_default(copy), "");
    assert_string_equal(table_default(t), "a");
    table_unref(t);
    table_unref(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table__an_empty_table_finds_nothing),
        cmocka_unit_test(test_table__finds_every_one_of_many),
        cmocka_unit_test(test_table__removing_some_keeps_the_others_findable),
        cmocka_unit_test(test_table__agrees_with_a_plain_list_over_a_random_history),
        cmocka_unit_test(test_table__finds_exactly_all_bytes),
        cmocka_unit_test(test_table__ids_are_case_sensitive),
        cmocka_unit_test(test_table__setting_again_replaces),
        cmocka_unit_test(test_table__removing_what_is_not_there_does_nothing),
        cmocka_unit_test(test_table__a_copy_shares_its_clusters),
        cmocka_unit_test(test_table__changing_a_copy_leaves_the_base_alone),
        cmocka_unit_test(test_table__a_cluster_outlives_its_tables_while_it_is_held),
        cmocka_unit_test(test_table__a_table_lives_until_its_last_holder_lets_go),
        cmocka_unit_test(test_table__unref_takes_null),
        cmocka_unit_test(test_table__each_visits_all),
        cmocka_unit_test(test_table__each_stops_when_told),
        cmocka_unit_test(test_table__a_rendering_can_be_seen_ahead_by_its_hash),
        cmocka_unit_test_setup(
            test_table__a_rendering_goes_with_the_last_table_that_has_its_cluster, reset_drops),
        cmocka_unit_test(test_table__a_copy_has_the_same_default_until_it_has_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
