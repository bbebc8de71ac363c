/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>

#include "base/buf.h"
#include "consul/agent.h"
#include "consul/httpc.h"
#include "unit.h"

static const char *const tags[] = {"urlprefix-/rocketmq/a", "more"};
static struct error error;

static struct agent_service parent(void)
{
    return (struct agent_service){
        .id = "idx-h-8080",
        .name = "idx",
        .owner = "idx-h-8080",
        .address = "10.0.0.5",
        .port = 8080,
        .check_url = "http://10.0.0.5:8080/readyz",
        .interval_ms = 5000,
        .timeout_ms = 2000,
        .deregister_after_ms = 1800000,
    };
}

static struct agent_service child(void)
{
    return (struct agent_service){
        .id = "idx-a-h-8080",
        .name = "idx-a",
        .owner = "idx-h-8080",
        .address = "10.0.0.5",
        .port = 8080,
        .tags = tags,
        .tag_count = 2,
        .alias_of = "idx-h-8080",
        .deregister_after_ms = 1800000,
    };
}

static cJSON *body_of(const struct agent_service *s)
{
    struct buf b;
    buf_init(&b, 65536);
    assert_true(agent_register_body(s, &b));
    cJSON *root = cJSON_Parse(buf_text(&b));
    assert_non_null(root);
    buf_clear(&b);
    return root;
}

/* The names of an object's members with blanks between. */
static const char *members(const cJSON *object)
{
    static char out[512];
    size_t len = 0;
    const cJSON *item;
    out[0] = '\0';
    cJSON_ArrayForEach(item, object) len +=
        (size_t)snprintf(out + len, sizeof out - len, "%s%s", len > 0 ? " " : "", item->string);
    return out;
}

static const char *text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text != NULL ? text : "(none)";
}

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* -- registration ---------------------------------------------------------------------------- */

TEST(test_agent__a_registration_has_only_members_that_consul_knows)
{
    struct agent_service s = parent();
    cJSON *body = body_of(&s);
    assert_string_equal(members(body), "ID Name Address Port Tags Check Meta");
    assert_string_equal(members(member(body, "Meta")), "owner definition");
    assert_string_equal(members(member(body, "Check")),
                        "CheckID Status DeregisterCriticalServiceAfter Name HTTP Interval Timeout "
                        "FailuresBeforeCritical");
    cJSON_Delete(body);
}

TEST(test_agent__an_alias_registration_has_only_members_that_consul_knows)
{
    struct agent_service s = child();
    cJSON *body = body_of(&s);
    assert_string_equal(members(member(body, "Check")),
                        "CheckID Status DeregisterCriticalServiceAfter Name AliasService");
    cJSON_Delete(body);
}

TEST(test_agent__a_registration_says_where_we_are)
{
    struct agent_service s = child();
    cJSON *body = body_of(&s);
    assert_string_equal(text_of(body, "ID"), "idx-a-h-8080");
    assert_string_equal(text_of(body, "Name"), "idx-a");
    assert_string_equal(text_of(body, "Address"), "10.0.0.5");
    assert_int_equal(member(body, "Port")->valueint, 8080);
    assert_string_equal(text_of(member(body, "Meta"), "owner"), "idx-h-8080");
    cJSON_Delete(body);
}

TEST(test_agent__a_registration_has_its_tags_in_order)
{
    struct agent_service s = child();
    cJSON *body = body_of(&s);
    const cJSON *list = member(body, "Tags");
    assert_int_equal(cJSON_GetArraySize(list), 2);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(list, 0)), tags[0]);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(list, 1)), tags[1]);
    cJSON_Delete(body);
}

TEST(test_agent__the_parents_check_asks_us)
{
    struct agent_service s = parent();
    cJSON *body = body_of(&s);
    const cJSON *check = member(body, "Check");
    assert_string_equal(text_of(check, "CheckID"), "idx-h-8080:check");
    assert_string_equal(text_of(check, "HTTP"), "http://10.0.0.5:8080/readyz");
    assert_string_equal(text_of(check, "Interval"), "5s");
    assert_string_equal(text_of(check, "Timeout"), "2s");
    assert_string_equal(text_of(check, "DeregisterCriticalServiceAfter"), "1800s");
    assert_string_equal(text_of(check, "Status"), "passing");
    assert_int_equal(member(check, "FailuresBeforeCritical")->valueint, 2);
    cJSON_Delete(body);
}

