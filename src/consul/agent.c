/* SPDX-License-Identifier: Apache-2.0 */
#include "consul/agent.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "consul/httpc.h"
#include "consul/json.h"
#include "consul/url.h"

/* Tells our own maintenance from an operator's. */
#define MAINTENANCE_REASON "nsaddrd is stopping"
#define MAINTENANCE_PREFIX "_service_maintenance:"

/* The members of an object by name: an object itself is a list, in which to find each of a thousand
 * members takes a million steps. */
struct index {
    const cJSON **members; /* sorted */
    size_t count;
};

struct agent_view {
    cJSON *services; /* ID -> service */
    cJSON *checks;   /* CheckID -> check, or NULL */
    struct index by_id;
    struct index by_check_id;
};

/* "<service-id>:check" */
static bool append_check_id(struct buf *out, const char *service_id)
{
    return buf_printf(out, "%s:check", service_id);
}

bool agent_deregister_path(struct buf *out, const char *service_id)
{
    (void)buf_append_str(out, "/v1/agent/service/deregister/");
    url_append_encoded(out, service_id);
    return !out->failed;
}

bool agent_maintenance_path(struct buf *out, const char *service_id, bool enable)
{
    (void)buf_append_str(out, "/v1/agent/service/maintenance/");
    url_append_encoded(out, service_id);
    url_append_param(out, "enable", enable ? "true" : "false");
    if (enable)
        url_append_param(out, "reason", MAINTENANCE_REASON);
    return !out->failed;
}

/* Names in these filters are of a plain alphabet (config and cluster ids), so they need no quoting
 * beyond the quotes; the caller's own comparison decides anyway. */
bool agent_services_path(struct buf *out, const char *owner)
{
    char filter[512];
    (void)snprintf(filter, sizeof filter, "Meta.owner == \"%s\"", owner);
    (void)buf_append_str(out, "/v1/agent/services");
    url_append_param(out, "filter", filter);
    return !out->failed;
}

bool agent_checks_path(struct buf *out, const char *name_prefix)
{
    char filter[512];
    (void)snprintf(filter, sizeof filter, "ServiceName matches \"^%s\"", name_prefix);
    (void)buf_append_str(out, "/v1/agent/checks");
    url_append_param(out, "filter", filter);
    return !out->failed;
}

bool agent_service_path(struct buf *out, const char *service_id)
{
    (void)buf_append_str(out, "/v1/agent/service/");
    url_append_encoded(out, service_id);
    return !out->failed;
}

bool agent_catalog_path(struct buf *out, const char *service)
{
    (void)buf_append_str(out, "/v1/health/service/");
    url_append_encoded(out, service);
    return !out->failed;
}

/* -- a registration -------------------------------------------------------------------------- */

/* Adds to `object`; remembers a failure in *ok so that a row of calls can be checked once. */
static void add_string(cJSON *object, const char *name, const char *value, bool *ok)
{
    *ok = cJSON_AddStringToObject(object, name, value) != NULL && *ok;
}

static void add_duration(cJSON *object, const char *name, int64_t ms, bool *ok)
{
    char text[32];
    if (ms % 1000 == 0)
        (void)snprintf(text, sizeof text, "%" PRId64 "s", ms / 1000);
    else
        (void)snprintf(text, sizeof text, "%" PRId64 "ms", ms);
    add_string(object, name, text, ok);
}

static cJSON *add_object(cJSON *object, const char *name, bool *ok)
{
    cJSON *made = cJSON_AddObjectToObject(object, name);
    *ok = made != NULL && *ok;
    return made;
}

static void add_tags(cJSON *object, const struct agent_service *s, bool *ok)
{
    cJSON *tags = cJSON_AddArrayToObject(object, "Tags");
    *ok = tags != NULL && *ok;
    for (size_t i = 0; i < s->tag_count && *ok; i++) {
        cJSON *tag = cJSON_CreateString(s->tags[i]);
        *ok = tag != NULL && cJSON_AddItemToArray(tags, tag);
        if (!*ok)
            cJSON_Delete(tag);
    }
}

