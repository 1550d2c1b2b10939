/* SPDX-License-Identifier: MIT */
#include "domu/blkfront/vbd_front.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/container_of.h"
#include "base/vdev.h"

enum { NODE_MAX = 40 };

static int no_such_disk(const struct vbd_front *front, char *why, size_t why_bytes)
{
    char name[VDEV_NAME_SIZE];
    vdev_format(front->xenbus.devid, name);
    snprintf(why, why_bytes,
             "Dom0 gave no disk %s to the domain: 'service start --disk', 'service block-attach'",
             name);
    return -ENODEV;
}

int vbd_front_prepare(struct vbd_front *front, uint32_t wanted_order, uint32_t wanted_queues,
                      char *why, size_t why_bytes)
{
    uint64_t max_order, max_queues, stamped, shared;
    const char *step;
    int rc = xenbus_front_find_back(&front->xenbus, &step);
    if (rc == -ENODEV)
        return no_such_disk(front, why, why_bytes);
    if (rc < 0)
        return xenbus_front_fail(&front->xenbus, rc, step, why, why_bytes);
    rc = xenbus_front_number(&front->xenbus, "max-ring-page-order", UINT32_MAX, 0, &max_order);
    if (rc == 0)
        rc = xenbus_front_number(&front->xenbus, "multi-queue-max-queues", UINT32_MAX, 1,
                                 &max_queues);
    if (rc == 0)
        rc = xenbus_front_number(&front->xenbus, "feature-virtual-completion", 1, 0, &stamped);
    if (rc == 0)
        rc = xenbus_front_number(&front->xenbus, "feature-shared-cache", 1, 0, &shared);
    if (rc < 0)
        return xenbus_front_fail(&front->xenbus, rc, "read the back end's features", why,
                                 why_bytes);
    front->shared_cache = shared == 1;
    front->virtual_completion = stamped == 1;
    if (max_queues == 0)
        max_queues = 1;
    front->queue_count = wanted_queues <= max_queues ? wanted_queues : (uint32_t)max_queues;
    front->page_order = wanted_order <= max_order ? wanted_order : (uint32_t)max_order;
    return 0;
}

/* The nodes of one ring, in the device's directory or in a queue's. */
static int write_ring(struct vbd_front *front, uint32_t tx, uint32_t queue, const char *directory)
{
    struct xenbus_front *xenbus = &front->xenbus;
    uint32_t ref = front->queue[queue].ring_ref;
    char node[NODE_MAX];
    int rc = 0;
    if (front->page_order == 0) {
        snprintf(node, sizeof(node), "%sring-ref", directory);
        rc = xenbus_front_put(xenbus, tx, node, "%u", ref);
    }
    for (uint32_t i = 0; front->page_order > 0 && rc >= 0 && i < 1u << front->page_order; i++) {
        snprintf(node, sizeof(node), "%sring-ref%u", directory, i);
        rc = xenbus_front_put(xenbus, tx, node, "%u", ref + i);
    }
    snprintf(node, sizeof(node), "%sevent-channel", directory);
    return rc < 0 ? rc : xenbus_front_put(xenbus, tx, node, "%u", front->queue[queue].port);
}

/* What a device that was opened before, with other rings, may have written. */
static int remove_rings(struct vbd_front *front, uint32_t tx)
{
    static const char *const of_one[] = {"ring-ref", "event-channel"};
    struct xenbus_front *xenbus = &front->xenbus;
    int rc = 0;
    if (front->page_order == 0)
        rc = xenbus_front_remove(xenbus, tx, "ring-page-order");
    for (size_t i = 0; rc >= 0 && front->queue_count > 1 && i < 2; i++)
        rc = xenbus_front_remove(xenbus, tx, of_one[i]);
    return rc < 0 ? rc : xenbus_front_remove_queues(xenbus, tx, BLKFRONT_QUEUES_MAX);
}

/* One ring has its nodes in the device's directory, of several each has a directory of its own;
 * their size is that of all. */
static int write_rings(struct vbd_front *front, uint32_t tx)
{
    struct xenbus_front *xenbus = &front->xenbus;
    int rc = remove_rings(front, tx);
    if (rc >= 0 && front->page_order > 0)
        rc = xenbus_front_put(xenbus, tx, "ring-page-order", "%u", front->page_order);
    if (front->queue_count == 1)
        return rc < 0 ? rc : write_ring(front, tx, 0, "");
    if (rc >= 0)
        rc = xenbus_front_put(xenbus, tx, "multi-queue-num-queues", "%u", front->queue_count);
    for (uint32_t i = 0; rc >= 0 && i < front->queue_count; i++) {
        char directory[NODE_MAX / 2];
        snprintf(directory, sizeof(directory), "queue-%u/", i);
        rc = write_ring(front, tx, i, directory);
    }
    return rc;
}

