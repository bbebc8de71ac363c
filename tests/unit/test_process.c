/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/process.h"
#include "temp.h"
#include "unit.h"

#define HEAD "4711 (nsaddrd) S 1 4711 4711 0 -1 4194560 1357 0 2 0 12 34 0 0 20 0 "
#define TAIL " 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 3 0 0 0 0 0\n"

static struct process_usage usage;

static int setup(void **state)
{
    (void)state;
    usage = (struct process_usage){.threads = -7, .virtual_bytes = -7, .resident_bytes = -7};
    return 0;
}

TEST(test_process__finds_the_fields_of_a_stat_line)
{
    assert_true(process_stat_parse(HEAD "5 0 8901 123456789 1001" TAIL, 4096, &usage));
    assert_int_equal(usage.threads, 5);
    assert_int_equal(usage.virtual_bytes, 123456789);
    assert_int_equal(usage.resident_bytes, 1001 * 4096);
}

TEST(test_process__a_program_may_have_any_name)
{
    static const char line[] = "1 (a) S) 9 (9 9) R 1 4711 4711 0 -1 4194560 1357 0 2 0 12 34 0 0 "
                               "20 0 3 0 8901 4096 1" TAIL;
    assert_true(process_stat_parse(line, 4096, &usage));
    assert_int_equal(usage.threads, 3);
    assert_int_equal(usage.virtual_bytes, 4096);
}

TEST(test_process__the_last_field_may_end_the_line)
{
    assert_true(process_stat_parse(HEAD "5 0 8901 123456789 1001\n", 4096, &usage));
    assert_true(process_stat_parse(HEAD "5 0 8901 123456789 1001", 4096, &usage));
}

TEST(test_process__other_lines_change_nothing)
{
    static const char *const lines[] = {
        "",
        "4711",
        "4711 nsaddrd S 1",
        "4711 (nsaddrd)",
        HEAD,
        HEAD "5 0 8901 123456789",
        HEAD "5 0 8901 123456789 ",
        HEAD "x 0 8901 123456789 1001" TAIL,
        HEAD "5 0 8901 123x 1001" TAIL,
        HEAD "5 0 8901 -1 1001" TAIL,
        HEAD "5 0 8901 123456789 99999999999999999999" TAIL,
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        if (process_stat_parse(lines[i], 4096, &usage))
            fail_msg("taken: %s", lines[i]);
        assert_int_equal(usage.threads, -7);
        assert_int_equal(usage.virtual_bytes, -7);
        assert_int_equal(usage.resident_bytes, -7);
    }
}

TEST(test_process__knows_this_process)
{
    struct rlimit files;
    process_usage_read(&usage);
    assert_true(usage.threads >= 1);
    assert_true(usage.resident_bytes > 0 && usage.resident_bytes < usage.virtual_bytes);
    assert_true(usage.cpu_us >= 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    assert_int_equal(usage.max_fds, files.rlim_cur);
}

static int64_t open_fds(void)
{
    int64_t count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

TEST(test_process__counts_open_files_without_its_own)
{
    process_usage_read(&usage);
    int64_t before = usage.open_fds;
    assert_int_equal(before, open_fds());
    int fds[3];
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    process_usage_read(&usage);
    assert_int_equal(usage.open_fds, before + 3);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        assert_int_equal(close(fds[i]), 0);
    process_usage_read(&usage);
    assert_int_equal(usage.open_fds, before);
}

/* The way of older kernels: the folder of open files is itself open while it is read. */
TEST(test_process__counts_the_entries_of_a_folder)
{
    struct temp temp;
    assert_int_equal(process_count_entries("/proc/self/fd"), open_fds() + 1);
    temp_make(&temp);
    assert_int_equal(process_count_entries(temp.dir), 0);
    temp_write(&temp, "a", "", 0);
    temp_write(&temp, "b", "", 0);
    temp_write(&temp, ".hidden", "", 0);
    assert_int_equal(process_count_entries(temp.dir), 2);
    temp_remove(&temp);
    assert_int_equal(process_count_entries(temp.dir), PROCESS_UNKNOWN);
}

TEST(test_process__a_limit_that_is_not_set_is_unknown)
{
    struct rlimit space;
    assert_int_equal(getrlimit(RLIMIT_AS, &space), 0);
    struct rlimit set = {.rlim_cur = (rlim_t)1 << 50, .rlim_max = space.rlim_max};
    process_usage_read(&usage);
    if (space.rlim_cur == RLIM_INFINITY)
        assert_int_equal(usage.virtual_max_bytes, PROCESS_UNKNOWN);
    assert_int_equal(setrlimit(RLIMIT_AS, &set), 0);
    process_usage_read(&usage);
    assert_int_equal(usage.virtual_max_bytes, INT64_C(1) << 50);
    assert_int_equal(setrlimit(RLIMIT_AS, &space), 0);
}

TEST(test_process__what_cannot_be_had_is_unknown)
{
    struct rlimit files;
    struct rlimit none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    none = files;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    process_usage_read(&usage);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    assert_int_equal(usage.threads, PROCESS_UNKNOWN);
    assert_int_equal(usage.virtual_bytes, PROCESS_UNKNOWN);
    assert_int_equal(usage.resident_bytes, PROCESS_UNKNOWN);
    assert_int_equal(usage.max_fds, 0);
    assert_true(usage.cpu_us >= 0);
}

#define PROCESS_TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_process__finds_the_fields_of_a_stat_line),
        PROCESS_TEST(test_process__a_program_may_have_any_name),
        PROCESS_TEST(test_process__the_last_field_may_end_the_line),
        PROCESS_TEST(test_process__other_lines_change_nothing),
        PROCESS_TEST(test_process__knows_this_process),
        PROCESS_TEST(test_process__counts_open_files_without_its_own),
        PROCESS_TEST(test_process__counts_the_entries_of_a_folder),
        PROCESS_TEST(test_process__a_limit_that_is_not_set_is_unknown),
        PROCESS_TEST(test_process__what_cannot_be_had_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
