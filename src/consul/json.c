/* SPDX-License-Identifier: Apache-2.0 */
#include "consul/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* Consul's objects have about twenty members; comparing each with each of very many would take
 * minutes. */
#define MEMBERS_MAX 256

/* cJSON's strings end at an escaped NUL, so "10.0.0.1\\u0000x" would read as "10.0.0.1". Another
 * control character in its place stands in no address or name either. */
static void replace_nul_escapes(char *body)
{
    for (char *c = body; *c != '\0'; c++) {
        if (*c != '\\')
            continue;
        if (strncmp(c, "\\u0000", 6) == 0)
            c[5] = '1';
        if (c[1] != '\0')
            c++; /* what it escapes */
    }
}

cJSON *json_parse(const char *body, size_t len, struct error *reterr)
{
    char *copy = NULL;
    /* cJSON ends at a NUL: what follows one would be ignored, not refused. */
    if (strlen(body) != len) {
        error_set(reterr, "the reply is not JSON: it has a NUL byte");
        return NULL;
    }
    if (strstr(body, "\\u0000") != NULL) {
        copy = strdup(body);
        if (copy == NULL) {
            error_set(reterr, "out of memory");
            return NULL;
        }
        replace_nul_escapes(copy);
        body = copy;
    }
    const char *end = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts(body, len + 1, &end, 1);
    if (root == NULL)
        error_set(reterr,
                  "the reply is not complete JSON: unexpected end or text at byte %zu of %zu",
                  end != NULL ? (size_t)(end - body) : 0, len);
    free(copy);
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

bool json_has_duplicates(const cJSON *object)
{
    const cJSON *item;
    if (cJSON_GetArraySize(object) > MEMBERS_MAX)
        return true;
    cJSON_ArrayForEach(item, object)
    {
        for (const cJSON *other = item->next; other != NULL; other = other->next)
            if (strcmp(item->string, other->string) == 0)
                return true;
    }
    return false;
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
