/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>

#include "serve/unknown_ids.h"
#include "unit.h"

static bool note(struct unknown_ids *u, int n, bool *last)
{
    char id[16];
    (void)snprintf(id, sizeof id, "id%d", n);
    return unknown_ids_note(u, id, 0, last);
}

TEST(test_unknown_ids__an_id_is_new_once)
{
    struct unknown_ids u = UNKNOWN_IDS_INIT;
    bool last;
    assert_true(unknown_ids_note(&u, "a", 0, &last));
    assert_false(last);
    assert_false(unknown_ids_note(&u, "a", 0, &last));
    assert_true(unknown_ids_note(&u, "b", 0, &last));
}

TEST(test_unknown_ids__an_hour_later_it_is_new_again)
{
    struct unknown_ids u = UNKNOWN_IDS_INIT;
    bool last;
    assert_true(unknown_ids_note(&u, "a", 5, &last));
    assert_false(unknown_ids_note(&u, "a", 5 + UNKNOWN_IDS_FORGET_MS - 1, &last));
    assert_true(unknown_ids_note(&u, "a", 5 + UNKNOWN_IDS_FORGET_MS, &last));
}

TEST(test_unknown_ids__there_is_room_for_a_bounded_number)
{
    struct unknown_ids u = UNKNOWN_IDS_INIT;
    bool last;
    int noted = 0;
    for (int i = 0; i < 10 * UNKNOWN_IDS_MAX; i++)
        noted += note(&u, i, &last);
    assert_int_equal(noted, UNKNOWN_IDS_MAX);
}

TEST(test_unknown_ids__the_last_one_is_told)
{
    struct unknown_ids u = UNKNOWN_IDS_INIT;
    bool last;
    for (int i = 0; i < UNKNOWN_IDS_MAX - 1; i++) {
        assert_true(note(&u, i, &last));
        assert_false(last);
    }
    assert_true(note(&u, UNKNOWN_IDS_MAX, &last));
    assert_true(last);
}

/* -- threads --------------------------------------------------------------------------------- */

struct noting {
    struct unknown_ids *ids;
    atomic_int new;
};

static void *note_all(void *arg)
{
    struct noting *n = arg;
    bool last;
    for (int i = 0; i < 200; i++)
        if (note(n->ids, i, &last))
            atomic_fetch_add(&n->new, 1);
    return NULL;
}

TEST(test_unknown_ids__an_id_is_new_to_one_thread_only)
{
    struct unknown_ids u = UNKNOWN_IDS_INIT;
    struct noting n = {.ids = &u};
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, note_all, &n), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&n.new), 200);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_ids__an_id_is_new_once),
        cmocka_unit_test(test_unknown_ids__there_is_room_for_a_bounded_number),
        cmocka_unit_test(test_unknown_ids__the_last_one_is_told),
        cmocka_unit_test(test_unknown_ids__an_id_is_new_to_one_thread_only),
        cmocka_unit_test(test_unknown_ids__an_hour_later_it_is_new_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