static void add_check(cJSON *object, const struct agent_service *s, bool *ok)
{
    struct buf id;
    buf_init(&id, 1024);
    cJSON *check = add_object(object, "Check", ok);
    *ok = append_check_id(&id, s->id) && *ok;
    add_string(check, "CheckID", buf_text(&id), ok);
    /* Without it a service starts critical and is routed to only after its first check. */
    add_string(check, "Status", "passing", ok);
    add_duration(check, "DeregisterCriticalServiceAfter", s->deregister_after_ms, ok);
    if (s->check_url != NULL) {
        add_string(check, "Name", "nsaddrd is ready", ok);
        add_string(check, "HTTP", s->check_url, ok);
        add_duration(check, "Interval", s->interval_ms, ok);
        add_duration(check, "Timeout", s->timeout_ms, ok);
        *ok = cJSON_AddNumberToObject(check, "FailuresBeforeCritical", 2) != NULL && *ok;
    } else {
        add_string(check, "Name", "follows its parent", ok);
        add_string(check, "AliasService", s->alias_of, ok);
    }
    buf_clear(&id);
}

/* Everything but Meta.definition. NULL when out of memory. */
static cJSON *definition(const struct agent_service *s)
{
    bool ok = true;
    cJSON *root = cJSON_CreateObject();
    if (root == NULL)
        return NULL;
    add_string(root, "ID", s->id, &ok);
    add_string(root, "Name", s->name, &ok);
    add_string(root, "Address", s->address, &ok);
    ok = cJSON_AddNumberToObject(root, "Port", s->port) != NULL && ok;
    add_tags(root, s, &ok);
    add_check(root, s, &ok);
    cJSON *meta = add_object(root, "Meta", &ok);
    add_string(meta, "owner", s->owner, &ok);
    if (!ok) {
        cJSON_Delete(root);
        return NULL;
    }
    return root;
}

static bool definition_hash(const cJSON *root, char out[static 17])
{
    char *text = cJSON_PrintUnformatted(root);
    if (text == NULL)
        return false;
    (void)snprintf(out, 17, "%016" PRIx64, hash_bytes(text, strlen(text)));
    cJSON_free(text);
    return true;
}

bool agent_register_body(const struct agent_service *s, struct buf *out)
{
    char hash[17];
    char *text = NULL;
    cJSON *root = definition(s);
    bool ok = root != NULL && definition_hash(root, hash);
    if (ok)
        add_string(cJSON_GetObjectItemCaseSensitive(root, "Meta"), "definition", hash, &ok);
    if (ok)
        text = cJSON_PrintUnformatted(root);
    ok = text != NULL && buf_append_str(out, text);
    cJSON_free(text);
    cJSON_Delete(root);
    return ok;
}

/* -- what the agent has ---------------------------------------------------------------------- */

static cJSON *parse_map(const struct httpc_reply *reply, struct error *reterr)
{
    if (reply->status != 200) {
        if (reply->status == 0)
            error_set(reterr, "%s", reply->error);
        else
            error_set(reterr, "Consul answers %ld: %.200s", reply->status, reply->body);
        return NULL;
    }
    cJSON *map = json_parse(reply->body, reply->body_len, reterr);
    if (map != NULL && !cJSON_IsObject(map)) {
        error_set(reterr, "the reply is JSON, but not the object it should be");
        cJSON_Delete(map);
        return NULL;
    }
    return map;
}

static int compare_members(const void *a, const void *b)
{
    const cJSON *const *x = a;
    const cJSON *const *y = b;
    return strcmp((*x)->string, (*y)->string);
}

static bool index_make(struct index *index, const cJSON *object)
{
    size_t count = 0;
    const cJSON *member;
    cJSON_ArrayForEach(member, object) count++;
    const cJSON **members = calloc(count + 1, sizeof(const cJSON *));
    if (members == NULL)
        return false;
    count = 0;
    cJSON_ArrayForEach(member, object) members[count++] = member;
    qsort(members, count, sizeof *members, compare_members);
    *index = (struct index){.members = members, .count = count};
    return true;
}

static void index_clear(struct index *index)
{
    free(index->members);
    *index = (struct index){.count = 0};
}

static int compare_name(const void *name, const void *member)
{
    const cJSON *const *m = member;
    return strcmp(name, (*m)->string);
}

/* NULL when it is missing or there twice, as json_member() has it. */
static const cJSON *index_find(const struct index *index, const char *name)
{
    if (index->count == 0)
        return NULL;
    const cJSON **found =
        bsearch(name, index->members, index->count, sizeof *index->members, compare_name);
    if (found == NULL)
        return NULL;
    size_t at = (size_t)(found - index->members);
    bool twice = (at > 0 && strcmp(index->members[at - 1]->string, name) == 0) ||
                 (at + 1 < index->count && strcmp(index->members[at + 1]->string, name) == 0);
    return twice ? NULL : *found;
}

