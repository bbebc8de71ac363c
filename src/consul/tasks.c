/* SPDX-License-Identifier: Apache-2.0 */
#include "consul/tasks.h"

#include <stdlib.h>

struct task {
    struct task *next;
    void (*fn)(void *arg);
    void *arg;
};

bool tasks_init(struct tasks *t)
{
    return pthread_mutex_init(&t->lock, NULL) == 0;
}

void tasks_clear(struct tasks *t)
{
    while (t->first != NULL) {
        struct task *task = t->first;
        t->first = task->next;
        free(task);
    }
    (void)pthread_mutex_destroy(&t->lock);
}

bool tasks_post(struct tasks *t, void (*fn)(void *arg), void *arg)
{
    struct task *task = malloc(sizeof *task);
    if (task == NULL)
        return false;
    *task = (struct task){.fn = fn, .arg = arg};
    pthread_mutex_lock(&t->lock);
    if (t->first == NULL)
        t->first = task;
    else
        t->last->next = task;
    t->last = task;
    pthread_mutex_unlock(&t->lock);
    return true;
}

void tasks_end(struct tasks *t)
{
    pthread_mutex_lock(&t->lock);
    t->ended = true;
    pthread_mutex_unlock(&t->lock);
}

bool tasks_run(struct tasks *t)
{
    pthread_mutex_lock(&t->lock);
    struct task *task = t->first;
    t->first = t->last = NULL;
    bool go_on = !t->ended;
    pthread_mutex_unlock(&t->lock);
    while (task != NULL) {
        struct task *next = task->next;
        task->fn(task->arg);
        free(task);
        task = next;
    }
    return go_on;
}
