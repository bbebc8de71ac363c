/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "config_of.h"
#include "fake_httpc.h"
#include "fake_state_writer.h"
#include "model/registry.h"
#include "model/table.h"
#include "source/merge.h"
#include "source/spool.h"
#include "temp.h"

#define STATE "nsaddrd.state"
#define DAMAGED "nsaddrd.state.damaged"
#define JOURNAL "nsaddrd.journal"

static struct temp temp;
static struct error error;
static struct config *config;
static char file[16384];
static int saved_stderr;

/* One run of the daemon, as far as the spool goes. */
static struct registry *registry;
static struct merge *merge;
static struct httpc *httpc;
static struct spool *spool;

static void on_change(void *arg)
{
    (void)arg;
}

static void configure(const char *setting)
{
    char dir[128];
    (void)snprintf(dir, sizeof dir, "state.dir=%s", temp.dir);
    config_free(config);
    config = NULL;
    config = config_of(dir, setting, NULL);
}

static int setup(void **state)
{
    (void)state;
    temp_make(&temp);
    config = NULL;
    configure(NULL);
    registry = NULL;
    merge = NULL;
    httpc = NULL;
    spool = NULL;
    /* Each refused file is an error in the log: thousands of them, none of interest here. */
    saved_stderr = dup(STDERR_FILENO);
    return freopen("/dev/null", "we", stderr) != NULL ? 0 : -1;
}

/* Returns how many clusters were restored. */
static size_t begin_run(void)
{
    registry = registry_new(&error);
    assert_non_null(registry);
    merge = merge_new(registry, on_change, NULL, &error);
    assert_non_null(merge);
    httpc = httpc_new(config, &error);
    spool = spool_open(config, &error);
    assert_non_null(spool);
    assert_true(spool_restore(spool, merge, registry, &error));
    spool_start(spool, httpc, merge);
    const struct table *t = registry_acquire(registry, NULL);
    size_t restored = table_count(t);
    table_unref(t);
    return restored;
}

static void end_run(void)
{
    spool_close(spool);
    spool = NULL;
    httpc_free(httpc);
    httpc = NULL;
    merge_free(merge);
    merge = NULL;
    registry_free(registry);
    registry = NULL;
}

static int teardown(void **state)
{
    (void)state;
    end_run();
    config_free(config);
    temp_remove(&temp);
    (void)fflush(stderr);
    (void)dup2(saved_stderr, STDERR_FILENO);
    (void)close(saved_stderr);
    return 0;
}

static void set(const char *id, enum cluster_state state, bool pinned, const char *list)
{
    struct endpoint all[8];
    size_t count = 0;
    for (const char *at = list; *at != '\0';) {
        size_t len = strcspn(at, ";");
        assert_true(endpoint_parse(&all[count++], at, len));
        at += len + (at[len] == ';');
    }
    assert_true(merge_begin(merge));
    assert_true(merge_set(merge, id, state, pinned, all, count, "a test"));
    merge_commit(merge);
}

static const char *served(const char *id)
{
    static char out[512];
    const struct table *t = registry_acquire(registry, NULL);
    const struct cluster *c = table_find(t, id, strlen(id));
    (void)snprintf(out, sizeof out, "%s %s", c != NULL ? cluster_state_name(c->state) : "(none)",
                   c != NULL ? c->body : "");
    table_unref(t);
    return out;
}

/* A state file with two clusters, left by an earlier run; its text in `file`. */
static size_t leave_a_file(void)
{
    (void)begin_run();
    set("a", CLUSTER_LIVE, false, "10.0.0.1:9876;10.0.0.2:9876");
    set("b-2", CLUSTER_HELD, false, "10.0.0.3:1;[2001:db8::1]:9876");
    end_run();
    size_t len = temp_read(&temp, STATE, file, sizeof file);
    assert_true(len > 0);
    return len;
}

TEST(test_spool__what_is_written_is_restored)
{
    (void)leave_a_file();
    assert_int_equal(begin_run(), 2);
    assert_string_equal(served("a"), "restored 10.0.0.1:9876;10.0.0.2:9876");
    assert_string_equal(served("b-2"), "restored 10.0.0.3:1;[2001:db8::1]:9876");
    assert_true(registry_status(registry).ready);
    assert_false(registry_status(registry).complete);
}

TEST(test_spool__the_file_is_as_documented)
{
    (void)leave_a_file();
    static const char head[] = "nsaddrd-state 2\nsource nameServer - - -\nsequence 2\ncluster ";
    assert_int_equal(strncmp(file, head, sizeof head - 1), 0);
    assert_non_null(strstr(file, "\nend 2 "));
}

TEST(test_spool__without_a_file_nothing_is_restored)
{
    assert_int_equal(begin_run(), 0);
    assert_false(registry_status(registry).ready);
    assert_false(temp_exists(&temp, DAMAGED));
}

TEST(test_spool__a_restored_list_survives_the_next_restart_too)
{
    (void)leave_a_file();
    (void)begin_run();
    set("c", CLUSTER_LIVE, false, "10.0.0.9:1");
    end_run();
    assert_int_equal(begin_run(), 3);
}

TEST(test_spool__pinned_and_empty_clusters_are_not_written)
{
    (void)begin_run();
    set("pinned", CLUSTER_LIVE, true, "10.0.0.1:1");
    set("unread", CLUSTER_UNREAD, false, "");
    set("empty", CLUSTER_EMPTY, false, "");
    set("a", CLUSTER_LIVE, false, "10.0.0.2:1");
    end_run();
    assert_int_equal(begin_run(), 1);
    assert_string_equal(served("pinned"), "(none) ");
}

TEST(test_spool__a_removed_cluster_is_not_restored)
{
    (void)begin_run();
    set("a", CLUSTER_LIVE, false, "10.0.0.2:1");
    set("b", CLUSTER_LIVE, false, "10.0.0.2:1");
    fake_run(httpc, 2000);
    assert_true(merge_begin(merge));
    assert_true(merge_remove(merge, "a", "a test"));
    merge_commit(merge);
    end_run();
    assert_int_equal(begin_run(), 1);
}