struct agent_view *agent_view_new(const struct httpc_reply *services_reply, struct error *reterr)
{
    cJSON *services = parse_map(services_reply, reterr);
    if (services == NULL)
        return NULL;
    struct agent_view *v = calloc(1, sizeof *v);
    if (v == NULL || !index_make(&v->by_id, services)) {
        error_set(reterr, "out of memory");
        cJSON_Delete(services);
        free(v);
        return NULL;
    }
    v->services = services;
    return v;
}

bool agent_view_add_checks(struct agent_view *v, const struct httpc_reply *reply,
                           struct error *reterr)
{
    struct index by_check_id;
    cJSON *checks = parse_map(reply, reterr);
    if (checks == NULL)
        return false;
    if (!index_make(&by_check_id, checks)) {
        cJSON_Delete(checks);
        return error_set(reterr, "out of memory");
    }
    index_clear(&v->by_check_id);
    cJSON_Delete(v->checks);
    v->by_check_id = by_check_id;
    v->checks = checks;
    return true;
}

void agent_view_free(struct agent_view *v)
{
    if (v == NULL)
        return;
    index_clear(&v->by_id);
    index_clear(&v->by_check_id);
    cJSON_Delete(v->services);
    cJSON_Delete(v->checks);
    free(v);
}

static bool same_text(const cJSON *object, const char *name, const char *wanted)
{
    const char *text = json_string(object, name);
    return text != NULL && strcmp(text, wanted) == 0;
}

static bool same_tags(const cJSON *tags, const struct agent_service *s)
{
    size_t i = 0;
    const cJSON *tag;
    cJSON_ArrayForEach(tag, tags)
    {
        const char *text = cJSON_GetStringValue(tag);
        if (i == s->tag_count || text == NULL || strcmp(text, s->tags[i]) != 0)
            return false;
        i++;
    }
    return i == s->tag_count;
}

static bool has_check(const struct agent_view *v, const char *service_id)
{
    struct buf id;
    buf_init(&id, 1024);
    bool has = append_check_id(&id, service_id) &&
               same_text(index_find(&v->by_check_id, buf_text(&id)), "ServiceID", service_id);
    buf_clear(&id);
    return has;
}

bool agent_view_lists(const struct agent_view *v, const char *service_id)
{
    return index_find(&v->by_id, service_id) != NULL;
}

bool agent_view_has(const struct agent_view *v, const struct agent_service *s)
{
    char hash[17];
    const cJSON *has = index_find(&v->by_id, s->id);
    const cJSON *meta = json_member(has, "Meta");
    if (has == NULL || !same_text(has, "Service", s->name) ||
        !same_text(has, "Address", s->address) || json_port(json_member(has, "Port")) != s->port ||
        !same_tags(json_member(has, "Tags"), s) || !same_text(meta, "owner", s->owner) ||
        !has_check(v, s->id))
        return false;
    cJSON *wanted = definition(s);
    bool same =
        wanted != NULL && definition_hash(wanted, hash) && same_text(meta, "definition", hash);
    cJSON_Delete(wanted);
    return same;
}

bool agent_view_in_own_maintenance(const struct agent_view *v, const char *service_id)
{
    struct buf id;
    buf_init(&id, 1024);
    bool ours = buf_printf(&id, "%s%s", MAINTENANCE_PREFIX, service_id) &&
                same_text(index_find(&v->by_check_id, buf_text(&id)), "Notes", MAINTENANCE_REASON);
    buf_clear(&id);
    return ours;
}

void agent_view_each(const struct agent_view *v, const char *owner,
                     void (*visit)(const char *service_id, void *arg), void *arg)
{
    const cJSON *service;
    cJSON_ArrayForEach(service, v->services)
    {
        if (same_text(json_member(service, "Meta"), "owner", owner))
            visit(service->string, arg);
    }
}

bool agent_catalog_lists(const struct httpc_reply *reply, const char *service_id)
{
    struct error ignored;
    if (reply->status != 200)
        return false;
    cJSON *list = json_parse(reply->body, reply->body_len, &ignored);
    bool found = false;
    const cJSON *row;
    cJSON_ArrayForEach(row, list) found |= same_text(json_member(row, "Service"), "ID", service_id);
    cJSON_Delete(list);
    return found;
}

const char *agent_library_version(void)
{
    return cJSON_Version();
}
