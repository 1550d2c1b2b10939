/* SPDX-License-Identifier: MIT */
/*
 * image_backing: whether a file's bytes lie on a disk, or in memory only.
 *
 * tmpfs opens O_DIRECT files since Linux 6.6 and serves them from memory all the same, and so does
 * what lies on top of it: an overlay, a loop device. A read there says nothing about a disk, and
 * whoever measures should know.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_IMAGE_BACKING_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_IMAGE_BACKING_H

#include <stdbool.h>

/* True also of a file whose file system tells nothing of where its data lies while others do:
 * see the .c file. False when in doubt. */
bool image_backing_is_memory(int fd);

#endif
