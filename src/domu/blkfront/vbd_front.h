/* SPDX-License-Identifier: MIT */
/*
 * vbd_front: the front end of a disk, control side: what is negotiated about blocks, on top of what
 * all classes of devices have in common (domu/xenbus_front.h).
 *
 * Linux: drivers/block/xen-blkfront.c (talk_to_blkback, blkfront_connect). What the back end writes
 * is checked like anything else from the other side.
 */
#ifndef SPLITDOM_DOMU_BLKFRONT_VBD_FRONT_H
#define SPLITDOM_DOMU_BLKFRONT_VBD_FRONT_H

#include <stdint.h>

#include "domu/xenbus_front.h"
#include "ring/blkif_ring.h"
#include "splitdom/blkfront.h"

/* What the back end tells of the disk. */
struct vbd_disk {
    uint64_t sectors;
    uint32_t sector_size;
    uint32_t physical_sector_size;
    uint32_t info;                  /* VDISK_* */
    uint32_t max_indirect_segments; /* 0: it takes no indirect requests */
    bool flush, discard;
    uint32_t discard_granularity, discard_alignment; /* bytes; 0, 0 without discard */
};

struct vbd_front {
    struct xenbus_front xenbus;
    uint32_t page_order;     /* of each ring, as negotiated */
    uint32_t queue_count;    /* rings, as negotiated */
    bool virtual_completion; /* offered, see splitdom/xen/blkif.h; clear it to refuse */
    bool shared_cache;       /* offered, see splitdom/shared_cache.h; clear it to refuse */
    grant_ref_t claims_ref;  /* of the page for it */
    struct {
        grant_ref_t ring_ref; /* of the ring's first page; those of the next ones follow */
        evtchn_port_t port;
    } queue[BLKFRONT_QUEUES_MAX];
    struct vbd_disk disk;
};

/*
 * Finds the back end, reads how large rings and how many it allows and fixes page_order <=
 * wanted_order and queue_count <= wanted_queues. Blocks until the back end waits for us. Errors:
 * -errno, why.
 */
int vbd_front_prepare(struct vbd_front *front, uint32_t wanted_order, uint32_t wanted_queues,
                      char *why, size_t why_bytes);
/*
 * Offers the rings (initialised, their pages granted as references ring_ref, ring_ref + 1, ... of
 * each queue, with port for its events) and waits until the back end is connected; then the disk's
 * properties are known and we are Connected.
 */
int vbd_front_connect(struct vbd_front *front, char *why, size_t why_bytes);
/* Reads the disk's properties again. Errors: -errno, and they are as they were. */
int vbd_front_read_disk(struct vbd_front *front);

#endif