/* -- damage ---------------------------------------------------------------------------------- */

/* Restores what is in the state file now: all of it, or nothing and the file is kept aside. */
static void assert_refused_whole(size_t restored, size_t all)
{
    if (restored != 0 && restored != all)
        fail_msg("%zu clusters of %zu", restored, all);
    assert_int_equal(registry_status(registry).ready, restored > 0);
    if (restored == 0)
        assert_string_equal(served("a"), "(none) ");
    else
        assert_string_equal(served("a"), "restored 10.0.0.1:9876;10.0.0.2:9876");
}

TEST(test_spool__every_flipped_byte_is_refused)
{
    size_t len = leave_a_file();
    static const unsigned char flips[] = {0x01, 0x20, 0x80, 0xff};
    for (size_t i = 0; i < len; i++) {
        for (size_t f = 0; f < sizeof flips; f++) {
            char spoilt[sizeof file];
            memcpy(spoilt, file, len);
            spoilt[i] = (char)((unsigned char)spoilt[i] ^ flips[f]);
            temp_write(&temp, STATE, spoilt, len);
            size_t restored = begin_run();
            if (restored != 0)
                fail_msg("byte %zu flipped by %x", i, flips[f]);
            assert_refused_whole(restored, 2);
            end_run();
        }
    }
}

TEST(test_spool__every_byte_made_nul_is_refused)
{
    size_t len = leave_a_file();
    for (size_t i = 0; i < len; i++) {
        char spoilt[sizeof file];
        memcpy(spoilt, file, len);
        spoilt[i] = '\0';
        temp_write(&temp, STATE, spoilt, len);
        if (begin_run() != 0)
            fail_msg("byte %zu", i);
        end_run();
    }
}

TEST(test_spool__every_truncation_is_refused)
{
    size_t whole = leave_a_file();
    for (size_t len = 0; len < whole; len++) {
        temp_write(&temp, STATE, file, len);
        size_t restored = begin_run();
        if (restored != 0)
            fail_msg("after %zu bytes", len);
        assert_refused_whole(restored, 2);
        end_run();
    }
}

TEST(test_spool__text_behind_the_end_is_refused)
{
    size_t len = leave_a_file();
    static const char *const tails[] = {"\n", "x", "cluster c 1 10.0.0.9:1\n", "end 0 0\n"};
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        char longer[sizeof file];
        memcpy(longer, file, len);
        memcpy(longer + len, tails[i], strlen(tails[i]));
        temp_write(&temp, STATE, longer, len + strlen(tails[i]));
        assert_int_equal(begin_run(), 0);
        end_run();
    }
}

TEST(test_spool__a_damaged_file_is_kept_aside)
{
    size_t len = leave_a_file();
    file[len / 2] ^= 1;
    temp_write(&temp, STATE, file, len);
    assert_int_equal(begin_run(), 0);
    assert_false(temp_exists(&temp, STATE));
    char kept[sizeof file];
    assert_int_equal(temp_read(&temp, DAMAGED, kept, sizeof kept), len);
    assert_memory_equal(kept, file, len);
}

