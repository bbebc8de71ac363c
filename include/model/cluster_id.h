/*
 * cluster_id.h - what may name a cluster.
 *
 * `[A-Za-z0-9._-]{1,128}`, case-sensitive. Anything else could break out of a log line, a URL or a
 * fabio route command (one bad route line freezes fabio's whole table: fabio issues 282, 727).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MODEL_CLUSTER_ID_H
#define MODEL_CLUSTER_ID_H

#include <stdbool.h>
#include <stddef.h>

#define CLUSTER_ID_MAX 128
#define CLUSTER_ID_SIZE (CLUSTER_ID_MAX + 1)

/* `id` need not be NUL-terminated. "." and ".." are refused: a proxy's path cleaning eats them. */
bool cluster_id_valid(const char *id, size_t len);

#endif
