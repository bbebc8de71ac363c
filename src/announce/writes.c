/* SPDX-License-Identifier: Apache-2.0 */
#include "announce/writes.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "consul/agent.h"

#define PATH_MAX_BYTES 4096
#define BODY_MAX_BYTES 65536

void write_clear(struct write *w)
{
    free(w->path);
    free(w->body);
    *w = (struct write){.path = NULL};
}

bool write_register(struct write *w, const struct agent_service *service)
{
    struct buf body;
    buf_init(&body, BODY_MAX_BYTES);
    if (agent_register_body(service, &body))
        w->body = buf_detach(&body);
    buf_clear(&body);
    w->path = strdup(AGENT_REGISTER_PATH);
    return w->path != NULL && w->body != NULL;
}

bool write_deregister(struct write *w, const char *id)
{
    struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    if (agent_deregister_path(&path, id))
        w->path = buf_detach(&path);
    buf_clear(&path);
    return w->path != NULL;
}

bool write_maintenance(struct write *w, const char *id, bool enable)
{
    struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    if (agent_maintenance_path(&path, id, enable))
        w->path = buf_detach(&path);
    buf_clear(&path);
    return w->path != NULL;
}
