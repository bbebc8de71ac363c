/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "heap.h"
#include "model/registry.h"
#include "model/table.h"
#include "unit.h"

/* Tables that come of one another: what they share, and that none sees what another is told. */

/* Of one and the same hash, */
static const char *const equal[] = {"XTB4xfwcoyI08pxOACIk4D", "XTB4xfwcoyI21Cq4XFvs0I",
                                    "B12OJ4wNiwF08pxOACIk4D", "B12OJ4wNiwF21Cq4XFvs0I"};
/* and of hashes that differ in their highest four bits alone. */
static const char *const close_by[] = {"gug4V154JV", "0yLmqE38tF"};

#define MANY 10000
/* A change of one of so many: a table and its way to the cluster. */
#define HANDFUL 8

static const char *id_of(size_t n)
{
    static char text[32];
    if (n < COUNT_OF(equal))
        return equal[n];
    n -= COUNT_OF(equal);
    if (n < COUNT_OF(close_by))
        return close_by[n];
    (void)snprintf(text, sizeof text, "cluster-%zu", n);
    return text;
}

/* Its only address tells which one it is. */
static struct cluster *cluster(size_t n, int port)
{
    struct endpoint e;
    assert_true(endpoint_make(&e, "10.0.0.1", port));
    struct cluster *c = cluster_new(id_of(n), CLUSTER_LIVE, 0, &e, 1);
    assert_non_null(c);
    return c;
}

static struct table *copy(const struct table *base)
{
    struct table *t = base != NULL ? table_copy(base) : table_new();
    assert_non_null(t);
    return t;
}

static struct table *table_of(size_t count)
{
    struct table *t = copy(NULL);
    for (size_t n = 0; n < count; n++)
        assert_true(table_set(t, cluster(n, 1)));
    return t;
}

static const struct cluster *find(const struct table *t, size_t n)
{
    const char *id = id_of(n);
    return table_find(t, id, strlen(id));
}

TEST(test_table_sharing__the_chosen_ids_collide)
{
    uint64_t hash = table_hash(equal[0], strlen(equal[0]));
    for (size_t i = 1; i < COUNT_OF(equal); i++)
        assert_int_equal(table_hash(equal[i], strlen(equal[i])), hash);
    uint64_t a = table_hash(close_by[0], strlen(close_by[0]));
    uint64_t b = table_hash(close_by[1], strlen(close_by[1]));
    assert_true(a != b && a << 4 == b << 4);
}

/* -- against a plain list -------------------------------------------------------------------- */

enum { NAMES = 40, VERSIONS = 16, STEPS = 3000 };

/* A table, and the port of each cluster that is to be in it, or 0. */
struct version {
    struct table *table;
    int ports[NAMES];
};

static bool visit(const struct cluster *c, void *arg)
{
    size_t *seen = arg;
    (void)c;
    (*seen)++;
    return true;
}

static void verify(const struct version *v)
{
    size_t count = 0, seen = 0;
    for (size_t n = 0; n < NAMES; n++) {
        const struct cluster *c = find(v->table, n);
        char body[24];
        (void)snprintf(body, sizeof body, "10.0.0.1:%d", v->ports[n]);
        count += v->ports[n] != 0;
        if (v->ports[n] == 0)
            assert_null(c);
        else if (c == NULL || strcmp(c->id, id_of(n)) != 0 || strcmp(c->body, body) != 0)
            fail_msg("%s is not found with %s", id_of(n), body);
    }
    table_each(v->table, visit, &seen);
    assert_int_equal(seen, count);
    assert_int_equal(table_count(v->table), count);
}

/* Removes with port 0. */
static bool try_change(struct version *v, size_t n, int port, size_t refuse)
{
    struct cluster *c = port != 0 ? cluster(n, port) : NULL;
    heap_watch(refuse);
    bool ok = c != NULL ? table_set(v->table, c) : table_remove(v->table, id_of(n));
    (void)heap_watched();
    if (ok)
        v->ports[n] = port;
    return ok;
}

/* Each allocation of the change fails once, before it succeeds. */
static void change(struct version *v, size_t n, int port)
{
    size_t refuse = 1;
    for (; !try_change(v, n, port, refuse); refuse++) {
        verify(v);
        assert_in_range(refuse, 1, 20);
    }
    verify(v);
}

static void derive(struct version *to, const struct version *from)
{
    if (to == from)
        return;
    table_unref(to->table);
    *to = *from;
    to->table = copy(from->table);
}

