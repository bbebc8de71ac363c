/* SPDX-License-Identifier: Apache-2.0 */
#include "model/cluster.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"

/* More addresses than any cluster has; bounds what one body may cost. */
#define BODY_MAX (1024 * 1024)

typedef void (*drop_rendering)(void *rendering);

struct counted_cluster {
    struct cluster pub;
    atomic_size_t refs;
    _Atomic(void *) rendering;
    _Atomic(drop_rendering) drop; /* set before there is one */
    char text[];                  /* id, body, withheld, each with its NUL */
};

const char *cluster_state_name(enum cluster_state state)
{
    static const char *const names[] = {
        [CLUSTER_UNREAD] = "unread", [CLUSTER_EMPTY] = "empty",       [CLUSTER_LIVE] = "live",
        [CLUSTER_HELD] = "held",     [CLUSTER_RESTORED] = "restored", [CLUSTER_GONE] = "gone",
    };
    return names[state];
}

static bool append_list(struct buf *out, const struct endpoint *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[ENDPOINT_TEXT_SIZE];
        size_t len = endpoint_format(&list[i], text);
        if ((i > 0 && !buf_append_char(out, ';')) || !buf_append(out, text, len))
            return false;
    }
    return true;
}

struct cluster *cluster_new(const char *id, enum cluster_state state, int64_t since_wall_ms,
                            const struct endpoint *list, size_t count)
{
    return cluster_new_withholding(id, state, since_wall_ms, list, count, NULL, 0);
}

struct cluster *cluster_new_withholding(const char *id, enum cluster_state state,
                                        int64_t since_wall_ms, const struct endpoint *list,
                                        size_t count, const struct endpoint *withheld,
                                        size_t withheld_count)
{
    struct counted_cluster *c = NULL;
    struct buf body, more;
    buf_init(&body, BODY_MAX);
    buf_init(&more, BODY_MAX);
    if (!append_list(&body, list, count) || !append_list(&more, withheld, withheld_count))
        goto out;
    size_t id_size = strlen(id) + 1;
    c = malloc(sizeof *c + id_size + body.len + 1 + more.len + 1);
    if (c == NULL)
        goto out;
    memcpy(c->text, id, id_size);
    memcpy(c->text + id_size, buf_text(&body), body.len + 1);
    memcpy(c->text + id_size + body.len + 1, buf_text(&more), more.len + 1);
    c->pub = (struct cluster){
        .state = state,
        .since_wall_ms = since_wall_ms,
        .id = c->text,
        .hash = hash_bytes(id, id_size - 1),
        .body = c->text + id_size,
        .body_len = body.len,
        .count = count,
        .withheld = c->text + id_size + body.len + 1,
    };
    (void)snprintf(c->pub.etag, sizeof c->pub.etag, "\"%016" PRIx64 "\"",
                   hash_bytes(c->pub.body, body.len));
    atomic_init(&c->rendering, NULL);
    atomic_init(&c->drop, NULL);
    atomic_init(&c->refs, 1);
out:
    buf_clear(&body);
    buf_clear(&more);
    return c == NULL ? NULL : &c->pub;
}

/* The count and the rendering are all that ever changes in a shared cluster, and `pub` is the first
 * member of what cluster_new() made. */
static struct counted_cluster *counted(const struct cluster *c)
{
    union {
        const struct cluster *in;
        struct counted_cluster *out;
    } cast = {.in = c};
    return cast.out;
}

const struct cluster *cluster_ref(const struct cluster *c)
{
    atomic_fetch_add_explicit(&counted(c)->refs, 1, memory_order_relaxed);
    return c;
}

void cluster_unref(const struct cluster *c)
{
    if (c == NULL)
        return;
    struct counted_cluster *own = counted(c);
    if (atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) != 1)
        return;
    void *rendering = atomic_load_explicit(&own->rendering, memory_order_relaxed);
    if (rendering != NULL)
        atomic_load_explicit(&own->drop, memory_order_relaxed)(rendering);
    free(own);
}

void *cluster_rendering(const struct cluster *c)
{
    return atomic_load_explicit(&counted(c)->rendering, memory_order_acquire);
}

void *cluster_keep_rendering(const struct cluster *c, void *rendering, void (*drop)(void *))
{
    struct counted_cluster *own = counted(c);
    void *kept = NULL;
    atomic_store_explicit(&own->drop, drop, memory_order_relaxed);
    if (atomic_compare_exchange_strong(&own->rendering, &kept, rendering))
        return rendering;
    drop(rendering);
    return kept;
}
