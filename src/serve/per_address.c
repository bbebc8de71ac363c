/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/per_address.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Without memory an address is not counted, which only lets it in. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/error.h"
#include "config/config.h"
#include "model/network.h"

#define IPV6_HOST_BYTES 8 /* what a /64 leaves */

struct holder {
    uint8_t address[16];
    unsigned count;
    UT_hash_handle hh;
};

struct per_address_rules {
    unsigned max; /* 0: no limit */
    size_t exempt_count;
    struct network exempt[];
};

struct per_address {
    atomic_bool limits;              /* there is a limit: without one nobody has to wait */
    pthread_mutex_t lock;            /* guards the rest */
    struct per_address_rules *rules; /* owned */
    struct holder *holders;
};

struct per_address_rules *per_address_rules_new(unsigned max, const struct strings *exempt,
                                                struct error *reterr)
{
    struct per_address_rules *r = calloc(1, sizeof *r + exempt->count * sizeof r->exempt[0]);
    if (r == NULL) {
        error_set(reterr, "out of memory");
        return NULL;
    }
    r->max = max;
    /* The config has checked that each can be read. */
    for (size_t i = 0; i < exempt->count; i++)
        if (network_parse(exempt->items[i], &r->exempt[r->exempt_count]))
            r->exempt_count++;
    return r;
}

void per_address_rules_free(struct per_address_rules *r)
{
    free(r);
}

struct per_address *per_address_new(struct per_address_rules *rules, struct error *reterr)
{
    struct per_address *p = calloc(1, sizeof *p);
    if (p == NULL || pthread_mutex_init(&p->lock, NULL) != 0) {
        error_set(reterr, "out of memory");
        free(p);
        return NULL;
    }
    p->rules = rules;
    atomic_init(&p->limits, rules->max > 0);
    return p;
}

void per_address_free(struct per_address *p)
{
    if (p == NULL)
        return;
    struct holder *h, *next;
    HASH_ITER(hh, p->holders, h, next)
    {
        HASH_DEL(p->holders, h);
        free(h);
    }
    (void)pthread_mutex_destroy(&p->lock);
    per_address_rules_free(p->rules);
    free(p);
}

void per_address_change(struct per_address *p, struct per_address_rules *rules)
{
    pthread_mutex_lock(&p->lock);
    struct per_address_rules *old = p->rules;
    p->rules = rules;
    atomic_store(&p->limits, rules->max > 0);
    pthread_mutex_unlock(&p->lock);
    per_address_rules_free(old);
}

static bool is_exempt(const struct per_address_rules *r, const uint8_t address[static 16])
{
    for (size_t i = 0; i < r->exempt_count; i++)
        if (network_has(&r->exempt[i], address))
            return true;
    return false;
}

/* Whom a connection counts for. */
static void make_holder(uint8_t address[static 16])
{
    if (!network_is_ipv4(address))
        memset(address + 16 - IPV6_HOST_BYTES, 0, IPV6_HOST_BYTES);
}

/* One more, if it has room; *counted tells of memory, too. Under the lock. */
static bool count(struct per_address *p, const uint8_t address[static 16], bool *counted)
{
    struct holder *h = NULL;
    HASH_FIND(hh, p->holders, address, sizeof h->address, h);
    if (h != NULL) {
        *counted = h->count < p->rules->max;
        h->count += *counted;
        return *counted;
    }
    if ((h = calloc(1, sizeof *h)) == NULL)
        return true;
    memcpy(h->address, address, sizeof h->address);
    h->count = 1;
    HASH_ADD(hh, p->holders, address, sizeof h->address, h);
    *counted = h->hh.tbl != NULL;
    if (!*counted)
        free(h);
    return true;
}

bool per_address_enter(struct per_address *p, const struct sockaddr *from, bool *counted)
{
    uint8_t address[16];
    bool room = true;
    *counted = false;
    if (!atomic_load_explicit(&p->limits, memory_order_relaxed) || from == NULL ||
        !network_address(from, address))
        return true;
    pthread_mutex_lock(&p->lock);
    if (p->rules->max > 0 && !is_exempt(p->rules, address)) {
        make_holder(address);
        room = count(p, address, counted);
    }
    pthread_mutex_unlock(&p->lock);
    return room;
}

void per_address_leave(struct per_address *p, const struct sockaddr *from)
{
    uint8_t address[16];
    if (from == NULL || !network_address(from, address))
        return;
    struct holder *h = NULL;
    make_holder(address);
    pthread_mutex_lock(&p->lock);
    HASH_FIND(hh, p->holders, address, sizeof address, h);
    if (h != NULL && --h->count == 0) {
        HASH_DEL(p->holders, h);
        free(h);
    }
    pthread_mutex_unlock(&p->lock);
}