/* Writes `body` with a right header and a right checksum. */
static void forge(const char *source, const char *body, int count)
{
    char text[4096];
    int len = snprintf(text, sizeof text, "nsaddrd-state 2\n%s%s", source, body);
    uint64_t h = 0xcbf29ce484222325u;
    for (int i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * 0x100000001b3u;
    len += snprintf(text + len, sizeof text - (size_t)len, "end %d %016llx\n", count,
                    (unsigned long long)h);
    temp_write(&temp, STATE, text, (size_t)len);
}

#define SOURCE "source nameServer - - -\nsequence 7\n"

TEST(test_spool__a_file_made_elsewhere_with_a_right_checksum_is_read)
{
    forge(SOURCE, "cluster a 5 10.0.0.1:9876\n", 1);
    assert_int_equal(begin_run(), 1);
}

TEST(test_spool__lines_that_we_would_not_write_are_refused)
{
    static const struct {
        const char *body;
        int count;
    } bad[] = {
        {"cluster a 5 \n", 1},
        {"cluster a 5 host:80\n", 1},
        {"cluster a 5 10.0.0.1:80;\n", 1},
        {"cluster a 5 ;10.0.0.1:80\n", 1},
        {"cluster a 5 10.0.0.2:80;10.0.0.1:80\n", 1},
        {"cluster a 5 10.0.0.1:80;10.0.0.1:80\n", 1},
        {"cluster a 5 10.0.0.1:80 \n", 1},
        {"cluster a 10.0.0.1:80\n", 1},
        {"cluster a 5 10.0.0.1:80 x\n", 1},
        {"cluster a 5 x 10.0.0.1:80\n", 1},
        {"cluster a 5 10.0.0.1:80 10.0.0.2:80 10.0.0.3:80\n", 1},
        {"cluster  5 10.0.0.1:80\n", 1},
        {"cluster a/b 5 10.0.0.1:80\n", 1},
        {"cluster .. 5 10.0.0.1:80\n", 1},
        {"claster a 5 10.0.0.1:80\n", 1},
        {"\n", 1},
        {"cluster a 5 10.0.0.1:80\n", 2},
        {"cluster a\n", 1},
        {"gone a\n", 1},
        {"gone a\ncluster a 5 10.0.0.1:80\n", 2},
        {"cluster a 5 10.0.0.1:80\n", 0},
        {"cluster a 5 10.0.0.1:80\ncluster b 5 x\n", 2},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        forge(SOURCE, bad[i].body, bad[i].count);
        if (begin_run() != 0)
            fail_msg("%s", bad[i].body);
        assert_string_equal(served("a"), "(none) ");
        end_run();
    }
}

TEST(test_spool__a_file_without_a_sequence_is_refused)
{
    static const char source[] = "source nameServer - - -\n";
    static const char *const bad[] = {
        "", "sequenze 7\n", "sequence\n", "sequence x\n", "sequence 07\n", "sequence -7\n"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char head[128];
        (void)snprintf(head, sizeof head, "%s%s", source, bad[i]);
        forge(head, "", 0);
        (void)begin_run();
        if (!temp_exists(&temp, DAMAGED))
            fail_msg("%s", bad[i]);
        (void)unlink(temp_path(&temp, DAMAGED));
        end_run();
    }
}

TEST(test_spool__a_file_of_another_prefix_is_not_used)
{
    (void)leave_a_file();
    configure("consul.service_prefix=other");
    assert_int_equal(begin_run(), 0);
}

TEST(test_spool__a_file_of_another_datacenter_is_not_used)
{
    (void)leave_a_file();
    configure("consul.datacenter=dc2");
    assert_int_equal(begin_run(), 0);
}

TEST(test_spool__a_file_of_another_version_is_not_used)
{
    size_t len = leave_a_file();
    file[14] = '1';
    temp_write(&temp, STATE, file, len);
    assert_int_equal(begin_run(), 0);
}

/* -- writing --------------------------------------------------------------------------------- */

TEST(test_spool__a_change_is_written_within_a_second)
{
    (void)begin_run();
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    fake_run(httpc, 1100);
    assert_true(temp_read(&temp, STATE, file, sizeof file) > 0);
    assert_non_null(strstr(file, "10.0.0.1:1"));
}

TEST(test_spool__the_last_change_is_written_at_the_end)
{
    (void)begin_run();
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    end_run();
    assert_true(temp_exists(&temp, STATE));
}

TEST(test_spool__a_failed_write_is_tried_again)
{
    (void)begin_run();
    assert_int_equal(symlink("/dev/full", temp_path(&temp, STATE ".tmp")), 0);
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    fake_run(httpc, 1100);
    assert_false(temp_exists(&temp, STATE));
    fake_run(httpc, 20000);
    assert_true(temp_exists(&temp, STATE));
}

TEST(test_spool__writes_and_failures_are_counted)
{
    struct consul_report report;
    (void)begin_run();
    assert_int_equal(symlink("/dev/full", temp_path(&temp, STATE ".tmp")), 0);
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    fake_run(httpc, 1100);
    consul_metrics_read(httpc_metrics(httpc), &report);
    assert_int_equal(report.state_writes, 0);
    assert_int_equal(report.state_write_failures, 1);
    assert_true(report.state_error.since_wall_ms > 0 && report.state_error.text[0] != '\0');
    fake_run(httpc, 20000);
    consul_metrics_read(httpc_metrics(httpc), &report);
    assert_int_equal(report.state_writes, 1);
    assert_true(report.state_last_write_wall_ms > 0);
    assert_int_equal(report.state_error.since_wall_ms, 0);
    set("a", CLUSTER_LIVE, false, "10.0.0.1:2"); /* a record of the journal, which is synced */
    fake_run(httpc, 1100);
    consul_metrics_read(httpc_metrics(httpc), &report);
    assert_int_equal(report.state_writes, 2);
}

TEST(test_spool__a_full_disk_keeps_the_last_file)
{
    (void)leave_a_file();
    (void)begin_run();
    assert_int_equal(mkdir(temp_path(&temp, STATE ".tmp"), 0700), 0);
    assert_int_equal(mkdir(temp_path(&temp, JOURNAL ".tmp"), 0700), 0);
    set("c", CLUSTER_LIVE, false, "10.0.0.1:1");
    end_run();
    assert_int_equal(rmdir(temp_path(&temp, STATE ".tmp")), 0);
    assert_int_equal(rmdir(temp_path(&temp, JOURNAL ".tmp")), 0);
    assert_int_equal(begin_run(), 2);
}

TEST(test_spool__the_folder_has_one_owner)
{
    (void)begin_run();
    assert_null(spool_open(config, &error));
    assert_says(&error, "is locked");
}

TEST(test_spool__a_file_that_cannot_be_read_is_kept_aside)
{
    assert_int_equal(mkdir(temp_path(&temp, STATE), 0700), 0);
    assert_int_equal(begin_run(), 0);
    assert_true(temp_exists(&temp, DAMAGED));
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    fake_run(httpc, 1100);
    assert_true(temp_read(&temp, STATE, file, sizeof file) > 0);
}

TEST(test_spool__closing_takes_null)
{
    spool_close(NULL);
}

/* -- the journal ----------------------------------------------------------------------------- */

/* Ends the run as kill -9 would: what is in the folder now is what there is. */
static void kill_run(void)
{
    static const char *const names[] = {STATE, JOURNAL};
    char kept[COUNT_OF(names)][sizeof file];
    size_t len[COUNT_OF(names)];
    bool there[COUNT_OF(names)];
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        there[i] = temp_exists(&temp, names[i]);
        len[i] = temp_read(&temp, names[i], kept[i], sizeof kept[i]);
    }
    end_run();
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)unlink(temp_path(&temp, names[i]));
        if (there[i])
            temp_write(&temp, names[i], kept[i], len[i]);
    }
}

static void remove_cluster(const char *id)
{
    assert_true(merge_begin(merge));
    assert_true(merge_remove(merge, id, "a test"));
    merge_commit(merge);
}

/* What another cluster claims, too, is still known to be so. */
TEST(test_spool__what_is_withheld_is_restored_as_such)
{
    struct endpoint one, nine;
    assert_true(endpoint_parse(&one, "10.0.0.1:1", 10));
    assert_true(endpoint_parse(&nine, "10.0.0.9:1", 10));
    for (int killed = 0; killed < 2; killed++) {
        (void)begin_run();
        set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
        fake_run(httpc, 1100);
        assert_true(merge_begin(merge));
        assert_true(merge_put(merge,
                              &(struct cluster_parts){.id = "a",
                                                      .state = CLUSTER_LIVE,
                                                      .list = &one,
                                                      .count = 1,
                                                      .withheld = &nine,
                                                      .withheld_count = 1},
                              "a test"));
        merge_commit(merge);
        if (killed)
            kill_run();
        else
            end_run();
        assert_int_equal(begin_run(), 1);
        assert_string_equal(served("a"), "restored 10.0.0.1:1");
        const struct table *t = registry_acquire(registry, NULL);
        assert_string_equal(table_find(t, "a", 1)->withheld, "10.0.0.9:1");
        table_unref(t);
        end_run();
    }
}

