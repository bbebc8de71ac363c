/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/hash.h"
#include "config_of.h"
#include "consul/catalog.h"
#include "consul/httpc.h"

static struct config *config;
static struct catalog_health health;
static struct error error;

static int setup(void **state)
{
    (void)state;
    config = config_of(NULL);
    health = (struct catalog_health){.count = 0};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    catalog_health_clear(&health);
    config_free(config);
    return 0;
}

static void use(struct config *other)
{
    config_free(config);
    config = other;
}

/* -- URLs ------------------------------------------------------------------------------------ */

static const char *health_path(const char *service, struct catalog_read read)
{
    static char out[512];
    struct buf b;
    buf_init(&b, sizeof out - 1);
    assert_true(catalog_health_path(&b, config, service, &read));
    (void)snprintf(out, sizeof out, "%s", buf_text(&b));
    buf_clear(&b);
    return out;
}

static const char *services_path(struct catalog_read read)
{
    static char out[512];
    struct buf b;
    buf_init(&b, sizeof out - 1);
    assert_true(catalog_services_path(&b, config, &read));
    (void)snprintf(out, sizeof out, "%s", buf_text(&b));
    buf_clear(&b);
    return out;
}

static const char *checks_path(const char *state, bool of_nodes, struct catalog_read read)
{
    static char out[512];
    struct buf b;
    buf_init(&b, sizeof out - 1);
    assert_true(catalog_checks_path(&b, config, state, of_nodes, &read));
    (void)snprintf(out, sizeof out, "%s", buf_text(&b));
    buf_clear(&b);
    return out;
}

TEST(test_catalog__checks_are_those_of_our_services_and_when_wanted_of_nodes)
{
    struct catalog_read read = {.authoritative = true};
    assert_string_equal(
        checks_path("any", false, read),
        "/v1/health/state/any?leader&filter=ServiceName%20matches%20%60%5EnameServer%60");
    read = (struct catalog_read){.index = 9, .wait_ms = 5000};
    assert_string_equal(
        checks_path("critical", true, read),
        "/v1/health/state/critical?index=9&wait=5000ms&filter=ServiceName%20matches%20%60%5E"
        "nameServer%60%20or%20ServiceID%20%3D%3D%20%22%22");
}

/* It is a regular expression. */
TEST(test_catalog__a_prefix_is_taken_literally_in_the_filter)
{
    use(config_of("consul.service_prefix=ns.x-_9", NULL));
    assert_string_equal(
        checks_path("any", false, (struct catalog_read){.index = 0}),
        "/v1/health/state/any?filter=ServiceName%20matches%20%60%5Ens%5B.%5Dx%5B-%5D%5B_%5D9%60");
}

TEST(test_catalog__a_path_of_checks_that_does_not_fit_is_a_failure)
{
    struct catalog_read read = {.index = 0};
    struct buf b;
    for (size_t size = 0; size < 60; size++) {
        buf_init(&b, size);
        assert_false(catalog_checks_path(&b, config, "any", false, &read));
        buf_clear(&b);
    }
}

TEST(test_catalog__a_plain_read_has_no_query)
{
    assert_string_equal(health_path("nameServera", (struct catalog_read){.index = 0}),
                        "/v1/health/service/nameServera");
    assert_string_equal(services_path((struct catalog_read){.index = 0}), "/v1/catalog/services");
}

TEST(test_catalog__a_blocking_query_has_index_and_wait_with_unit)
{
    struct catalog_read read = {.index = UINT64_MAX, .wait_ms = 55000};
    assert_string_equal(health_path("a", read),
                        "/v1/health/service/a?index=18446744073709551615&wait=55000ms");
    assert_string_equal(services_path(read),
                        "/v1/catalog/services?index=18446744073709551615&wait=55000ms");
}

TEST(test_catalog__an_authoritative_read_is_of_the_leader)
{
    assert_string_equal(health_path("a", (struct catalog_read){.authoritative = true}),
                        "/v1/health/service/a?leader");
}

TEST(test_catalog__a_consistent_read_says_so)
{
    struct catalog_read read = {.authoritative = true, .consistent = true};
    assert_string_equal(health_path("a", read), "/v1/health/service/a?consistent");
}

TEST(test_catalog__stale_is_for_watches_only)
{
    use(config_of("consul.consistency=stale", NULL));
    assert_string_equal(health_path("a", (struct catalog_read){.index = 1, .wait_ms = 1000}),
                        "/v1/health/service/a?index=1&wait=1000ms&stale");
    assert_string_equal(health_path("a", (struct catalog_read){.authoritative = true}),
                        "/v1/health/service/a?leader");
}

