/* SPDX-License-Identifier: Apache-2.0 */
#include "model/claims.h"

#include <stdlib.h>
#include <string.h>

/* Out of memory leaves the element out; the caller sees that it is not found. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* An endpoint without the padding of its struct. */
#define KEY_SIZE 19

struct claimant {
    struct claimant *next; /* of the same address */
    struct holding *holding;
    bool good;
};

/* One address, and who claims it. */
struct address {
    UT_hash_handle hh;
    unsigned char key[KEY_SIZE];
    struct claimant *first;
};

/* One cluster, and what it claims. */
struct holding {
    UT_hash_handle hh;
    size_t count;
    struct endpoint *list;
    char id[]; /* NUL-terminated */
};

struct claims {
    struct address *addresses;
    struct holding *holdings;
};

static void make_key(const struct endpoint *e, unsigned char key[static KEY_SIZE])
{
    key[0] = e->family;
    memcpy(key + 1, e->addr, sizeof e->addr);
    key[17] = (unsigned char)(e->port >> 8);
    key[18] = (unsigned char)(e->port & 0xff);
}

static struct address *find(const struct claims *c, const struct endpoint *e)
{
    unsigned char key[KEY_SIZE];
    struct address *found;
    make_key(e, key);
    HASH_FIND(hh, c->addresses, key, KEY_SIZE, found);
    return found;
}

struct claims *claims_new(void)
{
    return calloc(1, sizeof(struct claims));
}

static void drop_address(struct claims *c, struct address *a)
{
    HASH_DEL(c->addresses, a);
    free(a);
}

/* Takes the claim of `h` on the address away, and the address with its last claim. */
static void drop_claim(struct claims *c, const struct holding *h, const struct endpoint *e)
{
    struct address *a = find(c, e);
    if (a == NULL)
        return;
    for (struct claimant **p = &a->first; *p != NULL; p = &(*p)->next) {
        if ((*p)->holding != h)
            continue;
        struct claimant *gone = *p;
        *p = gone->next;
        free(gone);
        break;
    }
    if (a->first == NULL)
        drop_address(c, a);
}

static void drop_claims(struct claims *c, struct holding *h)
{
    for (size_t i = 0; i < h->count; i++)
        drop_claim(c, h, &h->list[i]);
    free(h->list);
    h->list = NULL;
    h->count = 0;
}

void claims_free(struct claims *c)
{
    if (c == NULL)
        return;
    struct holding *h, *next;
    HASH_ITER(hh, c->holdings, h, next)
    {
        drop_claims(c, h);
        HASH_DEL(c->holdings, h);
        free(h);
    }
    free(c);
}

static struct holding *get_holding(struct claims *c, const char *cluster)
{
    struct holding *h;
    HASH_FIND_STR(c->holdings, cluster, h);
    if (h != NULL)
        return h;
    size_t size = strlen(cluster) + 1;
    h = calloc(1, sizeof *h + size);
    if (h == NULL)
        return NULL;
    memcpy(h->id, cluster, size);
    HASH_ADD_KEYPTR(hh, c->holdings, h->id, size - 1, h);
    if (h->hh.tbl != NULL)
        return h;
    free(h);
    return NULL;
}

static struct address *get_address(struct claims *c, const struct endpoint *e)
{
    struct address *a = find(c, e);
    if (a != NULL || (a = calloc(1, sizeof *a)) == NULL)
        return a;
    make_key(e, a->key);
    HASH_ADD(hh, c->addresses, key, KEY_SIZE, a);
    if (a->hh.tbl != NULL)
        return a;
    free(a);
    return NULL;
}

static bool add_claim(struct claims *c, struct holding *h, const struct claim *claim)
{
    struct address *a = get_address(c, &claim->endpoint);
    struct claimant *new = a != NULL ? calloc(1, sizeof *new) : NULL;
    if (new == NULL) {
        if (a != NULL && a->first == NULL)
            drop_address(c, a);
        return false;
    }
    *new = (struct claimant){.next = a->first, .holding = h, .good = claim->good};
    a->first = new;
    h->list[h->count++] = claim->endpoint;
    return true;
}

static void tell_others(const struct claims *c, const struct holding *h,
                        void (*affected)(const char *cluster, void *arg), void *arg)
{
    for (size_t i = 0; i < h->count; i++) {
        const struct address *a = find(c, &h->list[i]);
        for (const struct claimant *o = a != NULL ? a->first : NULL; o != NULL; o = o->next)
            if (o->holding != h)
                affected(o->holding->id, arg);
    }
}

/* Is `h` claiming just this already? Spares everybody the work, for most replies change nothing. */
static bool same(const struct claims *c, const struct holding *h, const struct claim *list,
                 size_t count)
{
    if (h->count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct claimant *own = NULL;
        if (endpoint_compare(&h->list[i], &list[i].endpoint) == 0)
            for (own = find(c, &h->list[i])->first; own->holding != h;)
                own = own->next;
        if (own == NULL || own->good != list[i].good)
            return false;
    }
    return true;
}

bool claims_set(struct claims *c, const char *cluster, const struct claim *list, size_t count,
                void (*affected)(const char *cluster, void *arg), void *arg)
{
    struct holding *h = get_holding(c, cluster);
    if (h == NULL)
        return false;
    if (same(c, h, list, count))
        return true;
    struct endpoint *room = calloc(count + 1, sizeof *room);
    if (room == NULL)
        return false;
    tell_others(c, h, affected, arg);
    drop_claims(c, h);
    h->list = room;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        ok = add_claim(c, h, &list[i]);
    if (!ok)
        drop_claims(c, h);
    tell_others(c, h, affected, arg);
    if (h->count == 0)
        claims_drop(c, cluster);
    return ok;
}

void claims_drop(struct claims *c, const char *cluster)
{
    struct holding *h;
    HASH_FIND_STR(c->holdings, cluster, h);
    if (h == NULL)
        return;
    drop_claims(c, h);
    HASH_DEL(c->holdings, h);
    free(h);
}

static bool is_others(const struct claimant *o, const char *cluster)
{
    return o->good && strcmp(o->holding->id, cluster) != 0;
}

static bool has_other(const struct claims *c, const char *cluster, const struct endpoint *e)
{
    const struct address *a = find(c, e);
    const struct claimant *o = a != NULL ? a->first : NULL;
    while (o != NULL && !is_others(o, cluster))
        o = o->next;
    return o != NULL;
}

const char *claims_other(const struct claims *c, const char *cluster, const struct endpoint *e)
{
    const struct address *a = find(c, e);
    const char *first = NULL;
    for (const struct claimant *o = a != NULL ? a->first : NULL; o != NULL; o = o->next)
        if (is_others(o, cluster) && (first == NULL || strcmp(o->holding->id, first) < 0))
            first = o->holding->id;
    return first;
}

struct grant claims_grant(const struct claims *c, const char *cluster, const struct claim *list,
                          size_t count, struct endpoint *out)
{
    struct grant g = {.count = 0};
    for (size_t i = 0; i < count; i++) {
        if (!has_other(c, cluster, &list[i].endpoint))
            out[g.count++] = list[i].endpoint;
        else if (g.contested++ == 0)
            g.example = list[i].endpoint;
    }
    if (g.count > 0)
        return g;
    for (size_t i = 0; i < count; i++)
        out[i] = list[i].endpoint;
    g.count = count;
    return g;
}
