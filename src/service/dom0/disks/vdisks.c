/* SPDX-License-Identifier: MIT */
#include "service/dom0/disks/vdisks.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/container_of.h"
#include "service/block/engine/disk_nbd.h"
#include "service/block/queue.h"

enum {
    /* So that any image of the disk can join, whatever block it has been formatted with. */
    DEVICE_ALIGN_BYTES = 4096,
};

/* One disk below the vdisks. */
struct vdisks_device {
    struct device *device;
    bool is_nbd;   /* the export of an NBD server, alone */
    bool is_block; /* what the number is of: a block device or a file system */
    dev_t number;
    uint32_t align_bytes;
    uint32_t item_count;
    struct list_node link;
};

static struct vdisks_device *first_device(const struct vdisks *vdisks)
{
    return container_or_null(list_first(&vdisks->devices), struct vdisks_device, link);
}

static struct vdisks_device *next_device(const struct vdisks *vdisks,
                                         const struct vdisks_device *device)
{
    return container_or_null(list_next(&vdisks->devices, &device->link), struct vdisks_device,
                             link);
}

struct vdisks_item *vdisks_first(const struct vdisks *vdisks)
{
    return container_or_null(list_first(&vdisks->items), struct vdisks_item, link);
}

struct vdisks_item *vdisks_next(const struct vdisks *vdisks, const struct vdisks_item *item)
{
    return container_or_null(list_next(&vdisks->items, &item->link), struct vdisks_item, link);
}

static struct vdisks_use *first_use(const struct vdisks_item *item)
{
    return container_or_null(list_first(&item->uses), struct vdisks_use, link);
}

static struct vdisks_use *next_use(const struct vdisks_item *item, const struct vdisks_use *use)
{
    return container_or_null(list_next(&item->uses, &use->link), struct vdisks_use, link);
}

void vdisks_init(struct vdisks *vdisks, const struct device_config *config,
                 const struct vdisk_config *vdisk_config)
{
    *vdisks = (struct vdisks){.config = *config, .vdisk_config = *vdisk_config};
}

/* That of a file which is there already; NULL: there is none. */
static struct vdisks_device *fitting_device(const struct vdisks *vdisks, const struct image *image,
                                            uint32_t align_bytes)
{
    struct vdisks_device *at = first_device(vdisks);
    while (at != NULL && (at->is_nbd || at->number != image->device ||
                          at->is_block != image->is_device || at->align_bytes < align_bytes))
        at = next_device(vdisks, at);
    return at;
}

/* What a server that was away has may not be what was read from it before. */
static void on_reconnected(void *ctx, const struct image *image)
{
    const struct vdisks *vdisks = ctx;
    for (struct vdisks_item *at = vdisks_first(vdisks); at != NULL; at = vdisks_next(vdisks, at)) {
        if (&at->vdisk->image == image)
            vdisk_image_changed(at->vdisk);
    }
}

/* Engines that play a disk do so for files. */
static int choose_engine(const struct image *image, struct device_config *config, struct why *why)
{
    if (image->nbd == NULL)
        return 0;
    if (config->engine == &disk_null_ops || config->engine == &disk_model_ops)
        return why_fail(why, -EINVAL, "%s: the %s engine serves files alone", image->path,
                        config->engine->name);
    config->engine = &disk_nbd_ops;
    return 0;
}

/* One that is there, or a new one. An image that wants larger blocks than the disk's first ones is
 * alone on a device. */
static int find_device(struct vdisks *vdisks, const struct image *image, uint32_t reconnect_ms,
                       struct vdisks_device **out, struct why *why)
{
    uint32_t align_bytes = image_align_bytes(image);
    if (align_bytes < DEVICE_ALIGN_BYTES)
        align_bytes = DEVICE_ALIGN_BYTES;
    *out = image->nbd == NULL ? fitting_device(vdisks, image, align_bytes) : NULL;
    if (*out != NULL)
        return 0;
    struct vdisks_device *fresh = calloc(1, sizeof(*fresh));
    if (fresh == NULL)
        return why_fail(why, -ENOMEM, "out of memory for a disk");
    struct device_config config = vdisks->config;
    const struct disk_nbd_options nbd = {.reconnect_ms = reconnect_ms,
                                         .log = vdisks->log,
                                         .reconnected = on_reconnected,
                                         .ctx = vdisks};
    config.nbd = &nbd;
    config.log = vdisks->log;
    config.align_bytes = align_bytes;
    int rc = choose_engine(image, &config, why);
    if (rc == 0)
        rc = device_create(&config, &fresh->device, why);
    if (rc < 0) {
        free(fresh);
        return rc;
    }
    fresh->is_nbd = image->nbd != NULL;
    fresh->number = image->device;
    fresh->is_block = image->is_device;
    fresh->align_bytes = align_bytes;
    list_push_back(&vdisks->devices, &fresh->link);
    *out = fresh;
    return 0;
}

