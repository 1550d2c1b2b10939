/* SPDX-License-Identifier: MIT */
/* cache_fill: has Dom0 read sectors into its cache of the disk, past which large requests go. */
#ifndef SPLITDOM_BRIDGE_CACHE_FILL_H
#define SPLITDOM_BRIDGE_CACHE_FILL_H

#include <stdint.h>

#include "splitdom/blkfront.h"

/* All blocks of the disk that have one of these bytes. Blocks until they are read. Errors: those of
 * blkfront_read. */
int cache_fill(struct blkfront *bf, const struct blkfront_geometry *geometry, uint64_t offset,
               uint64_t bytes);

#endif