TEST(test_catalog__never_asks_for_stale_and_consistent_at_once)
{
    use(config_of("consul.consistency=stale", NULL));
    struct catalog_read read = {.authoritative = true, .consistent = true};
    assert_string_equal(health_path("a", read), "/v1/health/service/a?consistent");
}

TEST(test_catalog__consistent_is_for_all_when_configured)
{
    use(config_of("consul.consistency=consistent", NULL));
    assert_string_equal(services_path((struct catalog_read){.index = 0}),
                        "/v1/catalog/services?consistent");
}

TEST(test_catalog__names_datacenter_namespace_and_partition_encoded)
{
    use(config_of("consul.datacenter=dc 1&x", "consul.namespace=n", "consul.partition=p", NULL));
    assert_string_equal(services_path((struct catalog_read){.index = 0}),
                        "/v1/catalog/services?dc=dc%201%26x&ns=n&partition=p");
}

TEST(test_catalog__a_service_name_is_encoded)
{
    assert_string_equal(health_path("a/b?c%", (struct catalog_read){.index = 0}),
                        "/v1/health/service/a%2Fb%3Fc%25");
}

TEST(test_catalog__a_path_that_does_not_fit_is_a_failure)
{
    struct buf b;
    struct catalog_read read = {.index = 5, .wait_ms = 5};
    buf_init(&b, 20);
    assert_false(catalog_health_path(&b, config, "nameServera", &read));
    buf_clear(&b);
}

TEST(test_catalog__the_timeout_exceeds_what_consul_may_take)
{
    struct catalog_read watch = {.index = 1, .wait_ms = 64000};
    assert_true(catalog_timeout_ms(&watch) >= 64000 + 4000 + 7000);
    struct catalog_read read = {.wait_ms = 64000};
    assert_true(catalog_timeout_ms(&read) >= 7000);
    assert_true(catalog_timeout_ms(&read) < 64000);
}

/* -- is it an answer at all? ----------------------------------------------------------------- */

static struct httpc_reply reply_of(const char *body)
{
    return (struct httpc_reply){
        .status = 200, .body = body, .body_len = strlen(body), .index = 7, .local_ip = ""};
}

static void assert_not_ok(struct httpc_reply reply, const char *says)
{
    assert_false(catalog_reply_ok(&reply, &error));
    assert_says(&error, says);
}

TEST(test_catalog__a_200_with_index_is_an_answer)
{
    struct httpc_reply reply = reply_of("[]");
    assert_true(catalog_reply_ok(&reply, &error));
}

TEST(test_catalog__no_reply_is_no_answer)
{
    assert_not_ok((struct httpc_reply){.error = "connection refused", .body = ""},
                  "connection refused");
}

TEST(test_catalog__errors_of_consul_are_no_answer)
{
    static const long statuses[] = {301, 400, 403, 404, 429, 500, 503, 204};
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        struct httpc_reply reply = reply_of("No cluster leader");
        reply.status = statuses[i];
        assert_not_ok(reply, "No cluster leader");
    }
}

TEST(test_catalog__without_an_index_it_is_not_consul)
{
    struct httpc_reply reply = reply_of("[]");
    reply.index = 0;
    assert_not_ok(reply, "X-Consul-Index");
}

TEST(test_catalog__a_server_without_leader_is_no_answer)
{
    struct httpc_reply reply = reply_of("[]");
    reply.leader_unknown = true;
    assert_not_ok(reply, "no leader");
}

TEST(test_catalog__streaming_replies_never_know_the_leader)
{
    struct httpc_reply reply = reply_of("[]");
    reply.leader_unknown = true;
    reply.streaming = true;
    assert_true(catalog_reply_ok(&reply, &error));
}

/* -- names ----------------------------------------------------------------------------------- */

static void note_name(const char *name, void *arg)
{
    char *out = arg;
    size_t len = strlen(out);
    (void)snprintf(out + len, 256 - len, "%s ", name);
}

static bool names(const char *body, char out[static 256])
{
    struct httpc_reply reply = reply_of(body);
    out[0] = '\0';
    return catalog_parse_services(&reply, note_name, out, &error);
}

TEST(test_catalog__reads_every_service_name)
{
    char out[256];
    assert_true(names("{\"consul\":[],\"nameServera\":[\"x\"],\"nameServerA\":null}", out));
    assert_string_equal(out, "consul nameServera nameServerA ");
}

