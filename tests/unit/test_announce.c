/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>

#include "announce/announce.h"
#include "base/log.h"
#include "config_of.h"
#include "fake_httpc.h"
#include "model/registry.h"
#include "model/table.h"

#define PARENT "nameSvrIndex-10.0.0.5-8080"
#define CHILD(id) "nameSvrIndex-" id "-10.0.0.5-8080"
#define SERVICES "/v1/agent/services"
#define CHECKS "/v1/agent/checks"
#define PARENT_PATH "/v1/agent/service/" PARENT
#define REGISTER_PATH "/v1/agent/service/register"
#define REGISTER "PUT " REGISTER_PATH
#define DEREGISTER "PUT /v1/agent/service/deregister/"
#define MAINTENANCE "PUT /v1/agent/service/maintenance/"

static struct config *config;
static struct registry *registry;
static struct httpc *httpc;
static struct announce *announce;
static int drained;
static size_t applied; /* so many requests the agent knows of */

/* What the agent has, from the registrations it was sent. */
static cJSON *agent_services, *agent_checks;

static void tell_agent(void)
{
    char *services = cJSON_PrintUnformatted(agent_services);
    char *checks = cJSON_PrintUnformatted(agent_checks);
    fake_rule(httpc, SERVICES, 200, 0, services);
    fake_rule(httpc, CHECKS, 200, 0, checks);
    cJSON_free(services);
    cJSON_free(checks);
}

static void begin(const char *first, const char *second)
{
    struct error error;
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    config = config_of("register.advertise=10.0.0.5", first, second, NULL);
    registry = registry_new(&error);
    assert_non_null(registry);
    httpc = httpc_new(config, &error);
    announce = announce_new(config, httpc, registry, &error);
    assert_non_null(announce);
    agent_services = cJSON_CreateObject();
    agent_checks = cJSON_CreateObject();
    tell_agent();
    fake_rule(httpc, "/v1/agent/service/", 200, 0, "");
    fake_rule(httpc, "/v1/health/service/", 200, 1, "[{\"Service\":{\"ID\":\"" PARENT "\"}}]");
    drained = 0;
}

static int setup(void **state)
{
    (void)state;
    config = NULL;
    registry = NULL;
    httpc = NULL;
    announce = NULL;
    applied = 0;
    agent_services = agent_checks = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    announce_free(announce);
    httpc_free(httpc);
    registry_free(registry);
    config_free(config);
    cJSON_Delete(agent_services);
    cJSON_Delete(agent_checks);
    return 0;
}

/* Serves a live list for each of these one-letter ids, an empty one for upper-case ones. */
static void serve(const char *ids)
{
    struct endpoint e;
    assert_true(endpoint_make(&e, "10.0.0.1", 9876));
    struct table *t = table_new();
    assert_non_null(t);
    for (const char *c = ids; *c != '\0'; c++) {
        char id[2] = {*c, '\0'};
        bool listed = *c >= 'a';
        struct cluster *made =
            cluster_new(id, listed ? CLUSTER_HELD : CLUSTER_EMPTY, 1, &e, listed);
        assert_non_null(made);
        assert_true(table_set(t, made));
    }
    registry_publish(registry, t);
    announce_wake(announce);
}

/* Serves a list for each of the clusters "c0", "c1", ... */
static void serve_many(size_t count)
{
    struct endpoint e;
    assert_true(endpoint_make(&e, "10.0.0.1", 9876));
    struct table *empty = table_new();
    assert_non_null(empty);
    struct table *t = table_copy(empty);
    table_unref(empty);
    assert_non_null(t);
    for (size_t i = 0; i < count; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "c%zu", i);
        struct cluster *made = cluster_new(id, CLUSTER_LIVE, 1, &e, 1);
        assert_non_null(made);
        assert_true(table_set(t, made));
    }
    registry_publish(registry, t);
    announce_wake(announce);
}

/* What the agent would have after the registrations and deregistrations since `from`. */
static void apply_writes(size_t from)
{
    for (size_t i = from; i < httpc->request_count; i++) {
        const struct fake_request *r = &httpc->requests[i];
        const char *gone = strstr(r->path, "/deregister/");
        if (gone != NULL)
            cJSON_DeleteItemFromObjectCaseSensitive(agent_services, gone + 12);
        if (r->body == NULL)
            continue;
        cJSON *body = cJSON_Parse(r->body);
        const char *id = cJSON_GetStringValue(cJSON_GetObjectItem(body, "ID"));
        cJSON *service = cJSON_Duplicate(body, 1);
        cJSON_DeleteItemFromObject(service, "Name");
        cJSON_DeleteItemFromObject(service, "Check");
        cJSON_AddStringToObject(service, "Service",
                                cJSON_GetStringValue(cJSON_GetObjectItem(body, "Name")));
        cJSON_DeleteItemFromObjectCaseSensitive(agent_services, id);
        cJSON_AddItemToObject(agent_services, id, service);
        char check[256];
        (void)snprintf(check, sizeof check, "%s:check", id);
        cJSON_DeleteItemFromObjectCaseSensitive(agent_checks, check);
        cJSON_AddStringToObject(cJSON_AddObjectToObject(agent_checks, check), "ServiceID", id);
        cJSON_Delete(body);
    }
    tell_agent();
}

/* Until just after a round of reading: the next one is at least 8 s away. */
static void await_round(void)
{
    size_t before = fake_count(httpc, "GET " SERVICES);
    for (int i = 0; i < 200 && fake_count(httpc, "GET " SERVICES) == before; i++)
        fake_run(httpc, 100);
    assert_int_equal(fake_count(httpc, "GET " SERVICES), before + 1);
}

