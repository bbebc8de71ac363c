/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/authority.h"
#include "unit.h"

static void assert_all(const char *const *texts, size_t count, bool valid)
{
    for (size_t i = 0; i < count; i++)
        if (authority_valid(texts[i], strlen(texts[i])) != valid)
            fail_msg("\"%s\" is %s", texts[i], valid ? "not taken" : "taken");
}

TEST(test_authority__names_addresses_and_ports_are_taken)
{
    static const char *const good[] = {
        "x",
        "nsaddr.example",
        "nsaddr_1.service.consul:8080",
        "X-Y.~!$&'()*+;=",
        "x.:80",
        "127.0.0.1:8080",
        "%61b%2Dc",
        "[::1]",
        "[2001:db8::1]:8080",
        "[fe80::1%25eth0]:80",
        "[fe80::1%eth0]",
        "[v1.x]",
        "x:",
        "x:0123456789",
        "",
        ":80",
    };
    assert_all(good, COUNT_OF(good), true);
}

TEST(test_authority__all_else_is_refused)
{
    static const char *const bad[] = {
        "x y",   " x",    "x ",    "x,y",  "x, y",   "x/y",    "x?y",     "x#y",    "user@x",
        "x\\y",  "\"x\"", "<x>",   "x|y",  "x\x01",  "x\t",    "x\x7f",   "x\xe4",  "%",
        "%6",    "%zz",   "x%6g",  "x%",   "x:y",    "x:8a",   "x:80:80", "::1",    "[",
        "[]",    "[]:80", "[::1",  "::1]", "[::1]x", "x[::1]", "[::1]]",  "[[::1]", "[a b]",
        "[a/b]", "]",     "x:80 ", "x:-1", "x:+1",
    };
    assert_all(bad, COUNT_OF(bad), false);
}

TEST(test_authority__is_as_long_as_is_said)
{
    assert_true(authority_valid("x/y", 1));
    assert_true(authority_valid("x:80/", 4));
    assert_true(authority_valid("%61", 3));
    assert_false(authority_valid("%61", 2));
    assert_false(authority_valid("[::1]", 4));
    assert_false(authority_valid("x\0y", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_authority__names_addresses_and_ports_are_taken),
        cmocka_unit_test(test_authority__all_else_is_refused),
        cmocka_unit_test(test_authority__is_as_long_as_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
