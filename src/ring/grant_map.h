/* SPDX-License-Identifier: MIT */
/*
 * grant_map: Dom0's side of a domain's grant table: from a reference to a page, checked.
 *
 * What Xen's hypervisor does in GNTTABOP_map_grant_ref, for one granting domain. The domain can
 * change an entry at any time. So the entry's words are read once and checked, and a compare and
 * exchange sets the in-use bits only if they are still the same; if the entry keeps changing,
 * mapping fails. A page stays in use while pins hold it: its owner can't take it back under running
 * I/O. Dom0 has the whole segment mapped, so "mapping" costs only the checks.
 *
 * Each ring has a map of its own, and a domain may name one reference on several: the in-use bits
 * are those of all maps together (segment.uses).
 *
 * Threads: one for all maps of a segment. Nothing here blocks.
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
    uint32_t mapped_count;     /* references with at least one pin */
    uint32_t persistent_count; /* of these: pinned for the sake of persistence */
    uint32_t persistent_max;   /* its owner may lower it: beyond, none is pinned for that */
    struct grant_pin *pins;
};

/* segment must outlive the map. Errors: -ENOMEM. */
int grant_map_init(struct grant_map *map, const struct segment *segment, domid_t mapper);

/* Drops all pins, and clears the in-use bits of entries that no other map has pins on. A zeroed map
 * is allowed. */
void grant_map_fini(struct grant_map *map);

/*
 * Maps ref, if it is not mapped yet, and adds a pin. *page is XEN_PAGE_SIZE bytes inside the
 * segment. persistent: the first such call for a reference adds one more pin, unless
 * persistent_max references have theirs. Only grant_map_fini and grant_map_end_persistence drop
 * that pin; from then on a call is a table look-up, and the page the one of that first call,
 * whatever the entry says.
 * Errors: -EBADF ref out of range, not granted or not to us; -EACCES writable access to a read-only
 * grant; -EFAULT the frame is outside the domain's memory; -EAGAIN the entry does not hold still;
 * -EMFILE too many pins.
 */
int grant_map_get(struct grant_map *map, grant_ref_t ref, bool writable, bool persistent,
                  void **page);

/* Drops one pin that grant_map_get added. */
void grant_map_put(struct grant_map *map, grant_ref_t ref);

/* Drops the pins that were added for the sake of persistence. */
void grant_map_end_persistence(struct grant_map *map);

#endif