/* Clusters "a" and "b" are registered, and the agent says so. */
static void begin_registered(void)
{
    begin(NULL, NULL);
    registry_set_ready(registry);
    serve("ab");
    fake_run(httpc, 2000);
    assert_int_equal(fake_count(httpc, REGISTER), 3);
    apply_writes(0);
    fake_run(httpc, 60000);
    assert_int_equal(fake_count(httpc, REGISTER), 3);
    await_round();
}

/* Time passes, and the agent knows what it was told. */
static void run_live(int64_t ms)
{
    for (int64_t at = 0; at < ms; at += 100) {
        fake_run(httpc, 100);
        if (applied < httpc->request_count)
            apply_writes(applied);
        applied = httpc->request_count;
    }
}

static int agent_has(void)
{
    return cJSON_GetArraySize(agent_services);
}

/* A round that reads in the midst of a step of run_live() does not see the writes of that step. */
#define TWICE_MAX 50

/* The agent lost all that was registered. */
static void lose_all(void)
{
    cJSON_Delete(agent_services);
    cJSON_Delete(agent_checks);
    agent_services = cJSON_CreateObject();
    agent_checks = cJSON_CreateObject();
    applied = httpc->request_count;
    tell_agent();
    fake_rule(httpc, PARENT_PATH, 404, 0, "unknown service ID");
}

static size_t writes(void)
{
    return fake_count(httpc, "PUT ");
}

/* The ID in the body of the n-th registration. */
static const char *registered_id(size_t n)
{
    static char out[128];
    size_t at = fake_find(httpc, REGISTER, 0);
    while (n-- > 0 && at != SIZE_MAX)
        at = fake_find(httpc, REGISTER, at + 1);
    if (at == SIZE_MAX)
        return "(none)";
    cJSON *body = cJSON_Parse(httpc->requests[at].body);
    (void)snprintf(out, sizeof out, "%s", cJSON_GetStringValue(cJSON_GetObjectItem(body, "ID")));
    cJSON_Delete(body);
    return out;
}

static void on_drained(void *arg)
{
    (void)arg;
    drained++;
}

/* -- registering ----------------------------------------------------------------------------- */

TEST(test_announce__nothing_is_registered_before_we_are_ready)
{
    begin(NULL, NULL);
    serve("a");
    fake_run(httpc, 60000);
    assert_int_equal(httpc->request_count, 0);
}

TEST(test_announce__the_parent_comes_before_its_children)
{
    begin(NULL, NULL);
    registry_set_ready(registry);
    serve("ab");
    fake_run(httpc, 2000);
    assert_string_equal(registered_id(0), PARENT);
    assert_int_equal(fake_count(httpc, REGISTER), 3);
}

TEST(test_announce__a_child_has_its_clusters_route_and_follows_the_parent)
{
    begin(NULL, NULL);
    registry_set_ready(registry);
    serve("a");
    fake_run(httpc, 2000);
    assert_string_equal(registered_id(1), CHILD("a"));
    size_t at = fake_find(httpc, REGISTER, fake_find(httpc, REGISTER, 0) + 1);
    assert_non_null(strstr(httpc->requests[at].body, "\"Tags\":[\"urlprefix-/rocketmq/a\"]"));
    assert_non_null(strstr(httpc->requests[at].body, "\"AliasService\":\"" PARENT "\""));
}

TEST(test_announce__clusters_without_a_list_have_no_child)
{
    begin(NULL, NULL);
    registry_set_ready(registry);
    serve("aX");
    fake_run(httpc, 2000);
    assert_int_equal(fake_count(httpc, REGISTER), 2);
}

TEST(test_announce__single_mode_registers_one_route_for_all)
{
    begin("register.mode=single", NULL);
    registry_set_ready(registry);
    serve("ab");
    fake_run(httpc, 2000);
    assert_int_equal(fake_count(httpc, REGISTER), 1);
    size_t at = fake_find(httpc, REGISTER, 0);
    assert_non_null(strstr(httpc->requests[at].body, "\"Tags\":[\"urlprefix-/rocketmq/\"]"));
}

TEST(test_announce__consul_forgets_children_before_their_parent)
{
    begin("register.deregister_after=5m", NULL);
    registry_set_ready(registry);
    serve("a");
    fake_run(httpc, 2000);
    size_t parent = fake_find(httpc, REGISTER, 0);
    size_t child = fake_find(httpc, REGISTER, parent + 1);
    static const char after[] = "\"DeregisterCriticalServiceAfter\":";
    assert_true(parent < child && child < httpc->request_count);
    assert_string_equal(strtok(strstr(httpc->requests[parent].body, after), ","),
                        "\"DeregisterCriticalServiceAfter\":\"420s\"");
    assert_string_equal(strtok(strstr(httpc->requests[child].body, after), ","),
                        "\"DeregisterCriticalServiceAfter\":\"300s\"");
}

TEST(test_announce__reads_before_it_writes)
{
    begin(NULL, NULL);
    registry_set_ready(registry);
    serve("a");
    fake_run(httpc, 2000);
    assert_true(fake_find(httpc, "GET " SERVICES, 0) < fake_find(httpc, "PUT ", 0));
    assert_true(fake_find(httpc, "GET " CHECKS, 0) < fake_find(httpc, "PUT ", 0));
}

TEST(test_announce__writes_one_at_a_time)
{
    begin(NULL, NULL);
    fake_no_rule(httpc, "/v1/agent/service/");
    registry_set_ready(registry);
    serve("abc");
    for (int i = 0; i < 4; i++) {
        fake_run(httpc, 1000);
        assert_int_equal(fake_count_pending(httpc, ""), 1);
        fake_answer(httpc, fake_pending(httpc, "/v1/agent/service/"), 200, 0, "");
    }
    assert_int_equal(fake_count(httpc, REGISTER), 4);
}

