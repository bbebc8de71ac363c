/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>

#include "model/consul_metrics.h"
#include "model/metrics.h"
#include "unit.h"

static const struct build_info build = {.version = "1.2.3", .mhd = "0.9.75"};
static struct metrics *metrics;

static int setup(void **state)
{
    (void)state;
    struct error error;
    metrics = metrics_new(&build, 1700000000123, &error);
    return metrics != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    metrics_free(metrics);
    return 0;
}

static struct http_metrics *thread(void)
{
    struct error error;
    struct http_metrics *t = metrics_add_http_thread(metrics, &error);
    assert_non_null(t);
    return t;
}

static struct http_totals totals(void)
{
    struct http_totals all;
    metrics_http(metrics, &all);
    return all;
}

static uint64_t sum(const uint64_t *numbers, size_t count)
{
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++)
        all += numbers[i];
    return all;
}

TEST(test_metrics__remembers_what_it_was_made_with)
{
    assert_string_equal(metrics_build(metrics)->version, "1.2.3");
    assert_string_equal(metrics_build(metrics)->mhd, "0.9.75");
    assert_true(metrics_started_wall_ms(metrics) == 1700000000123);
}

TEST(test_metrics__is_all_zero_without_a_thread)
{
    static const struct http_totals none;
    struct http_totals all = totals();
    assert_memory_equal(&all, &none, sizeof all);
    (void)thread();
    all = totals();
    assert_memory_equal(&all, &none, sizeof all);
}

TEST(test_metrics__counts_a_request_by_route_and_status)
{
    static const struct {
        unsigned status;
        enum http_code code;
    } cases[] = {
        {200, HTTP_CODE_200},     {304, HTTP_CODE_304}, {400, HTTP_CODE_400},
        {404, HTTP_CODE_404},     {405, HTTP_CODE_405}, {503, HTTP_CODE_503},
        {408, HTTP_CODE_OTHER},   {0, HTTP_CODE_OTHER}, {599, HTTP_CODE_OTHER},
        {65736, HTTP_CODE_OTHER}, /* 200 in 16 bits */
    };
    struct http_metrics *t = thread();
    for (enum http_route route = 0; route < HTTP_ROUTES; route++) {
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            struct http_totals before = totals();
            http_metrics_request(t, route, cases[i].status, 0);
            struct http_totals after = totals();
            before.requests[route][cases[i].code]++;
            assert_memory_equal(before.requests, after.requests, sizeof before.requests);
        }
    }
}

TEST(test_metrics__a_duration_goes_into_the_first_bucket_that_holds_it)
{
    struct http_metrics *t = thread();
    for (size_t i = 0; i < HTTP_BUCKETS - 1; i++) {
        struct http_totals before = totals();
        http_metrics_request(t, HTTP_ROUTE_CLUSTER, 200, http_bucket_ns[i]);
        http_metrics_request(t, HTTP_ROUTE_CLUSTER, 200, http_bucket_ns[i] + 1);
        struct http_totals after = totals();
        before.durations[i]++;
        before.durations[i + 1]++;
        assert_memory_equal(before.durations, after.durations, sizeof before.durations);
        assert_true(after.duration_ns - before.duration_ns == 2 * http_bucket_ns[i] + 1);
    }
    http_metrics_request(t, HTTP_ROUTE_CLUSTER, 200, 0);
    assert_true(totals().durations[0] == 2);
}

TEST(test_metrics__buckets_go_from_ten_microseconds_to_a_second)
{
    assert_true(http_bucket_ns[0] == 10 * UINT64_C(1000));
    assert_true(http_bucket_ns[HTTP_BUCKETS - 2] == UINT64_C(1000000000));
    for (size_t i = 1; i < HTTP_BUCKETS - 1; i++)
        assert_true(http_bucket_ns[i] > http_bucket_ns[i - 1]);
}

TEST(test_metrics__every_request_is_in_one_bucket)
{
    struct http_metrics *t = thread();
    for (uint64_t ns = 1; ns < UINT64_C(100000000000); ns *= 3)
        http_metrics_request(t, HTTP_ROUTE_READYZ, 503, ns);
    struct http_totals all = totals();
    assert_true(sum(all.durations, HTTP_BUCKETS) == all.requests[HTTP_ROUTE_READYZ][HTTP_CODE_503]);
}

TEST(test_metrics__connections_are_those_opened_and_not_closed)
{
    struct http_metrics *t = thread();
    for (int i = 0; i < 3; i++)
        http_metrics_opened(t);
    http_metrics_closed(t);
    assert_true(totals().connections == 2 && totals().accepted == 3);
    http_metrics_closed(t);
    http_metrics_closed(t);
    assert_true(totals().connections == 0 && totals().accepted == 3);
}

