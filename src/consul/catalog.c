/* SPDX-License-Identifier: Apache-2.0 */
#include "consul/catalog.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "config/config.h"
#include "consul/httpc.h"
#include "consul/json.h"
#include "consul/url.h"

/* -- URLs ------------------------------------------------------------------------------------ */

static void append_optional(struct buf *out, const char *name, const char *value)
{
    if (value[0] != '\0')
        url_append_param(out, name, value);
}

static bool append_query(struct buf *out, const struct config *c, const struct catalog_read *read)
{
    append_optional(out, "dc", c->consul.datacenter);
    append_optional(out, "ns", c->consul.namespace);
    append_optional(out, "partition", c->consul.partition);
    if (read->index > 0) {
        url_append_flag(out, "index");
        (void)buf_printf(out, "=%" PRIu64 "&wait=%" PRId64 "ms", read->index, read->wait_ms);
    }
    if (read->consistent || c->consul.consistency == CONSISTENCY_CONSISTENT)
        url_append_flag(out, "consistent");
    else if (read->authoritative) /* for agents whose discovery_max_stale makes stale the default */
        url_append_flag(out, "leader");
    else if (c->consul.consistency == CONSISTENCY_STALE)
        url_append_flag(out, "stale");
    return !out->failed;
}

bool catalog_services_path(struct buf *out, const struct config *c, const struct catalog_read *read)
{
    (void)buf_append_str(out, "/v1/catalog/services");
    return append_query(out, c, read);
}

bool catalog_health_path(struct buf *out, const struct config *c, const char *service,
                         const struct catalog_read *read)
{
    (void)buf_append_str(out, "/v1/health/service/");
    url_append_encoded(out, service);
    return append_query(out, c, read);
}

/* Consul's `matches` is a regular expression that is not anchored (go-bexpr on RE2). */
static bool make_filter(struct buf *out, const struct config *c, bool of_nodes)
{
    (void)buf_append_str(out, "ServiceName matches `^");
    for (const char *p = c->consul.service_prefix; *p != '\0'; p++)
        (void)buf_printf(out, isalnum((unsigned char)*p) ? "%c" : "[%c]", *p);
    return buf_append_str(out, of_nodes ? "` or ServiceID == \"\"" : "`");
}

bool catalog_checks_path(struct buf *out, const struct config *c, const char *state, bool of_nodes,
                         const struct catalog_read *read)
{
    struct buf filter;
    buf_init(&filter, 4096);
    bool ok = buf_printf(out, "/v1/health/state/%s", state) && append_query(out, c, read) &&
              make_filter(&filter, c, of_nodes);
    if (ok)
        url_append_param(out, "filter", buf_text(&filter));
    buf_clear(&filter);
    return ok && !out->failed;
}

int64_t catalog_timeout_ms(const struct catalog_read *read)
{
    int64_t wait = read->index > 0 ? read->wait_ms : 0;
    return wait + wait / 16 + 15000;
}

/* -- replies --------------------------------------------------------------------------------- */

bool catalog_reply_ok(const struct httpc_reply *reply, struct error *reterr)
{
    if (reply->status == 0)
        return error_set(reterr, "%s", reply->error);
    if (reply->status != 200)
        return error_set(reterr, "Consul answers %ld: %.200s", reply->status, reply->body);
    if (reply->index == 0)
        return error_set(reterr, "the reply has no X-Consul-Index: is this Consul?");
    if (reply->leader_unknown && !reply->streaming)
        return error_set(reterr, "Consul has no leader, so its answer may be old");
    return true;
}

bool catalog_maybe_cut(const struct httpc_reply *reply, bool has_token)
{
    return reply->filtered || (reply->default_deny && !has_token);
}

bool catalog_parse_services(const struct httpc_reply *reply,
                            void (*visit)(const char *name, void *arg), void *arg,
                            struct error *reterr)
{
    cJSON *root = json_parse(reply->body, reply->body_len, reterr);
    if (root == NULL)
        return false;
    bool ok = cJSON_IsObject(root);
    const cJSON *item;
    if (ok)
        cJSON_ArrayForEach(item, root) visit(item->string, arg);
    else
        error_set(reterr, "the reply is JSON, but not the object of services it should be");
    cJSON_Delete(root);
    return ok;
}

/* -- one instance ---------------------------------------------------------------------------- */

struct row {
    const cJSON *row;
    const cJSON *service;
    const cJSON *node;
    const char *id;
};

