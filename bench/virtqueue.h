/* SPDX-License-Identifier: MIT */
/*
 * virtqueue: the driver's half of a split virtqueue that reads sectors from a virtio block device.
 *
 * Source: Virtual I/O Device (VIRTIO) 1.1: section 2.6 "Split Virtqueues" (2.6.7 and 2.6.8 on
 * notification suppression by event index), 5.2.6 "Block Device: Device Operation". Structures and
 * vring_need_event are those of linux/virtio_ring.h and linux/virtio_blk.h.
 *
 * A slot is one read in flight: three descriptors (what to read, 512 bytes of data, one byte of
 * status), chained once and for all. One thread at a time. The peer is trusted: this is a
 * measurement, not a driver.
 */
#ifndef SPLITDOM_BENCH_VIRTQUEUE_H
#define SPLITDOM_BENCH_VIRTQUEUE_H

#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "ring/barrier.h"

enum {
    VIRTQUEUE_SECTOR_BYTES = 512,
    VIRTQUEUE_PARTS = 3, /* descriptors of a read */
    VIRTQUEUE_ALIGN = 4096,
    VIRTQUEUE_SIZE_MAX = 1024,
    VIRTQUEUE_SLOTS_MAX = VIRTQUEUE_SIZE_MAX / VIRTQUEUE_PARTS,
};

/* What a slot has in shared memory. */
struct virtqueue_slot {
    struct virtio_blk_outhdr header; /* the driver writes */
    unsigned char status;            /* the device writes, as all that follows */
    unsigned char padding[512 - sizeof(struct virtio_blk_outhdr) - 1];
    unsigned char data[VIRTQUEUE_SECTOR_BYTES];
};

struct virtqueue {
    struct vring ring; /* descriptors and avail: the driver writes; used: the device */
    struct virtqueue_slot *slots;
    uint16_t avail_prod; /* not published before virtqueue_publish */
    uint16_t used_cons;
    int kick_fd, call_fd; /* eventfds */
    uint64_t kicks;
};

/* Entries for so many slots: a power of two, as 2.6 demands. */
static inline unsigned virtqueue_size(unsigned slot_count)
{
    unsigned size = 4;

    while (size < slot_count * VIRTQUEUE_PARTS)
        size *= 2;
    return size;
}

static inline size_t virtqueue_bytes(unsigned slot_count)
{
    const size_t ring = vring_size(virtqueue_size(slot_count), VIRTQUEUE_ALIGN);
    const size_t all = ring + VIRTQUEUE_ALIGN + slot_count * sizeof(struct virtqueue_slot);

    return (all + VIRTQUEUE_ALIGN - 1) / VIRTQUEUE_ALIGN * VIRTQUEUE_ALIGN;
}

/* memory: zeroed, virtqueue_bytes long, at the offset address of the guest's memory. */
static inline void virtqueue_init(struct virtqueue *queue, void *memory, uint64_t address,
                                  unsigned slot_count, int kick_fd, int call_fd)
{
    const unsigned size = virtqueue_size(slot_count);
    const size_t slots_at = (vring_size(size, VIRTQUEUE_ALIGN) + VIRTQUEUE_ALIGN - 1) /
                            VIRTQUEUE_ALIGN * VIRTQUEUE_ALIGN;

    *queue = (struct virtqueue){.kick_fd = kick_fd, .call_fd = call_fd};
    vring_init(&queue->ring, size, memory, VIRTQUEUE_ALIGN);
    queue->slots = (struct virtqueue_slot *)((char *)memory + slots_at);
    for (unsigned i = 0; i < slot_count; i++) {
        struct vring_desc *part = &queue->ring.desc[i * VIRTQUEUE_PARTS];
        const uint64_t slot = address + slots_at + i * sizeof(struct virtqueue_slot);

        part[0] = (struct vring_desc){.addr = slot + offsetof(struct virtqueue_slot, header),
                                      .len = sizeof(struct virtio_blk_outhdr),
                                      .flags = VRING_DESC_F_NEXT,
                                      .next = (uint16_t)(i * VIRTQUEUE_PARTS + 1)};
        part[1] = (struct vring_desc){.addr = slot + offsetof(struct virtqueue_slot, data),
                                      .len = VIRTQUEUE_SECTOR_BYTES,
                                      .flags = VRING_DESC_F_NEXT | VRING_DESC_F_WRITE,
                                      .next = (uint16_t)(i * VIRTQUEUE_PARTS + 2)};
        part[2] = (struct vring_desc){.addr = slot + offsetof(struct virtqueue_slot, status),
                                      .len = 1,
                                      .flags = VRING_DESC_F_WRITE};
    }
}

/* Puts a read of sector into a slot that is free; the device sees it after virtqueue_publish. */
static inline void virtqueue_put(struct virtqueue *queue, unsigned slot, uint64_t sector)
{
    queue->slots[slot].header =
        (struct virtio_blk_outhdr){.type = VIRTIO_BLK_T_IN, .sector = sector};
    queue->slots[slot].status = UINT8_MAX;
    queue->ring.avail->ring[queue->avail_prod & (queue->ring.num - 1)] =
        (uint16_t)(slot * VIRTQUEUE_PARTS);
    queue->avail_prod++;
}

/* Publishes what was put, and kicks the device if it asked to be. Returns 0 or -errno. */
static inline int virtqueue_publish(struct virtqueue *queue)
{
    const uint64_t one = 1;
    const uint16_t old = queue->ring.avail->idx; /* ours alone to write */

    /* Index before event, pairs with the device's event before its last look (2.6.7.2). */
    store_full_u16(&queue->ring.avail->idx, queue->avail_prod);
    if (!vring_need_event(load_full_u16(&vring_avail_event(&queue->ring)), queue->avail_prod, old))
        return 0;
    queue->kicks++;
    return write(queue->kick_fd, &one, sizeof(one)) == sizeof(one) ? 0 : -errno;
}

static inline bool virtqueue_has_answer(const struct virtqueue *queue)
{
    return load_full_u16(&queue->ring.used->idx) != queue->used_cons;
}

/* Takes an answer that is there; its slot. */
static inline unsigned virtqueue_take(struct virtqueue *queue)
{
    const struct vring_used_elem *element =
        &queue->ring.used->ring[queue->used_cons & (queue->ring.num - 1)];

    queue->used_cons++;
    return element->id / VIRTQUEUE_PARTS;
}

/* Sleeps until there is an answer; the device made call_fd non-blocking. Returns 0 or -errno. */
static inline int virtqueue_sleep(struct virtqueue *queue)
{
    struct pollfd call = {.fd = queue->call_fd, .events = POLLIN};
    uint64_t calls;

    /* Event before the last look, pairs with the device's index before event (2.6.8.2). */
    store_full_u16(&vring_used_event(&queue->ring), queue->used_cons);
    while (!virtqueue_has_answer(queue)) {
        if (poll(&call, 1, -1) < 0 && errno != EINTR)
            return -errno;
        if (read(queue->call_fd, &calls, sizeof(calls)) < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
    }
    return 0;
}

/* Spins until there is an answer, and asks the device not to call. */
static inline void virtqueue_spin(struct virtqueue *queue)
{
    store_relaxed_u16(&vring_used_event(&queue->ring), (uint16_t)(queue->used_cons - 1));
    while (!virtqueue_has_answer(queue))
        cpu_relax();
}

#endif
