/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_state_writer.h"

#include <stddef.h>

static bool holding, failing, has_worked;
static struct state_writer *held;

static void work_now(struct state_writer *w)
{
    if (has_worked)
        return;
    if (failing)
        error_set(&w->error, "a test");
    w->ok = !failing && w->work(w->arg, &w->error);
    failing = false;
    has_worked = true;
}

void state_writer_start(struct state_writer *w, bool (*work)(void *arg, struct error *reterr))
{
    w->work = work;
    has_worked = false;
    if (holding) {
        held = w;
        return;
    }
    work_now(w);
    w->done(w->arg);
}

/* What is held ends here when it is not waited for from `done`. */
void state_writer_wait(struct state_writer *w)
{
    if (held != w)
        return;
    held = NULL;
    work_now(w);
}

void fake_state_writer_hold(void)
{
    holding = true;
}

void fake_state_writer_release(void)
{
    struct state_writer *w = held;
    holding = false;
    if (w != NULL)
        w->done(w->arg);
}

void fake_state_writer_work(void)
{
    work_now(held);
}

void fake_state_writer_fail(void)
{
    failing = true;
}
