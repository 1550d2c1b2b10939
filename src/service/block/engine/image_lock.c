/* SPDX-License-Identifier: MIT */
#include "service/block/engine/image_lock.h"

#include <errno.h>
#include <sys/file.h>
#include <time.h>

#include "base/clock.h"

enum { LOOK_EVERY_MS = 10, NS_PER_MS = 1000000 };

int image_lock(const struct image *image, uint32_t patience_ms, struct why *why)
{
    const struct timespec pause = {.tv_nsec = (long)LOOK_EVERY_MS * NS_PER_MS};
    uint64_t end_ns = clock_monotonic_ns() + (uint64_t)patience_ms * NS_PER_MS;
    if (!image->writable)
        return 0;
    while (flock(image->fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return 0; /* there are none here */
        if (clock_monotonic_ns() >= end_ns)
            return why_fail(why, -EBUSY,
                            "%s: another service writes to it, or what one that was killed has "
                            "written is still on its way; end that one, or have the disk "
                            "read-only (flock)",
                            image->path);
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}

/* Not left to the descriptor's end: a poller may hold the file for a while longer. */
void image_unlock(const struct image *image)
{
    if (image->writable)
        (void)flock(image->fd, LOCK_UN);
}