TEST(test_table_sharing__no_table_sees_the_changes_of_another)
{
    struct version all[VERSIONS] = {{.table = copy(NULL)}};
    struct jitter j;
    jitter_seed(&j, 7);
    for (size_t i = 1; i < VERSIONS; i++)
        derive(&all[i], &all[0]);
    for (int step = 0; step < STEPS; step++) {
        struct version *v = &all[jitter_upto(&j, VERSIONS - 1)];
        derive(v, &all[jitter_upto(&j, VERSIONS - 1)]);
        for (int64_t left = jitter_upto(&j, 3); left >= 0; left--) {
            size_t n = (size_t)jitter_upto(&j, NAMES - 1);
            change(v, n, jitter_upto(&j, 1) == 0 ? 0 : 1 + (int)jitter_upto(&j, 9));
        }
        if (step % 10 == 0)
            for (size_t i = 0; i < VERSIONS; i++)
                verify(&all[i]);
    }
    for (size_t i = 0; i < VERSIONS; i++)
        table_unref(all[i].table);
}

/* -- equal hashes ---------------------------------------------------------------------------- */

TEST(test_table_sharing__equal_hashes_are_told_apart_by_their_ids)
{
    struct version v = {.table = copy(NULL)};
    for (size_t n = 0; n < COUNT_OF(equal); n++)
        change(&v, n, 1 + (int)n);
    change(&v, 1, 9);
    change(&v, 0, 0);
    change(&v, 2, 0);
    change(&v, 2, 5);
    table_unref(v.table);
}

TEST(test_table_sharing__equal_hashes_in_a_shared_table_are_changed_in_a_copy_alone)
{
    struct version v = {.table = table_of(3), .ports = {1, 1, 1}};
    struct version next = {.table = NULL};
    derive(&next, &v);
    change(&next, 3, 4);
    change(&next, 1, 5);
    change(&next, 0, 0);
    verify(&v);
    table_unref(v.table);
    verify(&next);
    table_unref(next.table);
}

TEST(test_table_sharing__one_of_equal_hashes_takes_the_place_of_one_that_went)
{
    struct table *t = table_of(COUNT_OF(equal));
    struct cluster *c = cluster(1, 2);
    assert_true(table_remove(t, id_of(2)));
    assert_true(table_remove(t, id_of(1)));
    heap_watch(0);
    bool ok = table_set(t, c);
    assert_int_equal(heap_watched().taken, 0);
    assert_true(ok);
    table_unref(t);
}

TEST(test_table_sharing__among_equal_hashes_none_is_seen_ahead)
{
    struct table *t = table_of(COUNT_OF(equal));
    uint64_t hash = table_hash(equal[0], strlen(equal[0]));
    table_warm_slot(t, hash);
    table_warm_cluster(t, hash);
    assert_null(table_peek_rendering(t, hash));
    table_unref(t);
}

/* -- what a change costs --------------------------------------------------------------------- */

TEST(test_table_sharing__a_copy_takes_one_allocation)
{
    struct table *t = table_of(MANY);
    heap_watch(0);
    struct table *next = copy(t);
    assert_int_equal(heap_watched().taken, 1);
    table_unref(t);
    table_unref(next);
}

TEST(test_table_sharing__a_change_of_one_of_many_copies_the_way_to_it_alone)
{
    struct table *t = table_of(MANY);
    for (size_t n = COUNT_OF(equal) + COUNT_OF(close_by); n < MANY; n += 7) {
        struct cluster *c = cluster(n, 2);
        heap_watch(0);
        struct table *next = copy(t);
        assert_true(table_set(next, c));
        assert_in_range(heap_watched().taken, 2, HANDFUL);
        table_unref(next);
        heap_watch(0);
        next = copy(t);
        assert_true(table_remove(next, id_of(n)));
        assert_in_range(heap_watched().taken, 2, HANDFUL);
        table_unref(next);
    }
    table_unref(t);
}

TEST(test_table_sharing__dropping_a_table_frees_only_what_it_alone_had)
{
    struct table *t = table_of(MANY);
    struct table *next = copy(t);
    assert_true(table_set(next, cluster(MANY / 2, 2)));
    heap_watch(0);
    table_unref(t);
    assert_in_range(heap_watched().freed, 2, HANDFUL + 1);
    assert_int_equal(table_count(next), MANY);
    table_unref(next);
}