TEST(test_catalog__no_services_are_none)
{
    char out[256];
    assert_true(names("{}", out));
    assert_string_equal(out, "");
}

TEST(test_catalog__what_is_no_object_is_no_list_of_services)
{
    static const char *const bad[] = {"",
                                      "null",
                                      "[]",
                                      "[\"nameServera\"]",
                                      "\"x\"",
                                      "5",
                                      "{\"a\":",
                                      "{\"a\":[]} trailing",
                                      "<html></html>",
                                      "true"};
    char out[256];
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (names(bad[i], out))
            fail_msg("%s was taken", bad[i]);
        assert_string_equal(out, "");
    }
}

/* -- instances ------------------------------------------------------------------------------- */

#define ROW(service, node, checks)                                                                 \
    "{\"Node\":{" node "},\"Service\":{\"ID\":\"i\",\"Service\":\"nameServera\"," service          \
    "},\"Checks\":" checks "}"
#define NODE "\"Node\":\"n\",\"Address\":\"10.0.0.1\""
#define PASSING "[{\"CheckID\":\"c\",\"Status\":\"passing\"}]"

static bool parse_reply(const struct httpc_reply *reply, bool has_token)
{
    catalog_health_clear(&health);
    return catalog_parse_health(reply, config, "nameServera", has_token, &health, &error);
}

static bool parse(const char *body)
{
    struct httpc_reply reply = reply_of(body);
    return parse_reply(&reply, false);
}

/* The addresses with + (good), - (bad) or m (maintenance), then the number of unusable ones. */
static const char *seen(const char *body)
{
    static char out[1024];
    size_t len = 0;
    if (!parse(body))
        return error.text;
    for (size_t i = 0; i < health.count; i++) {
        char text[ENDPOINT_TEXT_SIZE];
        (void)endpoint_format(&health.instances[i].endpoint, text);
        char sign = "m-+"[health.instances[i].health];
        len += (size_t)snprintf(out + len, sizeof out - len, "%s%c ", text, sign);
    }
    (void)snprintf(out + len, sizeof out - len, "unusable=%zu", health.unusable);
    return out;
}

TEST(test_catalog__reads_an_instance_as_consul_sends_it)
{
    assert_string_equal(
        seen("[{\"Node\":{\"ID\":\"u\",\"Node\":\"n\",\"Address\":\"10.0.0.1\",\"Datacenter\":"
             "\"dc1\",\"TaggedAddresses\":{\"lan\":\"10.0.0.1\",\"wan\":\"1.1.1.1\"},\"Meta\":{}},"
             "\"Service\":{\"ID\":\"i\",\"Service\":\"nameServera\",\"Tags\":[],\"Address\":"
             "\"10.0.0.2\",\"TaggedAddresses\":{},\"Port\":9876,\"Weights\":{\"Passing\":1,"
             "\"Warning\":1}},\"Checks\":[{\"Node\":\"n\",\"CheckID\":\"serfHealth\",\"Status\":"
             "\"passing\",\"ServiceID\":\"\"}]}]"),
        "10.0.0.2:9876+ unusable=0");
}

#define CHECK(id, service, status)                                                                 \
    "{\"Node\":\"n\",\"CheckID\":\"" id "\",\"ServiceID\":\"" service "\",\"Status\":\"" status    \
    "\"}"
#define ON_NODE(name, checks)                                                                      \
    "{\"Node\":{\"Node\":\"" name                                                                  \
    "\",\"Address\":\"10.0.0.1\"},\"Service\":{\"ID\":\"i\",\"Service\":"                          \
    "\"nameServera\",\"Port\":1},\"Checks\":[" checks "]}"

TEST(test_catalog__tells_the_nodes_of_all_instances)
{
    assert_true(parse("[" ON_NODE("n1", "") "," ON_NODE("n2", "") "," ON_NODE(
        "n1",
        "") ","
            "{\"Node\":{\"Address\":\"10.0.0.1\"},\"Service\":{\"Service\":\"nameServera\"}}]"));
    assert_int_equal(health.node_count, 3);
    assert_true(health.nodes[0] == hash_bytes("n1", 2));
    assert_true(health.nodes[1] == hash_bytes("n2", 2));
    assert_true(health.nodes[2] == health.nodes[0]);
}

