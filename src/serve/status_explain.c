/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "model/consul_report.h"
#include "model/report.h"
#include "model/table.h"
#include "serve/escape.h"
#include "serve/status.h"

#define NEAREST_MAX 5

/* -- an id that is not known ----------------------------------------------------------------- */

struct nearest {
    const char *wanted;
    unsigned best[NEAREST_MAX]; /* rising */
    const char *ids[NEAREST_MAX];
    size_t count;
};

#define FAR 4

/* Changes of one letter between two ids, without regard to case; FAR when there are more. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[CLUSTER_ID_SIZE + 1];
    size_t len_a = strlen(a), len_b = strlen(b);
    if (len_a > len_b + FAR || len_b > len_a + FAR)
        return FAR;
    for (size_t j = 0; j <= len_b; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= len_a; i++) {
        unsigned diagonal = row[0], least = row[0] = (unsigned)i;
        for (size_t j = 1; j <= len_b; j++) {
            unsigned same = diagonal + (strncasecmp(&a[i - 1], &b[j - 1], 1) != 0);
            unsigned other = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = same < other ? same : other;
            least = row[j] < least ? row[j] : least;
        }
        if (least >= FAR)
            return FAR;
    }
    return row[len_b] < FAR ? row[len_b] : FAR;
}

/* 0: the same but for case; then what is one beginning or another unit of it; then typing errors. */
static bool compare_to_wanted(const struct cluster *c, void *arg)
{
    struct nearest *n = arg;
    size_t len = strlen(n->wanted);
    unsigned far = distance(n->wanted, c->id);
    unsigned limit = len < 3 ? 0 : len < 6 ? 1 : FAR - 1;
    bool begins = len >= 3 && strncasecmp(c->id, n->wanted, len) == 0;
    if (far > limit && !begins)
        return true;
    if (begins && far > 1)
        far = 1;
    size_t at = n->count < NEAREST_MAX ? n->count++ : NEAREST_MAX - 1;
    if (at == NEAREST_MAX - 1 && n->ids[at] != NULL && n->best[at] <= far)
        return true;
    for (; at > 0 && n->best[at - 1] > far; at--) {
        n->best[at] = n->best[at - 1];
        n->ids[at] = n->ids[at - 1];
    }
    n->best[at] = far;
    n->ids[at] = c->id;
    return true;
}

static bool is_excluded(const struct status_view *v, const char *id)
{
    char sought[CLUSTER_ID_SIZE + 2];
    (void)snprintf(sought, sizeof sought, ";%s;", id);
    return strstr(v->excluded, sought) != NULL;
}

static void explain_unknown(const struct status_view *v, const char *id, struct buf *out)
{
    struct nearest n = {.wanted = id};
    (void)buf_append_str(out, "cluster ");
    escape_plain(out, id);
    if (!cluster_id_valid(id, strlen(id))) {
        (void)buf_printf(out,
                         " cannot be: an id has 1 to %d letters, digits, dots, dashes and "
                         "underscores, and is not \".\" or \"..\"\n",
                         CLUSTER_ID_MAX);
        return;
    }
    (void)buf_append_str(out, " is not known: clients get ");
    (void)buf_append_str(out, v->registry.complete ? "404\n"
                                                   : "503, for not every cluster was read yet\n");
    if (is_excluded(v, id)) {
        (void)buf_append_str(out, "consul.exclude has it: it is not looked for in Consul\n");
        return;
    }
    table_each(v->table, compare_to_wanted, &n);
    for (size_t i = 0; i < n.count; i++)
        (void)buf_printf(out, "%s%s", i == 0 ? "nearest known ids (case matters): " : ", ",
                         n.ids[i]);
    if (n.count > 0)
        (void)buf_append_char(out, '\n');
    (void)buf_printf(out,
                     "%zu clusters are known; a cluster is known when a service of its name "
                     "(consul.service_prefix and the id) is registered in Consul, or when "
                     "static_clusters has it\n",
                     table_count(v->table));
}

/* -- a known one ----------------------------------------------------------------------------- */

static void tell_time(const struct status_view *v, int64_t wall_ms, struct buf *out)
{
    char text[CLOCK_TEXT_SIZE], age[STATUS_AGE_SIZE];
    clock_format(wall_ms, text);
    status_age(v->now_wall_ms - wall_ms, age);
    (void)buf_printf(out, "%s, %s ago", text, age);
}

