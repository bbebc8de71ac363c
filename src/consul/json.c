/* SPDX-License-Identifier: Apache-2.0 */
#include "consul/json.h"

#include <string.h>

#include "base/error.h"

cJSON *json_parse(const char *body, size_t len, struct error *reterr)
{
    /* cJSON ends at a NUL: what follows one would be ignored, not refused. */
    if (strlen(body) != len) {
        error_set(reterr, "the reply is not JSON: it has a NUL byte");
        return NULL;
    }
    const char *end = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts(body, len + 1, &end, 1);
    if (root == NULL)
        error_set(reterr,
                  "the reply is not complete JSON: unexpected end or text at byte %zu of %zu",
                  end != NULL ? (size_t)(end - body) : 0, len);
    return root;
}

const cJSON *json_member(const cJSON *object, const char *name)
{
    const cJSON *found = NULL;
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        if (item->string == NULL || strcmp(item->string, name) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = item;
    }
    return found;
}

const char *json_string(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(json_member(object, name));
}

long json_port(const cJSON *item)
{
    if (!cJSON_IsNumber(item))
        return -1;
    double n = item->valuedouble;
    if (!(n >= 0 && n <= 65535) || n != (double)(long)n)
        return -1;
    return (long)n;
}
