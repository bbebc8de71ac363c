/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/process.h"
#include "model/cluster_id.h"
#include "model/consul_report.h"
#include "model/endpoint.h"
#include "model/metrics.h"
#include "model/report.h"
#include "model/table.h"
#include "serve/metrics_text.h"
#include "unit.h"

static struct build_info build;
static struct http_totals http;
static struct consul_report consul;
static struct process_usage process;
static struct metrics_view view;
static struct table *table;
static struct buf page;

static int setup(void **state)
{
    (void)state;
    build = (struct build_info){.version = "1.2.3",
                                .mhd = "0.9.75",
                                .curl = "7.88.1",
                                .cjson = "1.7.15",
                                .libconfig = "1.5"};
    http = (struct http_totals){.accepted = 0};
    process = (struct process_usage){.cpu_us = 0};
    table = table_new();
    consul = (struct consul_report){.enabled = true};
    view = (struct metrics_view){
        .build = &build, .table = table, .http = &http, .consul = &consul, .process = &process};
    buf_init(&page, METRICS_TEXT_MAX);
    return table == NULL;
}

static int teardown(void **state)
{
    (void)state;
    buf_clear(&page);
    table_unref(table);
    return 0;
}

static void add_cluster(const char *id, enum cluster_state state, size_t addresses)
{
    struct endpoint list[3] = {0};
    for (size_t i = 0; i < addresses; i++)
        assert_true(endpoint_make(&list[i], "10.0.0.1", (int)i + 1));
    struct cluster *c = cluster_new(id, state, 0, list, addresses);
    assert_non_null(c);
    assert_true(table_set(table, c));
}

static void write_page(enum metrics_format format)
{
    buf_clear(&page);
    assert_true(metrics_text_write(&view, format, &page));
}

/* Where `text` begins at the start of a line, or NULL. */
static const char *find_line(const char *text)
{
    const char *at = buf_text(&page);
    while (at != NULL && strncmp(at, text, strlen(text)) != 0) {
        at = strchr(at, '\n');
        at = at != NULL && at[1] != '\0' ? at + 1 : NULL;
    }
    return at;
}

/* These lines stand in the page one after the other. */
static void assert_lines(const char *lines)
{
    if (find_line(lines) == NULL)
        fail_msg("not in the page:\n%s\nwhich is:\n%s", lines, buf_text(&page));
}

static void assert_no_line(const char *start)
{
    if (find_line(start) != NULL)
        fail_msg("in the page: %s", start);
}

/* -- what the page says ---------------------------------------------------------------------- */

TEST(test_metrics_text__says_what_runs)
{
    write_page(METRICS_TEXT);
    assert_lines("nsaddrd_build_info{version=\"1.2.3\",mhd=\"0.9.75\",curl=\"7.88.1\","
                 "cjson=\"1.7.15\",libconfig=\"1.5\"} 1\n");
}

TEST(test_metrics_text__says_what_was_not_logged)
{
    view.log_lines_dropped = 7;
    write_page(METRICS_TEXT);
    assert_lines("# TYPE nsaddrd_log_lines_dropped_total counter\n"
                 "nsaddrd_log_lines_dropped_total 7\n");
}