/* The shared cache's nodes are there, or not: a device that was opened before may have had them. */
static int write_shared_cache(struct vbd_front *front, uint32_t tx)
{
    struct xenbus_front *xenbus = &front->xenbus;
    if (front->shared_cache) {
        int rc = xenbus_front_put(xenbus, tx, "feature-shared-cache", "1");
        return rc < 0 ? rc
                      : xenbus_front_put(xenbus, tx, "shared-cache-ref", "%u", front->claims_ref);
    }
    int rc = xenbus_front_remove(xenbus, tx, "feature-shared-cache");
    return rc < 0 ? rc : xenbus_front_remove(xenbus, tx, "shared-cache-ref");
}

static int write_transport(struct xenbus_front *xenbus, uint32_t tx)
{
    struct vbd_front *front = container_of(xenbus, struct vbd_front, xenbus);
    int rc = write_rings(front, tx);
    if (rc >= 0)
        rc = xenbus_front_put(xenbus, tx, "protocol", "x86_64-abi");
    if (rc >= 0)
        rc = xenbus_front_put(xenbus, tx, "feature-persistent", "1");
    if (rc >= 0)
        rc = xenbus_front_put(xenbus, tx, "feature-trace-rank", "1");
    if (rc >= 0 && front->virtual_completion)
        rc = xenbus_front_put(xenbus, tx, "feature-virtual-completion", "1");
    else if (rc >= 0)
        rc = xenbus_front_remove(xenbus, tx, "feature-virtual-completion");
    return rc < 0 ? rc : write_shared_cache(front, tx);
}

static int read_number(struct vbd_front *front, const char *node, uint32_t fallback, uint32_t *out)
{
    uint64_t number;
    int rc = xenbus_front_number(&front->xenbus, node, UINT32_MAX, fallback, &number);
    if (rc == 0)
        *out = (uint32_t)number;
    return rc;
}

static int read_geometry(struct vbd_front *front, struct vbd_disk *disk)
{
    int rc = xenbus_front_number(&front->xenbus, "sectors", UINT64_MAX / BLKIF_SECTOR_SIZE, 0,
                                 &disk->sectors);
    if (rc == 0)
        rc = read_number(front, "sector-size", BLKIF_SECTOR_SIZE, &disk->sector_size);
    if (rc == 0)
        rc = read_number(front, "physical-sector-size", disk->sector_size,
                         &disk->physical_sector_size);
    if (rc == 0)
        rc = read_number(front, "info", 0, &disk->info);
    if (rc < 0)
        return rc;
    bool sound = disk->sectors > 0 && disk->sector_size >= BLKIF_SECTOR_SIZE &&
                 (disk->sector_size & (disk->sector_size - 1)) == 0 &&
                 disk->physical_sector_size >= disk->sector_size &&
                 (disk->physical_sector_size & (disk->physical_sector_size - 1)) == 0;
    return sound ? 0 : -EPROTO;
}

/* What a back end need not have. */
static int read_features(struct vbd_front *front, struct vbd_disk *disk)
{
    uint32_t flush = 0, discard = 0;
    int rc = read_number(front, "feature-flush-cache", 0, &flush);
    if (rc == 0)
        rc = read_number(front, "feature-discard", 0, &discard);
    if (rc == 0)
        rc = read_number(front, "discard-granularity", disk->sector_size,
                         &disk->discard_granularity);
    if (rc == 0)
        rc = read_number(front, "discard-alignment", 0, &disk->discard_alignment);
    if (rc == 0)
        rc = read_number(front, "feature-max-indirect-segments", 0, &disk->max_indirect_segments);
    if (rc < 0)
        return rc;
    disk->flush = flush != 0;
    disk->discard = discard != 0;
    if (!disk->discard)
        disk->discard_granularity = disk->discard_alignment = 0;
    return 0;
}

int vbd_front_read_disk(struct vbd_front *front)
{
    struct vbd_disk disk;
    int rc = read_geometry(front, &disk);
    if (rc == 0)
        rc = read_features(front, &disk);
    if (rc == 0)
        front->disk = disk;
    return rc;
}

int vbd_front_connect(struct vbd_front *front, char *why, size_t why_bytes)
{
    const char *step;
    int rc = xenbus_front_offer(&front->xenbus, write_transport, &step);
    if (rc >= 0) {
        step = "read the disk's properties";
        rc = vbd_front_read_disk(front);
    }
    if (rc >= 0) {
        step = "say that we are connected";
        rc = xenbus_front_connected(&front->xenbus);
    }
    return rc < 0 ? xenbus_front_fail(&front->xenbus, rc, step, why, why_bytes) : 0;
}
