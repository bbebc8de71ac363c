/* SPDX-License-Identifier: Apache-2.0 */
#include "model/table.h"
#include "serve/routes.h"
#include "unit.h"

static const struct table *table;
static struct registry_status status;
static struct reply reply;
static const char *default_cluster;

static struct cluster *cluster(const char *id, enum cluster_state state, const char *address)
{
    struct endpoint e;
    size_t count = address != NULL;
    if (count > 0)
        assert_true(endpoint_parse(&e, address, strlen(address)));
    struct cluster *c = cluster_new(id, state, 42, &e, count);
    assert_non_null(c);
    return c;
}

static int setup(void **state)
{
    (void)state;
    struct table *t = table_new();
    assert_non_null(t);
    assert_true(table_set(t, cluster("1", CLUSTER_LIVE, "10.0.0.1:1")));
    assert_true(table_set(t, cluster("10", CLUSTER_LIVE, "10.0.0.10:1")));
    assert_true(table_set(t, cluster("held", CLUSTER_HELD, "10.0.0.2:1")));
    assert_true(table_set(t, cluster("restored", CLUSTER_RESTORED, "10.0.0.3:1")));
    assert_true(table_set(t, cluster("unread", CLUSTER_UNREAD, NULL)));
    assert_true(table_set(t, cluster("empty", CLUSTER_EMPTY, NULL)));
    assert_true(table_set(t, cluster("nsaddr", CLUSTER_LIVE, "10.0.0.4:1")));
    table = t;
    status = (struct registry_status){.complete = true, .ready = true};
    default_cluster = "";
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    table_unref(table);
    return 0;
}

static void ask(const char *method, const char *path, const char *if_none_match)
{
    struct request request = {.method = method, .path = path, .if_none_match = if_none_match};
    routes_public(&request, table, &status, default_cluster, &reply);
}

static void get(const char *path)
{
    ask("GET", path, NULL);
}

static void assert_error(const char *path, unsigned wanted, const char *reason)
{
    get(path);
    if (reply.status != wanted || reply.cluster != NULL || reply.text != NULL)
        fail_msg("%s: status %u instead of %u", path, reply.status, wanted);
    assert_string_equal(reply.reason, reason);
}

static void assert_list(const char *path, const char *body)
{
    get(path);
    if (reply.status != 200 || reply.cluster == NULL)
        fail_msg("%s: status %u", path, reply.status);
    assert_string_equal(reply.cluster->body, body);
}

TEST(test_routes__gives_a_clusters_list)
{
    assert_list("/rocketmq/1", "10.0.0.1:1");
    assert_list("/rocketmq/10", "10.0.0.10:1");
}

TEST(test_routes__head_is_answered_like_get)
{
    ask("HEAD", "/rocketmq/1", NULL);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.cluster->body, "10.0.0.1:1");
}

TEST(test_routes__held_and_restored_lists_are_given_with_their_state)
{
    get("/rocketmq/held");
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.cluster->state, CLUSTER_HELD);
    get("/rocketmq/restored");
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.cluster->state, CLUSTER_RESTORED);
}

TEST(test_routes__never_answers_200_without_a_list)
{
    assert_error("/rocketmq/unread", 503, "not-ready");
    assert_error("/rocketmq/empty", 503, "no-address");
}

TEST(test_routes__an_unknown_cluster_is_404_once_all_was_read)
{
    assert_error("/rocketmq/none", 404, "unknown-cluster");
    assert_string_equal(reply.asked_id, "none");
}

TEST(test_routes__an_unknown_cluster_is_503_before_all_was_read)
{
    status.complete = false;
    assert_error("/rocketmq/none", 503, "not-ready");
}

TEST(test_routes__a_known_cluster_is_given_before_all_was_read)
{
    status.complete = status.ready = false;
    assert_list("/rocketmq/restored", "10.0.0.3:1");
}

TEST(test_routes__lists_are_given_while_draining)
{
    status.draining = true;
    assert_list("/rocketmq/1", "10.0.0.1:1");
}

TEST(test_routes__a_neighbours_name_is_not_a_prefix)
{
    assert_error("/rocketmq/100", 404, "unknown-cluster");
    assert_error("/rocketmq/hel", 404, "unknown-cluster");
    assert_error("/rocketmq/1-unit", 404, "unknown-cluster");
}

