/* SPDX-License-Identifier: Apache-2.0 */
/* drops.h - renderings that count how often each was dropped. */
#ifndef UNIT_DROPS_H
#define UNIT_DROPS_H

#include <string.h>

static int drops[4]; /* by the rendering's own number */

static int numbers[4] = {0, 1, 2, 3};

static void drop_number(void *rendering)
{
    const int *number = rendering;
    drops[*number]++;
}

static int reset_drops(void **state)
{
    (void)state;
    memset(drops, 0, sizeof drops);
    return 0;
}

#endif