TEST(test_metrics_text__ready_is_what_readyz_says)
{
    static const struct {
        struct registry_status status;
        const char *line;
    } cases[] = {
        {{.ready = false}, "nsaddrd_ready 0\n"},
        {{.ready = true}, "nsaddrd_ready 1\n"},
        {{.ready = true, .draining = true}, "nsaddrd_ready 0\n"},
        {{.complete = true, .failed = true}, "nsaddrd_ready 0\n"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        view.status = cases[i].status;
        write_page(METRICS_TEXT);
        assert_lines(cases[i].line);
    }
}

TEST(test_metrics_text__clusters_are_counted_by_state)
{
    add_cluster("a", CLUSTER_LIVE, 2);
    add_cluster("b", CLUSTER_HELD, 1);
    add_cluster("c", CLUSTER_RESTORED, 1);
    add_cluster("d", CLUSTER_LIVE, 3);
    add_cluster("e", CLUSTER_EMPTY, 0);
    write_page(METRICS_TEXT);
    assert_lines("# TYPE nsaddrd_clusters gauge\n"
                 "nsaddrd_clusters{state=\"unread\"} 0\n"
                 "nsaddrd_clusters{state=\"empty\"} 1\n"
                 "nsaddrd_clusters{state=\"live\"} 2\n"
                 "nsaddrd_clusters{state=\"held\"} 1\n"
                 "nsaddrd_clusters{state=\"restored\"} 1\n"
                 "# ");
    assert_lines("nsaddrd_clusters_dropped 0\n");
}

TEST(test_metrics_text__clusters_have_changes_conflicts_and_when_they_were_confirmed)
{
    struct buf packed;
    struct report r = {.verdict = VERDICT_CONTESTED,
                       .address = "10.0.0.1",
                       .node = "",
                       .service_id = "",
                       .check = "",
                       .status = "",
                       .detail = "b"};
    buf_init(&packed, REPORTS_MAX);
    assert_true(report_append(&packed, &r));
    struct cluster_parts parts = {.id = "a",
                                  .state = CLUSTER_LIVE,
                                  .reports = {.data = packed.data, .len = packed.len},
                                  .change = {.count = 7, .why = "", .was_body = ""}};
    struct cluster *c = cluster_make(&parts);
    buf_clear(&packed);
    assert_non_null(c);
    assert_true(table_set(table, c));
    cluster_confirm(c, 1500);
    add_cluster("b", CLUSTER_LIVE, 1);
    write_page(METRICS_TEXT);
    assert_lines("nsaddrd_conflicts 1\n");
    assert_lines("nsaddrd_cluster_changes_total{cluster=\"a\"} 7\n"
                 "nsaddrd_cluster_changes_total{cluster=\"b\"} 0\n");
    assert_lines("# TYPE nsaddrd_cluster_last_confirmed_timestamp_seconds gauge\n"
                 "nsaddrd_cluster_last_confirmed_timestamp_seconds{cluster=\"a\"} 1.500\n"
                 "# ");
}

TEST(test_metrics_text__each_cluster_has_its_numbers_in_order_of_ids)
{
    add_cluster("b-2", CLUSTER_UNREAD, 0);
    add_cluster("a", CLUSTER_HELD, 2);
    write_page(METRICS_TEXT);
    assert_lines("# TYPE nsaddrd_cluster_addresses gauge\n"
                 "nsaddrd_cluster_addresses{cluster=\"a\"} 2\n"
                 "nsaddrd_cluster_addresses{cluster=\"b-2\"} 0\n"
                 "# ");
    assert_lines("# TYPE nsaddrd_cluster_state gauge\n"
                 "nsaddrd_cluster_state{cluster=\"a\",state=\"unread\"} 0\n"
                 "nsaddrd_cluster_state{cluster=\"a\",state=\"empty\"} 0\n"
                 "nsaddrd_cluster_state{cluster=\"a\",state=\"live\"} 0\n"
                 "nsaddrd_cluster_state{cluster=\"a\",state=\"held\"} 1\n"
                 "nsaddrd_cluster_state{cluster=\"a\",state=\"restored\"} 0\n"
                 "nsaddrd_cluster_state{cluster=\"b-2\",state=\"unread\"} 1\n"
                 "nsaddrd_cluster_state{cluster=\"b-2\",state=\"empty\"} 0\n");
}

TEST(test_metrics_text__too_many_clusters_are_only_counted)
{
    char id[16];
    for (int i = METRICS_CLUSTERS_MAX + 2; i > 0; i--) {
        (void)snprintf(id, sizeof id, "c%05d", i);
        add_cluster(id, CLUSTER_LIVE, 1);
    }
    write_page(METRICS_TEXT);
    assert_lines("nsaddrd_clusters{state=\"live\"} 1002\n");
    assert_lines("nsaddrd_clusters_dropped 2\n");
    assert_lines("nsaddrd_cluster_addresses{cluster=\"c00001\"} 1\n");
    assert_lines("nsaddrd_cluster_addresses{cluster=\"c01000\"} 1\n# ");
    assert_lines("nsaddrd_cluster_state{cluster=\"c01000\",state=\"live\"} 1\n");
    assert_no_line("nsaddrd_cluster_addresses{cluster=\"c01001\"}");
    assert_no_line("nsaddrd_cluster_state{cluster=\"c01002\"");
}

TEST(test_metrics_text__as_many_clusters_as_allowed_have_numbers)
{
    char id[16];
    for (int i = 0; i < METRICS_CLUSTERS_MAX; i++) {
        (void)snprintf(id, sizeof id, "c%05d", i);
        add_cluster(id, CLUSTER_LIVE, 1);
    }
    write_page(METRICS_TEXT);
    assert_lines("nsaddrd_clusters_dropped 0\n");
    assert_lines("nsaddrd_cluster_addresses{cluster=\"c00999\"} 1\n");
}

TEST(test_metrics_text__requests_have_every_route_and_code)
{
    char line[128];
    uint64_t n = 1;
    for (enum http_route route = 0; route < HTTP_ROUTES; route++)
        for (enum http_code code = 0; code < HTTP_CODES; code++)
            http.requests[route][code] = n++;
    write_page(METRICS_TEXT);
    n = 1;
    for (enum http_route route = 0; route < HTTP_ROUTES; route++)
        for (enum http_code code = 0; code < HTTP_CODES; code++) {
            (void)snprintf(line, sizeof line,
                           "nsaddrd_http_requests_total{route=\"%s\",code=\"%s\"} %d\n",
                           http_route_name(route), http_code_name(code), (int)n++);
            assert_lines(line);
        }
}

TEST(test_metrics_text__durations_are_a_cumulative_histogram_in_seconds)
{
    for (size_t i = 0; i < HTTP_BUCKETS; i++)
        http.durations[i] = i + 1;
    http.duration_ns = UINT64_C(12000345678);
    write_page(METRICS_TEXT);
    assert_lines("# TYPE nsaddrd_http_request_duration_seconds histogram\n"
                 "nsaddrd_http_request_duration_seconds_bucket{le=\"1e-05\"} 1\n"
                 "nsaddrd_http_request_duration_seconds_bucket{le=\"2.5e-05\"} 3\n"
                 "nsaddrd_http_request_duration_seconds_bucket{le=\"5e-05\"} 6\n"
                 "nsaddrd_http_request_duration_seconds_bucket{le=\"0.0001\"} 10\n"
                 "nsaddrd_http_request_duration_seconds_bucket{le=\"0.00025\"} 15\n"
                 "nsaddrd_http_request_duration_seconds_bucket{le=\"0.0005\"} 21\n"
                 "nsaddrd_http_request_duration_seconds_bucket{le=\"0.001\"} 28\n"
                 "nsaddrd_http_request_duration_seconds_bucket{le=\"0.0025\"} 36\n"
                 "nsaddrd_http_request_duration_seconds_bucket{le=\"0.005\"} 45\n"
                 "nsaddrd_http_request_duration_seconds_bucket{le=\"0.01\"} 55\n"
                 "nsaddrd_http_request_duration_seconds_bucket{le=\"0.025\"} 66\n"
                 "nsaddrd_http_request_duration_seconds_bucket{le=\"0.05\"} 78\n"
                 "nsaddrd_http_request_duration_seconds_bucket{le=\"0.1\"} 91\n"
                 "nsaddrd_http_request_duration_seconds_bucket{le=\"0.25\"} 105\n"
                 "nsaddrd_http_request_duration_seconds_bucket{le=\"0.5\"} 120\n"
                 "nsaddrd_http_request_duration_seconds_bucket{le=\"1.0\"} 136\n"
                 "nsaddrd_http_request_duration_seconds_bucket{le=\"+Inf\"} 153\n"
                 "nsaddrd_http_request_duration_seconds_sum 12.000345678\n"
                 "nsaddrd_http_request_duration_seconds_count 153\n");
}

TEST(test_metrics_text__connections_and_clients_are_told)
{
    http.connections = 7;
    http.accepted = 90;
    http.drops[HTTP_DROP_HEADER_TIMEOUT] = 3;
    http.clients[HTTP_CLIENT_JAVA] = UINT64_MAX;
    write_page(METRICS_TEXT);
    assert_lines("nsaddrd_http_connections 7\n");
    assert_lines("nsaddrd_http_connections_accepted_total 90\n");
    assert_lines("nsaddrd_http_connections_rejected_total{reason=\"header_timeout\"} 3\n");
    assert_lines("nsaddrd_http_connections_rejected_total{reason=\"max_connections\"} 0\n");
    assert_lines("nsaddrd_clients_total{client=\"java\"} 18446744073709551615\n");
    assert_lines("nsaddrd_clients_total{client=\"unnamed\"} 0\n");
}

TEST(test_metrics_text__the_process_is_told)
{
    process = (struct process_usage){
        .cpu_us = 61000042,
        .threads = 5,
        .virtual_bytes = 100000000,
        .virtual_max_bytes = 200000000,
        .resident_bytes = 3000000,
        .open_fds = 17,
        .max_fds = 1024,
    };
    view.started_wall_ms = INT64_C(1700000000012);
    write_page(METRICS_TEXT);
    assert_lines("# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 61.000042\n");
    assert_lines("process_threads 5\n");
    assert_lines("process_virtual_memory_bytes 100000000\n");
    assert_lines("process_virtual_memory_max_bytes 200000000\n");
    assert_lines("process_resident_memory_bytes 3000000\n");
    assert_lines("process_open_fds 17\n");
    assert_lines("process_max_fds 1024\n");
    assert_lines("process_start_time_seconds 1700000000.012\n");
}

TEST(test_metrics_text__unknown_numbers_are_left_out)
{
    process = (struct process_usage){
        .cpu_us = PROCESS_UNKNOWN,
        .threads = PROCESS_UNKNOWN,
        .virtual_bytes = PROCESS_UNKNOWN,
        .virtual_max_bytes = PROCESS_UNKNOWN,
        .resident_bytes = PROCESS_UNKNOWN,
        .open_fds = PROCESS_UNKNOWN,
        .max_fds = PROCESS_UNKNOWN,
    };
    write_page(METRICS_TEXT);
    assert_lines("process_start_time_seconds 0.000\n");
    assert_non_null(find_line("# HELP process_start_time_seconds "));
    static const char *const names[] = {"cpu", "threads", "virtual", "resident", "open", "max"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "process_%s", names[i]);
        assert_no_line(line);
        (void)snprintf(line, sizeof line, "# TYPE process_%s", names[i]);
        assert_no_line(line);
    }
}