TEST(test_metrics__drops_and_clients_are_counted_apart)
{
    struct http_metrics *t = thread();
    for (enum http_drop why = 0; why < HTTP_DROPS; why++) {
        for (size_t n = 0; n <= (size_t)why; n++)
            http_metrics_dropped(t, why);
        assert_true(totals().drops[why] == (uint64_t)why + 1);
    }
    for (enum http_client client = 0; client < HTTP_CLIENTS; client++) {
        for (size_t n = 0; n <= (size_t)client; n++)
            http_metrics_client(t, client);
        assert_true(totals().clients[client] == (uint64_t)client + 1);
    }
    assert_true(totals().connections == 0 && totals().accepted == 0);
}

TEST(test_metrics__totals_are_of_all_threads)
{
    struct http_metrics *threads[] = {thread(), thread(), thread()};
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        http_metrics_opened(threads[i]);
        http_metrics_request(threads[i], HTTP_ROUTE_CLUSTER, 200, i);
        http_metrics_client(threads[i], HTTP_CLIENT_JAVA);
        http_metrics_dropped(threads[i], HTTP_DROP_IDLE_TIMEOUT);
    }
    struct http_totals all = totals();
    assert_true(all.requests[HTTP_ROUTE_CLUSTER][HTTP_CODE_200] == 3);
    assert_true(all.durations[0] == 3 && all.duration_ns == 0 + 1 + 2);
    assert_true(all.connections == 3 && all.accepted == 3);
    assert_true(all.clients[HTTP_CLIENT_JAVA] == 3 && all.drops[HTTP_DROP_IDLE_TIMEOUT] == 3);
}

TEST(test_metrics__threads_share_no_cache_line)
{
    for (int i = 0; i < 4; i++)
        assert_true((uintptr_t)thread() % 64 == 0);
    assert_true(sizeof(struct http_metrics) % 64 == 0);
}

static void assert_words(const char *(*name)(int), int count)
{
    for (int i = 0; i < count; i++) {
        if (name(i) == NULL)
            fail_msg("%d has no name", i);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(name(i), name(j));
    }
}

static const char *route_name(int i)
{
    return http_route_name((enum http_route)i);
}

static const char *code_name(int i)
{
    return http_code_name((enum http_code)i);
}

static const char *client_name(int i)
{
    return http_client_name((enum http_client)i);
}

static const char *drop_name(int i)
{
    return http_drop_name((enum http_drop)i);
}

TEST(test_metrics__every_value_has_a_name_of_its_own)
{
    assert_words(route_name, HTTP_ROUTES);
    assert_words(code_name, HTTP_CODES);
    assert_words(client_name, HTTP_CLIENTS);
    assert_words(drop_name, HTTP_DROPS);
}

TEST(test_metrics__a_code_is_named_by_its_number)
{
    for (unsigned status = 100; status < 600; status++) {
        char number[8];
        (void)snprintf(number, sizeof number, "%u", status);
        enum http_code code = http_code_of(status);
        if (code != HTTP_CODE_OTHER)
            assert_string_equal(http_code_name(code), number);
    }
}

TEST(test_metrics__free_takes_null)
{
    metrics_free(NULL);
}

/* -- clients --------------------------------------------------------------------------------- */

TEST(test_metrics__clients_are_known_by_what_they_send)
{
    static const struct {
        const char *client_version, *user_agent;
        enum http_client client;
    } cases[] = {
        {"V5_3_3", "Java/17.0.9", HTTP_CLIENT_JAVA},
        {"V4_5_2", "Java/1.8.0_402", HTTP_CLIENT_JAVA},
        {"V4_9_4", "billing Java/11.0.2", HTTP_CLIENT_JAVA}, /* -Dhttp.agent=billing */
        {NULL, "Java/17.0.9", HTTP_CLIENT_JAVA},
        {"V5_1_4", NULL, HTTP_CLIENT_RUST},
        {"V5_1_4", "", HTTP_CLIENT_RUST},
        {NULL, "Go-http-client/1.1", HTTP_CLIENT_GO},
        {NULL, "node-urllib/2.41.0 Node.js/18.19.0 (Linux 6.1.0; x64)", HTTP_CLIENT_NODE},
        {NULL, "cpp-httplib/0.9", HTTP_CLIENT_CPP},
        {NULL, "curl/7.88.1", HTTP_CLIENT_CURL},
        {NULL, NULL, HTTP_CLIENT_UNNAMED},
        {NULL, "", HTTP_CLIENT_UNNAMED},
        {"", NULL, HTTP_CLIENT_OTHER},
        {"5.3.3", NULL, HTTP_CLIENT_OTHER},
        {"v5_3_3", "", HTTP_CLIENT_OTHER},
        {"", "Go-http-client/1.1", HTTP_CLIENT_GO},
        {NULL, "Mozilla/5.0 (X11; Linux x86_64)", HTTP_CLIENT_OTHER},
        {NULL, "Consul Health Check", HTTP_CLIENT_OTHER},
        {NULL, "Gopher", HTTP_CLIENT_OTHER},
        {NULL, "Go-http-client", HTTP_CLIENT_OTHER},
        {NULL, "JavaScript", HTTP_CLIENT_OTHER},
        {NULL, "java/17", HTTP_CLIENT_OTHER},
        {NULL, "curly", HTTP_CLIENT_OTHER},
        {NULL, "c", HTTP_CLIENT_OTHER},
        {NULL, "node", HTTP_CLIENT_OTHER},
        {NULL, "x curl/7", HTTP_CLIENT_OTHER},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum http_client found = http_client_of(cases[i].client_version, cases[i].user_agent);
        if (found != cases[i].client)
            fail_msg("Client-Version %s, User-Agent %s: %s instead of %s", cases[i].client_version,
                     cases[i].user_agent, http_client_name(found),
                     http_client_name(cases[i].client));
    }
}