static void add_vdisk_stats(struct vdisk_stats *to, const struct vdisk_stats *from)
{
    to->hits += from->hits;
    to->misses += from->misses;
    to->shared += from->shared;
    to->writes += from->writes;
    to->flushes += from->flushes;
    to->discards += from->discards;
}

static void add_device_stats(struct device_stats *to, const struct device_stats *from)
{
    to->reads += from->reads;
    to->bytes += from->bytes;
    to->writes += from->writes;
    to->bytes_written += from->bytes_written;
    to->flushes += from->flushes;
    to->discards += from->discards;
    to->errors += from->errors;
    if (from->in_flight_peak > to->in_flight_peak)
        to->in_flight_peak = from->in_flight_peak;
}

static void drop_unused_device(struct vdisks *vdisks, struct vdisks_device *device)
{
    if (device->item_count > 0)
        return;
    add_device_stats(&vdisks->departed.device, device_stats(device->device));
    list_remove(&device->link);
    device_destroy(device->device);
    free(device);
}

static int create_vdisk(struct vdisks *vdisks, struct image *image, const struct vdisks_wish *wish,
                        struct vdisks_device **device, struct vdisk **out, struct why *why)
{
    int rc = find_device(vdisks, image, wish->reconnect_ms, device, why);
    if (rc < 0)
        return rc;
    struct vdisk_config config = vdisks->vdisk_config;
    config.device = (*device)->device;
    config.cache_bytes = wish->cache_bytes;
    rc = vdisk_create(&config, image, out, why);
    if (rc < 0)
        drop_unused_device(vdisks, *device);
    else
        (*device)->item_count++;
    return rc;
}

static void destroy_vdisk(struct vdisks *vdisks, struct vdisk *vdisk, struct vdisks_device *device)
{
    add_vdisk_stats(&vdisks->departed.vdisk, &vdisk->stats);
    vdisks->departed_claims += vdisk_claimed_reads(vdisk);
    vdisk_destroy(vdisk);
    device->item_count--;
    drop_unused_device(vdisks, device);
}

static bool is_same(const struct vdisks_item *item, const struct image *image)
{
    const struct image *ours = &item->vdisk->image;
    if (ours->nbd != NULL || image->nbd != NULL)
        return ours->nbd != NULL && image->nbd != NULL && strcmp(ours->path, image->path) == 0 &&
               !disk_nbd_is_dead(device_engine(item->device->device));
    return ours->device == image->device && ours->inode == image->inode &&
           ours->is_device == image->is_device;
}

struct vdisks_item *vdisks_find(const struct vdisks *vdisks, const struct image *image)
{
    struct vdisks_item *item = vdisks_first(vdisks);
    while (item != NULL && !is_same(item, image))
        item = vdisks_next(vdisks, item);
    return item;
}

int vdisks_add(struct vdisks *vdisks, struct image *image, const struct vdisks_wish *wish,
               struct vdisks_item **out, struct why *why)
{
    assert(vdisks_find(vdisks, image) == NULL);
    struct vdisks_item *item = calloc(1, sizeof(*item));
    if (item == NULL)
        return why_fail(why, -ENOMEM, "out of memory for a disk");
    int rc = create_vdisk(vdisks, image, wish, &item->device, &item->vdisk, why);
    if (rc < 0) {
        free(item);
        return rc;
    }
    list_push_back(&vdisks->items, &item->link);
    vdisks->any_unused = true;
    *out = item;
    return 0;
}

/* A disk of another domain that the access asked for does not go with; NULL: none. */
static const struct vdisks_use *conflict(const struct vdisks_item *item, domid_t domid,
                                         enum disk_access access)
{
    const struct vdisks_use *use = access == ACCESS_WRITE_SHARED ? NULL : first_use(item);
    while (use != NULL &&
           (use->domid == domid || (access == ACCESS_READ && use->access != ACCESS_WRITE)))
        use = next_use(item, use);
    return use;
}

int vdisks_can_use(const struct vdisks_item *item, domid_t domid, enum disk_access access,
                   struct why *why)
{
    const struct image *image = &item->vdisk->image;
    const struct vdisks_use *other = conflict(item, domid, access);
    if (other == NULL)
        return 0;
    return why_fail(why, -EBUSY,
                    "%s %s is mounted %sin a guest domain, and so cannot be mounted %snow (domain "
                    "%u; access w! forces it)",
                    image_kind(image), image->path, access == ACCESS_READ ? "read-write " : "",
                    access == ACCESS_READ ? "read-only " : "", other->domid);
}

