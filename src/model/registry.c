/* SPDX-License-Identifier: Apache-2.0 */
#include "model/registry.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/error.h"
#include "model/table.h"

struct registry {
    pthread_mutex_t lock; /* guards all below */
    const struct table *table;
    struct registry_status status;
};

struct registry *registry_new(struct error *reterr)
{
    struct registry *r = calloc(1, sizeof *r);
    struct table *empty = table_new();
    if (r == NULL || empty == NULL || pthread_mutex_init(&r->lock, NULL) != 0) {
        error_set(reterr, "out of memory");
        free(r);
        table_unref(empty);
        return NULL;
    }
    r->table = empty;
    return r;
}

void registry_free(struct registry *r)
{
    if (r == NULL)
        return;
    table_unref(r->table);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}

void registry_publish(struct registry *r, const struct table *table)
{
    pthread_mutex_lock(&r->lock);
    const struct table *old = r->table;
    r->table = table;
    pthread_mutex_unlock(&r->lock);
    table_unref(old);
}

static void set(struct registry *r, bool *flag)
{
    pthread_mutex_lock(&r->lock);
    *flag = true;
    pthread_mutex_unlock(&r->lock);
}

void registry_set_complete(struct registry *r)
{
    set(r, &r->status.complete);
}

void registry_set_failed(struct registry *r)
{
    set(r, &r->status.failed);
}

void registry_set_ready(struct registry *r)
{
    set(r, &r->status.ready);
}

void registry_set_draining(struct registry *r)
{
    set(r, &r->status.draining);
}

const struct table *registry_acquire(struct registry *r, struct registry_status *status)
{
    pthread_mutex_lock(&r->lock);
    const struct table *table = table_ref(r->table);
    if (status != NULL)
        *status = r->status;
    pthread_mutex_unlock(&r->lock);
    return table;
}

struct registry_status registry_status(struct registry *r)
{
    pthread_mutex_lock(&r->lock);
    struct registry_status status = r->status;
    pthread_mutex_unlock(&r->lock);
    return status;
}