TEST(test_metrics_text__label_values_are_escaped)
{
    build.version = "a\"b\\c\nd\\n";
    write_page(METRICS_TEXT);
    assert_lines("nsaddrd_build_info{version=\"a\\\"b\\\\c\\nd\\\\n\",mhd=");
}

TEST(test_metrics_text__a_page_that_does_not_fit_fails)
{
    write_page(METRICS_TEXT);
    size_t len = page.len;
    buf_clear(&page);
    buf_init(&page, len);
    assert_true(metrics_text_write(&view, METRICS_TEXT, &page));
    buf_clear(&page);
    buf_init(&page, len - 1);
    assert_false(metrics_text_write(&view, METRICS_TEXT, &page));
}

TEST(test_metrics_text__the_largest_page_fits)
{
    char id[CLUSTER_ID_SIZE];
    for (int i = 0; i < METRICS_CLUSTERS_MAX; i++) {
        (void)snprintf(id, sizeof id, "%0*d", (int)sizeof id - 1, i);
        add_cluster(id, CLUSTER_RESTORED, 1);
    }
    memset(&http, 0x7f, sizeof http);
    write_page(METRICS_OPENMETRICS);
    assert_true(page.len < METRICS_TEXT_MAX / 2);
}

/* -- Consul, registrations, state ------------------------------------------------------------ */

