/* SPDX-License-Identifier: Apache-2.0 */
#include "heap.h"

#include <stdbool.h>

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __real_free(void *memory);
void __wrap_free(void *memory);

static bool watching;
static size_t refused;
static struct heap_calls calls;

void heap_watch(size_t refuse)
{
    calls = (struct heap_calls){.taken = 0};
    refused = refuse;
    watching = true;
}

struct heap_calls heap_watched(void)
{
    watching = false;
    return calls;
}

void *__wrap_calloc(size_t count, size_t size)
{
    if (watching && ++calls.taken == refused)
        return NULL;
    return __real_calloc(count, size);
}

void __wrap_free(void *memory)
{
    if (watching && memory != NULL)
        calls.freed++;
    __real_free(memory);
}
