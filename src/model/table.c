/* SPDX-License-Identifier: Apache-2.0 */
#include "model/table.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "model/cluster_id.h"

/* A hash trie: a node on level n has a slot for each value of the n-th five bits of the hash, counted
 * from the lowest. A cluster stands as high as it can, in the first slot that no other needs. Below
 * the last level clusters of one and the same hash share a node that is a plain list, a bucket. */
#define BITS 5
#define WIDTH (1u << BITS)
#define LEVELS ((64 + BITS - 1) / BITS)
#define BUCKET LEVELS

/* So few nodes stand above this level that they always are in the processor's cache. */
#define COLD_LEVEL 2

/* Zero when empty, the address of a cluster, or that of a node plus one. */
typedef uintptr_t slot;

/* Shared by the tables, and the nodes of tables, that have come of one another. */
struct node {
    atomic_size_t refs;
    size_t count; /* WIDTH, except in buckets */
    slot slots[];
};

struct table {
    atomic_size_t refs;
    size_t count;
    slot root;
    char default_id[CLUSTER_ID_SIZE];
};

/* -- slots and nodes ------------------------------------------------------------------------- */

static bool is_node(slot s)
{
    return (s & 1) != 0;
}

static struct node *node_of(slot s)
{
    return (struct node *)(s - 1);
}

static slot slot_of_node(const struct node *n)
{
    return (slot)n + 1;
}

/* NULL when empty. */
static const struct cluster *cluster_of(slot s)
{
    return (const struct cluster *)s;
}

static slot slot_ref(slot s)
{
    if (is_node(s))
        atomic_fetch_add_explicit(&node_of(s)->refs, 1, memory_order_relaxed);
    else if (s != 0)
        (void)cluster_ref(cluster_of(s));
    return s;
}

