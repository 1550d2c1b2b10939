/* SPDX-License-Identifier: MIT */
/*
 * inflight_track: which requests of a guest are with us, in a memory that the front end keeps: a
 * device that dies finds them there when it is started again, and asks the disk for them once more.
 * Without it a guest waits for ever for what its device had when it was killed.
 *
 * Source: "Vhost-user Protocol" of QEMU's documentation (docs/interop/vhost-user.rst), section
 * "Inflight I/O tracking", the split virtqueue. The memory is made by the first device that is
 * asked for it, and has a part for each queue.
 *
 * Who writes: we do. But the front end has the descriptor and may write anything: each field is
 * read once, and an index is checked before it is used. It can't shrink the memory: that is sealed.
 *
 * One thread.
 */
#ifndef SPLITDOM_BRIDGE_VHOST_INFLIGHT_TRACK_H
#define SPLITDOM_BRIDGE_VHOST_INFLIGHT_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/vhost/vhost_user.h"

struct inflight_region;

enum { INFLIGHT_QUEUES_MAX = 64 };

/* Zeroed: no memory, nothing is tracked. */
struct inflight_track {
    void *mapping;
    size_t bytes;
    uint32_t queue_count, queue_size; /* of each: entries */
};

/* The part of one queue. Zeroed: it is not tracked. */
struct inflight_queue {
    struct inflight_region *region;
    uint32_t size;
    uint64_t counter; /* of the next request */
    uint16_t *again;  /* calloc'ed: heads that an earlier device had, in the order it got them */
    uint32_t again_count, again_next;
};

/*
 * Makes the memory for asked->queue_count queues of asked->queue_size entries. Returns a
 * descriptor, the caller's; *answer says what to tell of it. Errors: -EINVAL there are no such
 * queues; others of memory_file_create, memory_file_seal and ftruncate.
 */
int inflight_track_make(const struct vhost_user_inflight *asked,
                        struct vhost_user_inflight *answer);

/* Maps what inflight_track_make of this device or an earlier one has made, instead of what was
 * mapped. fd stays the caller's. Errors: -EINVAL it is too small for its queues; -EBADFD it is no
 * sealed memory; others of fstat and mmap. */
int inflight_track_map(struct inflight_track *track, const struct vhost_user_inflight *given,
                       int fd);
void inflight_track_unmap(struct inflight_track *track);

/*
 * The part of a queue of `size` entries, whose used ring is at used_index: out->again_count
 * requests that an earlier device has not given back. A queue that the memory has no part for is
 * not tracked. Errors: -ENOMEM.
 */
int inflight_queue_attach(struct inflight_queue *out, const struct inflight_track *track,
                          uint32_t index, uint32_t size, uint16_t used_index);
void inflight_queue_detach(struct inflight_queue *queue);

/* The next request that an earlier device had, ours from now on; false: there is none (any more).
 */
bool inflight_queue_next(struct inflight_queue *queue, uint16_t *head);

/* Does the next device find what is not given back? */
static inline bool inflight_queue_is_kept(const struct inflight_queue *queue)
{
    return queue->region != NULL;
}

/* A request of this head is ours, before anything is done for it. */
void inflight_queue_take(struct inflight_queue *queue, uint16_t head);
/* It is about to be given back; and it is: the used ring is at used_index now. */
void inflight_queue_will_give(struct inflight_queue *queue, uint16_t head);
void inflight_queue_gave(struct inflight_queue *queue, uint16_t head, uint16_t used_index);

#endif
