/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
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

static struct table *copy(const struct table *base, size_t more)
{
    struct table *t = table_copy(base, more);
    assert_non_null(t);
    return t;
}

static struct table *table_with(size_t room)
{
    struct table *empty = table_new();
    assert_non_null(empty);
    struct table *t = copy(empty, room);
    table_unref(empty);
    return t;
}

static void name_of(int n, char out[static 16])
{
    (void)snprintf(out, 16, "c%d", n);
}

TEST(test_table__an_empty_table_finds_nothing)
{
    struct table *t = table_new();
    assert_non_null(t);
    assert_int_equal(table_count(t), 0);
    assert_null(find(t, "a"));
    assert_null(find(t, ""));
    table_unref(t);
}

TEST(test_table__finds_every_one_of_many)
{
    struct table *t = table_with(MANY);
    char name[16];
    for (int i = 0; i < MANY; i++) {
        name_of(i, name);
        table_set(t, cluster(name, "10.0.0.1:80"));
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
    struct table *t = table_with(MANY);
    char name[16];
    for (int i = 0; i < MANY; i++) {
        name_of(i, name);
        table_set(t, cluster(name, "10.0.0.1:80"));
    }
    for (int i = 0; i < MANY; i += 3) {
        name_of(i, name);
        table_remove(t, name);
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
    struct table *t = table_with(NAMES);
    struct jitter j;
    char name[16];
    jitter_seed(&j, 99);
    for (int step = 0; step < 20000; step++) {
        int n = (int)jitter_upto(&j, NAMES - 1);
        bool set = jitter_upto(&j, 1) == 0;
        name_of(n, name);
        if (set)
            table_set(t, cluster(name, "10.0.0.1:80"));
        else
            table_remove(t, name);
        count = count + (set && !in[n]) - (!set && in[n]);
        in[n] = set;
        assert_int_equal(table_count(t), count);
        n = (int)jitter_upto(&j, NAMES - 1);
        name_of(n, name);
        assert_int_equal(find(t, name) != NULL, in[n]);
    }
    table_unref(t);
}

TEST(test_table__finds_exactly_all_bytes)
{
    struct table *t = table_with(2);
    table_set(t, cluster("1", "10.0.0.1:80"));
    table_set(t, cluster("10", "10.0.0.2:80"));
    assert_string_equal(table_find(t, "10", 1)->body, "10.0.0.1:80");
    assert_string_equal(table_find(t, "10", 2)->body, "10.0.0.2:80");
    assert_null(table_find(t, "100", 3));
    assert_null(table_find(t, "10\0", 3));
    assert_null(table_find(t, "10", 0));
    table_unref(t);
}

TEST(test_table__ids_are_case_sensitive)
{
    struct table *t = table_with(2);
    table_set(t, cluster("a", "10.0.0.1:80"));
    assert_null(find(t, "A"));
    table_unref(t);
}

TEST(test_table__setting_again_replaces)
{
    struct table *t = table_with(1);
    table_set(t, cluster("a", "10.0.0.1:80"));
    table_set(t, cluster("a", "10.0.0.2:80"));
    assert_int_equal(table_count(t), 1);
    assert_string_equal(find(t, "a")->body, "10.0.0.2:80");
    table_unref(t);
}

TEST(test_table__removing_what_is_not_there_does_nothing)
{
    struct table *t = table_with(1);
    table_set(t, cluster("a", "10.0.0.1:80"));
    table_remove(t, "b");
    assert_int_equal(table_count(t), 1);
    table_unref(t);
}

TEST(test_table__a_copy_shares_its_clusters)
{
    struct table *t = table_with(1);
    table_set(t, cluster("a", "10.0.0.1:80"));
    struct table *next = copy(t, 1);
    assert_ptr_equal(find(t, "a"), find(next, "a"));
    table_unref(t);
    assert_string_equal(find(next, "a")->body, "10.0.0.1:80");
    table_unref(next);
}

TEST(test_table__changing_a_copy_leaves_the_base_alone)
{
    struct table *t = table_with(2);
    table_set(t, cluster("a", "10.0.0.1:80"));
    table_set(t, cluster("b", "10.0.0.1:80"));
    struct table *next = copy(t, 1);
    table_set(next, cluster("a", "10.0.0.2:80"));
    table_set(next, cluster("c", "10.0.0.2:80"));
    table_remove(next, "b");
    assert_string_equal(find(t, "a")->body, "10.0.0.1:80");
    assert_non_null(find(t, "b"));
    assert_null(find(t, "c"));
    table_unref(next);
    table_unref(t);
}

TEST(test_table__a_cluster_outlives_its_tables_while_it_is_held)
{
    struct table *t = table_with(1);
    table_set(t, cluster("a", "10.0.0.1:80"));
    const struct cluster *held = cluster_ref(find(t, "a"));
    table_unref(t);
    assert_string_equal(held->body, "10.0.0.1:80");
    cluster_unref(held);
}

TEST(test_table__a_table_lives_until_its_last_holder_lets_go)
{
    struct table *t = table_with(1);
    table_set(t, cluster("a", "10.0.0.1:80"));
    const struct table *held = table_ref(t);
    table_unref(t);
    assert_non_null(find(held, "a"));
    table_unref(held);
}

TEST(test_table__unref_takes_null)
{
    table_unref(NULL);
    cluster_unref(NULL);
}

TEST(test_table__the_body_is_the_sorted_list)
{
    struct endpoint list[] = {endpoint("[2001:db8::1]:9876"), endpoint("10.0.0.10:80"),
                              endpoint("10.0.0.9:80"), endpoint("10.0.0.9:80")};
    size_t count = endpoint_sort(list, COUNT_OF(list));
    struct cluster *c = cluster_new("a", CLUSTER_LIVE, 42, list, count);
    assert_non_null(c);
    assert_string_equal(c->body, "10.0.0.9:80;10.0.0.10:80;[2001:db8::1]:9876");
    assert_int_equal(c->body_len, strlen(c->body));
    assert_int_equal(c->count, 3);
    cluster_unref(c);
}

TEST(test_table__a_cluster_keeps_what_it_is_told)
{
    struct cluster *c = cluster("a", "10.0.0.1:80");
    assert_int_equal(c->state, CLUSTER_LIVE);
    assert_int_equal(c->since_wall_ms, 42);
    assert_false(c->pinned);
    assert_string_equal(c->id, "a");
    cluster_unref(c);
}

TEST(test_table__a_cluster_without_addresses_has_an_empty_body)
{
    struct cluster *c = cluster_new("a", CLUSTER_UNREAD, 42, NULL, 0);
    assert_non_null(c);
    assert_string_equal(c->body, "");
    assert_int_equal(c->body_len, 0);
    cluster_unref(c);
}

TEST(test_table__equal_bodies_have_equal_etags)
{
    struct cluster *a = cluster("a", "10.0.0.1:80");
    struct endpoint e = endpoint("10.0.0.1:80");
    struct cluster *b = cluster_new("other", CLUSTER_HELD, 7, &e, 1);
    assert_non_null(b);
    assert_string_equal(a->etag, b->etag);
    cluster_unref(a);
    cluster_unref(b);
}

TEST(test_table__other_bodies_have_other_etags)
{
    struct cluster *a = cluster("a", "10.0.0.1:80");
    struct cluster *b = cluster("a", "10.0.0.1:81");
    assert_string_not_equal(a->etag, b->etag);
    cluster_unref(a);
    cluster_unref(b);
}

TEST(test_table__etags_are_quoted)
{
    struct cluster *c = cluster("a", "10.0.0.1:80");
    assert_int_equal(strlen(c->etag), 18);
    assert_int_equal(c->etag[0], '"');
    assert_int_equal(c->etag[17], '"');
    assert_int_equal(strspn(c->etag + 1, "0123456789abcdef"), 16);
    cluster_unref(c);
}

static bool count_visit(const struct cluster *c, void *arg)
{
    (void)c;
    int *left = arg;
    return --*left > 0;
}

TEST(test_table__each_visits_all)
{
    struct table *t = table_with(3);
    table_set(t, cluster("a", "10.0.0.1:80"));
    table_set(t, cluster("b", "10.0.0.1:80"));
    table_set(t, cluster("c", "10.0.0.1:80"));
    int left = 100;
    table_each(t, count_visit, &left);
    assert_int_equal(left, 97);
    table_unref(t);
}

TEST(test_table__each_stops_when_told)
{
    struct table *t = table_with(3);
    table_set(t, cluster("a", "10.0.0.1:80"));
    table_set(t, cluster("b", "10.0.0.1:80"));
    table_set(t, cluster("c", "10.0.0.1:80"));
    int left = 2;
    table_each(t, count_visit, &left);
    assert_int_equal(left, 0);
    table_unref(t);
}

TEST(test_table__every_state_has_a_word)
{
    assert_string_equal(cluster_state_name(CLUSTER_UNREAD), "unread");
    assert_string_equal(cluster_state_name(CLUSTER_EMPTY), "empty");
    assert_string_equal(cluster_state_name(CLUSTER_LIVE), "live");
    assert_string_equal(cluster_state_name(CLUSTER_HELD), "held");
    assert_string_equal(cluster_state_name(CLUSTER_RESTORED), "restored");
    assert_string_equal(cluster_state_name(CLUSTER_GONE), "gone");
}

/* -- renderings ------------------------------------------------------------------------------ */

static int drops[4]; /* by the rendering's own number */

static void drop_number(void *rendering)
{
    const int *number = rendering;
    drops[*number]++;
}

static int numbers[4] = {0, 1, 2, 3};

static int reset_drops(void **state)
{
    (void)state;
    memset(drops, 0, sizeof drops);
    return 0;
}

TEST(test_table__a_cluster_starts_without_a_rendering)
{
    struct cluster *c = cluster("a", "10.0.0.1:1");
    assert_null(cluster_rendering(c));
    cluster_unref(c);
}

TEST(test_table__a_rendering_is_dropped_once_with_its_cluster)
{
    struct cluster *c = cluster("a", "10.0.0.1:1");
    assert_ptr_equal(cluster_keep_rendering(c, &numbers[0], drop_number), &numbers[0]);
    assert_ptr_equal(cluster_rendering(c), &numbers[0]);
    const struct cluster *held = cluster_ref(c);
    cluster_unref(c);
    assert_int_equal(drops[0], 0);
    assert_ptr_equal(cluster_rendering(held), &numbers[0]);
    cluster_unref(held);
    assert_int_equal(drops[0], 1);
}

TEST(test_table__a_rendering_goes_with_the_last_table_that_has_its_cluster)
{
    struct table *one = table_with(1);
    table_set(one, cluster("a", "10.0.0.1:1"));
    struct table *two = copy(one, 0);
    (void)cluster_keep_rendering(find(one, "a"), &numbers[0], drop_number);
    assert_ptr_equal(cluster_rendering(find(two, "a")), &numbers[0]);
    table_unref(one);
    assert_int_equal(drops[0], 0);
    table_set(two, cluster("a", "10.0.0.2:1"));
    assert_int_equal(drops[0], 1);
    assert_null(cluster_rendering(find(two, "a")));
    table_unref(two);
}

TEST(test_table__a_rendering_can_be_seen_ahead_by_its_hash)
{
    struct table *t = table_with(1);
    table_set(t, cluster("a", "10.0.0.1:1"));
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

TEST(test_table__the_slower_of_two_renderings_is_dropped_at_once)
{
    struct cluster *c = cluster("a", "10.0.0.1:1");
    (void)cluster_keep_rendering(c, &numbers[0], drop_number);
    assert_ptr_equal(cluster_keep_rendering(c, &numbers[1], drop_number), &numbers[0]);
    assert_int_equal(drops[0], 0);
    assert_int_equal(drops[1], 1);
    assert_ptr_equal(cluster_rendering(c), &numbers[0]);
    cluster_unref(c);
    assert_int_equal(drops[0], 1);
    assert_int_equal(drops[1], 1);
}

#define RACERS 4
#define RACES 2000

struct race {
    const struct cluster *cluster;
    pthread_barrier_t *barrier;
    atomic_int dropped;
};

/* What a racer made; it has to be whole for whoever gets it. */
struct made {
    struct race *race;
    uint64_t check;
};

#define CHECK UINT64_C(0x5ca1ab1e)

static void drop_made(void *rendering)
{
    struct made *made = rendering;
    atomic_fetch_add(&made->race->dropped, 1);
    free(made);
}

/* The rendering that is kept. */
static void *render(void *arg)
{
    struct race *race = arg;
    struct made *made = malloc(sizeof *made);
    if (made == NULL)
        abort();
    *made = (struct made){.race = race, .check = CHECK};
    (void)pthread_barrier_wait(race->barrier);
    struct made *kept = cluster_rendering(race->cluster);
    if (kept == NULL)
        kept = cluster_keep_rendering(race->cluster, made, drop_made);
    else
        drop_made(made);
    return kept->check == CHECK ? kept : NULL;
}

TEST(test_table__of_racing_renderings_all_get_the_one_that_is_kept)
{
    pthread_barrier_t barrier;
    assert_int_equal(pthread_barrier_init(&barrier, NULL, RACERS), 0);
    for (int i = 0; i < RACES; i++) {
        struct cluster *c = cluster("a", "10.0.0.1:1");
        struct race race = {.cluster = c, .barrier = &barrier};
        pthread_t threads[RACERS];
        void *kept[RACERS];
        for (int k = 0; k < RACERS; k++)
            assert_int_equal(pthread_create(&threads[k], NULL, render, &race), 0);
        for (int k = 0; k < RACERS; k++)
            assert_int_equal(pthread_join(threads[k], &kept[k]), 0);
        for (int k = 0; k < RACERS; k++) {
            assert_non_null(kept[k]);
            assert_ptr_equal(kept[k], cluster_rendering(c));
        }
        assert_int_equal(atomic_load(&race.dropped), RACERS - 1);
        cluster_unref(c);
        assert_int_equal(atomic_load(&race.dropped), RACERS);
    }
    assert_int_equal(pthread_barrier_destroy(&barrier), 0);
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
        cmocka_unit_test(test_table__the_body_is_the_sorted_list),
        cmocka_unit_test(test_table__a_cluster_keeps_what_it_is_told),
        cmocka_unit_test(test_table__a_cluster_without_addresses_has_an_empty_body),
        cmocka_unit_test(test_table__equal_bodies_have_equal_etags),
        cmocka_unit_test(test_table__other_bodies_have_other_etags),
        cmocka_unit_test(test_table__etags_are_quoted),
        cmocka_unit_test(test_table__each_visits_all),
        cmocka_unit_test(test_table__each_stops_when_told),
        cmocka_unit_test(test_table__every_state_has_a_word),
        cmocka_unit_test(test_table__a_cluster_starts_without_a_rendering),
        cmocka_unit_test(test_table__a_rendering_can_be_seen_ahead_by_its_hash),
        cmocka_unit_test_setup(test_table__a_rendering_is_dropped_once_with_its_cluster,
                               reset_drops),
        cmocka_unit_test_setup(
            test_table__a_rendering_goes_with_the_last_table_that_has_its_cluster, reset_drops),
        cmocka_unit_test_setup(test_table__the_slower_of_two_renderings_is_dropped_at_once,
                               reset_drops),
        cmocka_unit_test(test_table__of_racing_renderings_all_get_the_one_that_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