/* Service-level tagged addresses are objects, node-level ones plain strings. */
static const char *tagged_address(const struct row *r, const char *tag, long *port)
{
    const cJSON *own = json_member(json_member(r->service, "TaggedAddresses"), tag);
    const char *address = json_string(own, "Address");
    if (address != NULL && address[0] != '\0') {
        *port = json_port(json_member(own, "Port"));
        return address;
    }
    return json_string(json_member(r->node, "TaggedAddresses"), tag);
}

/* Why an instance cannot be served. */
enum flaw { NO_FLAW, NOT_TEXT, TWICE, NO_ADDRESS, BAD_PORT, NO_LITERAL };

static const struct {
    const char *why;
    enum instance_skip skip;
} flaws[] = {
    [NO_FLAW] = {"", INSTANCE_SKIPS},
    [NOT_TEXT] = {"its Address is not text", INSTANCE_SKIP_MALFORMED},
    [TWICE] = {"a member of it is there twice", INSTANCE_SKIP_MALFORMED},
    [NO_ADDRESS] = {"it has no such address (consul.address_from)", INSTANCE_SKIP_ADDRESS},
    [BAD_PORT] = {"its port is not one of 1 to 65535", INSTANCE_SKIP_PORT},
    [NO_LITERAL] = {"its address is not a literal IP that clients could use",
                    INSTANCE_SKIP_ADDRESS},
};

static enum flaw make_endpoint(const struct row *r, const char *address, long port,
                               struct endpoint *out)
{
    const cJSON *own = json_member(r->service, "Address");
    if (own != NULL && !cJSON_IsString(own) && !cJSON_IsNull(own))
        return NOT_TEXT;
    if (json_has_duplicates(r->row) || json_has_duplicates(r->service) ||
        json_has_duplicates(r->node))
        return TWICE;
    if (address == NULL || address[0] == '\0')
        return NO_ADDRESS;
    if (port < 1)
        return BAD_PORT;
    return endpoint_make(out, address, port) ? NO_FLAW : NO_LITERAL;
}

static enum flaw read_endpoint(const struct row *r, const char *from, struct endpoint *out,
                               struct report *report)
{
    long port = json_port(json_member(r->service, "Port"));
    const char *of_service = json_string(r->service, "Address");
    const char *of_node = json_string(r->node, "Address");
    const char *address;
    if (strcmp(from, "service") == 0)
        address = of_service;
    else if (strcmp(from, "node") == 0)
        address = of_node;
    else if (strcmp(from, "auto") == 0)
        address = of_service != NULL && of_service[0] != '\0' ? of_service : of_node;
    else
        address = tagged_address(r, from, &port);

    enum flaw flaw = make_endpoint(r, address, port, out);
    report->address = address != NULL ? address : "";
    report->port = port > 0 ? (unsigned)port : 0;
    report->detail = flaws[flaw].why;
    return flaw;
}

/* Maintenance is an extra critical check of a fixed name (structs.go NodeMaint,
 * ServiceMaintPrefix). */
static bool is_maintenance(const char *check_id)
{
    static const char service_prefix[] = "_service_maintenance:";
    return check_id != NULL && (strcmp(check_id, "_node_maintenance") == 0 ||
                                strncmp(check_id, service_prefix, sizeof service_prefix - 1) == 0);
}

static void note_check(struct catalog_health *out, const cJSON *check, const char *status)
{
    const char *node = json_string(check, "Node");
    const char *id = json_string(check, "CheckID");
    const char *of_service = json_string(check, "ServiceID");
    struct check_row row = {.node = node != NULL ? node : "",
                            .check_id = id != NULL ? id : "",
                            .service_id = of_service != NULL ? of_service : "",
                            .status = status};
    if (row.service_id[0] != '\0')
        rows_sum_add(&out->rows[VIEW_ALL], &row);
    if (strcmp(status, "critical") == 0)
        rows_sum_add(&out->rows[VIEW_CRITICAL], &row);
    else if (strcmp(status, "warning") == 0)
        rows_sum_add(&out->rows[VIEW_WARNING], &row);
}

static void note_checks(struct catalog_health *out, const cJSON *checks)
{
    const cJSON *check;
    cJSON_ArrayForEach(check, checks) note_check(out, check, json_string(check, "Status"));
}