TEST(test_agent__a_childs_check_follows_the_parents_id)
{
    struct agent_service s = child();
    cJSON *body = body_of(&s);
    const cJSON *check = member(body, "Check");
    assert_string_equal(text_of(check, "AliasService"), "idx-h-8080");
    assert_string_equal(text_of(check, "Status"), "passing");
    cJSON_Delete(body);
}

TEST(test_agent__the_same_definition_has_the_same_bytes)
{
    struct buf a, b;
    struct agent_service s = child();
    buf_init(&a, 65536);
    buf_init(&b, 65536);
    assert_true(agent_register_body(&s, &a) && agent_register_body(&s, &b));
    assert_string_equal(buf_text(&a), buf_text(&b));
    buf_clear(&a);
    buf_clear(&b);
}

TEST(test_agent__a_body_that_does_not_fit_is_a_failure)
{
    struct buf b;
    struct agent_service s = parent();
    buf_init(&b, 10);
    assert_false(agent_register_body(&s, &b));
    buf_clear(&b);
}

/* -- paths ----------------------------------------------------------------------------------- */

TEST(test_agent__paths_encode_what_they_name)
{
    struct buf b;
    buf_init(&b, 512);
    assert_true(agent_deregister_path(&b, "a/b"));
    assert_string_equal(buf_text(&b), "/v1/agent/service/deregister/a%2Fb");
    buf_clear(&b);
    assert_true(agent_maintenance_path(&b, "a", true));
    assert_string_equal(
        buf_text(&b), "/v1/agent/service/maintenance/a?enable=true&reason=nsaddrd%20is%20stopping");
    buf_clear(&b);
    assert_true(agent_maintenance_path(&b, "a", false));
    assert_string_equal(buf_text(&b), "/v1/agent/service/maintenance/a?enable=false");
    buf_clear(&b);
    assert_true(agent_services_path(&b, "idx-h-1"));
    assert_string_equal(buf_text(&b),
                        "/v1/agent/services?filter=Meta.owner%20%3D%3D%20%22idx-h-1%22");
    buf_clear(&b);
    assert_true(agent_checks_path(&b, "idx"));
    assert_string_equal(buf_text(&b),
                        "/v1/agent/checks?filter=ServiceName%20matches%20%22%5Eidx%22");
    buf_clear(&b);
    assert_true(agent_catalog_path(&b, "idx"));
    assert_string_equal(buf_text(&b), "/v1/health/service/idx");
    buf_clear(&b);
}

/* -- what the agent has ---------------------------------------------------------------------- */

static struct httpc_reply reply_of(const char *body)
{
    return (struct httpc_reply){
        .status = 200, .body = body, .body_len = strlen(body), .local_ip = ""};
}

/* What an agent answers when `s` was registered, to be spoilt by a test. */
static cJSON *services_with(const struct agent_service *s)
{
    cJSON *body = body_of(s);
    cJSON *all = cJSON_CreateObject();
    cJSON *service = cJSON_AddObjectToObject(all, s->id);
    cJSON_AddStringToObject(service, "ID", s->id);
    cJSON_AddStringToObject(service, "Service", s->name);
    cJSON_AddItemToObject(service, "Tags", cJSON_Duplicate(member(body, "Tags"), 1));
    cJSON_AddItemToObject(service, "Meta", cJSON_Duplicate(member(body, "Meta"), 1));
    cJSON_AddNumberToObject(service, "Port", s->port);
    cJSON_AddStringToObject(service, "Address", s->address);
    cJSON_AddStringToObject(service, "Datacenter", "dc1");
    cJSON_Delete(body);
    return all;
}

static cJSON *checks_with(const struct agent_service *s)
{
    cJSON *all = cJSON_CreateObject();
    char id[256];
    (void)snprintf(id, sizeof id, "%s:check", s->id);
    cJSON *check = cJSON_AddObjectToObject(all, id);
    cJSON_AddStringToObject(check, "CheckID", id);
    cJSON_AddStringToObject(check, "ServiceID", s->id);
    return all;
}

