/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "config/option.h"
#include "config/reload.h"
#include "config_of.h"

static struct config *running, *read;
static struct error error;
static char told[4096];

static int setup(void **state)
{
    (void)state;
    running = read = NULL;
    told[0] = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    config_free(running);
    config_free(read);
    return 0;
}

static void tell(const struct config_change *change, void *arg)
{
    size_t len = strlen(told);
    (void)arg;
    (void)snprintf(told + len, sizeof told - len, "%s%s: %s -> %s (%s)", change->key,
                   change->needs_a_restart ? "!" : "", change->was, change->is, change->where);
}

static void assert_told(const char *wanted)
{
    assert_true(config_each_change(running, read, tell, NULL, &error));
    assert_string_equal(told, wanted);
}

/* Another value than the default. */
static void alter(struct config *c, const struct option *o)
{
    void *value = (char *)c + o->offset;
    if (o->type == OPTION_BOOL)
        *(bool *)value = !*(bool *)value;
    else if (o->type == OPTION_INT || o->type == OPTION_DURATION)
        *(int64_t *)value += 1;
    else if (o->type == OPTION_ENUM)
        *(int64_t *)value = *(int64_t *)value == 0;
    else if (!option_set_text(c, o, o->type == OPTION_CLUSTERS ? "x=10.0.0.9:1" : "other", &error))
        fail_msg("%s: %s", o->name, error.text);
}

TEST(test_reload__the_same_config_changes_nothing)
{
    static const char clusters[] = "static_clusters=a=10.0.0.1:1;10.0.0.2:1,b=10.0.0.3:1";
    running = config_of("consul.exclude=a,b", clusters, NULL);
    read = config_of("consul.exclude=a,b", clusters, NULL);
    assert_told("");
}

TEST(test_reload__what_changes_is_told_with_where_it_stands)
{
    running = config_of("log.level=info", NULL);
    read = config_of("log.level=debug", NULL);
    assert_told("log.level: info -> debug (-o)");
}

TEST(test_reload__what_takes_a_restart_is_marked)
{
    running = config_of(NULL, NULL);
    read = config_of("http.threads=3", NULL);
    assert_told("http.threads!: 0 -> 3 (-o)");
}

TEST(test_reload__secrets_are_masked)
{
    running = config_of("consul.token=one", NULL);
    read = config_of("consul.token=two", NULL);
    assert_told("consul.token: (masked) -> (masked) (-o)");
}

TEST(test_reload__of_clusters_their_number_is_told)
{
    running = config_of("static_clusters=a=10.0.0.1:1", NULL);
    read = config_of("static_clusters=a=10.0.0.1:1,b=10.0.0.1:1", NULL);
    assert_told("static_clusters: clusters: 1 -> clusters: 2 (-o)");
}

static void assert_clusters_differ(const char *one, const char *other)
{
    running = config_of(one, NULL);
    read = config_of(other, NULL);
    assert_false(option_same(running, read, option_find("static_clusters", 15)));
    config_free(running);
    config_free(read);
    running = read = NULL;
}

TEST(test_reload__clusters_differ_in_id_number_and_address)
{
    assert_clusters_differ("static_clusters=a=10.0.0.1:1", "static_clusters=b=10.0.0.1:1");
    assert_clusters_differ("static_clusters=a=10.0.0.1:1", "static_clusters=a=10.0.0.1:2");
    assert_clusters_differ("static_clusters=a=10.0.0.1:1",
                           "static_clusters=a=10.0.0.1:1;10.0.0.1:2");
}

/* Each option for itself: what can be reloaded is taken over, the rest stays. */
TEST(test_reload__keeps_what_takes_a_restart_and_nothing_else)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        running = config_of(NULL, NULL);
        read = config_of(NULL, NULL);
        alter(read, o);
        assert_false(option_same(running, read, o));
        if (!config_keep_started(read, running, &error))
            fail_msg("%s: %s", o->name, error.text);
        if (option_same(running, read, o) == o->reloadable)
            fail_msg("%s is %s", o->name, o->reloadable ? "kept" : "not kept");
        config_free(running);
        config_free(read);
        running = read = NULL;
    }
}

TEST(test_reload__a_kept_value_is_said_to_come_from_where_it_did)
{
    char where[200];
    running = config_of("http.threads=2", NULL);
    read = config_of(NULL, NULL);
    assert_true(config_keep_started(read, running, &error));
    config_where(read, "http.threads", where, sizeof where);
    assert_string_equal(where, "-o http.threads");
}

TEST(test_reload__a_kept_address_is_used_as_it_was)
{
    running = config_of("consul.address=http://10.0.0.1:8500", NULL);
    read = config_of("consul.address=http://10.0.0.2:8500", NULL);
    assert_true(config_keep_started(read, running, &error));
    assert_string_equal(read->consul.target.base_url, "http://10.0.0.1:8500");
}

TEST(test_reload__clusters_are_not_copied)
{
    running = config_of(NULL, NULL);
    read = config_of(NULL, NULL);
    assert_false(option_copy(read, running, option_find("static_clusters", 15), &error));
    assert_says(&error, "cannot be copied");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_reload__the_same_config_changes_nothing),
        T(test_reload__what_changes_is_told_with_where_it_stands),
        T(test_reload__what_takes_a_restart_is_marked),
        T(test_reload__secrets_are_masked),
        T(test_reload__of_clusters_their_number_is_told),
        T(test_reload__clusters_differ_in_id_number_and_address),
        T(test_reload__keeps_what_takes_a_restart_and_nothing_else),
        T(test_reload__a_kept_value_is_said_to_come_from_where_it_did),
        T(test_reload__a_kept_address_is_used_as_it_was),
        T(test_reload__clusters_are_not_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
