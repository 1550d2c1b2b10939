/* SPDX-License-Identifier: MIT */
#include "service/dom0/disks/vdisks_report.h"

#include <inttypes.h>

#include "base/one_line.h"

double vdisks_report_hit_ratio(struct vdisk *vdisk)
{
    uint64_t hits = vdisk->stats.hits + vdisk_claimed_reads(vdisk);
    uint64_t all = hits + vdisk->stats.misses;
    return all == 0 ? 0.0 : (double)hits / (double)all;
}

static const char *mode(const struct vdisk *vdisk)
{
    return vdisk->capabilities.writable ? "w" : "r";
}

static uint32_t use_count(const struct vdisks_item *item)
{
    uint32_t count = 0;
    for (struct list_node *node = list_first(&item->uses); node != NULL;
         node = list_next(&item->uses, node))
        count++;
    return count;
}

/* A path may hold anything but NUL. */
static void end_line(const char *path, FILE *out)
{
    one_line_put(path, out);
    fputc('\n', out);
}

/* An export that is not connected is told of, also where it is the only image. */
static void print_servers(const struct vdisks *vdisks, FILE *out)
{
    struct disk_nbd_report nbd;
    for (const struct vdisks_item *item = vdisks_first(vdisks); item != NULL;
         item = vdisks_next(vdisks, item)) {
        if (vdisks_nbd_report(item, &nbd) &&
            (nbd.state != DISK_NBD_CONNECTED || nbd.reconnections > 0)) {
            one_line_put(item->vdisk->image.path, out);
            fprintf(out, ": server %s, connected to again %" PRIu64 " times, %u requests wait\n",
                    disk_nbd_state_name(nbd.state), nbd.reconnections, nbd.held);
        }
    }
}

void vdisks_report_print(const struct vdisks *vdisks, FILE *out)
{
    const struct vdisks_item *item = vdisks_first(vdisks);
    print_servers(vdisks, out);
    if (item == NULL || vdisks_next(vdisks, item) == NULL)
        return;
    fprintf(out, "%10s  %4s %6s %6s  %s\n", "sectors", "open", "disks", "hits", "image");
    for (; item != NULL; item = vdisks_next(vdisks, item)) {
        fprintf(out, "%10" PRIu64 "  %4s %6u %5.1f%%  ", item->vdisk->capabilities.sector_count,
                mode(item->vdisk), use_count(item), 100.0 * vdisks_report_hit_ratio(item->vdisk));
        end_line(item->vdisk->image.path, out);
    }
}

static void write_image(const struct vdisks_item *item, struct json *json)
{
    struct vdisk *vdisk = item->vdisk;
    struct disk_nbd_report nbd;
    json_object(json, NULL);
    json_string(json, "path", vdisk->image.path);
    json_u64(json, "sectors", vdisk->capabilities.sector_count);
    json_u64(json, "block_size", vdisk->image.block_size_bytes);
    json_bool(json, "writable", vdisk->capabilities.writable);
    json_bool(json, "of_every_domain", item->is_kept);
    json_u64(json, "vbds", use_count(item));
    json_u64(json, "cache_capacity_sectors", cache_capacity(vdisk->cache));
    json_u64(json, "cache_used_sectors", cache_used(vdisk->cache));
    json_u64(json, "hits", vdisk->stats.hits);
    json_u64(json, "reported_hits", vdisk_claimed_reads(vdisk));
    json_u64(json, "misses", vdisk->stats.misses);
    json_fixed(json, "hit_ratio", vdisks_report_hit_ratio(vdisk), 6);
    if (vdisks_nbd_report(item, &nbd)) {
        json_string(json, "server", disk_nbd_state_name(nbd.state));
        json_u64(json, "reconnections", nbd.reconnections);
        json_u64(json, "held", nbd.held);
        json_u64(json, "reconnect_delay_s", nbd.reconnect_ms / 1000);
    }
    json_end(json);
}

void vdisks_report_write(const struct vdisks *vdisks, struct json *json)
{
    json_array(json, "images");
    for (struct vdisks_item *item = vdisks_first(vdisks); item != NULL;
         item = vdisks_next(vdisks, item))
        write_image(item, json);
    json_end(json);
}

void vdisks_report_print_use(const struct vdisks_use *use, const char *state, FILE *out)
{
    char vdev[VDEV_NAME_SIZE];
    vdev_format(use->devid, vdev);
    fprintf(out, "%5s  %-12s %-6s %-2s  ", "", state, vdev, disk_access_name(use->access));
    end_line(use->item->vdisk->image.path, out);
}

struct vdisks_hits vdisks_report_hits(const struct vdisks *vdisks)
{
    const struct vdisk_stats stats = vdisks_totals(vdisks).vdisk;
    struct vdisks_hits hits = {.on_ring = stats.hits, .reported = vdisks_claimed_reads(vdisks)};
    hits.all = hits.on_ring + hits.reported;
    hits.requests = hits.all + stats.misses;
    hits.percent = hits.requests == 0 ? 0.0 : 100.0 * (double)hits.all / (double)hits.requests;
    return hits;
}

uint64_t vdisks_report_cache_used(const struct vdisks *vdisks)
{
    uint64_t used = 0;
    for (struct vdisks_item *at = vdisks_first(vdisks); at != NULL; at = vdisks_next(vdisks, at))
        used += cache_used(at->vdisk->cache);
    return used;
}

uint64_t vdisks_report_cache_capacity(const struct vdisks *vdisks)
{
    uint64_t capacity = 0;
    for (struct vdisks_item *at = vdisks_first(vdisks); at != NULL; at = vdisks_next(vdisks, at))
        capacity += cache_capacity(at->vdisk->cache);
    return capacity;
}

void vdisks_report_print_devices(const struct vdisks_totals *totals, FILE *out)
{
    const struct device_stats *device = &totals->device;
    fprintf(out, "disk: %" PRIu64 " reads, %" PRIu64 " bytes, ", device->reads, device->bytes);
    if (device->writes + device->flushes + device->discards > 0)
        fprintf(out,
                "%" PRIu64 " writes, %" PRIu64 " bytes, %" PRIu64 " flushes, %" PRIu64
                " discards, ",
                device->writes, device->bytes_written, device->flushes, device->discards);
    fprintf(out, "%" PRIu64 " errors, %" PRIu64 " misses shared a read, at most %u in flight\n",
            device->errors, totals->vdisk.shared, device->in_flight_peak);
}
