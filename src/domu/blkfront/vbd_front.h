/* SPDX-License-Identifier: MIT */
/*
 * vbd_front: the front end of the disk, control side: the xenbus dance and what it negotiates.
 *
 * Linux: drivers/block/xen-blkfront.c (talk_to_blkback, blkfront_connect). What the back end writes
 * is checked like anything else from the other side.
 */
#ifndef SPLITDOM_DOMU_BLKFRONT_VBD_FRONT_H
#define SPLITDOM_DOMU_BLKFRONT_VBD_FRONT_H

#include <stdint.h>

#include "domu/life.h"
#include "ring/blkif_ring.h"
#include "splitdom/xen/xenbus.h"

enum { VBD_PATH_MAX = 256 };

struct vbd_front {
    struct life *domu;
    char backend[VBD_PATH_MAX]; /* the back end's directory */
    uint32_t page_order;        /* of the ring, as negotiated */
    bool virtual_completion;    /* offered, see splitdom/xen/blkif.h; clear it to refuse */
    uint32_t ring_pfn;          /* first of its contiguous pages */
    grant_ref_t ring_ref;       /* of that page; those of the next ones follow */
    evtchn_port_t port;
    uint64_t sectors; /* of the disk */
    uint32_t sector_size;
    uint32_t physical_sector_size;
    uint32_t info; /* VDISK_* */
};

/*
 * Reads how large a ring the back end allows and fixes page_order <= wanted_order. Blocks until the
 * back end waits for us. Errors: -errno, why.
 */
int vbd_front_prepare(struct vbd_front *front, struct life *domu, uint32_t wanted_order, char *why,
                      size_t why_bytes);
/*
 * Offers the ring (initialised, its pages granted as references ring_ref, ring_ref + 1, ... of
 * front) and waits until the back end is connected; then the disk's properties are known and we are
 * Connected.
 */
int vbd_front_connect(struct vbd_front *front, char *why, size_t why_bytes);
/* Closing, Closed, waiting for the peer at each step, as long as the domain's patience lasts. */
void vbd_front_close(struct vbd_front *front);

/*
 * Waits for something that concerns the device. Returns the back end's state (>= 0), after
 * re-reading `sectors` when it is Connected; or -ESHUTDOWN Dom0 wants this domain to end;
 * -ENOTCONN.
 */
int vbd_front_wait_change(struct vbd_front *front);

#endif
