/*
 * mass_loss.h - are many clusters losing members at once? Pure.
 *
 * More than half of at least MASS_LOSS_CLUSTERS clusters losing a good member within
 * MASS_LOSS_WINDOW_MS is Consul's fault until proven otherwise: a restarted agent, a lost server, a
 * cut network. Then nobody leaves in less than MASS_LOSS_DELAY_MS. So that the first clusters of
 * such a wave are not gone before the last ones are seen, nobody leaves within the window either,
 * however short the configured delays are.
 *
 * Ownership  struct mass_loss and struct loss (one per cluster) are embedded in their owners.
 * Threads    One at a time.
 * Units      Milliseconds of a monotonic clock.
 * Errors     None.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MODEL_MASS_LOSS_H
#define MODEL_MASS_LOSS_H

#include <stdbool.h>
#include <stdint.h>

#define MASS_LOSS_CLUSTERS 4
#define MASS_LOSS_WINDOW_MS 1000
#define MASS_LOSS_DELAY_MS 30000

/* The last loss of one cluster; all zeros at first. */
struct loss {
    struct loss *older;
    struct loss *newer;
    int64_t at_ms;
    bool recent; /* counted */
};

struct mass_loss {
    struct loss *oldest; /* of the window, a list by time */
    struct loss *newest;
    unsigned recent;
    int64_t guarded_until_ms;
};

void mass_loss_init(struct mass_loss *m);

/* A cluster, one of `clusters`, has lost a good member. True when that raised the guard. */
bool mass_loss_note(struct mass_loss *m, struct loss *cluster, unsigned clusters, int64_t now_ms);

/* The cluster is no more. */
void mass_loss_forget(struct mass_loss *m, struct loss *cluster);

/* How long a member must have been leaving, or a cluster empty, before it may go... */
int64_t mass_loss_floor(const struct mass_loss *m, unsigned clusters, int64_t now_ms);
/* ... and how long it must once this cluster, too, has lost a good member; not below the other one.
 * What is older than the window is forgotten, be it this cluster's. */
int64_t mass_loss_floor_losing(struct mass_loss *m, const struct loss *cluster, unsigned clusters,
                               int64_t now_ms);

#endif
