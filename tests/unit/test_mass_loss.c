/* SPDX-License-Identifier: Apache-2.0 */
#include "model/mass_loss.h"
#include "unit.h"

static struct mass_loss all;
static struct loss clusters[10];

static int setup(void **state)
{
    (void)state;
    mass_loss_init(&all);
    for (size_t i = 0; i < COUNT_OF(clusters); i++)
        clusters[i] = (struct loss){.recent = false};
    return 0;
}

/* Of ten clusters, number n loses a member. */
static bool lose(int n, int64_t now)
{
    return mass_loss_note(&all, &clusters[n], 10, now);
}

TEST(test_mass_loss__half_is_not_enough_and_one_more_is)
{
    for (int n = 0; n < 5; n++)
        assert_false(lose(n, 100));
    assert_int_equal(mass_loss_floor(&all, 10, 100), MASS_LOSS_WINDOW_MS);
    assert_true(lose(5, 100));
    assert_int_equal(mass_loss_floor(&all, 10, 100), MASS_LOSS_DELAY_MS);
}

TEST(test_mass_loss__who_is_about_to_lose_counts_already)
{
    for (int n = 0; n < 5; n++)
        (void)lose(n, 100);
    assert_int_equal(mass_loss_floor_losing(&all, &clusters[0], 10, 100), MASS_LOSS_WINDOW_MS);
    assert_int_equal(mass_loss_floor_losing(&all, &clusters[5], 10, 100), MASS_LOSS_DELAY_MS);
    assert_int_equal(mass_loss_floor_losing(&all, &clusters[5], 10, 101 + MASS_LOSS_WINDOW_MS),
                     MASS_LOSS_WINDOW_MS);
    assert_int_equal(mass_loss_floor(&all, 10, 100), MASS_LOSS_WINDOW_MS);
}

TEST(test_mass_loss__the_same_cluster_counts_once)
{
    for (int64_t at = 0; at < 100; at++)
        assert_false(lose((int)(at % 5), at));
}

TEST(test_mass_loss__losses_farther_apart_than_the_window_are_none)
{
    for (int round = 0; round < 3; round++)
        for (int n = 0; n < 10; n++)
            assert_false(lose(n, 10000 * round + 201 * n));
}

/* Not a window that starts with the first loss: any window of that length counts. */
TEST(test_mass_loss__the_window_slides)
{
    assert_false(lose(0, 0));
    for (int n = 1; n < 5; n++)
        assert_false(lose(n, 900));
    assert_false(lose(5, 1100)); /* five within the window, the first is out of it */
    assert_true(lose(6, 1900));
}

TEST(test_mass_loss__a_loss_moves_its_cluster_to_the_end)
{
    for (int n = 0; n < 3; n++)
        (void)lose(n, 0);
    (void)lose(0, 900);
    (void)lose(3, 1500);
    (void)lose(4, 1500);
    (void)lose(5, 1500);
    assert_false(lose(0, 1600));
    assert_int_equal(all.recent, 4);
    assert_false(lose(6, 1600));
    assert_true(lose(7, 1600));
}

TEST(test_mass_loss__the_guard_ends_and_is_told_once)
{
    for (int n = 0; n < 5; n++)
        (void)lose(n, 0);
    assert_true(lose(5, 0));
    assert_false(lose(6, 10));
    assert_int_equal(mass_loss_floor(&all, 10, 10 + MASS_LOSS_DELAY_MS - 1), MASS_LOSS_DELAY_MS);
    assert_int_equal(mass_loss_floor(&all, 10, 10 + MASS_LOSS_DELAY_MS), MASS_LOSS_WINDOW_MS);
    for (int n = 0; n < 5; n++)
        assert_false(lose(n, 100000));
    assert_true(lose(5, 100000));
}

TEST(test_mass_loss__few_clusters_have_no_guard)
{
    for (int n = 0; n < 3; n++)
        assert_false(mass_loss_note(&all, &clusters[n], 3, 0));
    assert_int_equal(mass_loss_floor(&all, 3, 0), 0);
    assert_int_equal(mass_loss_floor(&all, MASS_LOSS_CLUSTERS, 0), MASS_LOSS_WINDOW_MS);
    assert_false(mass_loss_note(&all, &clusters[1], 3, 1));
    assert_true(mass_loss_note(&all, &clusters[3], 4, 2));
}

TEST(test_mass_loss__what_is_forgotten_does_not_count)
{
    for (int n = 0; n < 5; n++)
        (void)lose(n, 0);
    mass_loss_forget(&all, &clusters[2]);
    mass_loss_forget(&all, &clusters[0]);
    mass_loss_forget(&all, &clusters[4]);
    mass_loss_forget(&all, &clusters[9]); /* never lost anything */
    assert_int_equal(all.recent, 2);
    assert_ptr_equal(all.oldest, &clusters[1]);
    assert_ptr_equal(all.newest, &clusters[3]);
    assert_false(lose(5, 0));
    mass_loss_forget(&all, &clusters[1]);
    mass_loss_forget(&all, &clusters[3]);
    mass_loss_forget(&all, &clusters[5]);
    assert_null(all.oldest);
    assert_null(all.newest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_mass_loss__half_is_not_enough_and_one_more_is, setup),
        cmocka_unit_test_setup(test_mass_loss__the_same_cluster_counts_once, setup),
        cmocka_unit_test_setup(test_mass_loss__losses_farther_apart_than_the_window_are_none,
                               setup),
        cmocka_unit_test_setup(test_mass_loss__the_window_slides, setup),
        cmocka_unit_test_setup(test_mass_loss__a_loss_moves_its_cluster_to_the_end, setup),
        cmocka_unit_test_setup(test_mass_loss__the_guard_ends_and_is_told_once, setup),
        cmocka_unit_test_setup(test_mass_loss__few_clusters_have_no_guard, setup),
        cmocka_unit_test_setup(test_mass_loss__what_is_forgotten_does_not_count, setup),
        cmocka_unit_test_setup(test_mass_loss__who_is_about_to_lose_counts_already, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
