/* SPDX-License-Identifier: Apache-2.0 */
#include "announce/compare.h"

#include <stdio.h>
#include <string.h>

#include "announce/wanted.h"
#include "base/buf.h"
#include "config/config.h"
#include "consul/agent.h"
#include "model/cluster_id.h"
#include "model/table.h"

struct comparing {
    struct registrations *set;
    const struct announcer *who;
    const struct agent_view *view;
    bool has_parent; /* the view shows it */
    enum turn turn;
    bool failed;
};

bool announcer_identify(struct announcer *who, const char *local_ip)
{
    char before[SERVICE_ID_SIZE];
    struct buf id;
    buf_init(&id, SERVICE_ID_SIZE - 1);
    memcpy(before, who->parent_id, sizeof before);
    identity_make(who->config, local_ip, &who->identity);
    if (identity_service_id(who->config, &who->identity, NULL, &id))
        memcpy(who->parent_id, buf_text(&id), id.len + 1);
    buf_clear(&id);
    return strcmp(before, who->parent_id) != 0;
}

/* The cluster in a child's ID. False when it is not one that we would make now. */
static bool cluster_of(const struct announcer *who, const char *id,
                       char out[static CLUSTER_ID_SIZE])
{
    size_t name = strlen(who->config->reg.name);
    size_t suffix = strlen(who->identity.suffix);
    size_t all = strlen(id);
    if (all <= name + 1 + suffix || strncmp(id, who->config->reg.name, name) != 0 ||
        id[name] != '-' || strcmp(id + all - suffix, who->identity.suffix) != 0)
        return false;
    size_t len = all - name - 1 - suffix;
    if (len >= CLUSTER_ID_SIZE)
        return false;
    memcpy(out, id + name + 1, len);
    out[len] = '\0';
    return true;
}

bool wanted_for(const struct announcer *who, const struct registration *r, struct wanted *out)
{
    char cluster[CLUSTER_ID_SIZE];
    *out = (struct wanted){.tags = NULL};
    if (!r->parent && !cluster_of(who, r->id, cluster))
        return false;
    return wanted_make(who->config, &who->identity, who->parent_id, r->parent ? NULL : cluster,
                       out);
}

/* -- with the table -------------------------------------------------------------------------- */

static void unsee(struct registration *r, void *arg)
{
    (void)arg;
    r->seen = false;
}

static void want(struct comparing *cmp, const char *id, bool parent)
{
    struct registration *r = registrations_add(cmp->set, id);
    if (r == NULL) {
        cmp->failed = true;
        return;
    }
    r->seen = true;
    r->parent = parent;
    if (r->wanted)
        return;
    r->wanted = true;
    registrations_queue(cmp->set, r, parent ? TURN_PARENT : cmp->turn);
}

static bool want_child(const struct cluster *c, void *arg)
{
    struct comparing *cmp = arg;
    char id[SERVICE_ID_SIZE];
    if (c->body_len == 0)
        return true;
    int n = snprintf(id, sizeof id, "%s-%s%s", cmp->who->config->reg.name, c->id,
                     cmp->who->identity.suffix);
    cmp->failed |= n < 0 || (size_t)n >= sizeof id;
    if (!cmp->failed)
        want(cmp, id, false);
    return !cmp->failed;
}

static void drop_unseen(struct registration *r, void *arg)
{
    struct comparing *cmp = arg;
    if (r->seen || !r->wanted)
        return;
    r->wanted = false;
    registrations_queue(cmp->set, r, TURN_NONE);
    registrations_queue(cmp->set, r, r->parent ? TURN_LAST : cmp->turn);
}

bool compare_table(struct registrations *set, const struct announcer *who,
                   const struct table *table, enum turn turn)
{
    struct comparing cmp = {.set = set, .who = who, .turn = turn};
    registrations_each(set, unsee, NULL);
    want(&cmp, who->parent_id, true);
    if (who->config->reg.mode == REGISTER_PER_CLUSTER)
        table_each(table, want_child, &cmp);
    if (!cmp.failed)
        registrations_each(set, drop_unseen, &cmp);
    return !cmp.failed;
}

/* -- with what the agent has ----------------------------------------------------------------- */

static bool is_same(struct comparing *cmp, const struct registration *r)
{
    struct wanted w;
    bool made = wanted_for(cmp->who, r, &w);
    bool same = made && agent_view_has(cmp->view, &w.service);
    wanted_clear(&w);
    cmp->failed |= !made;
    return same;
}

static void judge(struct registration *r, void *arg)
{
    struct comparing *cmp = arg;
    if (agent_view_lists(cmp->view, r->id))
        r->presence = r->wanted && is_same(cmp, r) ? PRESENCE_SAME : PRESENCE_UNSURE;
    else if (cmp->has_parent && r->wanted)
        r->presence = PRESENCE_NONE;
    else if (r->presence == PRESENCE_SAME)
        /* An agent that shows nothing may have lost all, or a token its rights. */
        r->presence = PRESENCE_UNSURE;
    if (registration_need(r) == NEED_NOTHING) {
        if (!r->wanted)
            registrations_remove(cmp->set, r);
        return;
    }
    enum turn turn = r->wanted ? TURN_PARENT : TURN_LAST;
    registrations_queue(cmp->set, r, r->parent ? turn : TURN_REPAIR);
}

/* Ours, but of no cluster that is known now. */
static void drop_unknown(const char *id, void *arg)
{
    struct comparing *cmp = arg;
    struct registration *r = registrations_add(cmp->set, id);
    cmp->failed |= r == NULL;
    if (r == NULL || r->presence != PRESENCE_NONE)
        return;
    r->presence = PRESENCE_UNSURE;
    registrations_queue(cmp->set, r, TURN_REPAIR);
}

bool compare_view(struct registrations *set, const struct announcer *who,
                  const struct agent_view *view)
{
    struct comparing cmp = {
        .set = set, .who = who, .view = view, .has_parent = agent_view_lists(view, who->parent_id)};
    registrations_each(set, judge, &cmp);
    agent_view_each(view, who->parent_id, drop_unknown, &cmp);
    return !cmp.failed;
}
