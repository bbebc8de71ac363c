// SPDX-License-Identifier: Apache-2.0
/* What a change of the served table costs, and a search in it.
 *
 *     table ROUNDS CLUSTERS...
 *
 * Prints "CLUSTERS first|change|search NANOSECONDS", each figure once per round. A change is what a
 * source does for one cluster: copy, set, drop the table before. first is the mean of the changes
 * that bring the clusters one by one into an empty table. Made with the product's libraries. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "model/table.h"

#define CHANGES 1000
#define SEARCHES 100000

static void *checked(void *made)
{
    if (made == NULL)
        abort();
    return made;
}

static double now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static size_t random_below(size_t bound)
{
    static uint64_t seed = 1;
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(seed >> 33) % bound;
}

static size_t id_of(size_t n, char out[static 32])
{
    return (size_t)snprintf(out, 32, "cluster-%05zu", n);
}

static struct cluster *make(size_t n, uint16_t port)
{
    struct endpoint e = {.family = 4, .addr = {10, 0, 0, 1}, .port = port};
    char id[32];
    (void)id_of(n, id);
    return checked(cluster_new(id, CLUSTER_LIVE, 0, &e, 1));
}

/* One change: `c` is stolen, and the table before. */
static struct table *changed(struct table *t, const struct cluster *c)
{
    struct table *next = checked(table_copy(t));
    if (!table_set(next, c))
        abort();
    table_unref(t);
    return next;
}

static struct table *fill(size_t count, uint16_t port)
{
    struct cluster **all = checked(calloc(count, sizeof *all));
    size_t fills = count < CHANGES ? CHANGES / count : 1;
    struct table *t = NULL;
    for (size_t n = 0; n < count; n++)
        all[n] = make(n, port);
    double started = now_ns();
    for (size_t i = 0; i < fills; i++) {
        table_unref(t);
        t = checked(table_new());
        for (size_t n = 0; n < count; n++)
            t = changed(t, cluster_ref(all[n]));
    }
    printf("%zu first %.1f\n", count, (now_ns() - started) / (double)(fills * count));
    for (size_t n = 0; n < count; n++)
        cluster_unref(all[n]);
    free(all);
    return t;
}

/* No cluster is freed meanwhile: that costs the same whatever a table is. */
static struct table *change(struct table *t, size_t count, uint16_t port)
{
    static struct cluster *news[CHANGES];
    const struct table *before = table_ref(t);
    for (size_t i = 0; i < CHANGES; i++)
        news[i] = make(random_below(count), port);
    double started = now_ns();
    for (size_t i = 0; i < CHANGES; i++)
        t = changed(t, cluster_ref(news[i]));
    printf("%zu change %.1f\n", count, (now_ns() - started) / CHANGES);
    table_unref(before);
    for (size_t i = 0; i < CHANGES; i++)
        cluster_unref(news[i]);
    return t;
}

static void search(const struct table *t, size_t count)
{
    static struct {
        size_t len;
        char id[32];
    } asked[SEARCHES];
    size_t found = 0;
    for (size_t i = 0; i < SEARCHES; i++)
        asked[i].len = id_of(random_below(count), asked[i].id);
    double started = now_ns();
    for (size_t i = 0; i < SEARCHES; i++)
        found += table_find(t, asked[i].id, asked[i].len) != NULL;
    printf("%zu search %.1f\n", count, (now_ns() - started) / SEARCHES);
    if (found != SEARCHES)
        abort();
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    for (size_t round = 0; round < rounds; round++) {
        for (int i = 2; i < argc; i++) {
            size_t count = strtoul(argv[i], NULL, 10);
            if (count == 0)
                return 64;
            struct table *t = fill(count, 1);
            t = change(t, count, 2);
            search(t, count);
            table_unref(t);
        }
    }
    return 0;
}