TEST(test_routes__ids_are_case_sensitive)
{
    assert_error("/rocketmq/Held", 404, "unknown-cluster");
    assert_error("/RocketMQ/1", 404, "unknown-path");
}

TEST(test_routes__only_whole_segments_match)
{
    static const char *const bad[] = {
        "/rocketmq",    "/rocketmq/1/", "/rocketmq/1/x", "/rocketmq//1",
        "//rocketmq/1", "/rocketmqx/1", "/x/rocketmq/1", "/",
        "/healthz/",    "/readyz/x"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_error(bad[i], 404, "unknown-path");
}

TEST(test_routes__what_is_no_path_is_a_bad_request)
{
    static const char *const bad[] = {"",
                                      "*",
                                      "rocketmq/1",
                                      "host:80",
                                      "https://host/rocketmq/1",
                                      "http:/rocketmq/1",
                                      "http:///rocketmq/1",
                                      "http://",
                                      "http://:80/rocketmq/1",
                                      "http://user@host/rocketmq/1",
                                      "http://host:x/rocketmq/1",
                                      "http://[::1/rocketmq/1"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_error(bad[i], 400, "bad-request");
}

TEST(test_routes__ids_that_cannot_be_are_unknown_and_not_repeated)
{
    static const char *const bad[] = {"/rocketmq/",       "/rocketmq/.",        "/rocketmq/..",
                                      "/rocketmq/%2e%2e", "/rocketmq/a b",      "/rocketmq/a%20b",
                                      "/rocketmq/a;b",    "/rocketmq/\xc3\xa4", "/rocketmq/%C3%A4",
                                      "/rocketmq/1%3F",   "/rocketmq/1%25"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_error(bad[i], 404, "unknown-cluster");
        assert_string_equal(reply.asked_id, "");
    }
}

TEST(test_routes__ids_are_percent_decoded)
{
    assert_list("/rocketmq/%31", "10.0.0.1:1");
    assert_list("/rocketmq/%31%30", "10.0.0.10:1");
    assert_list("/rocketmq/hel%64", "10.0.0.2:1");
}

TEST(test_routes__ids_are_percent_decoded_once)
{
    assert_error("/rocketmq/%2531", 404, "unknown-cluster");
}

TEST(test_routes__escapes_that_mean_mischief_are_bad_requests)
{
    static const char *const bad[] = {"/rocketmq/1%00",    "/rocketmq/a%2Fb", "/rocketmq/a%2fb",
                                      "/rocketmq/%",       "/rocketmq/%3",    "/rocketmq/%zz",
                                      "/rocketmq/%3g",     "/rocketmq/a%0ab", "/rocketmq/a%7f",
                                      "/rocketmq/a\x01-b", "/rocketmq/a\x7f", "/rocketmq/%1"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_error(bad[i], 400, "bad-request");
}

TEST(test_routes__the_longest_id_is_looked_up_and_a_longer_one_is_not)
{
    char path[256] = "/rocketmq/";
    memset(path + 10, 'a', CLUSTER_ID_MAX);
    path[10 + CLUSTER_ID_MAX] = '\0';
    assert_error(path, 404, "unknown-cluster");
    assert_int_equal(strlen(reply.asked_id), CLUSTER_ID_MAX);
    path[10 + CLUSTER_ID_MAX] = 'a';
    path[11 + CLUSTER_ID_MAX] = '\0';
    assert_error(path, 404, "unknown-cluster");
    assert_string_equal(reply.asked_id, "");
}

TEST(test_routes__nsaddr_is_the_default_cluster)
{
    default_cluster = "held";
    assert_list("/rocketmq/nsaddr", "10.0.0.2:1");
}

TEST(test_routes__nsaddr_is_a_name_like_any_without_a_default_cluster)
{
    assert_list("/rocketmq/nsaddr", "10.0.0.4:1");
}

TEST(test_routes__an_unknown_default_cluster_is_named)
{
    default_cluster = "none";
    assert_error("/rocketmq/nsaddr", 404, "unknown-cluster");
    assert_string_equal(reply.asked_id, "none");
}

TEST(test_routes__the_absolute_form_is_taken)
{
    assert_list("http://host:8080/rocketmq/1", "10.0.0.1:1");
    assert_list("HTTP://host/rocketmq/10", "10.0.0.10:1");
    assert_list("http://[2001:db8::1]:8080/rocketmq/1", "10.0.0.1:1");
    assert_error("http://host", 404, "unknown-path");
    assert_error("http://host/rocketmq", 404, "unknown-path");
}

TEST(test_routes__other_methods_are_refused_everywhere)
{
    static const char *const methods[] = {"POST",  "PUT",     "DELETE", "OPTIONS", "TRACE",
                                          "PATCH", "CONNECT", "get",    ""};
    static const char *const paths[] = {"/rocketmq/1", "/healthz", "/none", "*", "host:80", "/%zz"};
    for (size_t m = 0; m < COUNT_OF(methods); m++) {
        for (size_t p = 0; p < COUNT_OF(paths); p++) {
            ask(methods[m], paths[p], NULL);
            assert_int_equal(reply.status, 405);
            assert_string_equal(reply.reason, "method-not-allowed");
        }
    }
}

/* -- If-None-Match --------------------------------------------------------------------------- */

static unsigned status_with(const char *format)
{
    char header[256];
    get("/rocketmq/1");
    const char *etag = reply.cluster->etag;
    size_t len = 0;
    for (const char *c = format; *c != '\0'; c++)
        len += (size_t)snprintf(header + len, sizeof header - len, *c == '$' ? "%s" : "%.1s",
                                *c == '$' ? etag : c);
    header[len] = '\0';
    ask("GET", "/rocketmq/1", header);
    return reply.status;
}

TEST(test_routes__a_matching_tag_is_304)
{
    assert_int_equal(status_with("$"), 304);
    assert_string_equal(reply.cluster->id, "1");
}

TEST(test_routes__a_matching_tag_is_found_in_every_form)
{
    assert_int_equal(status_with("W/$"), 304);
    assert_int_equal(status_with("*"), 304);
    assert_int_equal(status_with(" * \t"), 304);
    assert_int_equal(status_with("\"other\", $"), 304);
    assert_int_equal(status_with("$,\"other\""), 304);
    assert_int_equal(status_with("\"a,b\" , W/$ "), 304);
    assert_int_equal(status_with(" ,, $"), 304);
}

TEST(test_routes__another_tag_gets_the_list)
{
    assert_int_equal(status_with("\"other\""), 200);
    assert_int_equal(status_with(""), 200);
    assert_int_equal(status_with("\"\""), 200);
    assert_int_equal(status_with("\"unclosed"), 200);
    assert_int_equal(status_with("x$"), 200);
    assert_int_equal(status_with("*x"), 200);
    assert_int_equal(status_with("*, $"), 200);
    assert_int_equal(status_with("w/$"), 200);
    assert_int_equal(status_with("\"0123456789abcdef\""), 200);
}

TEST(test_routes__a_tag_of_another_list_gets_this_one)
{
    get("/rocketmq/10");
    char other[ETAG_SIZE];
    memcpy(other, reply.cluster->etag, sizeof other);
    ask("GET", "/rocketmq/1", other);
    assert_int_equal(reply.status, 200);
}

TEST(test_routes__a_matching_tag_does_not_hide_an_error)
{
    ask("GET", "/rocketmq/empty", "*");
    assert_int_equal(reply.status, 503);
    ask("GET", "/rocketmq/none", "*");
    assert_int_equal(reply.status, 404);
}

/* -- health ---------------------------------------------------------------------------------- */

TEST(test_routes__healthz_is_200_whatever_else)
{
    status = (struct registry_status){.draining = true};
    get("/healthz");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.text, "ok\n");
}

TEST(test_routes__readyz_is_200_when_there_is_something_to_serve)
{
    get("/readyz");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.text, "ready\n");
}

TEST(test_routes__readyz_is_503_before)
{
    status.ready = false;
    assert_error("/readyz", 503, "not-ready");
}

TEST(test_routes__readyz_is_503_while_draining)
{
    status.draining = true;
    assert_error("/readyz", 503, "draining");
}

TEST(test_routes__admin_answers_health_and_no_lists)
{
    struct request request = {.method = "GET", .path = "/readyz"};
    routes_admin(&request, table, &status, &reply);
    assert_int_equal(reply.status, 200);
    request.path = "/healthz";
    routes_admin(&request, table, &status, &reply);
    assert_int_equal(reply.status, 200);
    request.path = "/rocketmq/1";
    routes_admin(&request, table, &status, &reply);
    assert_int_equal(reply.status, 404);
    request.method = "POST";
    routes_admin(&request, table, &status, &reply);
    assert_int_equal(reply.status, 405);
}

static void assert_page(const char *path, unsigned wanted, enum http_route route)
{
    struct request request = {.method = "GET", .path = path};
    routes_admin(&request, table, &status, &reply);
    if (reply.status != wanted || reply.route != route)
        fail_msg("%s: status %u, route %s", path, reply.status, http_route_name(reply.route));
}

TEST(test_routes__admin_has_pages)
{
    assert_page("/metrics", 200, HTTP_ROUTE_METRICS);
    assert_page("/status", 200, HTTP_ROUTE_STATUS);
    assert_page("/status.json", 200, HTTP_ROUTE_STATUS_JSON);
    assert_page("/status/", 404, HTTP_ROUTE_OTHER);
    assert_page("/status/x", 404, HTTP_ROUTE_OTHER);
}

TEST(test_routes__admin_explains_each_id_also_one_that_is_not_known)
{
    assert_page("/explain/1", 200, HTTP_ROUTE_EXPLAIN);
    assert_string_equal(reply.asked_id, "1");
    assert_page("/explain/unread", 200, HTTP_ROUTE_EXPLAIN);
    assert_page("/explain/x%20y", 404, HTTP_ROUTE_EXPLAIN);
    assert_string_equal(reply.asked_id, "x y");
    assert_string_equal(reply.reason, "unknown-cluster");
    assert_page("/explain/", 404, HTTP_ROUTE_OTHER);
    assert_page("/explain", 404, HTTP_ROUTE_OTHER);
    assert_page("/explain/1/2", 404, HTTP_ROUTE_OTHER);
}

TEST(test_routes__clients_get_none_of_those_pages)
{
    assert_error("/status", 404, "unknown-path");
    assert_error("/status.json", 404, "unknown-path");
    assert_error("/explain/1", 404, "unknown-path");
    assert_error("/metrics", 404, "unknown-path");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_routes__gives_a_clusters_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__head_is_answered_like_get, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__admin_has_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_routes__admin_explains_each_id_also_one_that_is_not_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__clients_get_none_of_those_pages, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_routes__held_and_restored_lists_are_given_with_their_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__never_answers_200_without_a_list, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_routes__an_unknown_cluster_is_404_once_all_was_read,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__an_unknown_cluster_is_503_before_all_was_read,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__a_known_cluster_is_given_before_all_was_read,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__lists_are_given_while_draining, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_routes__a_neighbours_name_is_not_a_prefix, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_routes__ids_are_case_sensitive, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__only_whole_segments_match, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__what_is_no_path_is_a_bad_request, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_routes__ids_that_cannot_be_are_unknown_and_not_repeated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__ids_are_percent_decoded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__ids_are_percent_decoded_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__escapes_that_mean_mischief_are_bad_requests,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_routes__the_longest_id_is_looked_up_and_a_longer_one_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__nsaddr_is_the_default_cluster, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_routes__nsaddr_is_a_name_like_any_without_a_default_cluster, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__an_unknown_default_cluster_is_named, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_routes__the_absolute_form_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__other_methods_are_refused_everywhere, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_routes__a_matching_tag_is_304, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__a_matching_tag_is_found_in_every_form, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_routes__another_tag_gets_the_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__a_tag_of_another_list_gets_this_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_routes__a_matching_tag_does_not_hide_an_error, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_routes__healthz_is_200_whatever_else, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__readyz_is_200_when_there_is_something_to_serve,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__readyz_is_503_before, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__readyz_is_503_while_draining, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes__admin_answers_health_and_no_lists, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