TEST(test_metrics_text__requests_to_consul_have_every_op_code_and_reason)
{
    char line[128];
    uint64_t n = 1;
    for (enum consul_op op = 0; op < CONSUL_OPS; op++) {
        for (enum consul_code code = 0; code < CONSUL_CODES; code++)
            consul.requests[op][code] = n++;
        for (enum consul_failure why = 0; why < CONSUL_FAILURES; why++)
            consul.failures[op][why] = n++;
    }
    write_page(METRICS_TEXT);
    n = 1;
    for (enum consul_op op = 0; op < CONSUL_OPS; op++) {
        for (enum consul_code code = 0; code < CONSUL_CODES; code++) {
            (void)snprintf(line, sizeof line,
                           "nsaddrd_consul_requests_total{op=\"%s\",code=\"%s\"} %d\n",
                           consul_op_name(op), consul_code_name(code), (int)n++);
            assert_lines(line);
        }
        for (enum consul_failure why = 0; why < CONSUL_FAILURES; why++) {
            (void)snprintf(line, sizeof line,
                           "nsaddrd_consul_request_failures_total{op=\"%s\",reason=\"%s\"} %d\n",
                           consul_op_name(op), consul_failure_name(why), (int)n++);
            assert_lines(line);
        }
    }
}

TEST(test_metrics_text__how_far_reading_is_is_told)
{
    consul.up = true;
    consul.last_good_wall_ms = 1700000000123;
    consul.watches = 4;
    consul.reading = (struct consul_reading){.plan = CONSUL_PLAN_SCAN,
                                             .scan_failing = true,
                                             .clusters = 10,
                                             .unread = 3,
                                             .failing = 2,
                                             .waiting = 5,
                                             .running = 1,
                                             .spacing_ms = 160};
    write_page(METRICS_TEXT);
    assert_lines("nsaddrd_consul_up 1\n");
    assert_lines("nsaddrd_consul_last_answer_timestamp_seconds 1700000000.123\n");
    assert_lines("nsaddrd_consul_watches 4\n");
    assert_lines("nsaddrd_consul_plan{plan=\"none\"} 0\n"
                 "nsaddrd_consul_plan{plan=\"each\"} 0\n"
                 "nsaddrd_consul_plan{plan=\"scan\"} 1\n");
    assert_lines("nsaddrd_consul_scan_failing 1\n");
    assert_lines("nsaddrd_consul_clusters 10\n");
    assert_lines("nsaddrd_consul_clusters_unread 3\n");
    assert_lines("nsaddrd_consul_clusters_failing 2\n");
    assert_lines("nsaddrd_consul_reads_waiting 5\n");
    assert_lines("nsaddrd_consul_reads_running 1\n");
    assert_lines("nsaddrd_consul_read_spacing_seconds 0.160\n");
}

