/* SPDX-License-Identifier: MIT */
/*
 * vdisks: the vdisks that Dom0 has: each image once, however many disks of domains are made of it.
 *
 * An image is known by what it is (device and inode), not by its name; an NBD export by its URI as
 * it is written, until its server has gone for good. Vdisks whose images lie on one disk share
 * a device, with its turns, engine and depth: files by the file system that they lie on (st_dev),
 * block devices each by themselves (st_rdev), exports each on a device with the engine nbd.
 *
 * Two images may have bytes in common: a file and its loop device, a disk and its partition. Each
 * has a cache of its own, so neither may be written while the other is there.
 *
 * All of it belongs to Dom0's loop thread.
 */
#ifndef SPLITDOM_SERVICE_DOM0_DISKS_VDISKS_H
#define SPLITDOM_SERVICE_DOM0_DISKS_VDISKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/why.h"
#include "service/block/device.h"
#include "service/block/engine/disk_nbd.h"
#include "service/block/vdisk.h"
#include "service/dom0/disks/disk_spec.h"
#include "splitdom/xen/grant_table.h"

struct vdisks_device;

/* One image. Only read by others. */
struct vdisks_item {
    struct vdisk *vdisk;
    struct vdisks_device *device;
    struct list uses;
    bool is_kept; /* also while nobody uses it */
    struct list_node link;
};

/* One disk of a domain. */
struct vdisks_use {
    struct vdisks_item *item;
    domid_t domid;
    uint32_t devid;
    enum disk_access access;
    struct list_node link;
};

/* What has been done so far, also by vdisks and devices that are gone. */
struct vdisks_totals {
    struct vdisk_stats vdisk;
    struct device_stats device; /* in_flight_peak: the greatest of one device */
};

struct vdisks {
    struct device_config config;      /* of each device, except for align_bytes */
    struct vdisk_config vdisk_config; /* of each vdisk, device and cache_bytes left out */
    struct log *log; /* what disks fail to do, what becomes of exports' servers; NULL: none */
    struct list items, devices;
    struct vdisks_totals departed;
    uint64_t departed_claims;
    bool any_unused; /* vdisks_sweep has something to look at */
};

/* What config points at outlives the vdisks. */
void vdisks_init(struct vdisks *vdisks, const struct device_config *config,
                 const struct vdisk_config *vdisk_config);
/* Nobody uses any, and nothing is at a device. Accepts a zeroed one. */
void vdisks_fini(struct vdisks *vdisks);

/* The item of an image that is open already, by another name perhaps. NULL: there is none. */
struct vdisks_item *vdisks_find(const struct vdisks *vdisks, const struct image *image);
/* Whether an open image that is not there yet, or not to be written yet, may be served beside the
 * others. Errors: -EBUSY: it has bytes of one of them (image_backing.h), and one is to be written.
 */
int vdisks_can_add(const struct vdisks *vdisks, const struct image *image, struct why *why);
/* vdisk_refresh, unless the image's bytes are elsewhere now, as those of a loop device or partition
 * that has grown, and not to be served beside the others. Errors: also those of vdisks_can_add. */
int vdisks_refresh(const struct vdisks *vdisks, struct vdisks_item *item, struct why *why);

/* What each image may have of its own. */
struct vdisks_wish {
    size_t cache_bytes;
    uint32_t reconnect_ms; /* of an export: disk_nbd_options */
};

/* Makes a vdisk of an open image, which is not there yet; on success *image is closed here. Errors:
 * -errno with a line for people in why. */
int vdisks_add(struct vdisks *vdisks, struct image *image, const struct vdisks_wish *wish,
               struct vdisks_item **out, struct why *why);
/* Whether vdisks_use would have the domain beside the others. Errors: -EBUSY, as below. */
int vdisks_can_use(const struct vdisks_item *item, domid_t domid, enum disk_access access,
                   struct why *why);
/*
 * A domain gets a disk of the item. As in Xen, access w is exclusive and r shared among domains; w!
 * is not asked. Within one domain anything goes. To be written, the image is open to be written.
 * Errors: -EBUSY with xl's words in why; -ENOMEM.
 */
int vdisks_use(struct vdisks_item *item, domid_t domid, uint32_t devid, enum disk_access access,
               struct vdisks_use **out, struct why *why);
/* Whether a disk of this number is made of the item. */
bool vdisks_is_used_as(const struct vdisks_item *item, uint32_t devid);
/* The disk is gone. An item that nobody uses and that is not kept is closed by a later sweep. */
void vdisks_leave(struct vdisks *vdisks, struct vdisks_use *use);
/* Closes what nobody uses, once nothing of it is at its device. Cheap if there is nothing. */
void vdisks_sweep(struct vdisks *vdisks);

/* The first item, and the one behind it; NULL: no more. In order of their opening. */
struct vdisks_item *vdisks_first(const struct vdisks *vdisks);
struct vdisks_item *vdisks_next(const struct vdisks *vdisks, const struct vdisks_item *item);

/* No request waits any more for the server of an export. */
void vdisks_give_up(struct vdisks *vdisks);
/* Of an item that is an export; false: it is none. */
bool vdisks_nbd_report(const struct vdisks_item *item, struct disk_nbd_report *out);

/* What the caches of all vdisks hold when they are full. */
uint64_t vdisks_cache_bytes(const struct vdisks *vdisks);

/* device_dispatch (block/queue.h) of all devices. */
uint32_t vdisks_dispatch(struct vdisks *vdisks, uint64_t now_ns);
/* What is at the devices now. */
uint32_t vdisks_in_flight(const struct vdisks *vdisks);
/* vdisk_claimed_reads of all vdisks, those that are gone included. */
uint64_t vdisks_claimed_reads(const struct vdisks *vdisks);
struct vdisks_totals vdisks_totals(const struct vdisks *vdisks);

#endif
