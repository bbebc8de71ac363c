/* SPDX-License-Identifier: Apache-2.0 */
/* cjson.c - each allocation that cJSON makes for the product is a point; its hooks serve everybody,
 * so the product's calls say that they are the product's. */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "torture.h"

static _Thread_local bool for_product;

static void *allocate(size_t size)
{
    return for_product && torture_point("malloc of cJSON") ? NULL : malloc(size);
}

__attribute__((constructor)) static void set_hooks(void)
{
    cJSON_Hooks hooks = {.malloc_fn = allocate, .free_fn = free};
    cJSON_InitHooks(&hooks);
}

/* The stand-in of a function whose parameters are `params` and whose call is `call`. */
#define COUNTED(type, name, params, call)                                                          \
    type torture_##name params;                                                                    \
    type torture_##name params                                                                     \
    {                                                                                              \
        for_product = true;                                                                        \
        type result = name call;                                                                   \
        for_product = false;                                                                       \
        return result;                                                                             \
    }

COUNTED(cJSON *, cJSON_CreateObject, (void), ())
COUNTED(cJSON *, cJSON_CreateString, (const char *text), (text))
COUNTED(cJSON *, cJSON_AddArrayToObject, (cJSON * to, const char *name), (to, name))
COUNTED(cJSON *, cJSON_AddObjectToObject, (cJSON * to, const char *name), (to, name))
COUNTED(cJSON *, cJSON_AddNumberToObject, (cJSON * to, const char *name, double n), (to, name, n))
COUNTED(cJSON *, cJSON_AddStringToObject, (cJSON * to, const char *name, const char *text),
        (to, name, text))
COUNTED(cJSON *, cJSON_ParseWithLengthOpts,
        (const char *text, size_t len, const char **end, cJSON_bool whole), (text, len, end, whole))
COUNTED(char *, cJSON_PrintUnformatted, (const cJSON *item), (item))