/* Both are consumed; `checks` NULL: they were not asked for. */
static struct agent_view *view_of(cJSON *services, cJSON *checks)
{
    char *text = cJSON_PrintUnformatted(services);
    struct httpc_reply reply = reply_of(text);
    struct agent_view *v = agent_view_new(&reply, &error);
    assert_non_null(v);
    cJSON_free(text);
    cJSON_Delete(services);
    if (checks != NULL) {
        text = cJSON_PrintUnformatted(checks);
        reply = reply_of(text);
        assert_true(agent_view_add_checks(v, &reply, &error));
        cJSON_free(text);
        cJSON_Delete(checks);
    }
    return v;
}

static bool has(const struct agent_service *s, cJSON *services, cJSON *checks)
{
    struct agent_view *v = view_of(services, checks);
    bool found = agent_view_has(v, s);
    agent_view_free(v);
    return found;
}

static cJSON *only(cJSON *object)
{
    return object->child;
}

TEST(test_agent__sees_what_was_registered)
{
    struct agent_service p = parent(), c = child();
    assert_true(has(&p, services_with(&p), checks_with(&p)));
    assert_true(has(&c, services_with(&c), checks_with(&c)));
}

TEST(test_agent__misses_a_service)
{
    struct agent_service s = child();
    assert_false(has(&s, cJSON_CreateObject(), checks_with(&s)));
}

TEST(test_agent__lists_what_is_there_in_whatever_form)
{
    struct agent_view *v =
        view_of(cJSON_Parse("{\"d\":{},\"b\":{},\"c\":null,\"e\":{},\"a\":1}"), NULL);
    static const char *const listed[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < COUNT_OF(listed); i++)
        assert_true(agent_view_lists(v, listed[i]));
    assert_false(agent_view_lists(v, "bb"));
    assert_false(agent_view_lists(v, ""));
    agent_view_free(v);
}

TEST(test_agent__what_is_there_twice_is_not_there)
{
    struct agent_view *v = view_of(cJSON_Parse("{\"b\":{},\"a\":{},\"b\":{}}"), NULL);
    assert_true(agent_view_lists(v, "a"));
    assert_false(agent_view_lists(v, "b"));
    agent_view_free(v);
}

TEST(test_agent__misses_a_check)
{
    struct agent_service s = child();
    assert_false(has(&s, services_with(&s), cJSON_CreateObject()));
    assert_false(has(&s, services_with(&s), NULL));
}

TEST(test_agent__a_check_of_another_service_is_not_ours)
{
    struct agent_service s = child();
    cJSON *checks = checks_with(&s);
    cJSON_ReplaceItemInObjectCaseSensitive(only(checks), "ServiceID", cJSON_CreateString("other"));
    assert_false(has(&s, services_with(&s), checks));
}

TEST(test_agent__sees_another_name)
{
    struct agent_service s = child();
    cJSON *services = services_with(&s);
    cJSON_ReplaceItemInObjectCaseSensitive(only(services), "Service", cJSON_CreateString("idx-b"));
    assert_false(has(&s, services, checks_with(&s)));
}

TEST(test_agent__sees_another_address)
{
    struct agent_service s = child();
    cJSON *services = services_with(&s);
    cJSON_ReplaceItemInObjectCaseSensitive(only(services), "Address", cJSON_CreateString(""));
    assert_false(has(&s, services, checks_with(&s)));
}

TEST(test_agent__sees_another_port)
{
    struct agent_service s = child();
    cJSON *services = services_with(&s);
    cJSON_ReplaceItemInObjectCaseSensitive(only(services), "Port", cJSON_CreateNumber(8081));
    assert_false(has(&s, services, checks_with(&s)));
}

TEST(test_agent__sees_another_tag)
{
    struct agent_service s = child();
    cJSON *services = services_with(&s);
    cJSON *list = cJSON_GetObjectItemCaseSensitive(only(services), "Tags");
    cJSON_ReplaceItemInArray(list, 0, cJSON_CreateString("urlprefix-/rocketmq/b"));
    assert_false(has(&s, services, checks_with(&s)));
}

TEST(test_agent__sees_a_tag_too_few_and_one_too_many)
{
    struct agent_service s = child();
    cJSON *services = services_with(&s);
    cJSON_DeleteItemFromArray(cJSON_GetObjectItemCaseSensitive(only(services), "Tags"), 1);
    assert_false(has(&s, services, checks_with(&s)));
    services = services_with(&s);
    cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(only(services), "Tags"),
                         cJSON_CreateString("x"));
    assert_false(has(&s, services, checks_with(&s)));
}