int vdisks_use(struct vdisks_item *item, domid_t domid, uint32_t devid, enum disk_access access,
               struct vdisks_use **out, struct why *why)
{
    int rc = vdisks_can_use(item, domid, access, why);
    if (rc < 0)
        return rc;
    assert(access == ACCESS_READ || item->vdisk->image.writable);
    struct vdisks_use *use = calloc(1, sizeof(*use));
    if (use == NULL)
        return why_fail(why, -ENOMEM, "out of memory for a disk");
    *use = (struct vdisks_use){.item = item, .domid = domid, .devid = devid, .access = access};
    list_push_back(&item->uses, &use->link);
    *out = use;
    return 0;
}

bool vdisks_is_used_as(const struct vdisks_item *item, uint32_t devid)
{
    const struct vdisks_use *use = first_use(item);
    while (use != NULL && use->devid != devid)
        use = next_use(item, use);
    return use != NULL;
}

void vdisks_leave(struct vdisks *vdisks, struct vdisks_use *use)
{
    list_remove(&use->link);
    vdisks->any_unused = true;
    free(use);
}

static void drop_item(struct vdisks *vdisks, struct vdisks_item *item)
{
    list_remove(&item->link);
    destroy_vdisk(vdisks, item->vdisk, item->device);
    free(item);
}

void vdisks_sweep(struct vdisks *vdisks)
{
    struct vdisks_item *next;
    if (!vdisks->any_unused)
        return;
    vdisks->any_unused = false;
    for (struct vdisks_item *item = vdisks_first(vdisks); item != NULL; item = next) {
        next = vdisks_next(vdisks, item);
        if (item->is_kept || !list_is_empty(&item->uses))
            continue;
        if (vdisk_is_idle(item->vdisk))
            drop_item(vdisks, item);
        else
            vdisks->any_unused = true;
    }
}

void vdisks_fini(struct vdisks *vdisks)
{
    while (vdisks_first(vdisks) != NULL)
        drop_item(vdisks, vdisks_first(vdisks));
    assert(list_is_empty(&vdisks->devices));
}

void vdisks_give_up(struct vdisks *vdisks)
{
    for (struct vdisks_device *at = first_device(vdisks); at != NULL;
         at = next_device(vdisks, at)) {
        if (at->is_nbd)
            disk_nbd_give_up(device_engine(at->device));
    }
}

bool vdisks_nbd_report(const struct vdisks_item *item, struct disk_nbd_report *out)
{
    if (!item->device->is_nbd)
        return false;
    *out = disk_nbd_report(device_engine(item->device->device));
    return true;
}

uint64_t vdisks_cache_bytes(const struct vdisks *vdisks)
{
    uint64_t bytes = 0;
    for (struct vdisks_item *at = vdisks_first(vdisks); at != NULL; at = vdisks_next(vdisks, at))
        bytes += (uint64_t)cache_capacity(at->vdisk->cache) * BLOCK_SECTOR_BYTES;
    return bytes;
}

uint32_t vdisks_dispatch(struct vdisks *vdisks, uint64_t now_ns)
{
    uint32_t count = 0;
    for (struct vdisks_device *at = first_device(vdisks); at != NULL; at = next_device(vdisks, at))
        count += device_dispatch(at->device, now_ns);
    return count;
}

uint32_t vdisks_in_flight(const struct vdisks *vdisks)
{
    uint32_t count = 0;
    for (struct vdisks_device *at = first_device(vdisks); at != NULL; at = next_device(vdisks, at))
        count += device_in_flight(at->device);
    return count;
}

uint64_t vdisks_claimed_reads(const struct vdisks *vdisks)
{
    uint64_t reads = vdisks->departed_claims;
    for (struct vdisks_item *at = vdisks_first(vdisks); at != NULL; at = vdisks_next(vdisks, at))
        reads += vdisk_claimed_reads(at->vdisk);
    return reads;
}

struct vdisks_totals vdisks_totals(const struct vdisks *vdisks)
{
    struct vdisks_totals totals = vdisks->departed;
    for (struct vdisks_item *at = vdisks_first(vdisks); at != NULL; at = vdisks_next(vdisks, at))
        add_vdisk_stats(&totals.vdisk, &at->vdisk->stats);
    for (struct vdisks_device *at = first_device(vdisks); at != NULL; at = next_device(vdisks, at))
        add_device_stats(&totals.device, device_stats(at->device));
    return totals;
}
