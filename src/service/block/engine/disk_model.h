/* SPDX-License-Identifier: MIT */
/*
 * disk_model: the model disk on a clock of one's own choice.
 *
 * disk_model_ops.create (disk.h) runs the model on CLOCK_MONOTONIC: a timer delivers completions
 * from poller_run. With disk_model_create the caller owns time: nothing sets a timer, and the owner
 * calls disk_model_expire when its clock has reached disk_model_next_due_ns. (disk_model_ops.create
 * does the same when disk_config.clock is set.) So tests and stepped
 * simulations need no waiting and are reproducible.
 *
 * Unlike what disk.h asks of the other engines, destroy may be called with reads in flight, because
 * stuck ones can't be waited for: it calls their done with status -ECANCELED, and done must then
 * not submit. What is short or fails has status -EIO; only the first half of a short read's memory
 * holds data, that of a failed one is untouched. A short write has written its first half, a failed
 * one nothing.
 *
 * What is written stays in memory (disk_contents.h), also with data=image: the image itself is
 * never changed. An operation has its effect when it is due.
 *
 * An operation arrives when its arrival_ns says, but not before the one that was submitted before
 * it.
 *
 * In done, due_ns of the operation is the time for which the model had computed its end: what an
 * observer on the same clock should see, whatever the delivery was delayed by. In stuck and
 * cancelled ones it is meaningless.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_MODEL_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "service/block/engine/disk.h"

/* now_ns must never go back. */
struct disk_model_clock {
    uint64_t (*now_ns)(void *ctx);
    void *ctx;
};

/*
 * As disk_ops.create, but config->poller is not used. Errors: -EINVAL for bad parameters, -ENOMEM;
 * with a reason in why.
 */
int disk_model_create(const struct disk_config *config, const struct disk_model_clock *clock,
                      struct disk **out, struct why *why);

/* When the next completion is due; UINT64_MAX if none is (stuck reads never are). */
uint64_t disk_model_next_due_ns(const struct disk *disk);

/* From now on, as nothing has been written so far, the disk has a volatile write cache. Errors:
 * -ENOMEM. */
int disk_model_add_volatile_cache(struct disk *disk);
/*
 * Power is lost, and comes back: what of the changes in the volatile cache has lasted is drawn from
 * seed, and of each write at the disk some sectors. All that is at the disk ends with -EIO, and
 * done must not submit. Errors: -ENOSPC no memory is left.
 */
int disk_model_lose_power(struct disk *disk, uint64_t seed);

/* Calls done of everything that is due by now, in order. Returns how many. */
uint32_t disk_model_expire(struct disk *disk);

#endif