TEST(test_announce__the_local_address_names_us_when_nothing_else_does)
{
    begin("register.advertise=", NULL);
    httpc->local_ip = "10.0.0.7";
    tell_agent();
    registry_set_ready(registry);
    serve("");
    fake_run(httpc, 2000);
    assert_string_equal(registered_id(0), "nameSvrIndex-10.0.0.7-8080");
}

/* -- keeping it so --------------------------------------------------------------------------- */

TEST(test_announce__nothing_is_written_when_nothing_differs)
{
    begin_registered();
    size_t before = writes();
    size_t reads = fake_count(httpc, "GET " SERVICES);
    fake_run(httpc, 600000);
    assert_int_equal(writes(), before);
    assert_true(fake_count(httpc, "GET " SERVICES) >= reads + 30);
}

TEST(test_announce__a_lost_child_is_repaired)
{
    begin_registered();
    cJSON_DeleteItemFromObjectCaseSensitive(agent_services, CHILD("a"));
    tell_agent();
    fake_run(httpc, 12500);
    assert_true(fake_count(httpc, REGISTER) > 3);
    assert_string_equal(registered_id(3), CHILD("a"));
}

TEST(test_announce__a_lost_check_is_repaired)
{
    begin_registered();
    cJSON_DeleteItemFromObjectCaseSensitive(agent_checks, PARENT ":check");
    tell_agent();
    fake_run(httpc, 12500);
    assert_string_equal(registered_id(3), PARENT);
}

TEST(test_announce__a_new_cluster_is_registered_soon)
{
    begin_registered();
    serve("abc");
    fake_run(httpc, 1100);
    assert_int_equal(fake_count(httpc, REGISTER), 4);
    assert_string_equal(registered_id(3), CHILD("c"));
}

TEST(test_announce__changes_that_concern_no_child_ask_nothing)
{
    begin_registered();
    size_t before = httpc->request_count;
    serve("abXY");
    for (int i = 0; i < 100; i++)
        announce_wake(announce);
    fake_run(httpc, 1500);
    assert_int_equal(httpc->request_count, before);
}

TEST(test_announce__many_changes_are_one_look)
{
    begin_registered();
    fake_run(httpc, 1000);
    size_t before = writes();
    for (int i = 0; i < 20; i++) {
        serve(i % 2 == 0 ? "abc" : "ab");
        fake_run(httpc, 40);
    }
    assert_true(writes() <= before + 1);
}

TEST(test_announce__a_change_asks_for_the_parent_alone)
{
    begin_registered();
    fake_run(httpc, 100);
    size_t from = httpc->request_count;
    serve("abc");
    fake_run(httpc, 1100);
    assert_int_equal(fake_find(httpc, "GET " PARENT_PATH, from), from);
    assert_int_equal(fake_find(httpc, REGISTER, from), from + 1);
    assert_int_equal(httpc->request_count, from + 2);
}

TEST(test_announce__no_child_is_written_to_an_agent_that_lost_the_parent)
{
    begin_registered();
    lose_all();
    serve("abc");
    fake_run(httpc, 1100);
    assert_string_equal(registered_id(3), PARENT);
    assert_int_equal(fake_count(httpc, REGISTER), 3 + 4);
}

TEST(test_announce__an_agent_that_lost_all_is_found_out_by_the_parent)
{
    begin_registered();
    lose_all();
    fake_run(httpc, 3700);
    assert_string_equal(registered_id(3), PARENT);
    assert_int_equal(fake_count(httpc, REGISTER), 3 + 3);
}

TEST(test_announce__a_change_while_consul_fails_does_not_hurry)
{
    begin_registered();
    fake_rule(httpc, SERVICES, 500, 0, "no");
    await_round();
    size_t before = fake_count(httpc, "GET ");
    for (int i = 0; i < 18; i++) {
        serve(i % 2 == 0 ? "abc" : "ab");
        fake_run(httpc, 100);
    }
    assert_int_equal(fake_count(httpc, "GET "), before);
}

TEST(test_announce__a_child_that_was_changed_is_registered_again)
{
    begin_registered();
    cJSON *child = cJSON_GetObjectItemCaseSensitive(agent_services, CHILD("b"));
    cJSON_ReplaceItemInObjectCaseSensitive(child, "Port", cJSON_CreateNumber(1));
    tell_agent();
    fake_run(httpc, 12500);
    assert_string_equal(registered_id(3), CHILD("b"));
}

TEST(test_announce__children_under_an_older_address_are_removed_before_their_parent)
{
    begin("register.advertise=", NULL);
    httpc->local_ip = "10.0.0.7";
    tell_agent();
    registry_set_ready(registry);
    serve("a");
    fake_run(httpc, 2000);
    httpc->local_ip = "10.0.0.8";
    tell_agent();
    fake_run(httpc, 12500);
    size_t made = fake_find(httpc, "PUT " REGISTER_PATH, 0);
    for (int i = 0; i < 3; i++)
        made = fake_find(httpc, REGISTER, made + 1);
    size_t child = fake_find(httpc, DEREGISTER "nameSvrIndex-a-10.0.0.7-8080", 0);
    size_t parent = fake_find(httpc, DEREGISTER "nameSvrIndex-10.0.0.7-8080", 0);
    assert_true(made != SIZE_MAX && child != SIZE_MAX && parent != SIZE_MAX);
    assert_true(child < parent && made < parent);
}

/* -- a thousand ------------------------------------------------------------------------------ */

/* No more than a burst and a second's share within any second. */
static void assert_bounded_rate(size_t per_second)
{
    size_t share = per_second + 10;
    int64_t *at = calloc(httpc->request_count + 1, sizeof *at);
    assert_non_null(at);
    size_t count = 0;
    for (size_t i = 0; i < httpc->request_count; i++)
        if (strcmp(httpc->requests[i].method, "PUT") == 0)
            at[count++] = httpc->requests[i].at_ms;
    for (size_t i = share; i < count; i++)
        if (at[i] - at[i - share] < 990)
            fail_msg("%zu writes within %d ms", share + 1, (int)(at[i] - at[i - share]));
    free(at);
}

