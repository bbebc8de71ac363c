/* SPDX-License-Identifier: Apache-2.0 */
#include "announce/wanted.h"

#include <stdlib.h>
#include <string.h>

#include "config/config.h"

#define TEXT_MAX_BYTES 1024
#define TAG_MAX_BYTES 4096

/*
 * Consul forgets what is critical for too long in a pass every 30 s (agent/agent.go reapServices). A
 * child whose parent is forgotten first passes for ever, and a thousand children turn critical some
 * seconds after their parent does: so the parent stays longer than they do.
 */
#define PARENT_STAYS_MS 120000

void wanted_clear(struct wanted *w)
{
    buf_clear(&w->id);
    buf_clear(&w->name);
    buf_clear(&w->tag);
    free(w->tags);
}

bool wanted_alike(const struct config *a, const struct config *b)
{
    bool same = strcmp(a->reg.tag, b->reg.tag) == 0 && a->reg.tags.count == b->reg.tags.count &&
                a->reg.check_interval_ms == b->reg.check_interval_ms &&
                a->reg.check_timeout_ms == b->reg.check_timeout_ms &&
                a->reg.deregister_after_ms == b->reg.deregister_after_ms;
    for (size_t i = 0; same && i < a->reg.tags.count; i++)
        same = strcmp(a->reg.tags.items[i], b->reg.tags.items[i]) == 0;
    return same;
}

bool wanted_make(const struct config *c, const struct identity *identity, const char *parent_id,
                 const char *cluster, struct wanted *w)
{
    *w = (struct wanted){.tags = calloc(c->reg.tags.count + 1, sizeof *w->tags)};
    buf_init(&w->id, TEXT_MAX_BYTES);
    buf_init(&w->name, TEXT_MAX_BYTES);
    buf_init(&w->tag, TAG_MAX_BYTES);
    if (w->tags == NULL || !identity_service_id(c, identity, cluster, &w->id) ||
        !identity_service_name(c, cluster, &w->name))
        return false;

    size_t count = 0;
    bool routed = cluster != NULL || c->reg.mode == REGISTER_SINGLE;
    if (routed && !identity_tag(c, cluster, &w->tag))
        return false;
    if (routed)
        w->tags[count++] = buf_text(&w->tag);
    for (size_t i = 0; i < c->reg.tags.count; i++)
        w->tags[count++] = c->reg.tags.items[i];
    w->service = (struct agent_service){
        .id = buf_text(&w->id),
        .name = buf_text(&w->name),
        .owner = parent_id,
        .address = identity->address,
        .port = identity->port,
        .tags = w->tags,
        .tag_count = count,
        .check_url = cluster == NULL ? identity->check_url : NULL,
        .alias_of = cluster == NULL ? NULL : parent_id,
        .interval_ms = c->reg.check_interval_ms,
        .timeout_ms = c->reg.check_timeout_ms,
        .deregister_after_ms =
            c->reg.deregister_after_ms +
            (cluster == NULL && c->reg.mode == REGISTER_PER_CLUSTER ? PARENT_STAYS_MS : 0),
    };
    return true;
}
