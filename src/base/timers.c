/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timers.h"

#include <stddef.h>

#include "base/clock.h"

/* The later of two roots becomes the first child of the earlier one. */
static struct timer *meld(struct timer *a, struct timer *b)
{
    if (a == NULL)
        return b;
    if (b == NULL)
        return a;
    if (b->at_ms < a->at_ms) {
        struct timer *swap = a;
        a = b;
        b = swap;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child != NULL)
        a->child->prev = b;
    a->child = b;
    return a;
}

/* Two passes over a list of siblings: meld pairs, then meld the pairs from the right. */
static struct timer *meld_siblings(struct timer *first)
{
    struct timer *pairs = NULL; /* a stack, linked through next */
    while (first != NULL) {
        struct timer *a = first;
        struct timer *b = a->next;
        first = b != NULL ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b != NULL)
            b->next = b->prev = NULL;
        struct timer *pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    struct timer *root = NULL;
    while (pairs != NULL) {
        struct timer *pair = pairs;
        pairs = pair->next;
        pair->next = NULL;
        root = meld(root, pair);
    }
    return root;
}

void timers_set(struct timers *t, struct timer *timer, int64_t at_ms)
{
    timers_cancel(t, timer);
    timer->at_ms = at_ms;
    timer->set = true;
    t->root = meld(t->root, timer);
}

void timers_cancel(struct timers *t, struct timer *timer)
{
    if (!timer->set)
        return;
    struct timer *orphans = meld_siblings(timer->child);
    if (timer == t->root) {
        t->root = orphans;
    } else {
        if (timer->prev->child == timer)
            timer->prev->child = timer->next;
        else
            timer->prev->next = timer->next;
        if (timer->next != NULL)
            timer->next->prev = timer->prev;
        t->root = meld(t->root, orphans);
    }
    timer->child = timer->next = timer->prev = NULL;
    timer->set = false;
}

int64_t timers_next(const struct timers *t)
{
    return t->root == NULL ? CLOCK_NEVER : t->root->at_ms;
}

void timers_run(struct timers *t, int64_t now_ms)
{
    while (t->root != NULL && t->root->at_ms <= now_ms) {
        struct timer *due = t->root;
        timers_cancel(t, due);
        due->fire(due->arg);
    }
}