TEST(test_spool__what_was_served_is_restored_after_a_kill)
{
    (void)begin_run();
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    kill_run();
    assert_int_equal(begin_run(), 1);
    assert_string_equal(served("a"), "restored 10.0.0.1:1");
}

TEST(test_spool__changes_since_the_last_write_are_restored_in_order)
{
    (void)begin_run();
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    set("b", CLUSTER_LIVE, false, "10.0.0.2:1");
    fake_run(httpc, 10);
    assert_false(temp_exists(&temp, JOURNAL));
    set("a", CLUSTER_LIVE, false, "10.0.0.1:2");
    set("a", CLUSTER_LIVE, false, "10.0.0.1:3");
    set("c", CLUSTER_LIVE, false, "10.0.0.3:1");
    remove_cluster("b");
    assert_true(temp_exists(&temp, JOURNAL));
    kill_run();
    assert_int_equal(begin_run(), 2);
    assert_string_equal(served("a"), "restored 10.0.0.1:3");
    assert_string_equal(served("b"), "(none) ");
    assert_string_equal(served("c"), "restored 10.0.0.3:1");
}

/* Killed again before anything was written as a whole. */
TEST(test_spool__a_journal_is_continued_by_the_next_run)
{
    (void)begin_run();
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    kill_run();
    (void)begin_run();
    set("b", CLUSTER_LIVE, false, "10.0.0.2:1");
    kill_run();
    (void)begin_run();
    fake_run(httpc, 10);
    assert_false(temp_exists(&temp, JOURNAL));
    kill_run();
    assert_int_equal(begin_run(), 2);
    assert_string_equal(served("a"), "restored 10.0.0.1:1");
    assert_string_equal(served("b"), "restored 10.0.0.2:1");
}

TEST(test_spool__a_journal_that_outlived_the_next_write_changes_nothing)
{
    char journal[sizeof file];
    (void)begin_run();
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    set("a", CLUSTER_LIVE, false, "10.0.0.1:2");
    size_t len = temp_read(&temp, JOURNAL, journal, sizeof journal);
    assert_true(len > 0);
    set("a", CLUSTER_LIVE, false, "10.0.0.1:3");
    fake_run(httpc, 1100);
    kill_run();
    temp_write(&temp, JOURNAL, journal, len);
    assert_int_equal(begin_run(), 1);
    assert_string_equal(served("a"), "restored 10.0.0.1:3");
}

TEST(test_spool__what_is_taken_back_is_not_in_the_journal)
{
    (void)begin_run();
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    struct endpoint e;
    assert_true(endpoint_parse(&e, "10.0.0.2:1", 10));
    assert_true(merge_begin(merge));
    assert_true(merge_set(merge, "b", CLUSTER_LIVE, false, &e, 1, "a test"));
    merge_abandon(merge);
    set("c", CLUSTER_LIVE, false, "10.0.0.3:1");
    kill_run();
    assert_int_equal(begin_run(), 2);
    assert_string_equal(served("b"), "(none) ");
}

/* Leaves a whole file with "a" and a journal that changes it; the journal's text in `file`. */
static size_t leave_a_journal(void)
{
    (void)begin_run();
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    fake_run(httpc, 10);
    set("a", CLUSTER_LIVE, false, "10.0.0.1:2");
    set("b", CLUSTER_LIVE, false, "10.0.0.2:1");
    kill_run();
    return temp_read(&temp, JOURNAL, file, sizeof file);
}

static void assert_journal_refused(const char *what, size_t i)
{
    size_t restored = begin_run();
    if (restored != 1 || strcmp(served("a"), "restored 10.0.0.1:1") != 0 ||
        !temp_exists(&temp, JOURNAL ".damaged"))
        fail_msg("%s %zu: %zu clusters, a is %s", what, i, restored, served("a"));
    (void)unlink(temp_path(&temp, JOURNAL ".damaged"));
    end_run();
}

/* The same, and a sync of it has ended. Returns where it does; then "c" comes, unsynced. */
static size_t leave_a_synced_journal(bool with_tail)
{
    (void)begin_run();
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    fake_run(httpc, 10);
    set("a", CLUSTER_LIVE, false, "10.0.0.1:2");
    set("b", CLUSTER_LIVE, false, "10.0.0.2:1");
    fake_run(httpc, 1100);
    size_t synced = temp_read(&temp, JOURNAL, file, sizeof file);
    if (with_tail)
        set("c", CLUSTER_LIVE, false, "10.0.0.3:1");
    kill_run();
    return synced;
}

/* The state file stays as it is: a run with a refused journal does not change it. */
TEST(test_spool__every_flipped_byte_of_a_synced_journal_is_refused)
{
    size_t len = leave_a_synced_journal(false);
    for (size_t i = 0; i < len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            char spoilt[sizeof file];
            memcpy(spoilt, file, len);
            spoilt[i] = (char)((unsigned char)spoilt[i] ^ (1u << bit));
            temp_write(&temp, JOURNAL, spoilt, len);
            assert_journal_refused("flipped byte", i);
        }
    }
}

TEST(test_spool__every_truncation_of_a_synced_journal_is_refused)
{
    size_t whole = leave_a_synced_journal(false);
    for (size_t len = 0; len < whole; len++) {
        temp_write(&temp, JOURNAL, file, len);
        assert_journal_refused("cut at", len);
    }
}

static void assert_tail_left_out(const char *what, size_t i)
{
    if (begin_run() != 2 || strcmp(served("a"), "restored 10.0.0.1:2") != 0 ||
        temp_exists(&temp, JOURNAL ".damaged"))
        fail_msg("%s %zu: a is %s, c is %s", what, i, served("a"), served("c"));
    end_run();
}