TEST(test_agent__no_tags_may_be_null)
{
    struct agent_service s = parent();
    cJSON *services = services_with(&s);
    cJSON_ReplaceItemInObjectCaseSensitive(only(services), "Tags", cJSON_CreateNull());
    assert_true(has(&s, services, checks_with(&s)));
}

TEST(test_agent__sees_another_owner)
{
    struct agent_service s = child();
    cJSON *services = services_with(&s);
    cJSON *meta = cJSON_GetObjectItemCaseSensitive(only(services), "Meta");
    cJSON_ReplaceItemInObjectCaseSensitive(meta, "owner", cJSON_CreateString("other"));
    assert_false(has(&s, services, checks_with(&s)));
}

/* What the agent does not show (its checks' details) is in the hash of the definition. */
TEST(test_agent__sees_another_definition_by_its_hash)
{
    struct agent_service s = parent();
    struct agent_service changed[] = {s, s, s, s, s};
    changed[0].check_url = "http://10.0.0.5:8081/readyz";
    changed[1].interval_ms++;
    changed[2].timeout_ms++;
    changed[3].deregister_after_ms++;
    changed[4].check_url = NULL;
    changed[4].alias_of = "x";
    for (size_t i = 0; i < COUNT_OF(changed); i++)
        assert_false(has(&changed[i], services_with(&s), checks_with(&s)));
}

TEST(test_agent__a_registration_without_our_hash_is_another)
{
    struct agent_service s = parent();
    cJSON *services = services_with(&s);
    cJSON *meta = cJSON_GetObjectItemCaseSensitive(only(services), "Meta");
    cJSON_DeleteItemFromObjectCaseSensitive(meta, "definition");
    assert_false(has(&s, services, checks_with(&s)));
    services = services_with(&s);
    cJSON_DeleteItemFromObjectCaseSensitive(only(services), "Meta");
    assert_false(has(&s, services, checks_with(&s)));
}

static bool in_own_maintenance(const char *notes)
{
    struct agent_service s = parent();
    cJSON *checks = checks_with(&s);
    cJSON *check = cJSON_AddObjectToObject(checks, "_service_maintenance:idx-h-8080");
    cJSON_AddStringToObject(check, "ServiceID", s.id);
    cJSON_AddStringToObject(check, "Notes", notes);
    struct agent_view *v = view_of(services_with(&s), checks);
    bool ours = agent_view_in_own_maintenance(v, s.id);
    agent_view_free(v);
    return ours;
}

TEST(test_agent__knows_its_own_maintenance)
{
    assert_true(in_own_maintenance("nsaddrd is stopping"));
}

TEST(test_agent__leaves_an_operators_maintenance_alone)
{
    assert_false(in_own_maintenance("kernel update"));
    assert_false(in_own_maintenance("Maintenance mode is enabled for this service, but no reason "
                                    "was provided. This is a default message."));
}

TEST(test_agent__without_checks_there_is_no_maintenance)
{
    struct agent_service s = parent();
    struct agent_view *v = view_of(services_with(&s), NULL);
    assert_false(agent_view_in_own_maintenance(v, s.id));
    agent_view_free(v);
}

static void note_id(const char *id, void *arg)
{
    char *out = arg;
    size_t len = strlen(out);
    (void)snprintf(out + len, 256 - len, "%s ", id);
}

TEST(test_agent__each_visits_our_services_only)
{
    char out[256] = "";
    struct httpc_reply reply =
        reply_of("{\"a\":{\"Meta\":{\"owner\":\"me\"}},\"b\":{\"Meta\":{\"owner\":\"you\"}},"
                 "\"c\":{\"Meta\":null},\"d\":{},\"e\":{\"Meta\":{\"owner\":\"me\"}}}");
    struct agent_view *v = agent_view_new(&reply, &error);
    assert_non_null(v);
    agent_view_each(v, "me", note_id, out);
    assert_string_equal(out, "a e ");
    agent_view_free(v);
}

