/* SPDX-License-Identifier: Apache-2.0 */
#include "source/state_writer.h"

#include <time.h>

#include "consul/httpc.h"

static void *run(void *arg)
{
    static const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    struct state_writer *w = arg;
    w->ok = w->work(w->arg, &w->error);
    while (!httpc_post(w->httpc, w->done, w->arg))
        (void)nanosleep(&pause, NULL); /* out of memory: without this nothing is written any more */
    return NULL;
}

void state_writer_start(struct state_writer *w, bool (*work)(void *arg, struct error *reterr))
{
    w->work = work;
    w->has_thread = pthread_create(&w->thread, NULL, run, w) == 0;
    if (!w->has_thread)
        (void)run(w);
}

void state_writer_wait(struct state_writer *w)
{
    if (w->has_thread)
        (void)pthread_join(w->thread, NULL);
    w->has_thread = false;
}
