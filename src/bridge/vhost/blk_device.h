/* SPDX-License-Identifier: MIT */
/*
 * blk_device: a disk of a domain under a virtio block device: carries requests to blkfront and
 * back. A request has a slot from when its chain is taken until its answer is in the guest's
 * memory. The data go between that memory and the library's pages, with no copy of ours.
 *
 * One thread.
 */
#ifndef SPLITDOM_BRIDGE_VHOST_BLK_DEVICE_H
#define SPLITDOM_BRIDGE_VHOST_BLK_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "bridge/vhost/blk_request.h"

struct blk_slot {
    struct blk_request request;
    uint32_t queue;        /* the owner's: where the answer belongs */
    bool undone;           /* reaped, but the disk has not answered: it was cancelled, or is dead */
    struct blk_slot *next; /* among the free ones, or those that wait for the ring */
};

struct blk_device {
    struct blkfront *bf;
    struct blkfront_geometry geometry; /* as the front end was told; the size as it is now */
    bool write_through;             /* the driver knows no flush: each write is followed by one */
    uint32_t slot_count, in_flight; /* in_flight: with blkfront, or waiting */
    bool unshown;                   /* something was submitted since the doorbell was rung */
    struct blk_slot *slots, *free;
    struct blk_slot *waiting, **waiting_end; /* blkfront had no room */
    void *zeros;                             /* read-only */
};

/* The disk stays the caller's, who leaves its asynchronous calls to the device until
 * blk_device_close. Errors: -ENOMEM; those of blkfront_geometry. */
int blk_device_open(struct blk_device *device, struct blkfront *bf);
/* From the first request on: a front end is told of a read-only disk, and gets errors for writes.
 */
void blk_device_forbid_writes(struct blk_device *device);
/* The disk has this size now; what else the front end was told stays. Returns whether that is news.
 */
bool blk_device_resize(struct blk_device *device, const struct blkfront_geometry *geometry);
/* Nothing is in flight. Accepts a zeroed or half-built one. */
void blk_device_close(struct blk_device *device);

/* A free slot for a chain, or NULL: reap first. To be started, or put back. */
struct blk_slot *blk_device_get(struct blk_device *device);
void blk_device_put(struct blk_device *device, struct blk_slot *slot);

/*
 * Starts the request in slot->request.chain. Returns 1: it is answered already, as if it had been
 * reaped; 0: it is in flight. Errors: -EPROTO it can't be answered; those of blkfront_submit_io;
 * the slot is the caller's then.
 */
int blk_device_start(struct blk_device *device, struct blk_slot *slot);

/*
 * Takes finished requests, up to max, and writes their answers into the guest's memory; does not
 * wait. The slots are the caller's, to be given back to their queues and put. Returns how many;
 * errors without slots: those of blkfront_reap. Rings the doorbell for what was started.
 */
int blk_device_reap(struct blk_device *device, struct blk_slot **done, uint32_t max);

/* Takes back all that is in flight: it comes with blk_device_reap, failed. */
void blk_device_cancel(struct blk_device *device);

#endif
