/* SPDX-License-Identifier: Apache-2.0 */
#include "model/cluster_id.h"
#include "unit.h"

static bool valid(const char *id)
{
    return cluster_id_valid(id, strlen(id));
}

TEST(test_cluster_id__takes_its_whole_alphabet)
{
    assert_true(valid("ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
    assert_true(valid("abcdefghijklmnopqrstuvwxyz"));
    assert_true(valid("0123456789._-"));
    assert_true(valid("1"));
    assert_true(valid("-"));
}

TEST(test_cluster_id__refuses_every_other_byte)
{
    for (int c = 0; c < 256; c++) {
        char id[] = {'a', (char)c, 'b'};
        bool plain = c != 0 && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789._-",
                                      c) != NULL;
        if (cluster_id_valid(id, sizeof id) != plain)
            fail_msg("byte %d", c);
    }
}

TEST(test_cluster_id__holds_its_length)
{
    char id[CLUSTER_ID_MAX + 1];
    memset(id, 'a', sizeof id);
    assert_true(cluster_id_valid(id, CLUSTER_ID_MAX));
    assert_false(cluster_id_valid(id, CLUSTER_ID_MAX + 1));
    assert_false(cluster_id_valid(id, 0));
}

TEST(test_cluster_id__refuses_what_path_cleaning_eats)
{
    assert_false(valid("."));
    assert_false(valid(".."));
    assert_true(valid("..."));
    assert_true(valid(".a"));
}

TEST(test_cluster_id__looks_at_no_byte_behind_its_length)
{
    assert_true(cluster_id_valid("ab/c", 2));
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cluster_id__takes_its_whole_alphabet),
        cmocka_unit_test(test_cluster_id__refuses_every_other_byte),
        cmocka_unit_test(test_cluster_id__holds_its_length),
        cmocka_unit_test(test_cluster_id__refuses_what_path_cleaning_eats),
        cmocka_unit_test(test_cluster_id__looks_at_no_byte_behind_its_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
