/* SPDX-License-Identifier: Apache-2.0 */
#include "announce/registrations.h"

#include <stdlib.h>
#include <string.h>

/* Out of memory leaves the element out; registrations_add() sees that it is in no table. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

struct node {
    struct registration is; /* first: what callers hold */
    UT_hash_handle hh;
    struct node *prev; /* in its turn */
    struct node *next;
    char id[]; /* NUL-terminated */
};

struct registrations {
    struct node *all; /* by id */
    struct node *turns[TURN_COUNT];
    size_t queued;
};

static struct node *node_of(struct registration *r)
{
    return (struct node *)r;
}

struct registrations *registrations_new(void)
{
    return calloc(1, sizeof(struct registrations));
}

void registrations_free(struct registrations *set)
{
    if (set == NULL)
        return;
    struct node *n, *next;
    HASH_ITER(hh, set->all, n, next)
    {
        HASH_DEL(set->all, n);
        free(n);
    }
    free(set);
}

struct registration *registrations_find(const struct registrations *set, const char *id)
{
    struct node *n;
    HASH_FIND_STR(set->all, id, n);
    return n != NULL ? &n->is : NULL;
}

struct registration *registrations_add(struct registrations *set, const char *id)
{
    struct registration *has = registrations_find(set, id);
    if (has != NULL)
        return has;
    size_t size = strlen(id) + 1;
    struct node *n = calloc(1, sizeof *n + size);
    if (n == NULL)
        return NULL;
    memcpy(n->id, id, size);
    n->is = (struct registration){.id = n->id, .turn = TURN_NONE};
    HASH_ADD_KEYPTR(hh, set->all, n->id, size - 1, n);
    if (n->hh.tbl != NULL)
        return &n->is;
    free(n); /* out of memory: it was not added */
    return NULL;
}

void registrations_remove(struct registrations *set, struct registration *r)
{
    struct node *n = node_of(r);
    registrations_queue(set, r, TURN_NONE);
    if (set->all != NULL) /* it is: `r` is in it; clang's analyzer does not see that */
        HASH_DEL(set->all, n);
    free(n);
}

void registrations_each(struct registrations *set, void (*visit)(struct registration *r, void *arg),
                        void *arg)
{
    struct node *n, *next;
    HASH_ITER(hh, set->all, n, next)
    visit(&n->is, arg);
}

void registrations_queue(struct registrations *set, struct registration *r, enum turn turn)
{
    struct node *n = node_of(r);
    if (r->turn != TURN_NONE) {
        if (turn != TURN_NONE && turn >= r->turn)
            return;
        DL_DELETE(set->turns[r->turn], n);
        set->queued--;
    }
    r->turn = turn;
    if (turn == TURN_NONE)
        return;
    DL_APPEND(set->turns[turn], n);
    set->queued++;
}

struct registration *registrations_next(struct registrations *set)
{
    for (size_t turn = 0; turn < TURN_COUNT; turn++) {
        while (set->turns[turn] != NULL) {
            struct registration *r = &set->turns[turn]->is;
            if (registration_need(r) != NEED_NOTHING)
                return r;
            if (r->wanted)
                registrations_queue(set, r, TURN_NONE);
            else
                registrations_remove(set, r);
        }
    }
    return NULL;
}

size_t registrations_queued(const struct registrations *set)
{
    return set->queued;
}

size_t registrations_present(const struct registrations *set)
{
    size_t count = 0;
    for (const struct node *n = set->all; n != NULL; n = n->hh.next)
        count += n->is.presence != PRESENCE_NONE;
    return count;
}

size_t registrations_children(const struct registrations *set)
{
    size_t count = 0;
    for (const struct node *n = set->all; n != NULL; n = n->hh.next)
        count += n->is.presence != PRESENCE_NONE && !n->is.parent;
    return count;
}

enum need registration_need(const struct registration *r)
{
    if (r->wanted)
        return r->presence != PRESENCE_SAME ? NEED_REGISTER : NEED_NOTHING;
    return r->presence != PRESENCE_NONE ? NEED_DEREGISTER : NEED_NOTHING;
}
