/* SPDX-License-Identifier: MIT */
#include "service/dom0/disks/vbd_report.h"

#include <stddef.h>

#include "base/clock.h"
#include "base/vdev.h"
#include "service/dom0/disks/vdisks_report.h"
#include "xenstore/xenbus_state.h"

void vbd_report_add(struct vbd_report *report, const struct xenbus_back *back)
{
    const struct block_client_load load = block_client_load(vbd_back_client(back));
    const struct vbd_ring *ring;
    report->waits |= block_client_waits(vbd_back_client(back), clock_monotonic_ns());
    report->load.turn += load.turn;
    report->load.device += load.device;
    report->reported_hits += vbd_back_claimed_reads(back);
    for (uint32_t i = 0; (ring = vbd_back_queue(back, i)) != NULL; i++) {
        report->ring_entries += ring->ring.half.nr_ents;
        report->on_ring += back_ring_waiting(&ring->ring.half);
        report->in_flight += vbd_ring_in_flight(ring);
        report->halted |= ring->halted;
    }
}

void vbd_report_write_stats(struct json *json, const struct vbd_ring_stats *stats)
{
    json_u64(json, "requests", stats->requests);
    json_u64(json, "reads", stats->reads_done);
    json_u64(json, "sectors", stats->sectors);
    json_u64(json, "errors", stats->errors);
    json_u64(json, "unsupported", stats->unsupported);
    /* As Linux's back end counts them, by the names that it has for them. */
    json_u64(json, "rd_req", vbd_ring_stats_reads(stats));
    json_u64(json, "wr_req", stats->writes);
    json_u64(json, "f_req", stats->flushes);
    json_u64(json, "ds_req", stats->discards);
    json_u64(json, "oo_req", stats->out_of_room);
    json_u64(json, "rd_sect", stats->sectors);
    json_u64(json, "wr_sect", stats->written_sectors);
    json_u64(json, "notifies", stats->notifies);
    json_u64(json, "wakes", stats->wakes);
}

void vbd_report_write_load(struct json *json, const struct vbd_report *report)
{
    json_u64(json, "ring_entries", report->ring_entries);
    json_bool(json, "halted", report->halted);
    json_u64(json, "in_flight", report->in_flight);
    json_u64(json, "on_ring", report->on_ring);
    json_u64(json, "wait_for_turn", report->load.turn);
    json_u64(json, "at_disk", report->load.device);
    json_u64(json, "reported_hits", report->reported_hits);
}

void vbd_report_write(struct json *json, const struct xenbus_back *back)
{
    const struct vdisks_use *use = back->lease;
    const struct vbd_ring_stats stats = vbd_back_stats(back);
    struct vbd_report report = {0};
    char vdev[VDEV_NAME_SIZE];
    vbd_report_add(&report, back);
    vdev_format(use->devid, vdev);
    json_object(json, NULL);
    json_string(json, "vdev", vdev);
    json_u64(json, "devid", use->devid);
    json_string(json, "backend_state", xenbus_state_name(back->state));
    json_string(json, "access", disk_access_name(use->access));
    json_string(json, "image", use->item->vdisk->image.path);
    json_fixed(json, "image_hit_ratio", vdisks_report_hit_ratio(use->item->vdisk), 6);
    vbd_report_write_load(json, &report);
    vbd_report_write_stats(json, &stats);
    json_end(json);
}
