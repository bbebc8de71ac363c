/* SPDX-License-Identifier: Apache-2.0 */
#include "model/cluster_id.h"

/* Not isalnum(): the alphabet must not depend on a locale. */
static bool allowed(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool cluster_id_valid(const char *id, size_t len)
{
    if (len < 1 || len > CLUSTER_ID_MAX)
        return false;
    bool dots_only = len <= 2;
    for (size_t i = 0; i < len; i++) {
        if (!allowed(id[i]))
            return false;
        if (id[i] != '.')
            dots_only = false;
    }
    return !dots_only;
}
