/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/per_address.h"

#include <netinet/in.h>
#include <pthread.h>
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

struct per_address {
    unsigned max;
    size_t exempt_count;
    struct network *exempt;
    pthread_mutex_t lock; /* guards the rest */
    struct holder *holders;
};

struct per_address *per_address_new(unsigned max, const struct strings *exempt,
                                    struct error *reterr)
{
    struct per_address *p = calloc(1, sizeof *p);
    if (p == NULL ||
        (exempt->count > 0 && (p->exempt = calloc(exempt->count, sizeof *p->exempt)) == NULL) ||
        pthread_mutex_init(&p->lock, NULL) != 0) {
        error_set(reterr, "out of memory");
        if (p != NULL)
            free(p->exempt);
        free(p);
        return NULL;
    }
    p->max = max;
    /* The config has checked that each can be read. */
    for (size_t i = 0; i < exempt->count; i++)
        if (network_parse(exempt->items[i], &p->exempt[p->exempt_count]))
            p->exempt_count++;
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
    free(p->exempt);
    free(p);
}

/* Whom a connection counts for; false: nobody. */
static bool holder_address(const struct per_address *p, const struct sockaddr *from,
                           uint8_t out[static 16])
{
    if (from == NULL || !network_address(from, out))
        return false;
    for (size_t i = 0; i < p->exempt_count; i++)
        if (network_has(&p->exempt[i], out))
            return false;
    if (!network_is_ipv4(out))
        memset(out + 16 - IPV6_HOST_BYTES, 0, IPV6_HOST_BYTES);
    return true;
}

bool per_address_enter(struct per_address *p, const struct sockaddr *from)
{
    uint8_t address[16];
    if (!holder_address(p, from, address))
        return true;
    bool room = true;
    struct holder *h = NULL;
    pthread_mutex_lock(&p->lock);
    HASH_FIND(hh, p->holders, address, sizeof address, h);
    if (h != NULL) {
        room = h->count < p->max;
        h->count += room;
    } else if ((h = calloc(1, sizeof *h)) != NULL) {
        memcpy(h->address, address, sizeof address);
        h->count = 1;
        HASH_ADD(hh, p->holders, address, sizeof h->address, h);
        if (h->hh.tbl == NULL)
            free(h);
    }
    pthread_mutex_unlock(&p->lock);
    return room;
}

void per_address_leave(struct per_address *p, const struct sockaddr *from)
{
    uint8_t address[16];
    if (!holder_address(p, from, address))
        return;
    struct holder *h = NULL;
    pthread_mutex_lock(&p->lock);
    HASH_FIND(hh, p->holders, address, sizeof address, h);
    if (h != NULL && --h->count == 0) {
        HASH_DEL(p->holders, h);
        free(h);
    }
    pthread_mutex_unlock(&p->lock);
}