/* "ID on node at address:port: check is status (detail)" of each. */
static const char *reported(const char *body)
{
    static char out[1024];
    size_t len = 0;
    struct report r;
    assert_true(parse(body));
    struct reports at = {.data = health.reports.data, .len = health.reports.len};
    while (report_next(&at, &r))
        len +=
            (size_t)snprintf(out + len, sizeof out - len, "%s on %s at %s:%u: %s is %s (%s)\n",
                             r.service_id, r.node, r.address, r.port, r.check, r.status, r.detail);
    return out;
}

TEST(test_catalog__reports_name_the_worst_check)
{
    assert_string_equal(
        reported(
            "[" ON_NODE("n1", CHECK("a", "i", "passing") "," CHECK("b", "i", "warning") "," CHECK(
                                  "c", "i", "critical") "," CHECK("d", "i", "critical")) "]"),
        "i on n1 at 10.0.0.1:1: c is critical ()\n");
    assert_string_equal(reported("[" ON_NODE("n1", CHECK("c", "i", "critical") "," CHECK(
                                                       "_node_maintenance", "", "critical")) "]"),
                        "i on n1 at 10.0.0.1:1: _node_maintenance is critical ()\n");
    assert_string_equal(
        reported("[" ON_NODE("n1", "{\"CheckID\":\"c\",\"Name\":\"the port\",\"Status\":"
                                   "\"warning\"}") "]"),
        "i on n1 at 10.0.0.1:1: the port is warning ()\n");
}

TEST(test_catalog__reports_of_unusable_instances_say_why)
{
    assert_string_equal(
        reported("[{\"Node\":{\"Address\":\"a.host\"},\"Service\":{\"Service\":\"nameServera\","
                 "\"Port\":80}},{\"Node\":{\"Node\":\"n\",\"Address\":\"10.0.0.1\"},\"Service\":{"
                 "\"ID\":\"i\",\"Service\":\"nameServera\",\"Port\":-1}}]"),
        " on  at a.host:80:  is  (its address is not a literal IP that clients could use)\n"
        "i on n at 10.0.0.1:0:  is  (its port is not one of 1 to 65535)\n");
    assert_int_equal(health.skipped[INSTANCE_SKIP_ADDRESS], 1);
    assert_int_equal(health.skipped[INSTANCE_SKIP_PORT], 1);
    assert_int_equal(health.skipped[INSTANCE_SKIP_MALFORMED], 0);
}

TEST(test_catalog__tells_whether_one_has_no_check_of_its_own)
{
    assert_true(parse("[" ON_NODE("n1", CHECK("c", "i", "passing")) "]"));
    assert_false(health.unchecked);
    assert_true(parse("[" ON_NODE("n1", CHECK("c", "i", "passing")) "," ON_NODE(
        "n2", CHECK("serfHealth", "", "passing")) "]"));
    assert_true(health.unchecked);
    assert_true(parse("[" ON_NODE("n1", "{\"CheckID\":\"c\",\"Status\":\"passing\"}") "]"));
    assert_true(health.unchecked);
    assert_true(parse("[]"));
    assert_false(health.unchecked);
}

static void add_row(enum view_kind view, struct rows_sum sums[static VIEWS], const char *id,
                    const char *service, const char *status)
{
    struct check_row row = {
        .node = "n", .check_id = id, .service_id = service, .service = "s", .status = status};
    rows_sum_add(&sums[view], &row);
}

TEST(test_catalog__tells_what_lists_of_checks_would_show)
{
    struct rows_sum sums[VIEWS] = {{.count = 0}};
    assert_true(parse("[" ON_NODE(
        "n",
        CHECK("serfHealth", "", "passing") "," CHECK(
            "c", "i", "critical")) "," ON_NODE("n",
                                               CHECK("_node_maintenance", "", "critical") "," CHECK(
                                                   "d", "j", "warning") "," CHECK("e", "j",
                                                                                  "passing")) "]"));
    add_row(VIEW_ALL, sums, "e", "j", "passing");
    add_row(VIEW_ALL, sums, "d", "j", "warning");
    add_row(VIEW_ALL, sums, "c", "i", "critical");
    add_row(VIEW_CRITICAL, sums, "c", "i", "critical");
    add_row(VIEW_CRITICAL, sums, "_node_maintenance", "", "critical");
    add_row(VIEW_WARNING, sums, "d", "j", "warning");
    for (size_t i = 0; i < VIEWS; i++)
        assert_true(rows_sum_equal(&health.rows[i], &sums[i]));
}

TEST(test_catalog__no_instances_are_none)
{
    assert_string_equal(seen("[]"), "unusable=0");
}

