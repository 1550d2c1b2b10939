/* SPDX-License-Identifier: MIT */
/*
 * grant_map: Dom0's side of a domain's grant table: from a reference to a page, checked.
 *
 * What Xen's hypervisor does in GNTTABOP_map_grant_ref, for one granting domain. The entry lies in
 * memory that the domain can change at any time: its words are read once, checked, and claimed with
 * a compare-and-exchange that sets the in-use bits; if the entry keeps changing, mapping fails. A
 * page stays claimed while pins hold it, so its owner can't revoke it under running I/O. Dom0 has
 * the whole segment mapped, so "mapping" costs only the checks.
 */
#ifndef SPLITDOM_RING_GRANT_MAP_H
#define SPLITDOM_RING_GRANT_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/segment.h"

struct grant_pin; /* per reference: pins and where it points */

struct grant_map {
    const struct segment *segment; /* the granting domain's memory */
    domid_t mapper;                /* who maps */
    uint32_t nr_entries;
    uint32_t mapped_count; /* references with at least one pin */
    struct grant_pin *pins;
};

/* segment must outlive the map. Errors: -ENOMEM. */
int grant_map_init(struct grant_map *map, const struct segment *segment, domid_t mapper);

/* Drops every pin that is left and clears its in-use bits. A zeroed map is allowed. */
void grant_map_fini(struct grant_map *map);

/*
 * Maps ref (again, if it is mapped) and adds a pin. *page is XEN_PAGE_SIZE bytes inside the
 * segment. With persistent, the first such call adds one pin more, which only grant_map_fini drops:
 * later calls are then a table look-up. Errors: -EBADF ref out of range, not granted or not to us;
 * -EACCES writable access to a read-only grant; -EFAULT the frame is outside the domain's memory;
 * -EAGAIN the entry does not hold still; -EMFILE too many pins.
 */
int grant_map_get(struct grant_map *map, grant_ref_t ref, bool writable, bool persistent,
                  void **page);

/* Drops one pin that grant_map_get added. */
void grant_map_put(struct grant_map *map, grant_ref_t ref);

#endif