TEST(test_agent__replies_that_are_no_map_are_errors)
{
    static const char *const bad[] = {"", "[]", "null", "<html>", "{\"a\":", "5"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct httpc_reply reply = reply_of(bad[i]);
        if (agent_view_new(&reply, &error) != NULL)
            fail_msg("%s was taken", bad[i]);
    }
}

TEST(test_agent__refusals_of_consul_are_told)
{
    struct httpc_reply reply = reply_of("Permission denied");
    reply.status = 403;
    assert_null(agent_view_new(&reply, &error));
    assert_says(&error, "Consul answers 403: Permission denied");
    reply = (struct httpc_reply){.error = "refused", .body = ""};
    assert_null(agent_view_new(&reply, &error));
    assert_says(&error, "refused");
}

TEST(test_agent__bad_checks_leave_the_view_usable)
{
    struct agent_service s = parent();
    struct agent_view *v = view_of(services_with(&s), checks_with(&s));
    struct httpc_reply bad = reply_of("[]");
    assert_false(agent_view_add_checks(v, &bad, &error));
    assert_true(agent_view_has(v, &s));
    agent_view_free(v);
}

TEST(test_agent__finds_itself_in_the_catalog)
{
    struct httpc_reply reply =
        reply_of("[{\"Service\":{\"ID\":\"x\"}},{\"Service\":{\"ID\":\"idx-h-8080\"}}]");
    assert_true(agent_catalog_lists(&reply, "idx-h-8080"));
    assert_false(agent_catalog_lists(&reply, "idx-h-8081"));
    reply.status = 500;
    assert_false(agent_catalog_lists(&reply, "idx-h-8080"));
    reply = reply_of("<html>");
    assert_false(agent_catalog_lists(&reply, "idx-h-8080"));
}

TEST(test_agent__free_takes_null)
{
    agent_view_free(NULL);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agent__a_registration_has_only_members_that_consul_knows),
        cmocka_unit_test(test_agent__an_alias_registration_has_only_members_that_consul_knows),
        cmocka_unit_test(test_agent__a_registration_says_where_we_are),
        cmocka_unit_test(test_agent__a_registration_has_its_tags_in_order),
        cmocka_unit_test(test_agent__the_parents_check_asks_us),
        cmocka_unit_test(test_agent__a_childs_check_follows_the_parents_id),
        cmocka_unit_test(test_agent__the_same_definition_has_the_same_bytes),
        cmocka_unit_test(test_agent__a_body_that_does_not_fit_is_a_failure),
        cmocka_unit_test(test_agent__paths_encode_what_they_name),
        cmocka_unit_test(test_agent__sees_what_was_registered),
        cmocka_unit_test(test_agent__misses_a_service),
        cmocka_unit_test(test_agent__lists_what_is_there_in_whatever_form),
        cmocka_unit_test(test_agent__what_is_there_twice_is_not_there),
        cmocka_unit_test(test_agent__misses_a_check),
        cmocka_unit_test(test_agent__a_check_of_another_service_is_not_ours),
        cmocka_unit_test(test_agent__sees_another_name),
        cmocka_unit_test(test_agent__sees_another_address),
        cmocka_unit_test(test_agent__sees_another_port),
        cmocka_unit_test(test_agent__sees_another_tag),
        cmocka_unit_test(test_agent__sees_a_tag_too_few_and_one_too_many),
        cmocka_unit_test(test_agent__no_tags_may_be_null),
        cmocka_unit_test(test_agent__sees_another_owner),
        cmocka_unit_test(test_agent__sees_another_definition_by_its_hash),
        cmocka_unit_test(test_agent__a_registration_without_our_hash_is_another),
        cmocka_unit_test(test_agent__knows_its_own_maintenance),
        cmocka_unit_test(test_agent__leaves_an_operators_maintenance_alone),
        cmocka_unit_test(test_agent__without_checks_there_is_no_maintenance),
        cmocka_unit_test(test_agent__each_visits_our_services_only),
        cmocka_unit_test(test_agent__replies_that_are_no_map_are_errors),
        cmocka_unit_test(test_agent__refusals_of_consul_are_told),
        cmocka_unit_test(test_agent__bad_checks_leave_the_view_usable),
        cmocka_unit_test(test_agent__finds_itself_in_the_catalog),
        cmocka_unit_test(test_agent__free_takes_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