TEST(test_catalog__rows_of_another_spelling_are_dropped)
{
    assert_string_equal(
        seen("[{\"Node\":{" NODE "},\"Service\":{\"ID\":\"i\",\"Service\":\"nameServerA\","
             "\"Address\":\"\",\"Port\":1},\"Checks\":[]}," ROW("\"Address\":\"\",\"Port\":2", NODE,
                                                                PASSING) "]"),
        "10.0.0.1:2+ unusable=0");
}

TEST(test_catalog__only_whole_ports_of_1_to_65535_are_usable)
{
    static const char *const bad[] = {"0",    "70000", "65536", "-1", "1.5", "\"80\"",
                                      "null", "true",  "[80]",  "{}", "1e99"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char body[512];
        (void)snprintf(body, sizeof body,
                       "[" ROW("\"Address\":\"10.0.0.2\",\"Port\":%s", NODE, PASSING) "]", bad[i]);
        assert_string_equal(seen(body), "unusable=1");
        assert_non_null(strstr(health.example, "port"));
    }
    assert_string_equal(seen("[" ROW("\"Address\":\"10.0.0.2\",\"Port\":65535", NODE, PASSING) "]"),
                        "10.0.0.2:65535+ unusable=0");
}

TEST(test_catalog__only_literal_addresses_are_usable)
{
    static const char *const bad[] = {"ns1.example.com",
                                      "localhost",
                                      "10.0.0.2;10.0.0.3",
                                      "10.0.0.2\\n",
                                      "10.0.0.2 ",
                                      "0.0.0.0",
                                      "::",
                                      "[::1]",
                                      "10.0.0.2:80",
                                      "fe80::1%eth0"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char body[512];
        (void)snprintf(body, sizeof body,
                       "[" ROW("\"Address\":\"%s\",\"Port\":80", NODE, PASSING) "]", bad[i]);
        assert_string_equal(seen(body), "unusable=1");
        assert_non_null(strstr(health.example, "literal IP"));
    }
}

TEST(test_catalog__a_member_that_is_there_twice_makes_an_instance_unusable)
{
    assert_string_equal(seen("[{\"Node\":{" NODE "},\"Service\":{\"Service\":\"nameServera\","
                             "\"Address\":\"10.0.0.1\",\"Address\":\"10.0.0.2\",\"Port\":80},"
                             "\"Checks\":[]}]"),
                        "unusable=1");
    assert_string_equal(seen("[{\"Node\":{" NODE "},\"Service\":{\"Service\":\"nameServera\","
                             "\"Address\":\"10.0.0.1\",\"Port\":80},"
                             "\"Checks\":[{\"Status\":\"critical\"}],\"Checks\":[]}]"),
                        "unusable=1");
}

TEST(test_catalog__one_unusable_instance_leaves_the_others)
{
    assert_string_equal(seen("[" ROW("\"Address\":\"host\",\"Port\":80", NODE, PASSING) "," ROW(
                            "\"Address\":\"10.0.0.2\",\"Port\":80", NODE, PASSING) "]"),
                        "10.0.0.2:80+ unusable=1");
}

TEST(test_catalog__a_key_that_is_there_twice_is_not_believed)
{
    assert_string_equal(
        seen("[" ROW("\"Address\":\"10.0.0.2\",\"Port\":80,\"Port\":81", NODE, PASSING) "]"),
        "unusable=1");
    assert_false(parse("[{\"Node\":{" NODE "},\"Service\":{\"Service\":\"nameServera\"},"
                       "\"Service\":{\"Service\":\"nameServerb\"},\"Checks\":[]}]"));
}

TEST(test_catalog__a_row_without_its_pieces_spoils_the_reply)
{
    static const char *const bad[] = {
        "[{}]",
        "[null]",
        "[5]",
        "[[]]",
        "[{\"Node\":{" NODE "},\"Checks\":[]}]",
        "[{\"Service\":{\"Service\":\"nameServera\",\"Port\":1},\"Checks\":[]}]",
        "[{\"Node\":null,\"Service\":{\"Service\":\"nameServera\"},\"Checks\":[]}]",
        "[{\"Node\":{},\"Service\":{\"ID\":\"i\"},\"Checks\":[]}]",
        "[{\"Node\":{},\"Service\":{\"Service\":5},\"Checks\":[]}]",
        "[" ROW("\"Port\":1", NODE, "5") "]",
        "[" ROW("\"Port\":1", NODE, "{\"Status\":\"passing\"}") "]",
        "[" ROW("\"Port\":1", NODE, "[{}]") "]",
        "[" ROW("\"Port\":1", NODE, "[{\"Status\":5}]") "]",
        "[" ROW("\"Port\":1", NODE, "[null]") "]"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (parse(bad[i]))
            fail_msg("%s was taken", bad[i]);
        assert_says(&error, "not what Consul sends");
        assert_null(health.instances);
    }
}