TEST(test_announce__a_thousand_lost_children_are_back_at_a_bounded_rate)
{
    begin(NULL, NULL);
    registry_set_ready(registry);
    serve_many(1000);
    run_live(12000);
    assert_int_equal(agent_has(), 1001);
    lose_all();
    size_t before = writes();
    run_live(3700 + 11000);
    assert_int_equal(agent_has(), 1001);
    assert_string_equal(registered_id(before), PARENT);
    assert_true(writes() <= before + 1001 + TWICE_MAX);
    assert_bounded_rate(100);
}

TEST(test_announce__a_new_cluster_does_not_wait_for_repairs)
{
    begin(NULL, NULL);
    registry_set_ready(registry);
    serve_many(1000);
    run_live(3000);
    serve_many(1001);
    run_live(1200);
    assert_true(agent_has() < 600);
    assert_non_null(cJSON_GetObjectItemCaseSensitive(agent_services, CHILD("c1000")));
}

TEST(test_announce__a_cluster_that_ends_before_its_turn_costs_no_write)
{
    begin(NULL, NULL);
    registry_set_ready(registry);
    serve_many(1000);
    run_live(2000);
    size_t made = fake_count(httpc, REGISTER);
    assert_true(made < 500);
    serve_many(0);
    run_live(10000);
    assert_int_equal(agent_has(), 1);
    assert_true(fake_count(httpc, REGISTER) <= made + 110);
    assert_true(fake_count(httpc, DEREGISTER) <= fake_count(httpc, REGISTER) - 1 + TWICE_MAX);
}

/* What was queued is kept; writing gets slower, and quick again. */
static void assert_refusals_slow_down(long status)
{
    begin(NULL, NULL);
    registry_set_ready(registry);
    serve_many(300);
    run_live(1000);
    size_t made = fake_count(httpc, REGISTER);
    size_t reads = fake_count(httpc, "GET " SERVICES);
    fake_rule(httpc, REGISTER_PATH, status, 0, "rate limit exceeded");
    fake_run(httpc, 20000);
    size_t tries = fake_count(httpc, REGISTER) - made;
    assert_true(tries >= 3 && tries <= 40);
    /* The rounds of 20 s, and not one more for each refusal. */
    assert_true(fake_count(httpc, "GET " SERVICES) <= reads + 3);
    applied = httpc->request_count;
    fake_rule(httpc, REGISTER_PATH, 200, 0, "");
    run_live(8000 + 12000);
    assert_int_equal(agent_has(), 301);
    assert_bounded_rate(100);
}

TEST(test_announce__too_many_requests_slow_writing_down)
{
    assert_refusals_slow_down(429);
}

TEST(test_announce__unavailable_slows_writing_down)
{
    assert_refusals_slow_down(503);
}

TEST(test_announce__a_refused_read_is_tried_again_later)
{
    begin(NULL, NULL);
    fake_rule(httpc, SERVICES, 429, 0, "rate limit exceeded");
    registry_set_ready(registry);
    serve("a");
    fake_run(httpc, 60000);
    assert_true(fake_count(httpc, "GET " SERVICES) >= 7);
    assert_true(fake_count(httpc, "GET " SERVICES) <= 30);
    tell_agent();
    run_live(9000);
    assert_int_equal(agent_has(), 2);
}

TEST(test_announce__single_mode_does_the_same_for_ten_thousand_clusters)
{
    begin("register.mode=single", NULL);
    registry_set_ready(registry);
    serve_many(10000);
    fake_run(httpc, 2000);
    assert_int_equal(fake_count(httpc, REGISTER), 1);
    apply_writes(0);
    await_round();
    await_round();
    size_t before = httpc->request_count;
    serve_many(10000);
    serve_many(9000);
    fake_run(httpc, 2000);
    assert_int_equal(httpc->request_count, before);
}

TEST(test_announce__the_child_of_a_cluster_that_is_gone_is_removed)
{
    begin_registered();
    serve("a");
    fake_run(httpc, 1100);
    assert_int_equal(fake_count(httpc, DEREGISTER), 1);
    assert_int_equal(fake_count(httpc, DEREGISTER CHILD("b")), 1);
}

TEST(test_announce__services_of_others_are_left_alone)
{
    begin_registered();
    cJSON *other = cJSON_AddObjectToObject(agent_services, "nameSvrIndex-z-10.0.0.6-8080");
    cJSON_AddStringToObject(cJSON_AddObjectToObject(other, "Meta"), "owner",
                            "nameSvrIndex-10.0.0.6-8080");
    tell_agent();
    fake_run(httpc, 60000);
    assert_int_equal(fake_count(httpc, DEREGISTER), 0);
}

TEST(test_announce__a_deregistration_of_what_is_away_is_done)
{
    begin_registered();
    fake_rule(httpc, "/v1/agent/service/deregister/", 404, 0, "unknown service ID");
    serve("a");
    fake_run(httpc, 1100);
    apply_writes(0);
    size_t before = writes();
    fake_run(httpc, 60000);
    assert_true(before > 0);
    assert_int_equal(writes(), before);
}

TEST(test_announce__a_refused_registration_is_tried_again)
{
    begin(NULL, NULL);
    fake_rule(httpc, "/v1/agent/service/", 500, 0, "no");
    registry_set_ready(registry);
    serve("a");
    fake_run(httpc, 10000);
    assert_true(fake_count(httpc, REGISTER) >= 3);
    assert_true(fake_count(httpc, REGISTER) <= 10);
    assert_string_equal(registered_id(1), PARENT);
}

