/* SPDX-License-Identifier: Apache-2.0 */
#include "model/mass_loss.h"

#include <stddef.h>

void mass_loss_init(struct mass_loss *m)
{
    *m = (struct mass_loss){.guarded_until_ms = INT64_MIN};
}

void mass_loss_forget(struct mass_loss *m, struct loss *cluster)
{
    if (!cluster->recent)
        return;
    if (cluster->older != NULL)
        cluster->older->newer = cluster->newer;
    else
        m->oldest = cluster->newer;
    if (cluster->newer != NULL)
        cluster->newer->older = cluster->older;
    else
        m->newest = cluster->older;
    m->recent--;
    *cluster = (struct loss){.recent = false};
}

static void forget_old(struct mass_loss *m, int64_t now_ms)
{
    while (m->oldest != NULL && now_ms - m->oldest->at_ms > MASS_LOSS_WINDOW_MS)
        mass_loss_forget(m, m->oldest);
}

static bool are_most(unsigned losers, unsigned clusters)
{
    return clusters >= MASS_LOSS_CLUSTERS && 2 * losers > clusters;
}

bool mass_loss_note(struct mass_loss *m, struct loss *cluster, unsigned clusters, int64_t now_ms)
{
    mass_loss_forget(m, cluster);
    forget_old(m, now_ms);
    *cluster = (struct loss){.older = m->newest, .at_ms = now_ms, .recent = true};
    if (m->newest != NULL)
        m->newest->newer = cluster;
    else
        m->oldest = cluster;
    m->newest = cluster;
    m->recent++;

    if (!are_most(m->recent, clusters))
        return false;
    bool rises = now_ms >= m->guarded_until_ms;
    m->guarded_until_ms = now_ms + MASS_LOSS_DELAY_MS;
    return rises;
}

int64_t mass_loss_floor(const struct mass_loss *m, unsigned clusters, int64_t now_ms)
{
    if (now_ms < m->guarded_until_ms)
        return MASS_LOSS_DELAY_MS;
    return clusters >= MASS_LOSS_CLUSTERS ? MASS_LOSS_WINDOW_MS : 0;
}

int64_t mass_loss_floor_losing(struct mass_loss *m, const struct loss *cluster, unsigned clusters,
                               int64_t now_ms)
{
    forget_old(m, now_ms);
    if (are_most(m->recent + !cluster->recent, clusters))
        return MASS_LOSS_DELAY_MS;
    return mass_loss_floor(m, clusters, now_ms);
}