TEST(test_catalog__without_checks_an_instance_is_good)
{
    assert_string_equal(seen("[" ROW("\"Address\":\"\",\"Port\":1", NODE, "[]") "]"),
                        "10.0.0.1:1+ unusable=0");
    assert_string_equal(seen("[" ROW("\"Address\":\"\",\"Port\":1", NODE, "null") "]"),
                        "10.0.0.1:1+ unusable=0");
}

TEST(test_catalog__the_worst_check_counts)
{
    assert_string_equal(seen("[" ROW("\"Port\":1", NODE,
                                     "[{\"Status\":\"passing\"},{\"Status\":\"critical\"},"
                                     "{\"Status\":\"passing\"}]") "]"),
                        "10.0.0.1:1- unusable=0");
}

TEST(test_catalog__a_warning_is_bad_unless_accepted)
{
    static const char body[] = "[" ROW("\"Port\":1", NODE, "[{\"Status\":\"warning\"}]") "]";
    assert_string_equal(seen(body), "10.0.0.1:1- unusable=0");
    use(config_of("consul.accept=warning", NULL));
    assert_string_equal(seen(body), "10.0.0.1:1+ unusable=0");
}

TEST(test_catalog__an_unknown_status_is_bad)
{
    use(config_of("consul.accept=warning", NULL));
    assert_string_equal(seen("[" ROW("\"Port\":1", NODE, "[{\"Status\":\"Passing\"}]") "]"),
                        "10.0.0.1:1- unusable=0");
}

TEST(test_catalog__maintenance_is_told_from_failing)
{
    assert_string_equal(
        seen("[" ROW("\"Port\":1", NODE,
                     "[{\"CheckID\":\"_service_maintenance:i\",\"Status\":\"critical\"}]") "]"),
        "10.0.0.1:1m unusable=0");
    assert_string_equal(
        seen("[" ROW("\"Port\":1", NODE,
                     "[{\"CheckID\":\"_node_maintenance\",\"Status\":\"critical\"}]") "]"),
        "10.0.0.1:1m unusable=0");
}

TEST(test_catalog__maintenance_outranks_failing_in_any_order)
{
    assert_string_equal(
        seen("[" ROW("\"Port\":1", NODE,
                     "[{\"CheckID\":\"c\",\"Status\":\"critical\"},"
                     "{\"CheckID\":\"_node_maintenance\",\"Status\":\"critical\"}]") "]"),
        "10.0.0.1:1m unusable=0");
    assert_string_equal(seen("[" ROW("\"Port\":1", NODE,
                                     "[{\"CheckID\":\"_node_maintenance\",\"Status\":\"critical\"},"
                                     "{\"CheckID\":\"c\",\"Status\":\"critical\"}]") "]"),
                        "10.0.0.1:1m unusable=0");
}

TEST(test_catalog__a_check_named_like_maintenance_is_not_it)
{
    assert_string_equal(
        seen("[" ROW("\"Port\":1", NODE,
                     "[{\"CheckID\":\"_service_maintenance\",\"Status\":\"critical\"}]") "]"),
        "10.0.0.1:1- unusable=0");
}

TEST(test_catalog__a_passing_maintenance_check_is_none)
{
    assert_string_equal(
        seen("[" ROW("\"Port\":1", NODE,
                     "[{\"CheckID\":\"_node_maintenance\",\"Status\":\"passing\"}]") "]"),
        "10.0.0.1:1+ unusable=0");
}

/* -- address_from ---------------------------------------------------------------------------- */

#define TAGGED                                                                                     \
    "[" ROW("\"Address\":\"10.0.0.2\",\"Port\":1,\"TaggedAddresses\":{\"wan\":{\"Address\":"       \
            "\"10.0.0.3\",\"Port\":3},\"half\":{\"Address\":\"10.0.0.4\"}}",                       \
            NODE ",\"TaggedAddresses\":{\"lan\":\"10.0.0.5\",\"wan\":\"10.0.0.6\"}", "[]") "]"

static const char *seen_from(const char *from, const char *body)
{
    char item[64];
    (void)snprintf(item, sizeof item, "consul.address_from=%s", from);
    use(config_of(item, NULL));
    return seen(body);
}