TEST(test_announce__a_403_reads_the_token_again)
{
    begin(NULL, NULL);
    fake_rule(httpc, "/v1/agent/service/", 403, 0, "Permission denied");
    registry_set_ready(registry);
    serve("a");
    fake_run(httpc, 2000);
    assert_true(httpc->reloads > 0);
}

TEST(test_announce__an_unreadable_agent_is_not_written_to)
{
    begin(NULL, NULL);
    registry_set_ready(registry);
    static const char *const bad[] = {"[]", "null", "<html>", ""};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        fake_rule(httpc, SERVICES, 200, 0, bad[i]);
        serve("a");
        fake_run(httpc, 10000);
        assert_int_equal(writes(), 0);
    }
}

/* -- maintenance ----------------------------------------------------------------------------- */

static void put_into_maintenance(const char *notes)
{
    cJSON *check = cJSON_AddObjectToObject(agent_checks, "_service_maintenance:" PARENT);
    cJSON_AddStringToObject(check, "ServiceID", PARENT);
    cJSON_AddStringToObject(check, "Notes", notes);
    tell_agent();
}

TEST(test_announce__our_own_maintenance_of_an_earlier_run_is_lifted_first)
{
    begin(NULL, NULL);
    put_into_maintenance("nsaddrd is stopping");
    registry_set_ready(registry);
    serve("a");
    fake_run(httpc, 2000);
    size_t lifted = fake_find(httpc, MAINTENANCE PARENT "?enable=false", 0);
    assert_true(lifted != SIZE_MAX);
    assert_int_equal(fake_find(httpc, "PUT ", 0), lifted);
}

TEST(test_announce__an_operators_maintenance_is_kept)
{
    begin_registered();
    put_into_maintenance("kernel update");
    size_t before = writes();
    fake_run(httpc, 120000);
    assert_int_equal(writes(), before);
}

/* -- stopping -------------------------------------------------------------------------------- */

TEST(test_announce__drains_maintenance_then_children_then_the_parent)
{
    begin_registered();
    size_t from = httpc->request_count;
    announce_drain(announce, on_drained, NULL);
    fake_run(httpc, 1000);
    size_t maintenance = fake_find(httpc, MAINTENANCE PARENT "?enable=true", from);
    size_t a = fake_find(httpc, DEREGISTER CHILD("a"), from);
    size_t b = fake_find(httpc, DEREGISTER CHILD("b"), from);
    size_t parent = fake_find(httpc, DEREGISTER PARENT, from);
    assert_int_equal(maintenance, from);
    assert_true(a > maintenance && b > maintenance);
    assert_true(parent != SIZE_MAX && parent > a && parent > b);
    assert_int_equal(httpc->request_count, from + 4);
}

TEST(test_announce__a_drain_takes_back_what_is_registered_not_what_is_served)
{
    begin_registered();
    size_t from = httpc->request_count;
    serve("a"); /* the child of "b" would be removed in the next round */
    announce_drain(announce, on_drained, NULL);
    fake_run(httpc, 1000);
    assert_true(fake_find(httpc, DEREGISTER CHILD("b"), from) != SIZE_MAX);
}

TEST(test_announce__the_end_of_the_drain_is_told_once)
{
    begin_registered();
    assert_int_equal(announce_drain_state(announce), DRAIN_GOES_ON);
    announce_drain(announce, on_drained, NULL);
    assert_int_equal(drained, 0);
    fake_run(httpc, 1000);
    assert_int_equal(drained, 1);
    assert_int_equal(announce_drain_state(announce), DRAIN_DONE);
}

TEST(test_announce__a_drain_without_registration_ends_at_once)
{
    begin(NULL, NULL);
    announce_drain(announce, on_drained, NULL);
    assert_int_equal(drained, 1);
    assert_int_equal(httpc->request_count, 0);
}

TEST(test_announce__a_drain_ends_when_consul_is_away)
{
    begin_registered();
    size_t from = httpc->request_count;
    fake_rule(httpc, "/v1/", 0, 0, "");
    fake_rule(httpc, "/v1/agent/service/", 0, 0, "");
    announce_drain(announce, on_drained, NULL);
    fake_run(httpc, 1000);
    assert_int_equal(drained, 1);
    assert_int_equal(httpc->request_count, from + 1);
}

TEST(test_announce__a_drain_goes_on_after_a_refusal)
{
    begin_registered();
    fake_rule(httpc, "/v1/agent/service/maintenance/", 500, 0, "no");
    announce_drain(announce, on_drained, NULL);
    fake_run(httpc, 1000);
    assert_int_equal(drained, 1);
    assert_int_equal(fake_count(httpc, DEREGISTER), 3);
}

TEST(test_announce__a_drain_does_not_wait_for_a_reply_that_never_comes)
{
    begin_registered();
    fake_no_rule(httpc, "/v1/agent/service/");
    announce_drain(announce, on_drained, NULL);
    struct httpc_call *call = fake_pending(httpc, "/v1/agent/service/maintenance/");
    assert_non_null(call);
    assert_true(call->timeout_ms <= 3000);
}

TEST(test_announce__a_slow_consul_does_not_hold_the_drain_for_ever)
{
    begin_registered();
    fake_no_rule(httpc, "/v1/agent/service/");
    announce_drain(announce, on_drained, NULL);
    for (int i = 0; i < 3; i++) {
        fake_run(httpc, 2900);
        struct httpc_call *call = fake_pending(httpc, "/v1/agent/service/");
        assert_non_null(call);
        fake_answer(httpc, call, 200, 0, "");
    }
    assert_int_equal(drained, 0);
    fake_run(httpc, 1500);
    assert_int_equal(drained, 1);
    assert_null(fake_pending(httpc, "/v1/agent/service/"));
}

