/* SPDX-License-Identifier: MIT */
/* vbd_report: what is told of a domain's disks: what they did, and what waits where. */
#ifndef SPLITDOM_SERVICE_DOM0_DISKS_VBD_REPORT_H
#define SPLITDOM_SERVICE_DOM0_DISKS_VBD_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "service/back/vbd/vbd_back.h"

/* Now, of one disk or of several together. */
struct vbd_report {
    uint32_t ring_entries;
    uint32_t on_ring;   /* requests that Dom0 has not taken */
    uint32_t in_flight; /* taken and not answered; of these: */
    struct block_client_load load;
    uint64_t reported_hits; /* reads that the domain says it found in the shared cache */
    bool halted;            /* one of them is */
    bool waits;             /* for turns at the disk, one of them does */
};

/* One disk more. */
void vbd_report_add(struct vbd_report *report, const struct xenbus_back *back);

/* Members of the open object. */
void vbd_report_write_stats(struct json *json, const struct vbd_ring_stats *stats);
void vbd_report_write_load(struct json *json, const struct vbd_report *report);
/* A disk as an item of the open array; its back end's lease is a struct vdisks_use. */
void vbd_report_write(struct json *json, const struct xenbus_back *back);

#endif
