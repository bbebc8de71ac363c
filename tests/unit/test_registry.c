/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>

#include "model/registry.h"
#include "model/table.h"
#include "unit.h"

static struct registry *registry(void)
{
    struct error error;
    struct registry *r = registry_new(&error);
    assert_non_null(r);
    return r;
}

/* A table whose one cluster "a" says `port` twice, in its body and in its time. */
static const struct table *table_saying(int port)
{
    struct endpoint e;
    assert_true(endpoint_make(&e, "10.0.0.1", port));
    struct table *t = table_new();
    struct cluster *c = cluster_new("a", CLUSTER_LIVE, port, &e, 1);
    assert_true(t != NULL && c != NULL);
    assert_true(table_set(t, c));
    return t;
}

TEST(test_registry__starts_with_an_empty_table)
{
    struct registry *r = registry();
    struct registry_status status;
    const struct table *t = registry_acquire(r, &status);
    assert_int_equal(table_count(t), 0);
    assert_false(status.complete || status.failed || status.ready || status.draining);
    table_unref(t);
    registry_free(r);
}

TEST(test_registry__serves_what_was_published_last)
{
    struct registry *r = registry();
    registry_publish(r, table_saying(1));
    registry_publish(r, table_saying(2));
    const struct table *t = registry_acquire(r, NULL);
    assert_string_equal(table_find(t, "a", 1)->body, "10.0.0.1:2");
    table_unref(t);
    registry_free(r);
}

TEST(test_registry__a_held_table_outlives_a_publish)
{
    struct registry *r = registry();
    registry_publish(r, table_saying(1));
    const struct table *t = registry_acquire(r, NULL);
    registry_publish(r, table_saying(2));
    assert_string_equal(table_find(t, "a", 1)->body, "10.0.0.1:1");
    table_unref(t);
    registry_free(r);
}

TEST(test_registry__a_held_table_outlives_the_registry)
{
    struct registry *r = registry();
    registry_publish(r, table_saying(1));
    const struct table *t = registry_acquire(r, NULL);
    registry_free(r);
    assert_string_equal(table_find(t, "a", 1)->body, "10.0.0.1:1");
    table_unref(t);
}

TEST(test_registry__each_status_is_set_alone)
{
    struct registry *r = registry();
    registry_set_ready(r);
    assert_true(registry_status(r).ready);
    assert_false(registry_status(r).complete);
    registry_set_failed(r);
    assert_true(registry_status(r).failed);
    assert_false(registry_status(r).draining);
    registry_set_complete(r);
    assert_true(registry_status(r).complete);
    registry_set_draining(r);
    assert_true(registry_status(r).draining);
    registry_free(r);
}

TEST(test_registry__free_takes_null)
{
    registry_free(NULL);
}

/* -- views ----------------------------------------------------------------------------------- */

static const char *body_in(const struct registry_view *view)
{
    return table_find(view->table, "a", 1)->body;
}

TEST(test_registry__a_new_view_sees_the_first_table)
{
    struct registry *r = registry();
    struct registry_view view = {.table = NULL};
    registry_view_update(r, &view);
    assert_non_null(view.table);
    assert_int_equal(table_count(view.table), 0);
    assert_false(view.status.complete || view.status.ready || view.status.draining);
    registry_view_clear(&view);
    registry_free(r);
}

TEST(test_registry__a_view_follows_each_publish_once_it_is_updated)
{
    struct registry *r = registry();
    struct registry_view view = {.table = NULL};
    for (int i = 1; i < 5; i++) {
        char wanted[32];
        (void)snprintf(wanted, sizeof wanted, "10.0.0.1:%d", i);
        registry_publish(r, table_saying(i));
        registry_view_update(r, &view);
        assert_string_equal(body_in(&view), wanted);
    }
    registry_publish(r, table_saying(9));
    assert_string_equal(body_in(&view), "10.0.0.1:4");
    registry_view_clear(&view);
    registry_free(r);
}

TEST(test_registry__a_view_follows_every_status)
{
    struct registry *r = registry();
    struct registry_view view = {.table = NULL};
    registry_view_update(r, &view);
    registry_set_failed(r);
    registry_view_update(r, &view);
    assert_true(view.status.failed && !view.status.complete);
    registry_set_complete(r);
    registry_view_update(r, &view);
    assert_true(view.status.complete && !view.status.ready);
    registry_set_ready(r);
    registry_view_update(r, &view);
    assert_true(view.status.ready && !view.status.draining);
    registry_set_draining(r);
    registry_view_update(r, &view);
    assert_true(view.status.draining);
    registry_view_clear(&view);
    registry_free(r);
}

TEST(test_registry__a_view_without_news_keeps_the_same_table)
{
    struct registry *r = registry();
    struct registry_view view = {.table = NULL};
    registry_publish(r, table_saying(1));
    registry_view_update(r, &view);
    const struct table *first = view.table;
    registry_view_update(r, &view);
    assert_ptr_equal(view.table, first);
    registry_set_ready(r);
    registry_view_update(r, &view);
    assert_ptr_equal(view.table, first);
    registry_view_clear(&view);
    registry_free(r);
}

TEST(test_registry__a_cleared_view_starts_anew)
{
    struct registry *r = registry();
    struct registry_view view = {.table = NULL};
    registry_view_clear(&view);
    registry_publish(r, table_saying(1));
    registry_view_update(r, &view);
    registry_view_clear(&view);
    assert_null(view.table);
    registry_view_update(r, &view);
    assert_string_equal(body_in(&view), "10.0.0.1:1");
    registry_view_clear(&view);
    registry_free(r);
}

