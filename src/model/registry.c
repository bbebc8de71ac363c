/* SPDX-License-Identifier: Apache-2.0 */
#include "model/registry.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/error.h"
#include "model/table.h"

struct registry {
    /* Counts the changes; written under the lock, after them. From 1: a view starts with none. */
    _Atomic(uint64_t) version;
    pthread_mutex_t lock; /* guards all below */
    const struct table *table;
    struct registry_status status;
};

static void changed(struct registry *r)
{
    atomic_fetch_add_explicit(&r->version, 1, memory_order_release);
}

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
    atomic_init(&r->version, 1);
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
    changed(r);
    pthread_mutex_unlock(&r->lock);
    table_unref(old);
}

static void set(struct registry *r, bool *flag)
{
    pthread_mutex_lock(&r->lock);
    *flag = true;
    changed(r);
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

void registry_view_update(struct registry *r, struct registry_view *view)
{
    if (atomic_load_explicit(&r->version, memory_order_acquire) == view->version)
        return;
    const struct table *old = view->table;
    pthread_mutex_lock(&r->lock);
    view->table = table_ref(r->table);
    view->status = r->status;
    view->version = atomic_load_explicit(&r->version, memory_order_relaxed);
    pthread_mutex_unlock(&r->lock);
    table_unref(old);
}

void registry_view_clear(struct registry_view *view)
{
    table_unref(view->table);
    *view = (struct registry_view){.table = NULL};
}