TEST(test_catalog__auto_takes_the_service_else_the_node)
{
    assert_string_equal(seen_from("auto", TAGGED), "10.0.0.2:1+ unusable=0");
    assert_string_equal(seen_from("auto", "[" ROW("\"Address\":\"\",\"Port\":1", NODE, "[]") "]"),
                        "10.0.0.1:1+ unusable=0");
    assert_string_equal(seen_from("auto", "[" ROW("\"Port\":1", NODE, "[]") "]"),
                        "10.0.0.1:1+ unusable=0");
}

TEST(test_catalog__service_takes_no_other)
{
    assert_string_equal(seen_from("service", TAGGED), "10.0.0.2:1+ unusable=0");
    assert_string_equal(
        seen_from("service", "[" ROW("\"Address\":\"\",\"Port\":1", NODE, "[]") "]"), "unusable=1");
}

TEST(test_catalog__node_takes_the_nodes_address_and_the_services_port)
{
    assert_string_equal(seen_from("node", TAGGED), "10.0.0.1:1+ unusable=0");
}

TEST(test_catalog__a_tag_of_the_service_brings_its_own_port)
{
    assert_string_equal(seen_from("wan", TAGGED), "10.0.0.3:3+ unusable=0");
}

TEST(test_catalog__a_tag_of_the_node_has_the_services_port)
{
    assert_string_equal(seen_from("lan", TAGGED), "10.0.0.5:1+ unusable=0");
}

TEST(test_catalog__a_tag_without_port_is_not_guessed)
{
    assert_string_equal(seen_from("half", TAGGED), "unusable=1");
}

TEST(test_catalog__an_unknown_tag_is_unusable)
{
    assert_string_equal(seen_from("none", TAGGED), "unusable=1");
    assert_non_null(strstr(health.example, "consul.address_from"));
}

/* -- replies that are none ------------------------------------------------------------------- */

TEST(test_catalog__a_reply_filtered_by_acls_is_an_error)
{
    struct httpc_reply reply = reply_of("[" ROW("\"Port\":1", NODE, "[]") "]");
    reply.filtered = true;
    assert_false(parse_reply(&reply, true));
    assert_says(&error, "service_prefix \"nameServer\" read");
}

TEST(test_catalog__nothing_for_nobody_under_default_deny_is_an_error)
{
    struct httpc_reply reply = reply_of("[]");
    reply.default_deny = true;
    assert_false(parse_reply(&reply, false));
    assert_says(&error, "ACL");
}

TEST(test_catalog__nothing_for_a_token_under_default_deny_is_nothing)
{
    struct httpc_reply reply = reply_of("[]");
    reply.default_deny = true;
    assert_true(parse_reply(&reply, true));
}

TEST(test_catalog__something_for_nobody_under_default_deny_is_something)
{
    struct httpc_reply reply = reply_of("[" ROW("\"Port\":1", NODE, "[]") "]");
    reply.default_deny = true;
    assert_true(parse_reply(&reply, false));
    assert_int_equal(health.count, 1);
}

TEST(test_catalog__what_is_no_list_is_no_answer)
{
    static const char *const bad[] = {
        "",     "{}",  "null", "true", "5",   "\"\"",    "<html><body>502</body></html>",
        "[] x", "[],", "[",    "]",    "[{]", "[\"a\",]"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (parse(bad[i]))
            fail_msg("%s was taken", bad[i]);
}

TEST(test_catalog__a_reply_cut_anywhere_is_no_answer)
{
    static const char whole[] = "[" ROW("\"Address\":\"10.0.0.2\",\"Port\":80", NODE, PASSING) "]";
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        char cut[sizeof whole];
        memcpy(cut, whole, len);
        cut[len] = '\0';
        struct httpc_reply reply = reply_of(cut);
        if (parse_reply(&reply, false))
            fail_msg("taken after %zu bytes", len);
    }
    assert_true(parse(whole));
}

TEST(test_catalog__a_nul_byte_is_refused_and_not_the_end)
{
    struct httpc_reply reply = {
        .status = 200, .body = "[]\0[1]", .body_len = 6, .index = 1, .local_ip = ""};
    assert_false(parse_reply(&reply, false));
    assert_says(&error, "NUL");
}

TEST(test_catalog__an_escaped_nul_does_not_end_a_value)
{
    assert_string_equal(
        seen("[" ROW("\"Address\":\"10.0.0.2\\u0000x\",\"Port\":80", NODE, PASSING) "]"),
        "unusable=1");
    assert_string_equal(seen("[{\"Node\":{" NODE "},\"Service\":{\"ID\":\"i\",\"Service\":"
                             "\"nameServera\\u0000x\",\"Port\":1},\"Checks\":[]}]"),
                        "unusable=0");
}

