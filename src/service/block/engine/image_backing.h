/* SPDX-License-Identifier: MIT */
/*
 * image_backing: where a file's bytes lie: in which part of what, and on a disk or in memory only;
 * and how many parts of memory that disk takes at a time.
 *
 * tmpfs opens O_DIRECT files since Linux 6.6 and serves them from memory all the same, and so does
 * what lies on top of it: an overlay, a loop device. A read there says nothing about a disk, and
 * whoever measures should know.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_IMAGE_BACKING_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_IMAGE_BACKING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* True also of a file whose file system tells nothing of where its data lies while others do:
 * see the .c file. False when in doubt. */
bool image_backing_is_memory(int fd);

/*
 * Which bytes of which file or block device these are, below loop devices and partitions, however
 * many lie on each other. What lies below that, as the disks of an LVM volume, is not looked for.
 * All zero: not known, no bytes.
 */
struct image_backing {
    bool is_device; /* what device is of: a block device, or the file system that has inode */
    dev_t device;
    ino_t inode;
    uint64_t first_byte, end_byte; /* UINT64_MAX: to its end, wherever that is */
};

/* Of an open regular file or block device. */
void image_backing_find(int fd, struct image_backing *out);
/* Whether two have bytes in common. */
bool image_backing_overlaps(const struct image_backing *a, const struct image_backing *b);

/* What the kernel says of the block device, or of the one that it is a partition of (sysfs,
 * queue/max_segments). 0: nobody knows, as of a file system over several disks. */
uint32_t image_backing_parts_max(dev_t device);

#endif
