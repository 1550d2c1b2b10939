/* SPDX-License-Identifier: MIT */
/* sector: the unit in which disks are addressed, whatever the block of the device below. */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_SECTOR_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_SECTOR_H

enum { BLOCK_SECTOR_BYTES = 512 };

#endif
