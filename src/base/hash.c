/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

uint64_t hash_more(uint64_t hash, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return hash;
}

uint64_t hash_bytes(const char *bytes, size_t len)
{
    return hash_more(0xcbf29ce484222325u, bytes, len);
}
