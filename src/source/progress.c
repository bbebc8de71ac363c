/* SPDX-License-Identifier: Apache-2.0 */
#include "source/progress.h"

bool progress_note(struct progress *p, unsigned left, int64_t now_ms)
{
    if (left == 0) {
        *p = (struct progress){.most = 0};
        return false;
    }
    if (p->most == 0)
        p->next_ms = now_ms + PROGRESS_EVERY_MS;
    if (left > p->most)
        p->most = left;
    if (left > p->told)
        p->told = left;
    if (p->most < PROGRESS_LONG || left == p->told || now_ms < p->next_ms)
        return false;
    p->told = left;
    p->next_ms = now_ms + PROGRESS_EVERY_MS;
    return true;
}
