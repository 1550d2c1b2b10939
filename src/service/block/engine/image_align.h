/* SPDX-License-Identifier: MIT */
/*
 * image_align: what a file wants direct reads to be aligned to.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_IMAGE_ALIGN_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_IMAGE_ALIGN_H

#include <stdint.h>

/*
 * Asks the kernel (statx), then the device (BLKSSZGET), then tries it. The answer is taken as it
 * comes: it may be smaller than a sector, or no power of two. Errors: -ENOTSUP no direct I/O,
 * -ENOMEM, -errno of the read.
 */
int image_align_find(int fd, uint32_t *block_bytes, uint32_t *memory_bytes);

#endif
