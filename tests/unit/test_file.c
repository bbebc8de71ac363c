/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/file.h"
#include "temp.h"

static struct temp temp;
static char text[4096];

static int setup(void **state)
{
    (void)state;
    temp_make(&temp);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_remove(&temp);
    return 0;
}

TEST(test_file__reads_a_whole_file)
{
    struct buf b;
    struct error error;
    char big[50000];
    memset(big, 'x', sizeof big);
    temp_write(&temp, "f", big, sizeof big);
    buf_init(&b, sizeof big);
    assert_true(file_read(temp_path(&temp, "f"), &b, &error));
    assert_int_equal(b.len, sizeof big);
    assert_memory_equal(b.data, big, sizeof big);
    buf_clear(&b);
}

TEST(test_file__refuses_a_file_larger_than_the_limit)
{
    struct buf b;
    struct error error;
    temp_write(&temp, "f", "12345", 5);
    buf_init(&b, 4);
    errno = 0;
    assert_false(file_read(temp_path(&temp, "f"), &b, &error));
    assert_int_equal(errno, EFBIG);
    assert_says(&error, "larger than 4 bytes");
    buf_clear(&b);
}

TEST(test_file__says_which_file_is_missing_and_why)
{
    struct buf b;
    struct error error;
    buf_init(&b, 4);
    assert_false(file_read(temp_path(&temp, "none"), &b, &error));
    assert_int_equal(errno, ENOENT);
    assert_says(&error, temp.path);
    assert_says(&error, "No such file");
    buf_clear(&b);
}

TEST(test_file__refuses_to_read_a_folder)
{
    struct buf b;
    struct error error;
    buf_init(&b, 4);
    assert_false(file_read(temp.dir, &b, &error));
    assert_int_equal(errno, EISDIR);
    buf_clear(&b);
}

TEST(test_file__replace_makes_a_new_file)
{
    struct error error;
    assert_true(file_replace(temp.dir, "f", "new", 3, &error));
    temp_read(&temp, "f", text, sizeof text);
    assert_string_equal(text, "new");
}

TEST(test_file__replace_leaves_nothing_of_a_longer_old_file)
{
    struct error error;
    temp_write(&temp, "f", "something long", 14);
    assert_true(file_replace(temp.dir, "f", "new", 3, &error));
    temp_read(&temp, "f", text, sizeof text);
    assert_string_equal(text, "new");
}

TEST(test_file__replace_leaves_no_temporary_file)
{
    struct error error;
    assert_true(file_replace(temp.dir, "f", "new", 3, &error));
    assert_false(temp_exists(&temp, "f.tmp"));
}

TEST(test_file__replace_overwrites_the_leftover_of_a_crash)
{
    struct error error;
    temp_write(&temp, "f.tmp", "half a fi", 9);
    assert_true(file_replace(temp.dir, "f", "new", 3, &error));
    temp_read(&temp, "f", text, sizeof text);
    assert_string_equal(text, "new");
}

TEST(test_file__replace_keeps_the_contents_private)
{
    struct error error;
    struct stat st;
    assert_true(file_replace(temp.dir, "f", "new", 3, &error));
    assert_int_equal(stat(temp_path(&temp, "f"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

TEST(test_file__replace_keeps_the_old_file_when_the_new_one_cannot_be_created)
{
    struct error error;
    temp_write(&temp, "f", "old", 3);
    assert_int_equal(mkdir(temp_path(&temp, "f.tmp"), 0700), 0);
    assert_false(file_replace(temp.dir, "f", "new", 3, &error));
    temp_read(&temp, "f", text, sizeof text);
    assert_string_equal(text, "old");
}

TEST(test_file__replace_keeps_the_old_file_when_the_disk_is_full)
{
    struct error error;
    temp_write(&temp, "f", "old", 3);
    assert_int_equal(symlink("/dev/full", temp_path(&temp, "f.tmp")), 0);
    assert_false(file_replace(temp.dir, "f", "new", 3, &error));
    assert_int_equal(errno, ENOSPC);
    assert_says(&error, "No space left");
    temp_read(&temp, "f", text, sizeof text);
    assert_string_equal(text, "old");
}

TEST(test_file__replace_fails_when_the_rename_does)
{
    struct error error;
    assert_int_equal(mkdir(temp_path(&temp, "f"), 0700), 0);
    assert_false(file_replace(temp.dir, "f", "new", 3, &error));
    assert_false(temp_exists(&temp, "f.tmp"));
}

TEST(test_file__replace_says_which_folder_is_missing)
{
    struct error error;
    assert_false(file_replace(temp_path(&temp, "none"), "f", "new", 3, &error));
    assert_says(&error, temp.path);
}

TEST(test_file__replace_refuses_a_path_that_is_too_long)
{
    struct error error;
    char name[PATH_MAX];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_false(file_replace(temp.dir, name, "new", 3, &error));
    assert_int_equal(errno, ENAMETOOLONG);
}

/* What another process gets from file_lock(): 0 the lock, 1 the right error, 2 another one. */
static int lock_in_another_process(const char *path)
{
    pid_t child = fork();
    if (child == 0) {
        struct error error = {.text = ""};
        int fd = file_lock(path, &error);
        _exit(fd >= 0 ? 0 : strstr(error.text, "is locked") != NULL ? 1 : 2);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

TEST(test_file__lock_excludes_another_process)
{
    struct error error;
    int fd = file_lock(temp_path(&temp, "lock"), &error);
    assert_true(fd >= 0);
    assert_int_equal(lock_in_another_process(temp.path), 1);
    (void)close(fd);
}

TEST(test_file__lock_ends_with_its_descriptor)
{
    struct error error;
    int fd = file_lock(temp_path(&temp, "lock"), &error);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(lock_in_another_process(temp.path), 0);
}

TEST(test_file__lock_is_not_inherited_over_exec)
{
    struct error error;
    int fd = file_lock(temp_path(&temp, "lock"), &error);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    (void)close(fd);
}

TEST(test_file__lock_says_which_file_it_cannot_create)
{
    struct error error;
    assert_int_equal(file_lock(temp_path(&temp, "none/lock"), &error), -1);
    assert_says(&error, temp.path);
}
TEST(test_file__does_not_wait_for_what_a_pipe_may_say)
{
    struct buf b;
    struct error error;
    buf_init(&b, 4);
    assert_int_equal(mkfifo(temp_path(&temp, "pipe"), 0600), 0);
    assert_false(file_read(temp_path(&temp, "pipe"), &b, &error));
    assert_says(&error, "is a pipe");
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file__reads_a_whole_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file__refuses_a_file_larger_than_the_limit, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_file__says_which_file_is_missing_and_why, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_file__refuses_to_read_a_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file__replace_makes_a_new_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file__replace_leaves_nothing_of_a_longer_old_file,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_file__replace_leaves_no_temporary_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_file__replace_overwrites_the_leftover_of_a_crash,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_file__replace_keeps_the_contents_private, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_file__replace_keeps_the_old_file_when_the_new_one_cannot_be_created, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_file__replace_keeps_the_old_file_when_the_disk_is_full,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_file__replace_fails_when_the_rename_does, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_file__replace_says_which_folder_is_missing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_file__replace_refuses_a_path_that_is_too_long, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_file__lock_excludes_another_process, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file__lock_ends_with_its_descriptor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file__lock_is_not_inherited_over_exec, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_file__lock_says_which_file_it_cannot_create, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_file__does_not_wait_for_what_a_pipe_may_say, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
