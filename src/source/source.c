/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source.h"

#include <stdlib.h>

#include "base/error.h"
#include "source/merge.h"

/* What the config says by hand comes first: nothing found later changes it. */
static const struct source_kind *const kinds[] = {&source_static, &source_consul};
#define KINDS (sizeof kinds / sizeof kinds[0])

struct sources {
    struct merge *merge;
    struct source *running[KINDS];
};

struct sources *sources_start(const struct config *config, struct httpc *httpc, struct merge *merge,
                              struct error *reterr)
{
    struct sources *s = calloc(1, sizeof *s);
    if (s == NULL) {
        error_set(reterr, "out of memory");
        return NULL;
    }
    s->merge = merge;
    for (size_t i = 0; i < KINDS; i++)
        if (kinds[i]->enabled(config))
            merge_expect(merge);
    for (size_t i = 0; i < KINDS; i++) {
        if (!kinds[i]->enabled(config))
            continue;
        s->running[i] = kinds[i]->start(config, httpc, merge, reterr);
        if (s->running[i] == NULL) {
            sources_stop(s);
            return NULL;
        }
    }
    return s;
}

bool sources_prepare_reload(struct sources *s, const struct config *config, struct error *reterr)
{
    bool ok = merge_begin(s->merge);
    if (!ok)
        return error_set(reterr, "out of memory");
    for (size_t i = 0; ok && i < KINDS; i++)
        ok = s->running[i] == NULL || kinds[i]->prepare_reload(s->running[i], config);
    if (ok)
        return true;
    merge_abandon(s->merge);
    return error_set(reterr, "out of memory");
}

void sources_end_reload(struct sources *s, const struct config *config)
{
    if (config == NULL) {
        merge_abandon(s->merge);
        return;
    }
    merge_commit(s->merge);
    for (size_t i = 0; i < KINDS; i++)
        if (s->running[i] != NULL)
            kinds[i]->reload(s->running[i], config);
}

void sources_stop(struct sources *s)
{
    if (s == NULL)
        return;
    for (size_t i = KINDS; i > 0; i--)
        if (s->running[i - 1] != NULL)
            kinds[i - 1]->stop(s->running[i - 1]);
    free(s);
}