TEST(test_metrics_text__a_guard_against_mass_loss_ends_by_itself)
{
    consul.reading.mass_loss_end = 1000;
    view.now_mono_ms = 999;
    write_page(METRICS_TEXT);
    assert_lines("nsaddrd_mass_loss 1\n");
    view.now_mono_ms = 1000;
    write_page(METRICS_TEXT);
    assert_lines("nsaddrd_mass_loss 0\n");
}

TEST(test_metrics_text__registrations_are_told_by_state)
{
    consul.registrations = (struct registration_numbers){
        .wanted = 5, .registered = 3, .pending = 2, .leaving = 1, .failing = true};
    write_page(METRICS_TEXT);
    assert_lines("nsaddrd_registrations{state=\"registered\"} 3\n"
                 "nsaddrd_registrations{state=\"pending\"} 2\n"
                 "nsaddrd_registrations{state=\"leaving\"} 1\n");
    assert_lines("nsaddrd_registrations_failing 1\n");
}

TEST(test_metrics_text__propagation_is_a_cumulative_histogram)
{
    consul.propagation[0] = 2;
    consul.propagation[3] = 1;
    consul.propagation_ns = UINT64_C(1500000001);
    write_page(METRICS_TEXT);
    assert_lines("# TYPE nsaddrd_propagation_seconds histogram\n"
                 "nsaddrd_propagation_seconds_bucket{le=\"0.0001\"} 2\n"
                 "nsaddrd_propagation_seconds_bucket{le=\"0.00025\"} 2\n"
                 "nsaddrd_propagation_seconds_bucket{le=\"0.0005\"} 2\n"
                 "nsaddrd_propagation_seconds_bucket{le=\"0.001\"} 3\n");
    assert_lines("nsaddrd_propagation_seconds_bucket{le=\"5.0\"} 3\n"
                 "nsaddrd_propagation_seconds_bucket{le=\"+Inf\"} 3\n"
                 "nsaddrd_propagation_seconds_sum 1.500000001\n"
                 "nsaddrd_propagation_seconds_count 3\n");
}

TEST(test_metrics_text__writes_of_the_state_are_told)
{
    consul.state_writes = 7;
    consul.state_write_failures = 2;
    consul.state_last_write_wall_ms = 5000;
    write_page(METRICS_TEXT);
    assert_lines("nsaddrd_state_writes_total 7\n");
    assert_lines("nsaddrd_state_write_failures_total 2\n");
    assert_lines("nsaddrd_state_last_write_timestamp_seconds 5.000\n");
}

