/* SPDX-License-Identifier: MIT */
/*
 * vbd_back: the device class vbd: what the back end of a disk tells its front end and wants to know
 * of it. Its states are xenbus_back's, its requests vbd_ring's. (Linux: xen-blkback/xenbus.c.)
 */
#ifndef SPLITDOM_SERVICE_BACK_VBD_VBD_BACK_H
#define SPLITDOM_SERVICE_BACK_VBD_VBD_BACK_H

#include "service/back/vbd/vbd_ring.h"
#include "service/back/vbd/vbd_transport.h"
#include "service/back/xenbus_back.h"

extern const struct back_class vbd_class;

/* The options of vbd_class. What is zero is a read-only disk of a file, as a guest may see it. */
struct vbd_options {
    struct vdisk *vdisk; /* outlives the device */
    /* The nodes of these names: what the image is called, "xvda", and "file" (NULL) or libxl's word
     * for what it is. */
    const char *params, *dev, *type;
    bool writable; /* mode: `w`; the vdisk is writable, too */
    bool cdrom;    /* device-type */
    bool removable;
    bool no_discard; /* discard-enable 0 though it is writable */
    bool untrusted;  /* trusted 0: the front end is told to keep its data from the back end */
    uint32_t max_ring_page_order;
    uint32_t max_queues;     /* 1..VBD_QUEUES_MAX; 0: one for each CPU, up to that */
    bool virtual_completion; /* offered: the disk is the model */
};

/* Of a back end whose class is vbd_class; NULL while it is not connected: its first ring, or the
 * one of a queue, NULL beyond the last. */
struct vbd_ring *vbd_back_ring(const struct xenbus_back *back);
struct vbd_ring *vbd_back_queue(const struct xenbus_back *back, uint32_t queue);
/* The file of its disk's cache, for a domain that has negotiated feature-shared-cache; -ENODEV not
 * connected, -EOPNOTSUPP not negotiated. */
int vbd_back_shared_cache(const struct xenbus_back *back);
/* Reads that the domain says it found there, through all connections, as heard so far. */
uint64_t vbd_back_claimed_reads(const struct xenbus_back *back);
/* The back end as a client of its vdisk, from its creation to its end. */
const struct block_client *vbd_back_client(const struct xenbus_back *back);
/* Counters over all connections of this device so far. */
struct vbd_ring_stats vbd_back_stats(const struct xenbus_back *back);

#endif
