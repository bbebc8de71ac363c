/* SPDX-License-Identifier: Apache-2.0 */
#include "model/cluster.h"

#include <pthread.h>
#include <stdatomic.h>

#include "drops.h"
#include "unit.h"

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

TEST(test_cluster__the_body_is_the_sorted_list)
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

TEST(test_cluster__a_cluster_keeps_what_it_is_told)
{
    struct cluster *c = cluster("a", "10.0.0.1:80");
    assert_int_equal(c->state, CLUSTER_LIVE);
    assert_int_equal(c->since_wall_ms, 42);
    assert_false(c->pinned);
    assert_string_equal(c->id, "a");
    cluster_unref(c);
}

TEST(test_cluster__a_cluster_without_addresses_has_an_empty_body)
{
    struct cluster *c = cluster_new("a", CLUSTER_UNREAD, 42, NULL, 0);
    assert_non_null(c);
    assert_string_equal(c->body, "");
    assert_int_equal(c->body_len, 0);
    cluster_unref(c);
}

TEST(test_cluster__equal_bodies_have_equal_etags)
{
    struct cluster *a = cluster("a", "10.0.0.1:80");
    struct endpoint e = endpoint("10.0.0.1:80");
    struct cluster *b = cluster_new("other", CLUSTER_HELD, 7, &e, 1);
    assert_non_null(b);
    assert_string_equal(a->etag, b->etag);
    cluster_unref(a);
    cluster_unref(b);
}

TEST(test_cluster__other_bodies_have_other_etags)
{
    struct cluster *a = cluster("a", "10.0.0.1:80");
    struct cluster *b = cluster("a", "10.0.0.1:81");
    assert_string_not_equal(a->etag, b->etag);
    cluster_unref(a);
    cluster_unref(b);
}

TEST(test_cluster__etags_are_quoted)
{
    struct cluster *c = cluster("a", "10.0.0.1:80");
    assert_int_equal(strlen(c->etag), 18);
    assert_int_equal(c->etag[0], '"');
    assert_int_equal(c->etag[17], '"');
    assert_int_equal(strspn(c->etag + 1, "0123456789abcdef"), 16);
    cluster_unref(c);
}

TEST(test_cluster__every_state_has_a_word)
{
    assert_string_equal(cluster_state_name(CLUSTER_UNREAD), "unread");
    assert_string_equal(cluster_state_name(CLUSTER_EMPTY), "empty");
    assert_string_equal(cluster_state_name(CLUSTER_LIVE), "live");
    assert_string_equal(cluster_state_name(CLUSTER_HELD), "held");
    assert_string_equal(cluster_state_name(CLUSTER_RESTORED), "restored");
    assert_string_equal(cluster_state_name(CLUSTER_GONE), "gone");
}

TEST(test_cluster__unref_takes_null)
{
    cluster_unref(NULL);
}

TEST(test_cluster__one_that_cannot_be_read_is_else_the_same)
{
    struct cluster_failure failure = {.since_wall_ms = 7, .text = "403"}, none = {.text = ""};
    struct endpoint e = endpoint("10.0.0.1:80");
    struct cluster_parts parts = {.id = "a",
                                  .state = CLUSTER_HELD,
                                  .since_wall_ms = 42,
                                  .list = &e,
                                  .count = 1,
                                  .withheld = &e,
                                  .withheld_count = 1,
                                  .change = {.count = 3, .why = "left", .was_body = "10.0.0.2:80"},
                                  .unregistered = true,
                                  .gone_ms = 99};
    struct cluster *c = cluster_make(&parts);
    assert_non_null(c);
    assert_int_equal(c->notes->failure.since_wall_ms, 0);
    assert_string_equal(c->notes->failure.text, "");
    struct cluster *failing = cluster_with_failure(c, &failure);
    assert_non_null(failing);
    cluster_unref(c);
    assert_int_equal(failing->notes->failure.since_wall_ms, 7);
    assert_string_equal(failing->notes->failure.text, "403");
    c = cluster_with_failure(failing, &none);
    assert_non_null(c);
    cluster_unref(failing);
    assert_string_equal(c->notes->failure.text, "");
    assert_int_equal(c->state, CLUSTER_HELD);
    assert_int_equal(c->since_wall_ms, 42);
    assert_int_equal(c->count, 1);
    assert_string_equal(c->id, "a");
    assert_string_equal(c->body, "10.0.0.1:80");
    assert_string_equal(c->withheld, "10.0.0.1:80");
    assert_int_equal(c->notes->change.count, 3);
    assert_string_equal(c->notes->change.was_body, "10.0.0.2:80");
    assert_true(c->notes->unregistered);
    assert_int_equal(c->notes->gone_ms, 99);
    cluster_unref(c);
}