TEST(test_metrics_text__without_consul_nothing_of_it_is_there)
{
    consul.enabled = false;
    write_page(METRICS_TEXT);
    assert_null(strstr(buf_text(&page), "nsaddrd_consul"));
    assert_null(strstr(buf_text(&page), "nsaddrd_registrations"));
    assert_null(strstr(buf_text(&page), "nsaddrd_propagation"));
    assert_lines("nsaddrd_state_writes_total 0\n");
}

/* -- formats --------------------------------------------------------------------------------- */

TEST(test_metrics_text__only_openmetrics_has_an_end)
{
    write_page(METRICS_TEXT);
    assert_no_line("# EOF");
    write_page(METRICS_OPENMETRICS);
    assert_string_equal(find_line("# EOF"), "# EOF\n");
}

TEST(test_metrics_text__a_counter_is_announced_as_its_format_wants)
{
    write_page(METRICS_TEXT);
    assert_lines("# TYPE nsaddrd_clients_total counter\nnsaddrd_clients_total{");
    assert_no_line("# TYPE nsaddrd_clients counter");
    assert_non_null(find_line("# HELP nsaddrd_clients_total "));
    write_page(METRICS_OPENMETRICS);
    assert_lines("# TYPE nsaddrd_clients counter\nnsaddrd_clients_total{");
    assert_no_line("# TYPE nsaddrd_clients_total");
    assert_non_null(find_line("# HELP nsaddrd_clients "));
    assert_lines("# TYPE nsaddrd_ready gauge\nnsaddrd_ready 0\n");
}

static void strip_comments(char *text)
{
    char *to = text;
    for (char *at = text; *at != '\0';) {
        size_t len = strcspn(at, "\n") + 1;
        if (*at != '#') {
            memmove(to, at, len);
            to += len;
        }
        at += len;
    }
    *to = '\0';
}

TEST(test_metrics_text__the_formats_have_the_same_samples)
{
    add_cluster("a", CLUSTER_LIVE, 1);
    http.durations[3] = 5;
    write_page(METRICS_TEXT);
    char *plain = buf_detach(&page);
    write_page(METRICS_OPENMETRICS);
    strip_comments(plain);
    strip_comments(page.data);
    assert_string_equal(plain, page.data);
    free(plain);
}

TEST(test_metrics_text__help_needs_no_escapes)
{
    write_page(METRICS_TEXT);
    for (const char *at = strstr(buf_text(&page), "# HELP "); at != NULL;
         at = strstr(at + 1, "# HELP ")) {
        size_t len = strcspn(at, "\n");
        assert_true(strcspn(at, "\"\\") > len);
        assert_true(at[len - 1] == '.');
    }
}

TEST(test_metrics_text__the_format_is_negotiated)
{
    static const char plain[] = "text/plain; version=0.0.4; charset=utf-8";
#define OPEN "application/openmetrics-text; version=1.0.0; charset=utf-8"
    static const struct {
        const char *accept;
        const char *content_type;
    } cases[] = {
        {NULL, plain},
        {"", plain},
        {"*/*", plain},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", plain},
        /* Prometheus 2 and 3, and one that prefers protobuf */
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
         "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         OPEN},
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/"
         "openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
         "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
         OPEN "; escaping=allow-utf-8"},
        {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding="
         "delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.5,"
         "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping="
         "underscores;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
         OPEN "; escaping=underscores"},
        {"text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5", plain},
        {"application/openmetrics-text", OPEN},
        {"application/openmetrics-text;version=\"1.0.0\"", OPEN},
        {"application/openmetrics-text;version=1.0.0;charset=utf-8", OPEN},
        {"application/openmetrics-text;version=1.0.0;escaping=dots", OPEN "; escaping=dots"},
        {"application/openmetrics-text;version=1.0.0;escaping=values", OPEN "; escaping=values"},
        {"application/openmetrics-text;version=1.0.0;escaping=other", plain},
        {"application/openmetrics-text;version=0.0.1", plain},
        {"application/openmetrics-text;version=2.0.0", plain},
        {"application/openmetrics-text;q=0", plain},
        {"application/openmetrics-text;q=1.5", plain},
        {"application/openmetrics-text;version=1.0.0, *", plain},
        {"application/vnd.google.protobuf", plain},
        {"application/json", plain},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *content_type = NULL;
        enum metrics_format format = metrics_text_negotiate(cases[i].accept, &content_type);
        if (strcmp(content_type, cases[i].content_type) != 0)
            fail_msg("Accept: %s: %s", cases[i].accept, content_type);
        assert_int_equal(format,
                         cases[i].content_type == plain ? METRICS_TEXT : METRICS_OPENMETRICS);
    }
}

