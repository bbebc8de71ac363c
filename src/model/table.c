/* SPDX-License-Identifier: Apache-2.0 */
#include "model/table.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"

/* More addresses than any cluster has; bounds what one body may cost. */
#define BODY_MAX (1024 * 1024)

typedef void (*drop_rendering)(void *rendering);

struct counted_cluster {
    struct cluster pub;
    atomic_size_t refs;
    _Atomic(void *) rendering;
    _Atomic(drop_rendering) drop; /* set before there is one */
    char text[];                  /* id, body, withheld, each with its NUL */
};

/* The hash stands beside the pointer, so that a search touches no cluster but the right one. */
struct slot {
    uint64_t hash;
    const struct counted_cluster *cluster; /* NULL: free */
};

/* Open addressing, linear probing, at most half full. */
struct table {
    atomic_size_t refs;
    size_t count;
    size_t slots; /* a power of two */
    struct slot slot[];
};

const char *cluster_state_name(enum cluster_state state)
{
    static const char *const names[] = {
        [CLUSTER_UNREAD] = "unread", [CLUSTER_EMPTY] = "empty",       [CLUSTER_LIVE] = "live",
        [CLUSTER_HELD] = "held",     [CLUSTER_RESTORED] = "restored", [CLUSTER_GONE] = "gone",
    };
    return names[state];
}

static bool append_list(struct buf *out, const struct endpoint *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[ENDPOINT_TEXT_SIZE];
        size_t len = endpoint_format(&list[i], text);
        if ((i > 0 && !buf_append_char(out, ';')) || !buf_append(out, text, len))
            return false;
    }
    return true;
}

struct cluster *cluster_new(const char *id, enum cluster_state state, int64_t since_wall_ms,
                            const struct endpoint *list, size_t count)
{
    return cluster_new_withholding(id, state, since_wall_ms, list, count, NULL, 0);
}

struct cluster *cluster_new_withholding(const char *id, enum cluster_state state,
                                        int64_t since_wall_ms, const struct endpoint *list,
                                        size_t count, const struct endpoint *withheld,
                                        size_t withheld_count)
{
    struct counted_cluster *c = NULL;
    struct buf body, more;
    buf_init(&body, BODY_MAX);
    buf_init(&more, BODY_MAX);
    if (!append_list(&body, list, count) || !append_list(&more, withheld, withheld_count))
        goto out;
    size_t id_size = strlen(id) + 1;
    c = malloc(sizeof *c + id_size + body.len + 1 + more.len + 1);
    if (c == NULL)
        goto out;
    memcpy(c->text, id, id_size);
    memcpy(c->text + id_size, buf_text(&body), body.len + 1);
    memcpy(c->text + id_size + body.len + 1, buf_text(&more), more.len + 1);
    c->pub = (struct cluster){
        .state = state,
        .since_wall_ms = since_wall_ms,
        .id = c->text,
        .body = c->text + id_size,
        .body_len = body.len,
        .count = count,
        .withheld = c->text + id_size + body.len + 1,
    };
    (void)snprintf(c->pub.etag, sizeof c->pub.etag, "\"%016" PRIx64 "\"",
                   hash_bytes(c->pub.body, body.len));
    atomic_init(&c->rendering, NULL);
    atomic_init(&c->drop, NULL);
    atomic_init(&c->refs, 1);
out:
    buf_clear(&body);
    buf_clear(&more);
    return c == NULL ? NULL : &c->pub;
}

/* The counts are the only thing that ever changes in a shared object, and `pub` is the first
 * member of what cluster_new() made. */
static struct counted_cluster *counted(const struct cluster *c)
{
    union {
        const struct cluster *in;
        struct counted_cluster *out;
    } cast = {.in = c};
    return cast.out;
}

static struct table *mutable_table(const struct table *t)
{
    union {
        const struct table *in;
        struct table *out;
    } cast = {.in = t};
    return cast.out;
}

const struct cluster *cluster_ref(const struct cluster *c)
{
    atomic_fetch_add_explicit(&counted(c)->refs, 1, memory_order_relaxed);
    return c;
}

void cluster_unref(const struct cluster *c)
{
    if (c == NULL)
        return;
    struct counted_cluster *own = counted(c);
    if (atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) != 1)
        return;
    void *rendering = atomic_load_explicit(&own->rendering, memory_order_relaxed);
    if (rendering != NULL)
        atomic_load_explicit(&own->drop, memory_order_relaxed)(rendering);
    free(own);
}

void *cluster_rendering(const struct cluster *c)
{
    return atomic_load_explicit(&counted(c)->rendering, memory_order_acquire);
}