TEST(test_table_sharing__what_is_its_own_is_changed_in_place)
{
    struct table *t = table_of(MANY);
    struct table *next = copy(t);
    assert_true(table_set(next, cluster(MANY / 2, 2)));
    struct cluster *c = cluster(MANY / 2, 3);
    heap_watch(0);
    assert_true(table_set(next, c));
    assert_int_equal(heap_watched().taken, 0);
    table_unref(next);
    table_unref(t);
}

TEST(test_table_sharing__removing_what_is_not_there_copies_nothing)
{
    struct table *t = table_of(MANY);
    struct table *next = copy(t);
    heap_watch(0);
    assert_true(table_remove(next, id_of(MANY)));
    assert_int_equal(heap_watched().taken, 0);
    table_unref(next);
    table_unref(t);
}

TEST(test_table_sharing__nothing_is_left_of_clusters_that_went)
{
    struct table *t = table_of(MANY);
    for (size_t n = 1; n < MANY; n++)
        assert_true(table_remove(t, id_of(n)));
    struct table *next = copy(t);
    heap_watch(0);
    assert_true(table_remove(next, id_of(0))); /* it stands at the top again: no way to copy */
    assert_int_equal(heap_watched().taken, 0);
    assert_int_equal(table_count(next), 0);
    assert_non_null(find(t, 0));
    table_unref(next);
    table_unref(t);
}

/* -- threads --------------------------------------------------------------------------------- */

enum { READERS = 2, CHANGES = 3000, SERVED = 300 };

struct reading {
    struct registry *registry;
    atomic_bool stop;
    atomic_int wrong;
};

struct look {
    const struct table *table;
    size_t seen;
    bool ok;
};

static bool look_at(const struct cluster *c, void *arg)
{
    struct look *l = arg;
    l->seen++;
    l->ok &= table_find(l->table, c->id, strlen(c->id)) == c;
    return true;
}

static void *read_on(void *arg)
{
    struct reading *r = arg;
    while (!atomic_load(&r->stop)) {
        struct look l = {.table = registry_acquire(r->registry, NULL), .ok = true};
        table_each(l.table, look_at, &l);
        if (!l.ok || l.seen != table_count(l.table))
            atomic_fetch_add(&r->wrong, 1);
        table_unref(l.table);
    }
    return NULL;
}

TEST(test_table_sharing__readers_see_whole_tables_while_one_writes)
{
    struct error error;
    static struct reading r; /* a failed assertion leaves the readers at work */
    struct jitter j;
    pthread_t threads[READERS];
    r = (struct reading){.registry = registry_new(&error)};
    assert_non_null(r.registry);
    jitter_seed(&j, 3);
    registry_publish(r.registry, table_of(SERVED));
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &r), 0);
    for (int i = 0; i < CHANGES; i++) {
        const struct table *now = registry_acquire(r.registry, NULL);
        struct table *next = copy(now);
        table_unref(now);
        size_t n = (size_t)jitter_upto(&j, SERVED - 1);
        assert_true(jitter_upto(&j, 1) == 0 ? table_remove(next, id_of(n))
                                            : table_set(next, cluster(n, 1 + i)));
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
        cmocka_unit_test(test_table_sharing__the_chosen_ids_collide),
        cmocka_unit_test(test_table_sharing__no_table_sees_the_changes_of_another),
        cmocka_unit_test(test_table_sharing__equal_hashes_are_told_apart_by_their_ids),
        cmocka_unit_test(
            test_table_sharing__equal_hashes_in_a_shared_table_are_changed_in_a_copy_alone),
        cmocka_unit_test(test_table_sharing__one_of_equal_hashes_takes_the_place_of_one_that_went),
        cmocka_unit_test(test_table_sharing__among_equal_hashes_none_is_seen_ahead),
        cmocka_unit_test(test_table_sharing__a_copy_takes_one_allocation),
        cmocka_unit_test(test_table_sharing__a_change_of_one_of_many_copies_the_way_to_it_alone),
        cmocka_unit_test(test_table_sharing__dropping_a_table_frees_only_what_it_alone_had),
        cmocka_unit_test(test_table_sharing__what_is_its_own_is_changed_in_place),
        cmocka_unit_test(test_table_sharing__removing_what_is_not_there_copies_nothing),
        cmocka_unit_test(test_table_sharing__nothing_is_left_of_clusters_that_went),
        cmocka_unit_test(test_table_sharing__readers_see_whole_tables_while_one_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
