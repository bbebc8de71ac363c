/*
 * hash.h - FNV-1a, 64 bits: tells contents apart. Not for secrets, and no guard against somebody
 * who looks for collisions.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const char *bytes, size_t len);

/* The hash of what `hash` is of, followed by these bytes. */
uint64_t hash_more(uint64_t hash, const char *bytes, size_t len);

#endif
