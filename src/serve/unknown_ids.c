/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/unknown_ids.h"

#include <string.h>

#include "base/hash.h"

bool unknown_ids_note(struct unknown_ids *u, const char *id, int64_t now_ms, bool *last)
{
    uint64_t h = hash_bytes(id, strlen(id));
    bool new = true;
    pthread_mutex_lock(&u->lock);
    if (u->count > 0 && now_ms - u->since_ms >= UNKNOWN_IDS_FORGET_MS)
        u->count = 0;
    if (u->count == 0)
        u->since_ms = now_ms;
    for (size_t i = 0; new &&i < u->count; i++)
        new = u->hashes[i] != h;
    if (u->count == UNKNOWN_IDS_MAX)
        new = false;
    if (new)
        u->hashes[u->count++] = h;
    *last = u->count == UNKNOWN_IDS_MAX;
    pthread_mutex_unlock(&u->lock);
    return new;
}