TEST(test_catalog__nesting_without_end_is_refused)
{
    enum { DEPTH = 200000 };
    char *deep = malloc(DEPTH + 1);
    assert_non_null(deep);
    memset(deep, '[', DEPTH);
    deep[DEPTH] = '\0';
    assert_false(parse(deep));
    free(deep);
}

TEST(test_catalog__a_thousand_instances_are_read)
{
    enum { MANY = 1000 };
    struct buf b;
    buf_init(&b, 1024 * 1024);
    for (int i = 0; i < MANY; i++)
        assert_true(
            buf_printf(&b, "%c" ROW("\"Port\":%d", NODE, PASSING), i == 0 ? '[' : ',', i + 1));
    assert_true(buf_append_char(&b, ']'));
    assert_true(parse(buf_text(&b)));
    assert_int_equal(health.count, MANY);
    buf_clear(&b);
}

TEST(test_catalog__a_long_id_does_not_overflow_the_example)
{
    char body[2048];
    char id[1000];
    memset(id, 'x', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    (void)snprintf(body, sizeof body,
                   "[{\"Node\":{" NODE "},\"Service\":{\"ID\":\"%s\",\"Service\":\"nameServera\","
                   "\"Port\":0},\"Checks\":[]}]",
                   id);
    assert_true(parse(body));
    assert_true(strlen(health.example) < sizeof health.example);
    assert_non_null(strstr(health.example, "port"));
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_catalog__checks_are_those_of_our_services_and_when_wanted_of_nodes, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_prefix_is_taken_literally_in_the_filter,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_catalog__a_path_of_checks_that_does_not_fit_is_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__tells_the_nodes_of_all_instances, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__tells_whether_one_has_no_check_of_its_own,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__tells_what_lists_of_checks_would_show, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_plain_read_has_no_query, setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_blocking_query_has_index_and_wait_with_unit,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__an_authoritative_read_is_of_the_leader, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_consistent_read_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__stale_is_for_watches_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__never_asks_for_stale_and_consistent_at_once,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__consistent_is_for_all_when_configured, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_catalog__names_datacenter_namespace_and_partition_encoded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_service_name_is_encoded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_path_that_does_not_fit_is_a_failure, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__the_timeout_exceeds_what_consul_may_take,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_200_with_index_is_an_answer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__no_reply_is_no_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__errors_of_consul_are_no_answer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__without_an_index_it_is_not_consul, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_server_without_leader_is_no_answer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__streaming_replies_never_know_the_leader,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__reads_every_service_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__no_services_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__what_is_no_object_is_no_list_of_services,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__reads_an_instance_as_consul_sends_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__no_instances_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__rows_of_another_spelling_are_dropped, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__only_whole_ports_of_1_to_65535_are_usable,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__only_literal_addresses_are_usable, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__one_unusable_instance_leaves_the_others,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_key_that_is_there_twice_is_not_believed,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_row_without_its_pieces_spoils_the_reply,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__without_checks_an_instance_is_good, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__the_worst_check_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_warning_is_bad_unless_accepted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__an_unknown_status_is_bad, setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__maintenance_is_told_from_failing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__maintenance_outranks_failing_in_any_order,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_check_named_like_maintenance_is_not_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_passing_maintenance_check_is_none, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__auto_takes_the_service_else_the_node, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__service_takes_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_catalog__node_takes_the_nodes_address_and_the_services_port, setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_tag_of_the_service_brings_its_own_port,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_tag_of_the_node_has_the_services_port,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_tag_without_port_is_not_guessed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__an_unknown_tag_is_unusable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_reply_filtered_by_acls_is_an_error, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_catalog__nothing_for_nobody_under_default_deny_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_catalog__nothing_for_a_token_under_default_deny_is_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_catalog__something_for_nobody_under_default_deny_is_something, setup, teardown),
        cmocka_unit_test_setup_teardown(test_catalog__what_is_no_list_is_no_answer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_reply_cut_anywhere_is_no_answer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_nul_byte_is_refused_and_not_the_end, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__an_escaped_nul_does_not_end_a_value, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__reports_name_the_worst_check, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__reports_of_unusable_instances_say_why, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__nesting_without_end_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_thousand_instances_are_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalog__a_long_id_does_not_overflow_the_example,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_catalog__a_member_that_is_there_twice_makes_an_instance_unusable, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