void *cluster_keep_rendering(const struct cluster *c, void *rendering, void (*drop)(void *))
{
    struct counted_cluster *own = counted(c);
    void *kept = NULL;
    atomic_store_explicit(&own->drop, drop, memory_order_relaxed);
    if (atomic_compare_exchange_strong(&own->rendering, &kept, rendering))
        return rendering;
    drop(rendering);
    return kept;
}

static struct table *table_alloc(size_t for_count)
{
    size_t slots = 8;
    while (slots < 2 * for_count)
        slots *= 2;
    struct table *t = calloc(1, sizeof *t + slots * sizeof *t->slot);
    if (t == NULL)
        return NULL;
    t->slots = slots;
    atomic_init(&t->refs, 1);
    return t;
}

struct table *table_new(void)
{
    return table_alloc(0);
}

const struct table *table_ref(const struct table *t)
{
    atomic_fetch_add_explicit(&mutable_table(t)->refs, 1, memory_order_relaxed);
    return t;
}

void table_unref(const struct table *t)
{
    if (t == NULL)
        return;
    struct table *own = mutable_table(t);
    if (atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < own->slots; i++)
        if (own->slot[i].cluster != NULL)
            cluster_unref(&own->slot[i].cluster->pub);
    free(own);
}

/* The slot of `id`, or the free one where it would go. */
static size_t locate(const struct table *t, const char *id, size_t len, uint64_t hash)
{
    size_t i = (size_t)hash & (t->slots - 1);
    while (t->slot[i].cluster != NULL) {
        const char *other = t->slot[i].cluster->text; /* begins with the id */
        if (t->slot[i].hash == hash && strncmp(other, id, len) == 0 && other[len] == '\0')
            break;
        i = (i + 1) & (t->slots - 1);
    }
    return i;
}

static void put(struct table *t, uint64_t hash, const struct counted_cluster *c)
{
    size_t i = locate(t, c->text, strlen(c->text), hash);
    if (t->slot[i].cluster != NULL)
        cluster_unref(&t->slot[i].cluster->pub);
    else
        t->count++;
    t->slot[i] = (struct slot){.hash = hash, .cluster = c};
}

struct table *table_copy(const struct table *base, size_t more)
{
    struct table *t = table_alloc(base->count + more);
    if (t == NULL)
        return NULL;
    for (size_t i = 0; i < base->slots; i++)
        if (base->slot[i].cluster != NULL)
            put(t, base->slot[i].hash, counted(cluster_ref(&base->slot[i].cluster->pub)));
    return t;
}

void table_set(struct table *t, const struct cluster *c)
{
    put(t, hash_bytes(c->id, strlen(c->id)), counted(c));
}

void table_remove(struct table *t, const char *id)
{
    size_t len = strlen(id);
    size_t mask = t->slots - 1;
    size_t hole = locate(t, id, len, hash_bytes(id, len));
    if (t->slot[hole].cluster == NULL)
        return;
    cluster_unref(&t->slot[hole].cluster->pub);
    t->slot[hole].cluster = NULL;
    t->count--;
    /* Whoever was pushed past the hole moves back into it, so that no search ends too early. */
    for (size_t i = (hole + 1) & mask; t->slot[i].cluster != NULL; i = (i + 1) & mask) {
        size_t home = (size_t)t->slot[i].hash & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        t->slot[hole] = t->slot[i];
        t->slot[i].cluster = NULL;
        hole = i;
    }
}

const struct cluster *table_find(const struct table *t, const char *id, size_t len)
{
    const struct counted_cluster *c = t->slot[locate(t, id, len, hash_bytes(id, len))].cluster;
    return c == NULL ? NULL : &c->pub;
}

uint64_t table_hash(const char *id, size_t len)
{
    return hash_bytes(id, len);
}

void table_warm_slot(const struct table *t, uint64_t hash)
{
    __builtin_prefetch(&t->slot[hash & (t->slots - 1)]);
}

/* NULL when a search would have to go on. */
static const struct counted_cluster *first_of(const struct table *t, uint64_t hash)
{
    const struct slot *slot = &t->slot[hash & (t->slots - 1)];
    return slot->hash == hash ? slot->cluster : NULL;
}

void table_warm_cluster(const struct table *t, uint64_t hash)
{
    const struct counted_cluster *c = first_of(t, hash);
    if (c == NULL)
        return;
    __builtin_prefetch(c);
    __builtin_prefetch(c->text);
}

void *table_peek_rendering(const struct table *t, uint64_t hash)
{
    const struct counted_cluster *c = first_of(t, hash);
    return c != NULL ? cluster_rendering(&c->pub) : NULL;
}

size_t table_count(const struct table *t)
{
    return t->count;
}

void table_each(const struct table *t, bool (*visit)(const struct cluster *c, void *arg), void *arg)
{
    for (size_t i = 0; i < t->slots; i++)
        if (t->slot[i].cluster != NULL && !visit(&t->slot[i].cluster->pub, arg))
            return;
}