/* What a power failure leaves of it: any of its bytes may be older ones, or none. */
TEST(test_spool__a_wrong_byte_behind_the_last_sync_costs_what_is_behind_it)
{
    char whole[sizeof file];
    size_t synced = leave_a_synced_journal(true);
    size_t len = temp_read(&temp, JOURNAL, file, sizeof file);
    size_t whole_len = temp_read(&temp, STATE, whole, sizeof whole);
    assert_true(len > synced);
    for (size_t i = synced; i < len; i++) {
        char spoilt[sizeof file];
        memcpy(spoilt, file, len);
        spoilt[i] = '\0';
        temp_write(&temp, STATE, whole, whole_len);
        temp_write(&temp, JOURNAL, spoilt, len);
        assert_tail_left_out("byte", i);
    }
    for (size_t i = synced; i < len; i++) {
        temp_write(&temp, STATE, whole, whole_len);
        temp_write(&temp, JOURNAL, file, i);
        assert_tail_left_out("cut at", i);
    }
}

TEST(test_spool__what_was_left_out_never_comes_back)
{
    size_t synced = leave_a_synced_journal(false);
    char text[sizeof file];
    (void)begin_run();
    set("b", CLUSTER_LIVE, false, "10.0.0.2:2");
    set("c", CLUSTER_LIVE, false, "10.0.0.3:1");
    size_t len = temp_read(&temp, JOURNAL, text, sizeof text);
    kill_run();
    text[synced] ^= 1;
    temp_write(&temp, JOURNAL, text, len);
    assert_int_equal(begin_run(), 2);
    assert_int_equal(temp_read(&temp, JOURNAL, text, sizeof text), synced);
}

/* Its sum is not there: it was never served. */
TEST(test_spool__an_append_that_was_not_finished_is_not_restored)
{
    size_t len = leave_a_journal();
    static const char tail[] = "4 cluster c 5 10.0.0.9:1\n";
    memcpy(file + len, tail, sizeof tail - 1);
    temp_write(&temp, JOURNAL, file, len + sizeof tail - 1);
    assert_int_equal(begin_run(), 2);
    assert_string_equal(served("a"), "restored 10.0.0.1:2");
    set("d", CLUSTER_LIVE, false, "10.0.0.4:1");
    kill_run();
    assert_int_equal(begin_run(), 3);
    assert_string_equal(served("c"), "(none) ");
}

TEST(test_spool__a_journal_of_another_source_is_refused)
{
    (void)begin_run();
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    kill_run();
    (void)unlink(temp_path(&temp, STATE));
    configure("consul.datacenter=dc2");
    assert_int_equal(begin_run(), 0);
    assert_true(temp_exists(&temp, JOURNAL ".damaged"));
}

TEST(test_spool__a_journal_without_its_state_file_is_refused)
{
    (void)leave_a_journal();
    (void)unlink(temp_path(&temp, STATE));
    assert_int_equal(begin_run(), 0);
    assert_true(temp_exists(&temp, JOURNAL ".damaged"));
}

TEST(test_spool__a_refused_state_file_takes_its_journal_along)
{
    (void)leave_a_journal();
    temp_write(&temp, STATE, "x", 1);
    assert_int_equal(begin_run(), 0);
    assert_true(temp_exists(&temp, JOURNAL ".damaged"));
    assert_false(temp_exists(&temp, JOURNAL));
}

static uint64_t fnv(uint64_t h, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return h;
}

#define FNV_START 0xcbf29ce484222325u

static uint64_t source_sum(void)
{
    static const char source[] = "source nameServer - - -\n";
    return fnv(FNV_START, source, sizeof source - 1);
}

/* A journal with these records and right checksums. */
static void forge_journal(const char *records)
{
    char text[4096];
    int head = snprintf(text, sizeof text, "nsaddrd-journal 2 %016x ", 0);
    head += snprintf(text + head, sizeof text - (size_t)head, "%016llx\n",
                     (unsigned long long)fnv(source_sum(), text, (size_t)head));
    int len = snprintf(text + head, sizeof text - (size_t)head, "%ssum %016llx\n", records,
                       (unsigned long long)fnv(source_sum(), records, strlen(records)));
    temp_write(&temp, JOURNAL, text, (size_t)(head + len));
}

/* The same, as it was before. Its length. */
static size_t forge_old_journal(const char *records)
{
    char text[4096];
    uint64_t sum = fnv(source_sum(), records, strlen(records));
    int len = snprintf(text, sizeof text, "nsaddrd-journal 1 %016zx %016llx ", strlen(records),
                       (unsigned long long)sum);
    len += snprintf(text + len, sizeof text - (size_t)len, "%016llx\n%s",
                    (unsigned long long)fnv(FNV_START, text, (size_t)len), records);
    temp_write(&temp, JOURNAL, text, (size_t)len);
    memcpy(file, text, (size_t)len);
    return (size_t)len;
}

TEST(test_spool__a_journal_is_followed_from_where_the_state_file_ends)
{
    forge(SOURCE, "cluster a 5 10.0.0.1:7\n", 1); /* as of change 7 */
    forge_journal("6 cluster a 5 10.0.0.1:6\n7 cluster a 5 10.0.0.1:7\n8 cluster b 5 10.0.0.2:8\n"
                  "9 gone a\n");
    assert_int_equal(begin_run(), 1);
    assert_string_equal(served("a"), "(none) ");
    assert_string_equal(served("b"), "restored 10.0.0.2:8");
}

TEST(test_spool__a_journal_that_ends_before_the_state_file_is_not_continued)
{
    forge(SOURCE, "cluster a 5 10.0.0.1:7\n", 1); /* as of change 7 */
    forge_journal("5 cluster a 5 10.0.0.1:5\n");
    assert_int_equal(begin_run(), 1);
    assert_string_equal(served("a"), "restored 10.0.0.1:7");
    set("a", CLUSTER_LIVE, false, "10.0.0.1:8");
    kill_run();
    assert_int_equal(begin_run(), 1);
    assert_string_equal(served("a"), "restored 10.0.0.1:8");
}