/* -- threads --------------------------------------------------------------------------------- */

#define WRITERS 3
#define REQUESTS 20000

static void *count_on(void *arg)
{
    struct http_metrics *t = arg;
    for (int i = 0; i < REQUESTS; i++) {
        http_metrics_opened(t);
        http_metrics_request(t, HTTP_ROUTE_CLUSTER, 200, 1);
        http_metrics_client(t, HTTP_CLIENT_GO);
        http_metrics_closed(t);
    }
    return NULL;
}

struct reading {
    atomic_bool stop;
    atomic_int wrong;
};

/* Nothing counted goes back, and no thread has more than its one connection open. */
static void *read_on(void *arg)
{
    struct reading *r = arg;
    struct http_totals last = totals();
    while (!atomic_load(&r->stop)) {
        struct http_totals now = totals();
        if (now.durations[0] < last.durations[0] || now.duration_ns < last.duration_ns ||
            now.accepted < last.accepted || now.connections > WRITERS)
            atomic_fetch_add(&r->wrong, 1);
        last = now;
    }
    return NULL;
}

TEST(test_metrics__is_read_while_threads_are_added_and_count)
{
    struct reading reading = {.wrong = 0};
    pthread_t reader;
    pthread_t writers[WRITERS];
    assert_int_equal(pthread_create(&reader, NULL, read_on, &reading), 0);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, count_on, thread()), 0);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(writers[i], NULL), 0);
    atomic_store(&reading.stop, true);
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_int_equal(atomic_load(&reading.wrong), 0);
    struct http_totals all = totals();
    assert_true(all.requests[HTTP_ROUTE_CLUSTER][HTTP_CODE_200] == WRITERS * REQUESTS);
    assert_true(all.durations[0] == WRITERS * REQUESTS && all.duration_ns == WRITERS * REQUESTS);
    assert_true(all.clients[HTTP_CLIENT_GO] == WRITERS * REQUESTS);
    assert_true(all.accepted == WRITERS * REQUESTS && all.connections == 0);
}

TEST(test_metrics__consul_is_all_zero_until_it_is_added)
{
    struct consul_metrics consul;
    struct consul_report report = {.up = true};
    metrics_consul(metrics, &report);
    assert_false(report.up || report.enabled);
    consul_metrics_init(&consul);
    consul_metrics_enable(&consul);
    metrics_add_consul(metrics, &consul);
    metrics_consul(metrics, &report);
    assert_true(report.enabled);
    consul_metrics_clear(&consul);
}

#define METRICS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        METRICS_TEST(test_metrics__remembers_what_it_was_made_with),
        METRICS_TEST(test_metrics__is_all_zero_without_a_thread),
        METRICS_TEST(test_metrics__counts_a_request_by_route_and_status),
        METRICS_TEST(test_metrics__a_duration_goes_into_the_first_bucket_that_holds_it),
        METRICS_TEST(test_metrics__buckets_go_from_ten_microseconds_to_a_second),
        METRICS_TEST(test_metrics__every_request_is_in_one_bucket),
        METRICS_TEST(test_metrics__connections_are_those_opened_and_not_closed),
        METRICS_TEST(test_metrics__drops_and_clients_are_counted_apart),
        METRICS_TEST(test_metrics__totals_are_of_all_threads),
        METRICS_TEST(test_metrics__threads_share_no_cache_line),
        cmocka_unit_test(test_metrics__every_value_has_a_name_of_its_own),
        cmocka_unit_test(test_metrics__a_code_is_named_by_its_number),
        cmocka_unit_test(test_metrics__free_takes_null),
        cmocka_unit_test(test_metrics__clients_are_known_by_what_they_send),
        METRICS_TEST(test_metrics__consul_is_all_zero_until_it_is_added),
        METRICS_TEST(test_metrics__is_read_while_threads_are_added_and_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