TEST(test_announce__a_failed_round_does_not_hide_what_was_registered)
{
    begin(NULL, NULL);
    fake_rule(httpc, REGISTER_PATH, 200, 0, "");
    registry_set_ready(registry);
    serve("a");
    fake_run(httpc, 2000);
    fake_rule(httpc, REGISTER_PATH, 403, 0, "Permission denied");
    serve("ab");
    fake_run(httpc, 2000);
    size_t from = httpc->request_count;
    announce_drain(announce, on_drained, NULL);
    fake_run(httpc, 1000);
    assert_true(fake_find(httpc, MAINTENANCE PARENT "?enable=true", from) != SIZE_MAX);
    assert_true(fake_find(httpc, DEREGISTER CHILD("a"), from) != SIZE_MAX);
    assert_true(fake_find(httpc, DEREGISTER PARENT, from) != SIZE_MAX);
}

static struct consul_report reported(void)
{
    struct consul_report report;
    consul_metrics_read(httpc_metrics(httpc), &report);
    return report;
}

TEST(test_announce__registrations_are_counted)
{
    begin_registered();
    struct consul_report report = reported();
    assert_int_equal(report.registrations.wanted, 3);
    assert_int_equal(report.registrations.registered, 3);
    assert_int_equal(report.registrations.pending, 0);
    assert_false(report.registrations.failing || report.registrations.draining);
    fake_rule(httpc, REGISTER_PATH, 403, 0, "Permission denied");
    serve("abc");
    fake_run(httpc, 2000);
    report = reported();
    assert_int_equal(report.registrations.registered, 3);
    assert_int_equal(report.registrations.pending, 1);
    assert_true(report.registrations.failing);
    assert_non_null(strstr(report.registration_error.text, "Permission denied"));
    announce_drain(announce, on_drained, NULL);
    fake_run(httpc, 1000);
    report = reported();
    assert_true(report.registrations.draining);
    assert_int_equal(report.registrations.wanted, 0);
}

TEST(test_announce__registrations_that_work_again_are_told)
{
    begin(NULL, NULL);
    fake_rule(httpc, "/v1/agent/services", 500, 0, "no");
    registry_set_ready(registry);
    serve("a");
    fake_run(httpc, 3000);
    struct consul_report report = reported();
    assert_true(report.registrations.failing);
    assert_true(report.registration_error.since_wall_ms > 0);
    tell_agent();
    fake_run(httpc, 3000);
    apply_writes(0);
    fake_run(httpc, 30000);
    report = reported();
    assert_false(report.registrations.failing);
    assert_int_equal(report.registration_error.since_wall_ms, 0);
    assert_int_equal(report.registrations.registered, 2);
}

TEST(test_announce__a_refused_child_does_not_keep_the_others_out)
{
    begin(NULL, NULL);
    registry_set_ready(registry);
    serve("abc");
    fake_no_rule(httpc, "/v1/agent/service/");
    fake_run(httpc, 1000);
    for (int i = 0; i < 4; i++) { /* the parent is taken, the first child is not */
        struct httpc_call *call = fake_pending(httpc, REGISTER_PATH);
        assert_non_null(call);
        fake_answer(httpc, call, i == 1 ? 400 : 200, 0, "");
        fake_run(httpc, 10);
    }
    assert_int_equal(fake_count(httpc, REGISTER), 4);
}

TEST(test_announce__a_parent_stays_beside_a_child_that_cannot_be_deregistered)
{
    begin_registered();
    fake_rule(httpc, "/v1/agent/service/deregister/" CHILD("a"), 500, 0, "no");
    announce_drain(announce, on_drained, NULL);
    fake_run(httpc, 1000);
    assert_int_equal(drained, 1);
    assert_int_equal(fake_count(httpc, DEREGISTER CHILD("b")), 1);
    assert_int_equal(fake_count(httpc, DEREGISTER PARENT), 0);
}

TEST(test_announce__a_drain_of_a_thousand_ends_in_time_and_leaves_the_parent)
{
    begin(NULL, NULL);
    registry_set_ready(registry);
    serve_many(1000);
    run_live(15000);
    size_t from = httpc->request_count;
    fake_no_rule(httpc, "/v1/agent/service/");
    announce_drain(announce, on_drained, NULL);
    for (int i = 0; i < 490; i++) { /* Consul takes 20 ms for each */
        fake_run(httpc, 20);
        struct httpc_call *call = fake_pending(httpc, "/v1/agent/service/");
        if (call != NULL)
            fake_answer(httpc, call, 200, 0, "");
    }
    assert_int_equal(drained, 0);
    fake_run(httpc, 300);
    assert_int_equal(drained, 1);
    assert_int_equal(fake_find(httpc, MAINTENANCE PARENT "?enable=true", from), from);
    assert_true(fake_count(httpc, DEREGISTER) >= 400);
    assert_int_equal(fake_count(httpc, DEREGISTER PARENT), 0);
    assert_null(httpc->calls);
    assert_null(httpc->timers.root);
}

TEST(test_announce__a_drain_of_a_thousand_is_done_in_time_by_a_quick_consul)
{
    begin(NULL, NULL);
    registry_set_ready(registry);
    serve_many(1000);
    run_live(15000);
    announce_drain(announce, on_drained, NULL);
    fake_run(httpc, 9900);
    assert_int_equal(drained, 1);
    assert_int_equal(fake_count(httpc, DEREGISTER), 1001);
    assert_int_equal(fake_count(httpc, DEREGISTER PARENT), 1);
    assert_bounded_rate(200);
}