TEST(test_spool__records_that_we_would_not_write_are_refused)
{
    static const char *const bad[] = {
        "9 cluster b 5 10.0.0.2:8\n",
        "8 cluster b 5 10.0.0.2:8\n10 gone a\n",
        "8 cluster b 5 10.0.0.2:8\n8 gone a\n",
        "8 cluster b 5 x\n",
        "8 gone a/b\n",
        "8 gane a\n",
        "8\n",
        "08 gone a\n",
        "0 gone a\n",
        "9223372036854775808 gone a\n",
        "gone a\n",
        "8 gone a\n\n",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        forge(SOURCE, "cluster a 5 10.0.0.1:1\n", 1);
        forge_journal(bad[i]);
        assert_journal_refused(bad[i], i);
    }
}

/* -- a journal of version 1 ------------------------------------------------------------------ */

static const char old_records[] = "8 cluster b 5 10.0.0.2:8\n9 cluster a 5 10.0.0.1:9\n";

TEST(test_spool__a_journal_of_version_1_is_restored_and_replaced)
{
    forge(SOURCE, "cluster a 5 10.0.0.1:7\n", 1);
    (void)forge_old_journal(old_records);
    assert_int_equal(begin_run(), 2);
    assert_string_equal(served("a"), "restored 10.0.0.1:9");
    fake_run(httpc, 10);
    assert_false(temp_exists(&temp, JOURNAL));
    kill_run();
    assert_int_equal(begin_run(), 2);
}

TEST(test_spool__what_was_in_a_journal_of_version_1_outlives_a_kill_after_the_next_change)
{
    forge(SOURCE, "cluster a 5 10.0.0.1:7\n", 1);
    (void)forge_old_journal(old_records);
    assert_int_equal(begin_run(), 2);
    set("c", CLUSTER_LIVE, false, "10.0.0.3:1");
    kill_run();
    assert_int_equal(begin_run(), 3);
    assert_string_equal(served("a"), "restored 10.0.0.1:9");
    assert_string_equal(served("b"), "restored 10.0.0.2:8");
}

TEST(test_spool__a_journal_of_version_1_that_is_older_than_the_state_file_is_not_continued)
{
    forge(SOURCE, "cluster a 5 10.0.0.1:7\n", 1);
    (void)forge_old_journal("6 cluster a 5 10.0.0.1:6\n");
    assert_int_equal(begin_run(), 1);
    set("a", CLUSTER_LIVE, false, "10.0.0.1:8");
    kill_run();
    assert_int_equal(begin_run(), 1);
    assert_string_equal(served("a"), "restored 10.0.0.1:8");
}

static void assert_old_journal_refused(const char *what, size_t i)
{
    if (begin_run() != 1 || strcmp(served("a"), "restored 10.0.0.1:7") != 0 ||
        !temp_exists(&temp, JOURNAL ".damaged"))
        fail_msg("%s %zu: a is %s", what, i, served("a"));
    (void)unlink(temp_path(&temp, JOURNAL ".damaged"));
    end_run();
}

TEST(test_spool__a_journal_of_version_1_without_its_last_newline_is_refused)
{
    (void)forge_old_journal("8 cluster b 5 10.0.0.2:8");
    forge(SOURCE, "cluster a 5 10.0.0.1:7\n", 1);
    assert_old_journal_refused("no newline", 0);
}

TEST(test_spool__a_damaged_journal_of_version_1_is_refused)
{
    size_t len = forge_old_journal(old_records);
    forge(SOURCE, "cluster a 5 10.0.0.1:7\n", 1);
    for (size_t i = 0; i < len; i++) {
        char spoilt[sizeof file];
        memcpy(spoilt, file, len);
        spoilt[i] ^= 4;
        temp_write(&temp, JOURNAL, spoilt, len);
        assert_old_journal_refused("byte", i);
    }
    for (size_t i = 0; i < len; i++) {
        temp_write(&temp, JOURNAL, file, i);
        assert_old_journal_refused("cut at", i);
    }
}

/* -- which of both is written ---------------------------------------------------------------- */

static uint64_t synced_of_journal(void)
{
    char text[sizeof file];
    assert_true(temp_read(&temp, JOURNAL, text, sizeof text) > 52);
    assert_int_equal(strncmp(text, "nsaddrd-journal 2 ", 18), 0);
    return strtoull(text + 18, NULL, 16);
}

static size_t journal_len(void)
{
    char text[sizeof file];
    return temp_read(&temp, JOURNAL, text, sizeof text) - 52;
}

static bool state_has(const char *text)
{
    assert_true(temp_read(&temp, STATE, file, sizeof file) > 0);
    return strstr(file, text) != NULL;
}

TEST(test_spool__a_change_is_synced_within_a_second_without_a_whole_write)
{
    (void)begin_run();
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    fake_run(httpc, 1100);
    for (int i = 2; i < 20; i++) {
        char list[32];
        (void)snprintf(list, sizeof list, "10.0.0.1:%d", i);
        set("a", CLUSTER_LIVE, false, list);
        assert_true(synced_of_journal() < journal_len());
        fake_run(httpc, 1000);
        assert_int_equal(synced_of_journal(), journal_len());
    }
    assert_true(state_has("10.0.0.1:1\n"));
}

/* A list of 8 long addresses. */
static void set_long(int version)
{
    char list[512];
    int len = 0;
    for (int i = 0; i < 8; i++)
        len += snprintf(list + len, sizeof list - (size_t)len,
                        "%s[2001:db8:1234:5678:9abc:def0:%d:%d]:9876", i > 0 ? ";" : "", i + 1,
                        version);
    set("a", CLUSTER_LIVE, false, list);
}

TEST(test_spool__the_whole_is_written_when_the_journal_has_outgrown_it)
{
    struct stat info;
    off_t largest = 0;
    size_t wholes = 0;
    (void)begin_run();
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    fake_run(httpc, 1100);
    for (int i = 1000; i < 2600; i++) {
        set_long(i);
        if (i % 50 != 0)
            continue;
        assert_int_equal(stat(temp_path(&temp, JOURNAL), &info), 0);
        largest = info.st_size > largest ? info.st_size : largest;
        fake_run(httpc, 1000);
        wholes += !temp_exists(&temp, JOURNAL);
    }
    assert_in_range(largest, 256 * 1024, 300 * 1024);
    assert_int_equal(wholes, 2);
}