/* Passing, warning, what else there is, maintenance. */
static int badness(const char *status, bool maintenance)
{
    return strcmp(status, "passing") == 0   ? 0
           : maintenance                    ? 3
           : strcmp(status, "warning") == 0 ? 1
                                            : 2;
}

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static bool read_health(const cJSON *checks, int64_t accept, struct report *report)
{
    int worst = 0;
    const cJSON *check;
    if (checks != NULL && !cJSON_IsArray(checks) && !cJSON_IsNull(checks))
        return false;
    cJSON_ArrayForEach(check, checks)
    {
        const char *id = json_string(check, "CheckID");
        const char *name = json_string(check, "Name");
        const char *status = json_string(check, "Status");
        if (status == NULL)
            return false;
        int bad = badness(status, is_maintenance(id));
        if (bad <= worst)
            continue;
        worst = bad;
        report->check = name != NULL && name[0] != '\0' ? name : or_empty(id);
        report->status = status;
    }
    report->health = worst == 3                                               ? HEALTH_MAINTENANCE
                     : worst == 0 || (worst == 1 && accept == ACCEPT_WARNING) ? HEALTH_GOOD
                                                                              : HEALTH_BAD;
    return true;
}

static void note_unusable(struct catalog_health *out, const struct row *r, enum flaw flaw)
{
    out->skipped[flaws[flaw].skip]++;
    if (out->unusable++ == 0)
        (void)snprintf(out->example, sizeof out->example, "%.120s: %s",
                       r->id != NULL ? r->id : "(no ID)", flaws[flaw].why);
}

/* False when the row is not what Consul sends, so that nothing in the reply can be trusted. */
static bool read_row(const cJSON *item, const struct config *c, const char *service,
                     struct catalog_health *out)
{
    struct row r = {
        .row = item, .service = json_member(item, "Service"), .node = json_member(item, "Node")};
    const char *name = json_string(r.service, "Service");
    const char *node = json_string(r.node, "Node");
    struct report report = {.registered = true, .check = "", .status = ""};
    size_t rows = out->rows[VIEW_ALL].count;
    if (name == NULL || !cJSON_IsObject(r.node) ||
        !read_health(json_member(item, "Checks"), c->consul.accept, &report))
        return false;
    if (strcmp(name, service) != 0)
        return true;
    note_checks(out, json_member(item, "Checks"));
    out->unchecked |= out->rows[VIEW_ALL].count == rows;
    if (node != NULL)
        out->nodes[out->node_count++] = hash_bytes(node, strlen(node));
    r.id = json_string(r.service, "ID");
    struct endpoint e;
    enum flaw flaw = read_endpoint(&r, c->consul.address_from, &e, &report);
    if (flaw == NO_FLAW) {
        out->instances[out->count++] = (struct instance){.endpoint = e, .health = report.health};
    } else {
        report.verdict = VERDICT_UNUSABLE;
        note_unusable(out, &r, flaw);
    }
    report.node = or_empty(node);
    report.service_id = or_empty(r.id);
    return report_append(&out->reports, &report);
}

bool catalog_parse_health(const struct httpc_reply *reply, const struct config *c,
                          const char *service, bool has_token, struct catalog_health *out,
                          struct error *reterr)
{
    bool ok = false;
    struct catalog_health made = {.count = 0};
    buf_init(&made.reports, REPORTS_MAX);
    cJSON *root = json_parse(reply->body, reply->body_len, reterr);
    if (root == NULL)
        return false;
    if (!cJSON_IsArray(root)) {
        error_set(reterr, "the reply is JSON, but not the list of instances it should be");
        goto out;
    }
    if (reply->filtered || (root->child == NULL && catalog_maybe_cut(reply, has_token))) {
        error_set(reterr,
                  "the ACL token may not read all of it; it needs service_prefix \"%s\" "
                  "read and node_prefix \"\" read",
                  c->consul.service_prefix);
        goto out;
    }
    size_t rows = (size_t)cJSON_GetArraySize(root);
    made.instances = calloc(rows + 1, sizeof *made.instances);
    made.nodes = calloc(rows + 1, sizeof *made.nodes);
    if (made.instances == NULL || made.nodes == NULL) {
        error_set(reterr, "out of memory");
        goto out;
    }
    const cJSON *item;
    cJSON_ArrayForEach(item, root)
    {
        if (!read_row(item, c, service, &made)) {
            error_set(reterr, made.reports.failed ? "out of memory"
                                                  : "the reply is JSON, but an instance in it is "
                                                    "not what Consul sends");
            goto out;
        }
    }
    *out = made;
    made = (struct catalog_health){.count = 0};
    ok = true;
out:
    catalog_health_clear(&made);
    cJSON_Delete(root);
    return ok;
}

void catalog_health_clear(struct catalog_health *h)
{
    free(h->instances);
    free(h->nodes);
    buf_clear(&h->reports);
    *h = (struct catalog_health){.count = 0};
}