TEST(test_announce__a_drain_waits_and_goes_on_when_consul_wants_fewer_writes)
{
    begin_registered();
    fake_rule(httpc, "/v1/agent/service/", 429, 0, "rate limit exceeded");
    announce_drain(announce, on_drained, NULL);
    fake_run(httpc, 0); /* the rest may be as short as a millisecond */
    assert_int_equal(fake_count(httpc, MAINTENANCE), 1);
    fake_rule(httpc, "/v1/agent/service/", 200, 0, "");
    fake_run(httpc, 5000);
    assert_int_equal(drained, 1);
    assert_int_equal(fake_count(httpc, DEREGISTER), 3);
    assert_int_equal(fake_count(httpc, DEREGISTER PARENT), 1);
}

TEST(test_announce__an_agent_busy_with_the_maintenance_is_given_time)
{
    begin_registered();
    fake_no_rule(httpc, "/v1/agent/service/");
    fake_rule(httpc, "/v1/agent/service/maintenance/", 200, 0, "");
    announce_drain(announce, on_drained, NULL);
    fake_run(httpc, 100);
    struct httpc_call *call = fake_pending(httpc, "/v1/agent/service/deregister/");
    assert_non_null(call);
    assert_int_equal(call->timeout_ms, 10000);
    fake_answer(httpc, call, 0, 0, "");
    assert_int_equal(drained, 0);
    fake_rule(httpc, "/v1/agent/service/deregister/", 200, 0, "");
    fake_run(httpc, 1000);
    assert_int_equal(drained, 1);
    assert_int_equal(fake_count(httpc, DEREGISTER), 4);
    assert_int_equal(fake_count(httpc, DEREGISTER PARENT), 1);
}

TEST(test_announce__an_agent_that_dies_in_the_midst_is_not_waited_for)
{
    begin_registered();
    fake_rule(httpc, "/v1/agent/service/deregister/", 0, 0, "");
    announce_drain(announce, on_drained, NULL);
    fake_run(httpc, 100);
    assert_int_equal(drained, 1);
    assert_int_equal(fake_count(httpc, DEREGISTER), 2);
    assert_int_equal(fake_count(httpc, DEREGISTER PARENT), 0);
}

TEST(test_announce__a_drain_takes_back_what_a_token_without_rights_does_not_show)
{
    begin_registered();
    cJSON_Delete(agent_services);
    agent_services = cJSON_CreateObject();
    tell_agent();
    fake_rule(httpc, REGISTER_PATH, 403, 0, "Permission denied");
    await_round();
    size_t from = httpc->request_count;
    announce_drain(announce, on_drained, NULL);
    fake_run(httpc, 1000);
    assert_true(fake_find(httpc, DEREGISTER CHILD("a"), from) != SIZE_MAX);
    assert_true(fake_find(httpc, DEREGISTER CHILD("b"), from) != SIZE_MAX);
    assert_true(fake_find(httpc, DEREGISTER PARENT, from) != SIZE_MAX);
}

TEST(test_announce__a_drain_cancels_what_is_under_way)
{
    begin_registered();
    fake_no_rule(httpc, SERVICES);
    fake_run(httpc, 12500);
    assert_int_equal(fake_count_pending(httpc, SERVICES), 1);
    announce_drain(announce, on_drained, NULL);
    assert_int_equal(fake_count_pending(httpc, SERVICES), 0);
    fake_run(httpc, 1000);
    assert_int_equal(drained, 1);
}

TEST(test_announce__a_registration_under_way_is_taken_back_by_the_drain)
{
    begin(NULL, NULL);
    fake_no_rule(httpc, "/v1/agent/service/");
    registry_set_ready(registry);
    serve("a");
    fake_run(httpc, 2000);
    assert_int_equal(fake_count_pending(httpc, "/v1/agent/service/register"), 1);
    fake_rule(httpc, "/v1/agent/service/", 200, 0, "");
    announce_drain(announce, on_drained, NULL);
    fake_run(httpc, 1000);
    assert_int_equal(fake_count(httpc, DEREGISTER PARENT), 1);
}

TEST(test_announce__nothing_is_registered_after_the_drain)
{
    begin_registered();
    announce_drain(announce, on_drained, NULL);
    fake_run(httpc, 1000);
    size_t before = httpc->request_count;
    serve("abcd");
    fake_run(httpc, 120000);
    assert_int_equal(httpc->request_count, before);
}

TEST(test_announce__freeing_leaves_nothing_behind)
{
    begin_registered();
    fake_no_rule(httpc, SERVICES);
    announce_wake(announce);
    fake_run(httpc, 12500);
    assert_int_equal(fake_count_pending(httpc, SERVICES), 1);
    announce_free(announce);
    announce = NULL;
    assert_null(httpc->calls);
    assert_null(httpc->timers.root);
}

TEST(test_announce__free_and_wake_take_null)
{
    announce_wake(NULL);
    announce_free(NULL);
}
/* -- reload ---------------------------------------------------------------------------------- */

static void reload(const char *setting)
{
    struct config *next = config_of("register.advertise=10.0.0.5", setting, NULL);
    announce_reload(announce, next);
    config_free(config);
    config = next;
}

TEST(test_announce__a_reload_rewrites_what_differs_at_once)
{
    begin_registered();
    size_t from = httpc->request_count;
    reload("register.tags=more");
    fake_run(httpc, 1000);
    assert_int_equal(fake_count(httpc, REGISTER), 6);
    for (size_t i = fake_find(httpc, REGISTER, from); i != SIZE_MAX;
         i = fake_find(httpc, REGISTER, i + 1))
        assert_non_null(strstr(httpc->requests[i].body, "\"more\""));
    apply_writes(from);
    fake_run(httpc, 60000);
    assert_int_equal(fake_count(httpc, REGISTER), 6);
}

TEST(test_announce__a_reload_that_changes_nothing_writes_nothing)
{
    begin_registered();
    reload(NULL);
    fake_run(httpc, 60000);
    assert_int_equal(fake_count(httpc, REGISTER), 3);
}