TEST(test_spool__a_clean_stop_writes_the_whole)
{
    (void)leave_a_synced_journal(false);
    (void)begin_run();
    fake_run(httpc, 1100);
    set("c", CLUSTER_LIVE, false, "10.0.0.3:1");
    fake_run(httpc, 1100);
    assert_true(temp_exists(&temp, JOURNAL));
    end_run();
    assert_false(temp_exists(&temp, JOURNAL));
    assert_true(state_has("cluster c "));
}

TEST(test_spool__a_restored_journal_is_written_as_a_whole_at_once)
{
    (void)leave_a_synced_journal(false);
    assert_int_equal(begin_run(), 2);
    fake_run(httpc, 10);
    assert_false(temp_exists(&temp, JOURNAL));
    assert_true(state_has("cluster b "));
}

/* Whether those came in time to be synced, nobody knows. */
TEST(test_spool__changes_during_a_sync_are_not_taken_for_synced)
{
    for (int early = 0; early < 2; early++) {
        (void)begin_run();
        set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
        set("a", CLUSTER_LIVE, false, early ? "10.0.0.1:2" : "10.0.0.1:3");
        fake_run(httpc, 1100);
        set("b", CLUSTER_LIVE, false, early ? "10.0.0.2:2" : "10.0.0.2:1");
        size_t before = journal_len();
        fake_state_writer_hold();
        fake_run(httpc, 1100);
        if (early)
            fake_state_writer_work();
        set("c", CLUSTER_LIVE, false, early ? "10.0.0.3:2" : "10.0.0.3:1");
        fake_state_writer_release();
        assert_int_equal(synced_of_journal(), before);
        fake_run(httpc, 1100);
        assert_int_equal(synced_of_journal(), journal_len());
        end_run();
    }
}

TEST(test_spool__after_a_sync_that_failed_the_whole_is_written)
{
    (void)begin_run();
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    fake_run(httpc, 1100);
    set("a", CLUSTER_LIVE, false, "10.0.0.1:2");
    fake_state_writer_fail();
    fake_run(httpc, 1100);
    assert_true(state_has("10.0.0.1:1\n"));
    set("b", CLUSTER_LIVE, false, "10.0.0.2:1");
    assert_int_equal(synced_of_journal(), 0);
    fake_run(httpc, 10000);
    assert_false(temp_exists(&temp, JOURNAL));
    assert_true(state_has("10.0.0.1:2\n"));
    kill_run();
    assert_int_equal(begin_run(), 2);
}

/* -- what does not go well ------------------------------------------------------------------- */

TEST(test_spool__a_change_that_the_journal_did_not_take_is_in_it_with_the_next)
{
    (void)begin_run();
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    fake_run(httpc, 10);
    assert_int_equal(mkdir(temp_path(&temp, JOURNAL ".tmp"), 0700), 0);
    set("b", CLUSTER_LIVE, false, "10.0.0.2:1");
    assert_string_equal(served("b"), "live 10.0.0.2:1");
    assert_int_equal(rmdir(temp_path(&temp, JOURNAL ".tmp")), 0);
    set("c", CLUSTER_LIVE, false, "10.0.0.3:1");
    kill_run();
    assert_int_equal(begin_run(), 3);
    assert_string_equal(served("b"), "restored 10.0.0.2:1");
}

TEST(test_spool__the_whole_file_has_what_the_journal_did_not_take)
{
    (void)begin_run();
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    fake_run(httpc, 10);
    assert_int_equal(mkdir(temp_path(&temp, JOURNAL ".tmp"), 0700), 0);
    set("b", CLUSTER_LIVE, false, "10.0.0.2:1");
    fake_run(httpc, 1100);
    kill_run();
    assert_int_equal(rmdir(temp_path(&temp, JOURNAL ".tmp")), 0);
    assert_int_equal(begin_run(), 2);
}

/* The state file cannot be replaced for a while: the journal alone has every change. */
TEST(test_spool__the_journal_bridges_a_time_without_whole_writes)
{
    (void)begin_run();
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    fake_run(httpc, 10);
    assert_int_equal(mkdir(temp_path(&temp, STATE ".tmp"), 0700), 0);
    for (int i = 2; i < 50; i++) {
        char list[32];
        (void)snprintf(list, sizeof list, "10.0.0.1:%d", i);
        set("a", CLUSTER_LIVE, false, list);
        fake_run(httpc, 1000);
    }
    kill_run();
    assert_int_equal(rmdir(temp_path(&temp, STATE ".tmp")), 0);
    assert_int_equal(begin_run(), 1);
    assert_string_equal(served("a"), "restored 10.0.0.1:49");
}
/* -- a slow disk ----------------------------------------------------------------------------- */

/* "a" and "b" are being written as a whole, "c" came meanwhile. */
static void change_while_writing(void)
{
    (void)begin_run();
    fake_state_writer_hold();
    set("a", CLUSTER_LIVE, false, "10.0.0.1:1");
    set("b", CLUSTER_LIVE, false, "10.0.0.2:1");
    fake_run(httpc, 10);
    set("c", CLUSTER_LIVE, false, "10.0.0.3:1");
}

TEST(test_spool__nothing_is_lost_while_a_write_hangs)
{
    change_while_writing();
    fake_run(httpc, 60000);
    set("d", CLUSTER_LIVE, false, "10.0.0.4:1");
    kill_run();
    fake_state_writer_release();
    assert_int_equal(begin_run(), 4);
}

TEST(test_spool__what_came_during_a_write_is_in_the_journal_behind_it)
{
    change_while_writing();
    fake_state_writer_release();
    assert_true(temp_read(&temp, STATE, file, sizeof file) > 0);
    assert_non_null(strstr(file, "cluster b"));
    assert_null(strstr(file, "cluster c"));
    assert_true(temp_read(&temp, JOURNAL, file, sizeof file) > 0);
    assert_null(strstr(file, "cluster b"));
    assert_non_null(strstr(file, "3 cluster c"));
    kill_run();
    assert_int_equal(begin_run(), 3);
}