static const char *meaning(const struct cluster *c)
{
    switch (c->state) {
    case CLUSTER_UNREAD:
        return "known by name, not read from Consul yet: clients get 503";
    case CLUSTER_EMPTY:
        return "no instance is healthy, and there is no list from before: clients get 503";
    case CLUSTER_LIVE:
        if (c->notes->unpinned)
            return "as Consul says, and what static_clusters had until its servers confirm that";
        return c->pinned ? "as static_clusters says" : "as Consul says";
    case CLUSTER_HELD:
        if (c->notes->unpinned)
            return "as static_clusters had it, which has it no more; Consul has no healthy "
                   "instance";
        return "the last good list, kept against what Consul says now";
    case CLUSTER_RESTORED:
        if (c->notes->unpinned)
            return "as static_clusters had it, which has it no more; Consul was not heard yet";
        return "the list of an earlier run, not confirmed by Consul yet";
    case CLUSTER_GONE:
        break;
    }
    return "";
}

/* Consul may have changed its mind since it was last asked. */
static void tell_meaning(const struct status_view *v, const struct cluster *c, struct buf *out)
{
    int64_t confirmed = cluster_confirmed_ms(c);
    if (c->state != CLUSTER_LIVE || c->pinned || c->notes->unpinned || confirmed == 0) {
        (void)buf_append_str(out, meaning(c));
        return;
    }
    char age[STATUS_AGE_SIZE];
    status_age(v->now_wall_ms - confirmed, age);
    (void)buf_printf(out, "as Consul confirmed %s ago", age);
}

static void tell_failure(const struct status_view *v, const struct cluster *c, struct buf *out)
{
    if (!status_is_failing(c))
        return;
    (void)buf_append_str(out, "reading:     fails since ");
    tell_time(v, c->notes->failure.since_wall_ms, out);
    (void)buf_append_str(out, ": ");
    escape_plain(out, c->notes->failure.text);
    (void)buf_append_char(out, '\n');
}

static void explain_list(const struct status_view *v, const struct cluster *c, struct buf *out)
{
    (void)buf_printf(out, "cluster %s: %s, ", c->id, cluster_state_name(c->state));
    tell_meaning(v, c, out);
    if (c->notes->unregistered) {
        (void)buf_append_str(out, "\nends:        ");
        status_describe_end(v, c->notes->gone_ms, out);
    }
    (void)buf_append_str(out, "\nsince:       ");
    tell_time(v, c->since_wall_ms, out);
    (void)buf_printf(out, "\nserved:      %s\n", c->body_len > 0 ? c->body : "nothing");
    if (c->withheld[0] != '\0')
        (void)buf_printf(out, "withheld:    %s\n", c->withheld);
    if (cluster_confirmed_ms(c) != 0) {
        (void)buf_append_str(out, "confirmed:   ");
        tell_time(v, cluster_confirmed_ms(c), out);
        (void)buf_append_char(out, '\n');
    }
    tell_failure(v, c, out);
    const struct cluster_change *change = &c->notes->change;
    if (change->wall_ms == 0)
        return;
    (void)buf_append_str(out, "last change: ");
    tell_time(v, change->wall_ms, out);
    (void)buf_printf(out, ": %s\n  before:    %s (%s)\n  changes:   %llu since the start\n",
                     change->why, change->was_body[0] != '\0' ? change->was_body : "nothing",
                     cluster_state_name(change->was), (unsigned long long)change->count);
}

static void explain_instance(const struct status_view *v, const struct report *r, struct buf *out)
{
    char address[STATUS_ADDRESS_SIZE];
    status_address(r, address);
    (void)buf_append_str(out, "  ");
    escape_plain(out, address);
    (void)buf_append_str(out, "  ");
    status_describe(v, r, escape_plain, out);
    (void)buf_append_str(out, "\n      ");
    if (r->service_id[0] != '\0') {
        (void)buf_append_str(out, r->registered ? "registered as " : "was registered as ");
        escape_plain(out, r->service_id);
    } else {
        (void)buf_append_str(out, strcmp(r->detail, REPORT_UNPINNED) == 0
                                      ? "not registered in Consul"
                                      : "its registration is not known");
    }
    if (r->node[0] != '\0') {
        (void)buf_append_str(out, " on node ");
        escape_plain(out, r->node);
    }
    (void)buf_append_char(out, '\n');
}

/* What cannot be read explains why nothing changes. */
static void explain_consul(const struct status_view *v, struct buf *out)
{
    if (!v->consul->enabled || v->consul->up || v->consul->error.last_wall_ms == 0)
        return;
    (void)buf_append_str(out, "Consul gives no good answer: ");
    escape_plain(out, v->consul->error.text);
    (void)buf_append_char(out, '\n');
}

bool status_explain(const struct status_view *v, const char *id, bool *found, struct buf *out)
{
    const struct cluster *c = table_find(v->table, id, strlen(id));
    *found = c != NULL;
    if (c == NULL) {
        explain_unknown(v, id, out);
        return !out->failed;
    }
    explain_list(v, c, out);
    struct reports all = c->notes->reports;
    struct report r;
    if (all.len > 0)
        (void)buf_append_str(out, "instances:\n");
    while (report_next(&all, &r))
        explain_instance(v, &r, out);
    explain_consul(v, out);
    return !out->failed;
}
