/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk.h - a folder as the kernel sees it: what is in its files, and what of that is durable.
 *
 * It follows the product's calls. A power failure leaves of each sector any version since the last
 * sync of its file, of its length as well, and of the folder's names those of any moment since the
 * last sync of the folder: also where file systems are kinder. What is lost reads as zeros. Two
 * things are taken for granted: a sector is written as a whole or not, and writing a part of a file
 * leaves the rest as it is.
 */
#ifndef TORTURE_DISK_H
#define TORTURE_DISK_H

#include "base/clock.h"

struct disk;

/* Empty. */
struct disk *disk_new(void);
struct disk *disk_copy(const struct disk *d);
/* NULL is allowed. */
void disk_free(struct disk *d);

/* Follows what the product does in `dir`, and calls `changed` after each of it. NULL ends it. */
void disk_follow(struct disk *d, const char *dir, void (*changed)(void));

void disk_fail_power(struct disk *d, struct jitter *random);

/* Makes the files of `dir`, which is there and empty. */
void disk_write_out(const struct disk *d, const char *dir);

#endif
