/* SPDX-License-Identifier: MIT */
/*
 * image_lock: the right to write to an image, which one service has at a time.
 *
 * Two services that write to one image do not see each other's writes: each has a cache. And what a
 * service has given to the kernel may still be on its way to the disk when the service has been
 * killed. If the next one writes to the same sectors first, the older data come last.
 *
 * The lock is flock(2)'s (on block devices what systemd-udevd honours, too). It belongs to the open
 * file, which the kernel keeps until the last operation on it has ended, whoever is dead by then.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_IMAGE_LOCK_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_IMAGE_LOCK_H

#include <stdint.h>

#include "service/block/engine/image.h"

/*
 * Takes the lock of an image that was opened for writing; nothing is done about others. It is given
 * back by image_close. Waits up to patience_ms (real time) for who has it. Returns 0, also where
 * the file system has no such locks. Errors: -EBUSY somebody else has it, and why says so.
 */
int image_lock(const struct image *image, uint32_t patience_ms, struct why *why);

/* For image_close: all operations on the image have ended. */
void image_unlock(const struct image *image);

#endif