TEST(test_announce__a_reload_before_we_are_ready_registers_nothing)
{
    begin(NULL, NULL);
    serve("a");
    reload("register.tags=more");
    fake_run(httpc, 60000);
    assert_int_equal(httpc->request_count, 0);
}

TEST(test_announce__a_reload_while_stopping_registers_nothing)
{
    begin_registered();
    announce_drain(announce, on_drained, NULL);
    reload("register.tags=more");
    fake_run(httpc, 20000);
    assert_int_equal(fake_count(httpc, REGISTER), 3);
    assert_int_equal(drained, 1);
}

TEST(test_announce__after_a_reload_nothing_is_as_it_should_be_until_consul_says_so)
{
    static const char *const settings[] = {
        "register.tag=urlprefix-/other/<cluster-id>",
        "register.tags=more",
        "register.check_interval=7s",
        "register.check_timeout=3s",
        "register.deregister_after=40m",
    };
    begin_registered();
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        fake_rule(httpc, SERVICES, 0, 0, "connection refused");
        reload(settings[i]);
        fake_run(httpc, 1000);
        assert_int_equal(reported().registrations.registered, 0);
        assert_int_equal(reported().registrations.pending, 3);
        tell_agent();
        run_live(4000);
        assert_int_equal(reported().registrations.registered, 3);
        reload(NULL);
        run_live(4000);
    }
}

TEST(test_announce__what_is_written_during_a_reload_is_not_yet_as_it_should_be)
{
    begin_registered();
    fake_no_rule(httpc, REGISTER_PATH);
    fake_no_rule(httpc, "/v1/agent/service/");
    fake_rule(httpc, PARENT_PATH, 200, 0, "");
    serve("abc");
    fake_run(httpc, 2000);
    struct httpc_call *call = fake_pending(httpc, REGISTER_PATH);
    assert_non_null(call);
    fake_rule(httpc, SERVICES, 0, 0, "connection refused");
    reload("register.tags=more");
    fake_run(httpc, 2000);
    fake_answer(httpc, call, 200, 0, "");
    fake_run(httpc, 3000);
    assert_int_equal(reported().registrations.registered, 0);
    assert_int_equal(reported().registrations.pending, 4);
}

TEST(test_announce__reload_takes_null)
{
    announce_reload(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_announce__nothing_is_registered_before_we_are_ready,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__the_parent_comes_before_its_children, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__a_child_has_its_clusters_route_and_follows_the_parent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__registrations_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__registrations_that_work_again_are_told,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__clusters_without_a_list_have_no_child, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_announce__single_mode_registers_one_route_for_all,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__consul_forgets_children_before_their_parent,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__reads_before_it_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__writes_one_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__the_local_address_names_us_when_nothing_else_does, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__nothing_is_written_when_nothing_differs,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__a_lost_child_is_repaired, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__a_lost_check_is_repaired, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__a_new_cluster_is_registered_soon, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_announce__changes_that_concern_no_child_ask_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__many_changes_are_one_look, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__a_change_asks_for_the_parent_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__no_child_is_written_to_an_agent_that_lost_the_parent, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__an_agent_that_lost_all_is_found_out_by_the_parent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__a_change_while_consul_fails_does_not_hurry,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__a_child_that_was_changed_is_registered_again,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__children_under_an_older_address_are_removed_before_their_parent, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__a_thousand_lost_children_are_back_at_a_bounded_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__a_new_cluster_does_not_wait_for_repairs,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__a_cluster_that_ends_before_its_turn_costs_no_write, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__too_many_requests_slow_writing_down, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_announce__unavailable_slows_writing_down, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_announce__a_refused_read_is_tried_again_later, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__single_mode_does_the_same_for_ten_thousand_clusters, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__the_child_of_a_cluster_that_is_gone_is_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__services_of_others_are_left_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_announce__a_deregistration_of_what_is_away_is_done,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__a_refused_registration_is_tried_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_announce__a_403_reads_the_token_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_announce__an_unreadable_agent_is_not_written_to, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__our_own_maintenance_of_an_earlier_run_is_lifted_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__an_operators_maintenance_is_kept, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__drains_maintenance_then_children_then_the_parent, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__a_drain_takes_back_what_is_registered_not_what_is_served, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_announce__the_end_of_the_drain_is_told_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_announce__a_drain_without_registration_ends_at_once,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__a_drain_ends_when_consul_is_away, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_announce__a_drain_goes_on_after_a_refusal, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__a_drain_does_not_wait_for_a_reply_that_never_comes, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__a_slow_consul_does_not_hold_the_drain_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__a_failed_round_does_not_hide_what_was_registered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__a_refused_child_does_not_keep_the_others_out,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__a_parent_stays_beside_a_child_that_cannot_be_deregistered, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__a_drain_of_a_thousand_ends_in_time_and_leaves_the_parent, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__a_drain_of_a_thousand_is_done_in_time_by_a_quick_consul, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__a_drain_waits_and_goes_on_when_consul_wants_fewer_writes, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__a_drain_takes_back_what_a_token_without_rights_does_not_show, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_announce__a_drain_cancels_what_is_under_way, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__a_registration_under_way_is_taken_back_by_the_drain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__nothing_is_registered_after_the_drain, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_announce__freeing_leaves_nothing_behind, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__an_agent_busy_with_the_maintenance_is_given_time, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__an_agent_that_dies_in_the_midst_is_not_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__free_and_wake_take_null, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__a_reload_rewrites_what_differs_at_once,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__a_reload_that_changes_nothing_writes_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__a_reload_before_we_are_ready_registers_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announce__a_reload_while_stopping_registers_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__after_a_reload_nothing_is_as_it_should_be_until_consul_says_so, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_announce__what_is_written_during_a_reload_is_not_yet_as_it_should_be, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_announce__reload_takes_null, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
