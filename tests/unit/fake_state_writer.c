/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_state_writer.h"

#include <stddef.h>

#include "base/file.h"

static bool holding;
static struct state_writer *held;

static void write_now(struct state_writer *w)
{
    w->ok = file_replace(w->dir, w->name, w->text.data, w->text.len, &w->error);
    buf_clear(&w->text);
}

void state_writer_start(struct state_writer *w, struct buf *text)
{
    w->text = *text;
    buf_init(text, text->max);
    if (holding) {
        held = w;
        return;
    }
    write_now(w);
    w->done(w->arg);
}

/* What is held ends here when it is not waited for from `done`. */
void state_writer_wait(struct state_writer *w)
{
    if (held != w)
        return;
    held = NULL;
    write_now(w);
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