/* As deep as the levels are, not deeper. */
static void slot_unref(slot s)
{
    if (!is_node(s)) {
        cluster_unref(cluster_of(s));
        return;
    }
    struct node *n = node_of(s);
    if (atomic_fetch_sub_explicit(&n->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < n->count; i++)
        slot_unref(n->slots[i]);
    free(n);
}

static struct node *node_new(size_t count)
{
    struct node *n = calloc(1, sizeof *n + count * sizeof *n->slots);
    if (n == NULL)
        return NULL;
    n->count = count;
    atomic_init(&n->refs, 1);
    return n;
}

/* The node in a slot that is our own, for changing it: that node if nobody else has it, else a copy
 * that takes its place and says the same. With `count` slots, not fewer than before. NULL: no
 * memory. */
static struct node *own_node(slot *at, size_t count)
{
    struct node *n = node_of(*at);
    if (n->count == count && atomic_load_explicit(&n->refs, memory_order_acquire) == 1)
        return n;
    struct node *copy = node_new(count);
    if (copy == NULL)
        return NULL;
    for (size_t i = 0; i < n->count; i++)
        copy->slots[i] = slot_ref(n->slots[i]);
    slot_unref(*at);
    *at = slot_of_node(copy);
    return copy;
}

/* -- searching ------------------------------------------------------------------------------- */

static size_t index_of(uint64_t hash, unsigned level)
{
    return hash >> (level * BITS) & (WIDTH - 1);
}

/* What is found above `level` on the way of a hash, or the node there. */
static slot descend(const struct table *t, uint64_t hash, unsigned level)
{
    slot s = t->root;
    for (unsigned i = 0; i < level && is_node(s); i++)
        s = node_of(s)->slots[index_of(hash, i)];
    return s;
}

static bool has_id(const struct cluster *c, const char *id, size_t len)
{
    return strncmp(c->id, id, len) == 0 && c->id[len] == '\0';
}

/* Where in a bucket the cluster is or could be; `count` when there is no room. */
static size_t place_in(const struct node *bucket, const char *id, size_t len)
{
    size_t place = bucket->count;
    for (size_t i = 0; i < bucket->count; i++) {
        if (bucket->slots[i] == 0)
            place = i;
        else if (has_id(cluster_of(bucket->slots[i]), id, len))
            return i;
    }
    return place;
}

static const struct cluster *find(const struct table *t, const char *id, size_t len, uint64_t hash)
{
    slot s = descend(t, hash, BUCKET);
    if (is_node(s)) {
        size_t i = place_in(node_of(s), id, len);
        return i < node_of(s)->count ? cluster_of(node_of(s)->slots[i]) : NULL;
    }
    const struct cluster *c = cluster_of(s);
    return c != NULL && c->hash == hash && has_id(c, id, len) ? c : NULL;
}

const struct cluster *table_find(const struct table *t, const char *id, size_t len)
{
    return find(t, id, len, hash_bytes(id, len));
}

uint64_t table_hash(const char *id, size_t len)
{
    return hash_bytes(id, len);
}

void table_warm_slot(const struct table *t, uint64_t hash)
{
    slot s = descend(t, hash, COLD_LEVEL);
    if (is_node(s))
        __builtin_prefetch(&node_of(s)->slots[index_of(hash, COLD_LEVEL)]);
}

/* The only one it may be; NULL also where several have that hash. */
static const struct cluster *candidate(const struct table *t, uint64_t hash)
{
    slot s = descend(t, hash, BUCKET);
    return is_node(s) ? NULL : cluster_of(s);
}

void table_warm_cluster(const struct table *t, uint64_t hash)
{
    const struct cluster *c = candidate(t, hash);
    if (c == NULL)
        return;
    __builtin_prefetch(c);
    __builtin_prefetch(c + 1); /* the id is there */
}

void *table_peek_rendering(const struct table *t, uint64_t hash)
{
    const struct cluster *c = candidate(t, hash);
    return c != NULL && c->hash == hash ? cluster_rendering(c) : NULL;
}

/* -- changing -------------------------------------------------------------------------------- */

/* The slot below an own one that holds a node; that node is our own then, too. NULL: no memory. */
static slot *step(slot *at, unsigned level, const char *id, uint64_t hash)
{
    struct node *n = node_of(*at);
    size_t i = level < BUCKET ? index_of(hash, level) : place_in(n, id, strlen(id));
    n = own_node(at, i < n->count ? n->count : n->count + 1);
    return n != NULL ? &n->slots[i] : NULL;
}

/* Moves the cluster in a slot of a node above `level` down, with new nodes, as far as one of `hash`
 * needs another slot. Returns that, or NULL: no memory. */
static slot *split(slot *at, unsigned level, uint64_t hash)
{
    uint64_t old = cluster_of(*at)->hash;
    unsigned apart = old != hash ? (unsigned)__builtin_ctzll(old ^ hash) / BITS : BUCKET;
    slot below = slot_ref(*at);
    slot *free_slot = NULL;
    for (unsigned i = apart + 1; i-- > level;) {
        struct node *n = node_new(i < BUCKET ? WIDTH : 2);
        if (n == NULL) {
            slot_unref(below);
            return NULL;
        }
        n->slots[i < BUCKET ? index_of(old, i) : 0] = below;
        if (i == apart)
            free_slot = &n->slots[i < BUCKET ? index_of(hash, i) : 1];
        below = slot_of_node(n);
    }
    slot_unref(*at);
    *at = below;
    return free_slot;
}

bool table_set(struct table *t, const struct cluster *c)
{
    slot *at = &t->root;
    unsigned level = 0;
    for (; at != NULL && is_node(*at); level++)
        at = step(at, level, c->id, c->hash);
    if (at != NULL && *at != 0 && strcmp(cluster_of(*at)->id, c->id) != 0)
        at = split(at, level, c->hash);
    if (at == NULL) {
        cluster_unref(c);
        return false;
    }
    t->count += *at == 0;
    slot_unref(*at);
    *at = (slot)c;
    return true;
}

/* A cluster that is alone in the node of an own slot takes the place of the node. */
static bool lift(slot *at)
{
    struct node *n = node_of(*at);
    slot only = 0;
    for (size_t i = 0; i < n->count; i++) {
        if (n->slots[i] != 0 && only != 0)
            return false;
        only |= n->slots[i];
    }
    if (is_node(only))
        return false;
    *at = only;
    free(n);
    return true;
}

bool table_remove(struct table *t, const char *id)
{
    size_t len = strlen(id);
    uint64_t hash = hash_bytes(id, len);
    slot *nodes[BUCKET + 1]; /* on the way */
    unsigned level = 0;
    if (find(t, id, len, hash) == NULL)
        return true;
    slot *at = &t->root;
    for (; is_node(*at); level++) {
        nodes[level] = at;
        if ((at = step(at, level, id, hash)) == NULL)
            return false;
    }
    slot_unref(*at);
    *at = 0;
    t->count--;
    while (level > 0 && lift(nodes[level - 1]))
        level--;
    return true;
}

/* -- tables ---------------------------------------------------------------------------------- */

static struct table *mutable_table(const struct table *t)
{
    union {
        const struct table *in;
        struct table *out;
    } cast = {.in = t};
    return cast.out;
}

struct table *table_new(void)
{
    struct table *t = calloc(1, sizeof *t);
    if (t != NULL)
        atomic_init(&t->refs, 1);
    return t;
}

struct table *table_copy(const struct table *base)
{
    struct table *t = table_new();
    if (t == NULL)
        return NULL;
    t->count = base->count;
    t->root = slot_ref(base->root);
    memcpy(t->default_id, base->default_id, sizeof t->default_id);
    return t;
}

void table_set_default(struct table *t, const char *id)
{
    (void)snprintf(t->default_id, sizeof t->default_id, "%s", id);
}

const char *table_default(const struct table *t)
{
    return t->default_id;
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
    slot_unref(own->root);
    free(own);
}

size_t table_count(const struct table *t)
{
    return t->count;
}

static bool each(slot s, bool (*visit)(const struct cluster *c, void *arg), void *arg)
{
    if (s == 0)
        return true;
    if (!is_node(s))
        return visit(cluster_of(s), arg);
    const struct node *n = node_of(s);
    bool go_on = true;
    for (size_t i = 0; go_on && i < n->count; i++)
        go_on = each(n->slots[i], visit, arg);
    return go_on;
}

void table_each(const struct table *t, bool (*visit)(const struct cluster *c, void *arg), void *arg)
{
    (void)each(t->root, visit, arg);
}
