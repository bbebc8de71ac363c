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
/* With Consul away each cluster has one. */
#define FAILURE_TEXT_MAX 255

typedef void (*drop_rendering)(void *rendering);

struct counted_cluster {
    struct cluster pub;
    atomic_size_t refs;
    _Atomic(void *) rendering;
    _Atomic(drop_rendering) drop; /* set before there is one */
    _Atomic(int64_t) confirmed_ms;
    /* id, body, withheld, each with its NUL; behind them, so that what requests need stays close
     * together, the notes with their texts */
    char text[];
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

/* Would append_list() make that text of it? */
static bool is_list(const char *text, const struct endpoint *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char address[ENDPOINT_TEXT_SIZE];
        size_t len = endpoint_format(&list[i], address);
        if (i > 0 && *text++ != ';')
            return false;
        if (strncmp(text, address, len) != 0)
            return false;
        text += len;
    }
    return *text == '\0';
}

bool cluster_serves(const struct cluster *c, const struct endpoint *list, size_t count)
{
    return c->count == count && is_list(c->body, list, count);
}

bool cluster_withholds(const struct cluster *c, const struct endpoint *list, size_t count)
{
    return is_list(c->withheld, list, count);
}

struct cluster *cluster_new(const char *id, enum cluster_state state, int64_t since_wall_ms,
                            const struct endpoint *list, size_t count)
{
    struct cluster_parts parts = {
        .id = id,
        .state = state,
        .since_wall_ms = since_wall_ms,
        .list = list,
        .count = count,
        .change = {.why = "", .was_body = ""},
    };
    return cluster_make(&parts);
}

static void count_reports(struct cluster_notes *n)
{
    struct reports all = n->reports;
    struct report r;
    while (report_next(&all, &r)) {
        n->troubles += verdict_is_trouble(r.verdict);
        n->contested += r.verdict == VERDICT_CONTESTED || r.verdict == VERDICT_SHARED;
    }
}

/* Copies it behind what is at *at, which moves. */
static const char *lay(char **at, const char *bytes, size_t size)
{
    char *copy = *at;
    if (size > 0)
        memcpy(copy, bytes, size);
    *at += size;
    return copy;
}

/* What their texts take, without their NULs. */
struct note_sizes {
    size_t was;
    size_t failure;
};

static struct cluster_notes *lay_notes(char *at, const struct cluster_parts *p,
                                       const struct note_sizes *sizes)
{
    struct cluster_notes *n = (struct cluster_notes *)(void *)at;
    at += sizeof *n;
    *n = (struct cluster_notes){.change = p->change,
                                .failure = p->failure,
                                .unpinned = p->unpinned,
                                .unregistered = p->unregistered,
                                .gone_ms = p->gone_ms};
    n->change.was_body = lay(&at, p->change.was_body, sizes->was + 1);
    n->failure.text = lay(&at, p->failure.text, sizes->failure);
    *at++ = '\0';
    n->reports.data = lay(&at, p->reports.data, p->reports.len);
    n->reports.len = p->reports.len;
    count_reports(n);
    return n;
}

/* `body` and `withheld` are in the place of the parts' lists. */
static struct counted_cluster *assemble(const struct cluster_parts *p, const char *body,
                                        const char *withheld)
{
    size_t id_size = strlen(p->id) + 1, body_len = strlen(body), withheld_len = strlen(withheld);
    struct note_sizes sizes = {.was = strlen(p->change.was_body)};
    if (p->failure.text != NULL)
        sizes.failure = strnlen(p->failure.text, FAILURE_TEXT_MAX);
    size_t size = sizeof(struct counted_cluster) + id_size + body_len + 1 + withheld_len + 1;
    size_t align = _Alignof(struct cluster_notes);
    size_t notes_at = (size + align - 1) / align * align;
    char *block = malloc(notes_at + sizeof(struct cluster_notes) + sizes.was + 1 + sizes.failure +
                         1 + p->reports.len);
    if (block == NULL)
        return NULL;
    struct counted_cluster *c = (struct counted_cluster *)(void *)block;
    char *at = c->text;
    c->pub = (struct cluster){
        .state = p->state,
        .since_wall_ms = p->since_wall_ms,
        .pinned = p->pinned,
        .hash = hash_bytes(p->id, id_size - 1),
        .body_len = body_len,
        .count = p->count,
    };
    c->pub.id = lay(&at, p->id, id_size);
    c->pub.body = lay(&at, body, body_len + 1);
    c->pub.withheld = lay(&at, withheld, withheld_len + 1);
    c->pub.notes = lay_notes(block + notes_at, p, &sizes);
    (void)snprintf(c->pub.etag, sizeof c->pub.etag, "\"%016" PRIx64 "\"",
                   hash_bytes(c->pub.body, body_len));
    atomic_init(&c->rendering, NULL);
    atomic_init(&c->drop, NULL);
    atomic_init(&c->confirmed_ms, 0);
    atomic_init(&c->refs, 1);
    return c;
}

struct cluster *cluster_make(const struct cluster_parts *parts)
{
    struct counted_cluster *c = NULL;
    struct buf body, withheld;
    buf_init(&body, BODY_MAX);
    buf_init(&withheld, BODY_MAX);
    if (append_list(&body, parts->list, parts->count) &&
        append_list(&withheld, parts->withheld, parts->withheld_count))
        c = assemble(parts, buf_text(&body), buf_text(&withheld));
    buf_clear(&body);
    buf_clear(&withheld);
    return c == NULL ? NULL : &c->pub;
}

struct cluster *cluster_with_failure(const struct cluster *c, const struct cluster_failure *failure)
{
    struct cluster_parts parts = {
        .id = c->id,
        .state = c->state,
        .since_wall_ms = c->since_wall_ms,
        .pinned = c->pinned,
        .count = c->count,
        .reports = c->notes->reports,
        .change = c->notes->change,
        .failure = *failure,
        .unpinned = c->notes->unpinned,
        .unregistered = c->notes->unregistered,
        .gone_ms = c->notes->gone_ms,
    };
    struct counted_cluster *copy = assemble(&parts, c->body, c->withheld);
    return copy == NULL ? NULL : &copy->pub;
}

/* The count, the rendering and the confirmation are all that ever changes in a shared cluster, and
 * `pub` is the first member of what cluster_make() made. */
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

void cluster_confirm(const struct cluster *c, int64_t wall_ms)
{
    atomic_store_explicit(&counted(c)->confirmed_ms, wall_ms, memory_order_relaxed);
}

int64_t cluster_confirmed_ms(const struct cluster *c)
{
    return atomic_load_explicit(&counted(c)->confirmed_ms, memory_order_relaxed);
}
