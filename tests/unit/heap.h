/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap.h - what a test's program takes from calloc() and gives to free(), counted, and one refused.
 *
 * For programs that are linked with heap.c and --wrap (see CMakeLists.txt). Not for several threads.
 */
#ifndef UNIT_HEAP_H
#define UNIT_HEAP_H

#include <stddef.h>

struct heap_calls {
    size_t taken;
    size_t freed;
};

/* Counts from now on; the `refuse`-th calloc() fails, from 1; 0: none. */
void heap_watch(size_t refuse);

/* Ends it. */
struct heap_calls heap_watched(void);

#endif
