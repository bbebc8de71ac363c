/* SPDX-License-Identifier: Apache-2.0 */
#include "announce/writes.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "consul/agent.h"

#define PATH_MAX_BYTES 4096
#define BODY_MAX_BYTES 65536

static void write_free(struct write *w)
{
    free(w->path);
    free(w->body);
    free(w->id);
    free(w);
}

static struct write *write_new(enum write_kind kind, const char *id)
{
    struct write *w = calloc(1, sizeof *w);
    if (w == NULL)
        return NULL;
    w->kind = kind;
    w->id = strdup(id);
    if (w->id != NULL)
        return w;
    free(w);
    return NULL;
}

/* Takes `w` and the text of `path`; a write without a path is dropped. */
static bool append(struct writes *q, struct write *w, struct buf *path)
{
    if (w == NULL)
        return false;
    w->path = buf_detach(path);
    if (w->path == NULL) {
        write_free(w);
        return false;
    }
    if (q->last == NULL)
        q->first = w;
    else
        q->last->next = w;
    q->last = w;
    return true;
}

bool writes_register(struct writes *q, const struct agent_service *service)
{
    struct buf path, body;
    buf_init(&path, PATH_MAX_BYTES);
    buf_init(&body, BODY_MAX_BYTES);
    struct write *w = write_new(WRITE_REGISTER, service->id);
    if (w != NULL && agent_register_body(service, &body))
        w->body = buf_detach(&body);
    /* Without its body it must not be sent: an empty path keeps it out. */
    if (w != NULL && w->body != NULL)
        (void)buf_append_str(&path, AGENT_REGISTER_PATH);
    bool ok = append(q, w, &path);
    buf_clear(&path);
    buf_clear(&body);
    return ok;
}

bool writes_deregister(struct writes *q, const char *id)
{
    struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    bool ok = agent_deregister_path(&path, id) && append(q, write_new(WRITE_DEREGISTER, id), &path);
    buf_clear(&path);
    return ok;
}

bool writes_maintenance(struct writes *q, const char *id, bool enable)
{
    struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    bool ok = agent_maintenance_path(&path, id, enable) &&
              append(q, write_new(WRITE_MAINTENANCE, id), &path);
    buf_clear(&path);
    return ok;
}

void writes_pop(struct writes *q)
{
    struct write *w = q->first;
    if (w == NULL)
        return;
    q->first = w->next;
    if (q->first == NULL)
        q->last = NULL;
    write_free(w);
}

void writes_clear(struct writes *q)
{
    while (q->first != NULL)
        writes_pop(q);
}
