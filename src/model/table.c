/* SPDX-License-Identifier: Apache-2.0 */
#include "model/table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* The hash stands beside the pointer, so that a search touches no cluster but the right one. */
struct slot {
    uint64_t hash;
    const struct cluster *cluster; /* NULL: free */
};

/* Open addressing, linear probing, at most half full. */
struct table {
    atomic_size_t refs;
    size_t count;
    size_t slots; /* a power of two */
    struct slot slot[];
};

static struct table *mutable_table(const struct table *t)
{
    union {
        const struct table *in;
        struct table *out;
    } cast = {.in = t};
    return cast.out;
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
            cluster_unref(own->slot[i].cluster);
    free(own);
}

/* The slot of `id`, or the free one where it would go. */
static size_t locate(const struct table *t, const char *id, size_t len, uint64_t hash)
{
    size_t i = (size_t)hash & (t->slots - 1);
    while (t->slot[i].cluster != NULL) {
        const char *other = t->slot[i].cluster->id;
        if (t->slot[i].hash == hash && strncmp(other, id, len) == 0 && other[len] == '\0')
            break;
        i = (i + 1) & (t->slots - 1);
    }
    return i;
}

static void put(struct table *t, uint64_t hash, const struct cluster *c)
{
    size_t i = locate(t, c->id, strlen(c->id), hash);
    if (t->slot[i].cluster != NULL)
        cluster_unref(t->slot[i].cluster);
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
            put(t, base->slot[i].hash, cluster_ref(base->slot[i].cluster));
    return t;
}

void table_set(struct table *t, const struct cluster *c)
{
    put(t, hash_bytes(c->id, strlen(c->id)), c);
}

void table_remove(struct table *t, const char *id)
{
    size_t len = strlen(id);
    size_t mask = t->slots - 1;
    size_t hole = locate(t, id, len, hash_bytes(id, len));
    if (t->slot[hole].cluster == NULL)
        return;
    cluster_unref(t->slot[hole].cluster);
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
    const struct cluster *c = t->slot[locate(t, id, len, hash_bytes(id, len))].cluster;
    return c;
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
static const struct cluster *first_of(const struct table *t, uint64_t hash)
{
    const struct slot *slot = &t->slot[hash & (t->slots - 1)];
    return slot->hash == hash ? slot->cluster : NULL;
}

void table_warm_cluster(const struct table *t, uint64_t hash)
{
    const struct cluster *c = first_of(t, hash);
    if (c == NULL)
        return;
    __builtin_prefetch(c);
    __builtin_prefetch(c + 1); /* the id is there */
}

void *table_peek_rendering(const struct table *t, uint64_t hash)
{
    const struct cluster *c = first_of(t, hash);
    return c != NULL ? cluster_rendering(c) : NULL;
}

size_t table_count(const struct table *t)
{
    return t->count;
}

void table_each(const struct table *t, bool (*visit)(const struct cluster *c, void *arg), void *arg)
{
    for (size_t i = 0; i < t->slots; i++)
        if (t->slot[i].cluster != NULL && !visit(t->slot[i].cluster, arg))
            return;
}
