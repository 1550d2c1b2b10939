/* SPDX-License-Identifier: MIT */
/*
 * split_queue: the device's half of a split virtqueue.
 *
 * Source: Virtual I/O Device (VIRTIO) 1.1: section 2.6 "Split Virtqueues" (2.6.5.3 on indirect
 * descriptors, 2.6.7 and 2.6.8 on notification suppression by event index).
 *
 * Who writes: the driver descriptors and the available ring, we the used ring. The driver may write
 * anything at any time: each field is read once, into private memory, and judged there. What it
 * gets wrong makes the queue broken (-EPROTO), and harms nobody else.
 *
 * One thread.
 */
#ifndef SPLITDOM_BRIDGE_VHOST_SPLIT_QUEUE_H
#define SPLITDOM_BRIDGE_VHOST_SPLIT_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "bridge/vhost/guest_memory.h"

struct vring_desc;
struct vring_avail;
struct vring_used;

enum {
    SPLIT_QUEUE_SIZE_MAX = 1024,
    SPLIT_QUEUE_PIECES_MAX = 256, /* descriptors of a chain */
};

struct split_queue {
    uint32_t size; /* entries: a power of two */
    bool event_index;
    uint16_t avail_cons; /* next entry of the available ring to take */
    uint16_t used_prod;  /* next entry of the used ring to fill */
    uint16_t used_told;  /* used_prod when the driver was last notified */
    const struct vring_desc *desc;
    struct vring_avail *avail;
    struct vring_used *used;
};

/* A request as the driver has laid it out: first what we read, then what we write. */
struct split_chain {
    uint16_t head;
    uint32_t count, readable; /* pieces; how many of them are to be read */
    struct iovec pieces[SPLIT_QUEUE_PIECES_MAX];
};

/*
 * Finds the rings at the front end's addresses. avail_cons begins at base, used_prod where the used
 * ring is: an earlier device may have taken requests that were never given back. Errors:
 * -EINVAL size is no power of two up to SPLIT_QUEUE_SIZE_MAX; -EFAULT a ring is not aligned or not
 * in memory.
 */
int split_queue_attach(struct split_queue *queue, const struct guest_memory *memory,
                       const struct vhost_user_vring_addr *addr, uint32_t size, uint16_t base,
                       bool event_index);

/*
 * Takes the next request. Returns 1, or 0 if there is none. Errors: -EPROTO the driver has broken
 * the rules: indices that run ahead, an address outside memory, an endless chain, one of more than
 * SPLIT_QUEUE_PIECES_MAX pieces, something readable behind something writable.
 */
int split_queue_take(struct split_queue *queue, const struct guest_memory *memory,
                     struct split_chain *chain);

/* The same of a request that an earlier device has taken, and that has this head. */
int split_queue_take_again(const struct split_queue *queue, const struct guest_memory *memory,
                           uint16_t head, struct split_chain *chain);

/* Gives the request of this head back, `written` bytes of it filled. The driver sees it at once,
 * but hears of it only by a notification. */
void split_queue_give(struct split_queue *queue, uint16_t head, uint32_t written);

/* Is the driver to be notified of what was given back since this was last asked? */
bool split_queue_wants_call(struct split_queue *queue);

/* Asks for a kick at the next request. True: there is one already, take it instead of sleeping. */
bool split_queue_arm(struct split_queue *queue);

#endif
