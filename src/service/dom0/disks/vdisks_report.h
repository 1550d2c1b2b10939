/* SPDX-License-Identifier: MIT */
/* vdisks_report: what is told of images and of the disks that are made of them. */
#ifndef SPLITDOM_SERVICE_DOM0_DISKS_VDISKS_REPORT_H
#define SPLITDOM_SERVICE_DOM0_DISKS_VDISKS_REPORT_H

#include <stdio.h>

#include "base/json.h"
#include "service/dom0/disks/vdisks.h"

/* A line for each image, where there are several. */
void vdisks_report_print(const struct vdisks *vdisks, FILE *out);
/* The member "images". */
void vdisks_report_write(const struct vdisks *vdisks, struct json *json);

/* One disk of a domain, in the state that is named: a line. */
void vdisks_report_print_use(const struct vdisks_use *use, const char *state, FILE *out);
/* Of an image's cache, domains' own hits included; 0 before the first read. */
double vdisks_report_hit_ratio(struct vdisk *vdisk);

/* Reads that the caches have answered. */
struct vdisks_hits {
    uint64_t on_ring;  /* by Dom0 */
    uint64_t reported; /* that domains say they found in the shared caches */
    uint64_t all, requests;
    double percent;
};

struct vdisks_hits vdisks_report_hits(const struct vdisks *vdisks);
/* Of all caches, sectors. */
uint64_t vdisks_report_cache_used(const struct vdisks *vdisks);
uint64_t vdisks_report_cache_capacity(const struct vdisks *vdisks);

/* What the devices have done, in a line; what changes disks is told when there was any. */
void vdisks_report_print_devices(const struct vdisks_totals *totals, FILE *out);

#endif