TEST(test_registry__a_view_outlives_the_registry)
{
    struct registry *r = registry();
    struct registry_view view = {.table = NULL};
    registry_publish(r, table_saying(1));
    registry_view_update(r, &view);
    registry_free(r);
    assert_string_equal(body_in(&view), "10.0.0.1:1");
    registry_view_clear(&view);
}

/* -- threads --------------------------------------------------------------------------------- */

/* What the threads work on is static in each test: a failed assertion leaves them at work. */
#define READERS 4
#define PUBLISHES 5000

struct readers {
    struct registry *registry;
    atomic_bool stop;
    atomic_int wrong;
    atomic_int went_back;
};

static void *read_on(void *arg)
{
    struct readers *r = arg;
    int64_t last = 0;
    do {
        struct registry_status status;
        const struct table *t = registry_acquire(r->registry, &status);
        const struct cluster *c = table_find(t, "a", 1);
        char wanted[32];
        (void)snprintf(wanted, sizeof wanted, "10.0.0.1:%d", (int)c->since_wall_ms);
        if (strcmp(c->body, wanted) != 0)
            atomic_fetch_add(&r->wrong, 1);
        if (c->since_wall_ms < last)
            atomic_fetch_add(&r->went_back, 1);
        last = c->since_wall_ms;
        table_unref(t);
    } while (!atomic_load(&r->stop));
    return NULL;
}

TEST(test_registry__readers_see_whole_tables_in_order_while_a_writer_publishes)
{
    static struct readers r;
    r = (struct readers){.registry = registry()};
    pthread_t threads[READERS];
    registry_publish(r.registry, table_saying(1));
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &r), 0);
    for (int i = 1; i <= PUBLISHES; i++) {
        registry_publish(r.registry, table_saying(i));
        if (i == PUBLISHES / 2)
            registry_set_complete(r.registry);
    }
    atomic_store(&r.stop, true);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&r.wrong), 0);
    assert_int_equal(atomic_load(&r.went_back), 0);
    registry_free(r.registry);
}

/* What was published, or said of it, before a reader looks is what it sees. */
struct viewers {
    struct registry *registry;
    atomic_int published;
    atomic_bool stop;
    atomic_int behind;
    atomic_int went_back;
    atomic_int torn;
};

static void *view_on(void *arg)
{
    struct viewers *v = arg;
    struct registry_view view = {.table = NULL};
    int64_t last = 0;
    do {
        int published = atomic_load(&v->published);
        registry_view_update(v->registry, &view);
        const struct cluster *c = table_find(view.table, "a", 1);
        if (c->since_wall_ms < published)
            atomic_fetch_add(&v->behind, 1);
        if (c->since_wall_ms < last)
            atomic_fetch_add(&v->went_back, 1);
        /* It is said after the publish of half of them, and before the next one. */
        if (view.status.complete != (c->since_wall_ms >= PUBLISHES / 2) &&
            c->since_wall_ms != PUBLISHES / 2)
            atomic_fetch_add(&v->torn, 1);
        last = c->since_wall_ms;
    } while (!atomic_load(&v->stop));
    registry_view_clear(&view);
    return NULL;
}

TEST(test_registry__views_are_never_behind_while_a_writer_publishes)
{
    static struct viewers v;
    v = (struct viewers){.registry = registry()};
    pthread_t threads[READERS];
    registry_publish(v.registry, table_saying(1));
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, view_on, &v), 0);
    for (int i = 1; i <= PUBLISHES; i++) {
        registry_publish(v.registry, table_saying(i));
        if (i == PUBLISHES / 2)
            registry_set_complete(v.registry);
        atomic_store(&v.published, i);
    }
    atomic_store(&v.stop, true);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&v.behind), 0);
    assert_int_equal(atomic_load(&v.went_back), 0);
    assert_int_equal(atomic_load(&v.torn), 0);
    registry_free(v.registry);
}

/* The writer's way: copy what is served, change the copy, publish it. */
TEST(test_registry__clusters_shared_between_tables_are_counted_across_threads)
{
    static struct readers r;
    r = (struct readers){.registry = registry()};
    pthread_t threads[READERS];
    registry_publish(r.registry, table_saying(1));
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &r), 0);
    for (int i = 0; i < PUBLISHES; i++) {
        const struct table *now = registry_acquire(r.registry, NULL);
        struct table *next = table_copy(now);
        table_unref(now);
        struct cluster *c = cluster_new("b", CLUSTER_EMPTY, i, NULL, 0);
        assert_true(next != NULL && c != NULL);
        assert_true(table_set(next, c));
        registry_publish(r.registry, next);
    }
    atomic_store(&r.stop, true);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&r.wrong), 0);
    registry_free(r.registry);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry__starts_with_an_empty_table),
        cmocka_unit_test(test_registry__serves_what_was_published_last),
        cmocka_unit_test(test_registry__a_held_table_outlives_a_publish),
        cmocka_unit_test(test_registry__a_held_table_outlives_the_registry),
        cmocka_unit_test(test_registry__each_status_is_set_alone),
        cmocka_unit_test(test_registry__free_takes_null),
        cmocka_unit_test(test_registry__a_new_view_sees_the_first_table),
        cmocka_unit_test(test_registry__a_view_follows_each_publish_once_it_is_updated),
        cmocka_unit_test(test_registry__a_view_follows_every_status),
        cmocka_unit_test(test_registry__a_view_without_news_keeps_the_same_table),
        cmocka_unit_test(test_registry__a_cleared_view_starts_anew),
        cmocka_unit_test(test_registry__a_view_outlives_the_registry),
        cmocka_unit_test(test_registry__views_are_never_behind_while_a_writer_publishes),
        cmocka_unit_test(test_registry__readers_see_whole_tables_in_order_while_a_writer_publishes),
        cmocka_unit_test(test_registry__clusters_shared_between_tables_are_counted_across_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