TEST(test_cluster__a_list_is_told_from_others_by_each_address)
{
    struct endpoint list[] = {endpoint("10.0.0.1:80"), endpoint("10.0.0.2:80"),
                              endpoint("[2001:db8::1]:80")};
    struct endpoint shorter = endpoint("10.0.0.1:8"), longer = endpoint("10.0.0.1:800");
    struct cluster *c = cluster_new("a", CLUSTER_LIVE, 42, list, COUNT_OF(list));
    assert_non_null(c);
    assert_true(cluster_serves(c, list, COUNT_OF(list)));
    assert_false(cluster_serves(c, list, 2));
    assert_false(cluster_serves(c, list + 1, 2));
    assert_false(cluster_serves(c, NULL, 0));
    list[2].port++;
    assert_false(cluster_serves(c, list, COUNT_OF(list)));
    cluster_unref(c);
    c = cluster("a", "10.0.0.1:80");
    assert_false(cluster_serves(c, &longer, 1));
    assert_false(cluster_serves(c, &shorter, 1));
    cluster_unref(c);
}

TEST(test_cluster__what_is_withheld_is_told_from_others_by_each_address)
{
    struct endpoint list[] = {endpoint("10.0.0.1:80"), endpoint("10.0.0.2:80")};
    struct cluster_parts parts = {.id = "a",
                                  .state = CLUSTER_EMPTY,
                                  .withheld = list,
                                  .withheld_count = 1,
                                  .change = {.why = "", .was_body = ""}};
    struct cluster *c = cluster_make(&parts);
    assert_non_null(c);
    assert_true(cluster_serves(c, NULL, 0));
    assert_true(cluster_withholds(c, list, 1));
    assert_false(cluster_withholds(c, list, 2));
    assert_false(cluster_withholds(c, list + 1, 1));
    assert_false(cluster_withholds(c, NULL, 0));
    cluster_unref(c);
}

TEST(test_cluster__why_it_cannot_be_read_is_cut)
{
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct cluster_failure failure = {.since_wall_ms = 7, .text = text};
    struct cluster *c = cluster("a", "10.0.0.1:80");
    struct cluster *failing = cluster_with_failure(c, &failure);
    assert_non_null(failing);
    assert_int_equal(strlen(failing->notes->failure.text), 255);
    cluster_unref(c);
    cluster_unref(failing);
}

/* -- renderings ------------------------------------------------------------------------------ */

TEST(test_cluster__a_cluster_starts_without_a_rendering)
{
    struct cluster *c = cluster("a", "10.0.0.1:1");
    assert_null(cluster_rendering(c));
    cluster_unref(c);
}

TEST(test_cluster__a_rendering_is_dropped_once_with_its_cluster)
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

TEST(test_cluster__the_slower_of_two_renderings_is_dropped_at_once)
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

TEST(test_cluster__of_racing_renderings_all_get_the_one_that_is_kept)
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
        cmocka_unit_test(test_cluster__the_body_is_the_sorted_list),
        cmocka_unit_test(test_cluster__a_cluster_keeps_what_it_is_told),
        cmocka_unit_test(test_cluster__a_cluster_without_addresses_has_an_empty_body),
        cmocka_unit_test(test_cluster__equal_bodies_have_equal_etags),
        cmocka_unit_test(test_cluster__other_bodies_have_other_etags),
        cmocka_unit_test(test_cluster__etags_are_quoted),
        cmocka_unit_test(test_cluster__every_state_has_a_word),
        cmocka_unit_test(test_cluster__unref_takes_null),
        cmocka_unit_test(test_cluster__a_cluster_starts_without_a_rendering),
        cmocka_unit_test_setup(test_cluster__a_rendering_is_dropped_once_with_its_cluster,
                               reset_drops),
        cmocka_unit_test_setup(test_cluster__the_slower_of_two_renderings_is_dropped_at_once,
                               reset_drops),
        cmocka_unit_test(test_cluster__of_racing_renderings_all_get_the_one_that_is_kept),
        cmocka_unit_test(test_cluster__one_that_cannot_be_read_is_else_the_same),
        cmocka_unit_test(test_cluster__a_list_is_told_from_others_by_each_address),
        cmocka_unit_test(test_cluster__what_is_withheld_is_told_from_others_by_each_address),
        cmocka_unit_test(test_cluster__why_it_cannot_be_read_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
