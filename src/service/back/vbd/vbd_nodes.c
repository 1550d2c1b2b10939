/* SPDX-License-Identifier: MIT */
#include "service/back/vbd/vbd_nodes.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/back/vbd/vbd_ring.h"
#include "service/back/vbd/vbd_transport.h"

static const char *device_type(const struct vbd_options *options)
{
    return options->cdrom ? "cdrom" : "disk";
}

void vbd_nodes_of_front(const struct back_spec *spec, back_node_fn *put, void *ctx)
{
    const struct vbd_options *options = spec->options;
    char device[16];
    snprintf(device, sizeof(device), "%u", spec->devid);
    put(ctx, "virtual-device", device);
    put(ctx, "device-type", device_type(options));
    put(ctx, "trusted", options->untrusted ? "0" : "1");
    put(ctx, "protocol", VBD_PROTOCOL);
}

void vbd_nodes_of_back(const struct back_spec *spec, domid_t domid, back_node_fn *put, void *ctx)
{
    const struct vbd_options *options = spec->options;
    char number[16];
    snprintf(number, sizeof(number), "%u", domid);
    put(ctx, "params", options->params);
    put(ctx, "frontend-id", number);
    put(ctx, "online", "1");
    put(ctx, "removable", options->removable ? "1" : "0");
    put(ctx, "bootable", "1");
    put(ctx, "state", "1");
    put(ctx, "dev", options->dev);
    put(ctx, "type", options->type != NULL ? options->type : "file");
    put(ctx, "mode", options->writable ? "w" : "r");
    put(ctx, "device-type", device_type(options));
    put(ctx, "discard-enable", options->writable && !options->no_discard ? "1" : "0");
    put(ctx, "specification", "xen");
}

/* The names and their order are those of Linux's back end, here and below. */
int vbd_nodes_offer(struct xenbus_back *back, const struct vbd_options *options)
{
    int rc = xenbus_back_put(back, "feature-max-indirect-segments", "%d", VBD_RING_INDIRECT_OFFER);
    if (rc == 0)
        rc = xenbus_back_put(back, "multi-queue-max-queues", "%u", options->max_queues);
    if (rc == 0)
        rc = xenbus_back_put(back, "max-ring-page-order", "%u", options->max_ring_page_order);
    if (rc == 0 && options->virtual_completion)
        rc = xenbus_back_put(back, "feature-virtual-completion", "1");
    if (rc == 0 && cache_shared_fd(options->vdisk->cache) >= 0)
        rc = xenbus_back_put(back, "feature-shared-cache", "1");
    return rc;
}

static bool can_flush(const struct vbd_options *options)
{
    const struct vdisk_capabilities *can = &options->vdisk->capabilities;
    return options->writable && can->writable && can->flush;
}

int vbd_nodes_abilities(struct xenbus_back *back, const struct vbd_options *options, bool discard)
{
    const struct vdisk_capabilities *can = &options->vdisk->capabilities;
    int rc = xenbus_back_put(back, "feature-flush-cache", "%d", can_flush(options));
    if (rc == 0 && discard)
        rc = xenbus_back_put(back, "feature-discard", "%d", can->writable && can->discard);
    if (rc == 0)
        rc = xenbus_back_put(back, "feature-barrier", "%d", can_flush(options));
    return rc;
}

static int publish_discard(struct xenbus_back *back, const struct vdisk_capabilities *can)
{
    if (!can->writable || !can->discard)
        return 0;
    int rc = xenbus_back_put(back, "discard-granularity", "%u", can->discard_granularity_bytes);
    if (rc == 0)
        rc = xenbus_back_put(back, "discard-alignment", "%u", can->discard_alignment_bytes);
    return rc < 0 ? rc : xenbus_back_put(back, "discard-secure", "0");
}

/* VDISK_REMOVABLE would tell of a device below that can be taken out, as in Linux: the node
 * `removable` is the toolstack's. */
int vbd_nodes_disk(struct xenbus_back *back, const struct vbd_options *options)
{
    const struct vdisk_capabilities *can = &options->vdisk->capabilities;
    const int info = (options->cdrom ? VDISK_CDROM : 0) | (options->writable ? 0 : VDISK_READONLY);
    int rc = xenbus_back_put(back, "sectors", "%" PRIu64, can->sector_count);
    if (rc == 0)
        rc = xenbus_back_put(back, "info", "%d", info);
    if (rc == 0)
        rc = xenbus_back_put(back, "sector-size", "%u", can->logical_sector_bytes);
    return rc < 0 ? rc
                  : xenbus_back_put(back, "physical-sector-size", "%u", can->physical_sector_bytes);
}

int vbd_nodes_describe(struct xenbus_back *back, const struct vbd_options *options, bool discard)
{
    int rc = xenbus_back_put(back, "feature-flush-cache", "%d", can_flush(options));
    if (rc == 0 && discard)
        rc = publish_discard(back, &options->vdisk->capabilities);
    if (rc == 0)
        rc = vbd_nodes_abilities(back, options, discard);
    if (rc == 0)
        rc = xenbus_back_put(back, "feature-persistent", "1");
    return rc < 0 ? rc : vbd_nodes_disk(back, options);
}
