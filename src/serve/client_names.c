/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/client_names.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

struct entry {
    _Atomic(uint64_t) requests;
    char version[CLIENT_VERSION_SIZE];
    char agent[CLIENT_AGENT_SIZE];
};

struct client_names {
    struct client_names *next;
    size_t last; /* found last */
    atomic_size_t count;
    _Atomic(uint64_t) others;
    struct entry entries[CLIENT_NAMES_MAX];
};

struct client_names *client_names_new(struct client_names *list)
{
    struct client_names *n = calloc(1, sizeof *n);
    if (n != NULL)
        n->next = list;
    return n;
}

void client_names_free(struct client_names *list)
{
    while (list != NULL) {
        struct client_names *next = list->next;
        free(list);
        list = next;
    }
}

static void add(_Atomic(uint64_t) *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* What was cut is the same as far as it is kept. */
static bool is_of(const struct entry *e, const char *version, const char *agent)
{
    return strncmp(e->agent, agent, sizeof e->agent - 1) == 0 &&
           strncmp(e->version, version, sizeof e->version - 1) == 0;
}

static void copy(char *out, size_t size, const char *text)
{
    size_t len = strnlen(text, size - 1);
    memcpy(out, text, len);
    out[len] = '\0';
}

void client_names_note(struct client_names *n, const char *client_version, const char *user_agent)
{
    const char *version = client_version != NULL ? client_version : "";
    const char *agent = user_agent != NULL ? user_agent : "";
    size_t count = atomic_load_explicit(&n->count, memory_order_relaxed);
    size_t i = n->last; /* one client asks again and again, or all are of one kind */
    if (i >= count || !is_of(&n->entries[i], version, agent))
        for (i = 0; i < count && !is_of(&n->entries[i], version, agent);)
            i++;
    if (i == CLIENT_NAMES_MAX) {
        add(&n->others);
        return;
    }
    struct entry *e = &n->entries[i];
    if (i == count) {
        copy(e->version, sizeof e->version, version);
        copy(e->agent, sizeof e->agent, agent);
        atomic_store_explicit(&n->count, count + 1, memory_order_release);
    }
    add(&e->requests);
    n->last = i;
}

static void merge(const struct entry *e, struct client_totals *out)
{
    size_t i = 0;
    uint64_t requests = atomic_load_explicit(&e->requests, memory_order_relaxed);
    while (i < out->count && (strcmp(out->names[i].version, e->version) != 0 ||
                              strcmp(out->names[i].agent, e->agent) != 0))
        i++;
    if (i == CLIENT_NAMES_MAX) {
        out->others += requests;
        return;
    }
    struct client_name *name = &out->names[i];
    if (i == out->count) {
        *name = (struct client_name){.requests = 0};
        copy(name->version, sizeof name->version, e->version);
        copy(name->agent, sizeof name->agent, e->agent);
        out->count++;
    }
    name->requests += requests;
}

static int compare(const void *a, const void *b)
{
    const struct client_name *x = a, *y = b;
    int order = (x->requests < y->requests) - (x->requests > y->requests);
    if (order == 0)
        order = strcmp(x->agent, y->agent);
    return order != 0 ? order : strcmp(x->version, y->version);
}

/* What was cut in the middle of a character loses what is left of it. */
static void end_at_character(char *text, size_t size)
{
    size_t last = strlen(text);
    uint32_t c;
    if (last < size - 1)
        return;
    do
        last--;
    while (last > 0 && ((unsigned char)text[last] & 0xc0) == 0x80);
    if ((unsigned char)text[last] >= 0xc0 && utf8_decode(text + last, &c) == 0)
        text[last] = '\0';
}

void client_names_total(const struct client_names *list, struct client_totals *out)
{
    out->count = 0;
    out->others = 0;
    for (; list != NULL; list = list->next) {
        size_t count = atomic_load_explicit(&list->count, memory_order_acquire);
        for (size_t i = 0; i < count; i++)
            merge(&list->entries[i], out);
        out->others += atomic_load_explicit(&list->others, memory_order_relaxed);
    }
    for (size_t i = 0; i < out->count; i++) {
        end_at_character(out->names[i].version, sizeof out->names[i].version);
        end_at_character(out->names[i].agent, sizeof out->names[i].agent);
    }
    qsort(out->names, out->count, sizeof *out->names, compare);
}