TEST(test_metrics_text__a_page_is_of_what_was_counted)
{
    struct error error;
    struct metrics *metrics = metrics_new(&build, 5000, &error);
    assert_non_null(metrics);
    struct http_metrics *thread = metrics_add_http_thread(metrics, &error);
    assert_non_null(thread);
    struct registry_status status = {.ready = true};
    const char *content_type;
    add_cluster("a", CLUSTER_LIVE, 1);
    http_metrics_request(thread, HTTP_ROUTE_READYZ, 503, 30000);
    assert_true(metrics_text_page(metrics, table, &status, "application/openmetrics-text", &page,
                                  &content_type));
    assert_string_equal(content_type, OPEN);
    assert_lines("nsaddrd_build_info{version=\"1.2.3\"");
    assert_lines("nsaddrd_ready 1\n");
    assert_lines("nsaddrd_cluster_addresses{cluster=\"a\"} 1\n");
    assert_lines("nsaddrd_http_requests_total{route=\"readyz\",code=\"503\"} 1\n");
    assert_lines("nsaddrd_http_request_duration_seconds_sum 0.000030000\n");
    assert_lines("process_start_time_seconds 5.000\n");
    assert_lines("process_open_fds ");
    assert_no_line("process_open_fds 0\n");
    assert_lines("# EOF\n");
    buf_clear(&page);
    assert_true(metrics_text_page(metrics, table, &status, NULL, &page, &content_type));
    assert_string_equal(content_type, "text/plain; version=0.0.4; charset=utf-8");
    assert_no_line("# EOF");
    metrics_free(metrics);
}

#define TEXT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEXT_TEST(test_metrics_text__says_what_runs),
        TEXT_TEST(test_metrics_text__says_what_was_not_logged),
        TEXT_TEST(test_metrics_text__ready_is_what_readyz_says),
        TEXT_TEST(test_metrics_text__clusters_are_counted_by_state),
        TEXT_TEST(test_metrics_text__clusters_have_changes_conflicts_and_when_they_were_confirmed),
        TEXT_TEST(test_metrics_text__each_cluster_has_its_numbers_in_order_of_ids),
        TEXT_TEST(test_metrics_text__too_many_clusters_are_only_counted),
        TEXT_TEST(test_metrics_text__as_many_clusters_as_allowed_have_numbers),
        TEXT_TEST(test_metrics_text__requests_have_every_route_and_code),
        TEXT_TEST(test_metrics_text__durations_are_a_cumulative_histogram_in_seconds),
        TEXT_TEST(test_metrics_text__connections_and_clients_are_told),
        TEXT_TEST(test_metrics_text__the_process_is_told),
        TEXT_TEST(test_metrics_text__unknown_numbers_are_left_out),
        TEXT_TEST(test_metrics_text__label_values_are_escaped),
        TEXT_TEST(test_metrics_text__a_page_that_does_not_fit_fails),
        TEXT_TEST(test_metrics_text__the_largest_page_fits),
        TEXT_TEST(test_metrics_text__requests_to_consul_have_every_op_code_and_reason),
        TEXT_TEST(test_metrics_text__how_far_reading_is_is_told),
        TEXT_TEST(test_metrics_text__a_guard_against_mass_loss_ends_by_itself),
        TEXT_TEST(test_metrics_text__registrations_are_told_by_state),
        TEXT_TEST(test_metrics_text__propagation_is_a_cumulative_histogram),
        TEXT_TEST(test_metrics_text__writes_of_the_state_are_told),
        TEXT_TEST(test_metrics_text__without_consul_nothing_of_it_is_there),
        TEXT_TEST(test_metrics_text__only_openmetrics_has_an_end),
        TEXT_TEST(test_metrics_text__a_counter_is_announced_as_its_format_wants),
        TEXT_TEST(test_metrics_text__the_formats_have_the_same_samples),
        TEXT_TEST(test_metrics_text__help_needs_no_escapes),
        TEXT_TEST(test_metrics_text__the_format_is_negotiated),
        TEXT_TEST(test_metrics_text__a_page_is_of_what_was_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