TEST(test_spool__what_came_during_a_write_is_synced_next)
{
    change_while_writing();
    fake_state_writer_release();
    assert_int_equal(synced_of_journal(), 0);
    fake_run(httpc, 1100);
    assert_int_equal(synced_of_journal(), journal_len());
    kill_run();
    assert_int_equal(begin_run(), 3);
}

TEST(test_spool__closing_waits_for_the_write_and_writes_the_rest)
{
    change_while_writing();
    end_run();
    fake_state_writer_release();
    assert_false(temp_exists(&temp, JOURNAL));
    assert_int_equal(begin_run(), 3);
}

TEST(test_spool__a_journal_that_cannot_be_shortened_is_kept)
{
    change_while_writing();
    assert_int_equal(mkdir(temp_path(&temp, JOURNAL ".tmp"), 0700), 0);
    fake_state_writer_release();
    kill_run();
    assert_int_equal(rmdir(temp_path(&temp, JOURNAL ".tmp")), 0);
    assert_int_equal(begin_run(), 3);
}

TEST(test_spool__a_write_that_hung_and_failed_is_tried_again)
{
    change_while_writing();
    assert_int_equal(mkdir(temp_path(&temp, STATE ".tmp"), 0700), 0);
    fake_state_writer_release();
    assert_int_equal(rmdir(temp_path(&temp, STATE ".tmp")), 0);
    assert_true(temp_exists(&temp, JOURNAL));
    fake_run(httpc, 20000);
    assert_false(temp_exists(&temp, JOURNAL));
    kill_run();
    assert_int_equal(begin_run(), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_spool__what_is_written_is_restored),
        T(test_spool__the_file_is_as_documented),
        T(test_spool__without_a_file_nothing_is_restored),
        T(test_spool__a_restored_list_survives_the_next_restart_too),
        T(test_spool__pinned_and_empty_clusters_are_not_written),
        T(test_spool__a_removed_cluster_is_not_restored),
        T(test_spool__every_flipped_byte_is_refused),
        T(test_spool__every_byte_made_nul_is_refused),
        T(test_spool__every_truncation_is_refused),
        T(test_spool__text_behind_the_end_is_refused),
        T(test_spool__a_damaged_file_is_kept_aside),
        T(test_spool__a_file_made_elsewhere_with_a_right_checksum_is_read),
        T(test_spool__lines_that_we_would_not_write_are_refused),
        T(test_spool__a_file_without_a_sequence_is_refused),
        T(test_spool__a_file_of_another_prefix_is_not_used),
        T(test_spool__a_file_of_another_datacenter_is_not_used),
        T(test_spool__a_file_of_another_version_is_not_used),
        T(test_spool__a_change_is_written_within_a_second),
        T(test_spool__the_last_change_is_written_at_the_end),
        T(test_spool__a_failed_write_is_tried_again),
        T(test_spool__writes_and_failures_are_counted),
        T(test_spool__a_full_disk_keeps_the_last_file),
        T(test_spool__the_folder_has_one_owner),
        T(test_spool__a_file_that_cannot_be_read_is_kept_aside),
        T(test_spool__closing_takes_null),
        T(test_spool__what_is_withheld_is_restored_as_such),
        T(test_spool__what_was_served_is_restored_after_a_kill),
        T(test_spool__changes_since_the_last_write_are_restored_in_order),
        T(test_spool__a_journal_is_continued_by_the_next_run),
        T(test_spool__a_journal_that_outlived_the_next_write_changes_nothing),
        T(test_spool__what_is_taken_back_is_not_in_the_journal),
        T(test_spool__every_flipped_byte_of_a_synced_journal_is_refused),
        T(test_spool__every_truncation_of_a_synced_journal_is_refused),
        T(test_spool__a_wrong_byte_behind_the_last_sync_costs_what_is_behind_it),
        T(test_spool__what_was_left_out_never_comes_back),
        T(test_spool__an_append_that_was_not_finished_is_not_restored),
        T(test_spool__a_journal_of_another_source_is_refused),
        T(test_spool__a_journal_without_its_state_file_is_refused),
        T(test_spool__a_refused_state_file_takes_its_journal_along),
        T(test_spool__a_journal_is_followed_from_where_the_state_file_ends),
        T(test_spool__a_journal_that_ends_before_the_state_file_is_not_continued),
        T(test_spool__records_that_we_would_not_write_are_refused),
        T(test_spool__a_journal_of_version_1_is_restored_and_replaced),
        T(test_spool__what_was_in_a_journal_of_version_1_outlives_a_kill_after_the_next_change),
        T(test_spool__a_journal_of_version_1_that_is_older_than_the_state_file_is_not_continued),
        T(test_spool__a_journal_of_version_1_without_its_last_newline_is_refused),
        T(test_spool__a_damaged_journal_of_version_1_is_refused),
        T(test_spool__a_change_is_synced_within_a_second_without_a_whole_write),
        T(test_spool__the_whole_is_written_when_the_journal_has_outgrown_it),
        T(test_spool__a_clean_stop_writes_the_whole),
        T(test_spool__a_restored_journal_is_written_as_a_whole_at_once),
        T(test_spool__changes_during_a_sync_are_not_taken_for_synced),
        T(test_spool__after_a_sync_that_failed_the_whole_is_written),
        T(test_spool__a_change_that_the_journal_did_not_take_is_in_it_with_the_next),
        T(test_spool__the_whole_file_has_what_the_journal_did_not_take),
        T(test_spool__the_journal_bridges_a_time_without_whole_writes),
        T(test_spool__nothing_is_lost_while_a_write_hangs),
        T(test_spool__what_came_during_a_write_is_in_the_journal_behind_it),
        T(test_spool__what_came_during_a_write_is_synced_next),
        T(test_spool__closing_waits_for_the_write_and_writes_the_rest),
        T(test_spool__a_journal_that_cannot_be_shortened_is_kept),
        T(test_spool__a_write_that_hung_and_failed_is_tried_again),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
