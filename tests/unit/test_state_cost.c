/* SPDX-License-Identifier: Apache-2.0 */
/* test_state_cost.c - what the state on disk costs: bytes written, as the kernel counts them. */
#include <inttypes.h>

#include "base/log.h"
#include "config_of.h"
#include "fake_httpc.h"
#include "model/cluster_id.h"
#include "model/registry.h"
#include "source/merge.h"
#include "source/spool.h"
#include "temp.h"

static struct temp temp;
static struct config *config;
static struct registry *registry;
static struct merge *merge;
static struct httpc *httpc;
static struct spool *spool;

static void on_change(void *arg)
{
    (void)arg;
}

static int setup(void **state)
{
    struct error error;
    char dir[128];
    (void)state;
    temp_make(&temp);
    (void)snprintf(dir, sizeof dir, "state.dir=%s", temp.dir);
    config = config_of(dir, NULL);
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    registry = registry_new(&error);
    merge = merge_new(registry, on_change, NULL, &error);
    httpc = httpc_new(config, &error);
    spool = spool_open(config, &error);
    if (spool == NULL || !spool_restore(spool, merge, registry, &error))
        return -1;
    spool_start(spool, httpc, merge);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    spool_close(spool);
    httpc_free(httpc);
    merge_free(merge);
    registry_free(registry);
    config_free(config);
    temp_remove(&temp);
    return 0;
}

static uint64_t bytes_written(void)
{
    char line[128];
    uint64_t bytes = 0;
    FILE *f = fopen("/proc/self/io", "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL)
        (void)sscanf(line, "wchar: %" SCNu64, &bytes);
    (void)fclose(f);
    return bytes;
}

/* Three addresses, one of which `version` decides. */
static void set(int cluster, int version)
{
    char id[CLUSTER_ID_SIZE];
    struct endpoint list[3];
    for (int i = 0; i < 3; i++) {
        char text[64];
        int len = snprintf(text, sizeof text, "10.%d.%d.%d:%d", cluster / 250, cluster % 250, i + 1,
                           i == 0 ? 1000 + version : 9876);
        assert_true(endpoint_parse(&list[i], text, (size_t)len));
    }
    (void)snprintf(id, sizeof id, "c%05d", cluster);
    assert_true(merge_set(merge, id, CLUSTER_LIVE, false, list, 3, "a test"));
}

static void set_all(int clusters)
{
    assert_true(merge_begin(merge));
    for (int i = 0; i < clusters; i++)
        set(i, 0);
    merge_commit(merge);
    fake_run(httpc, 1100);
}

/* So many each second. Returns how many bytes that was. */
static uint64_t change_often(int clusters, int changes, int per_second)
{
    uint64_t before = bytes_written();
    for (int i = 1; i <= changes; i++) {
        assert_true(merge_begin(merge));
        set(i * 7 % clusters, i % 60000);
        merge_commit(merge);
        if (i % per_second == 0)
            fake_run(httpc, 1000);
    }
    return bytes_written() - before;
}

/* A record and its sum have about 120 bytes, the note of its sync about 50. */
TEST(test_state_cost__a_change_costs_what_it_says_however_many_clusters)
{
    set_all(10000);
    uint64_t written = change_often(10000, 1000, 1);
    print_message("1,000 changes with 10,000 clusters: %" PRIu64 " bytes\n", written);
    assert_in_range(written, 1000, 1000 * 256);
}

/* With the writes of the whole, of which there are some. */
TEST(test_state_cost__in_the_long_run_a_change_costs_a_few_times_what_it_says)
{
    set_all(2000);
    uint64_t written = change_often(2000, 20000, 100);
    print_message("20,000 changes with 2,000 clusters: %" PRIu64 " bytes\n", written);
    assert_in_range(written, 1000, 20000 * 512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_state_cost__a_change_costs_what_it_says_however_many_clusters),
        T(test_state_cost__in_the_long_run_a_change_costs_a_few_times_what_it_says),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
