/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suite.c - each unit test of a suite once per point of the product that can fail in it (runner.h).
 *
 * Stands between a suite's main() and cmocka (--wrap). What a test finds missing after a failure is
 * not our business.
 */
#include "runner.h"
#include "unit.h"

struct group {
    const char *name;
    const struct CMUnitTest *test;
    CMFixtureFunction setup;
    CMFixtureFunction teardown;
};

int __real__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction setup, CMFixtureFunction teardown);
int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction setup, CMFixtureFunction teardown);

static int run_one(void *arg, uint64_t number)
{
    (void)number;
    const struct group *g = arg;
    return __real__cmocka_run_group_tests(g->name, g->test, 1, g->setup, g->teardown) != 0;
}

int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction setup, CMFixtureFunction teardown)
{
    /* Leaks do not count: a failed assertion jumps over what frees. */
    struct runner r = {.body = run_one};
    runner_init(&r);
    for (size_t i = 0; i < count; i++) {
        struct group g = {.name = name, .test = &tests[i], .setup = setup, .teardown = teardown};
        runner_torture(&r, tests[i].name, &g);
    }
    return runner_end(&r, count);
}
