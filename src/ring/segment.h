/* SPDX-License-Identifier: MIT */
/*
 * segment: the memory of a domain, one file in memory (base/memory_file.h).
 *
 * Made by Dom0 and handed to the domain as a descriptor; the file has no name that could be left
 * behind. The file is sealed at its size before anybody else has it: neither half can shrink it, so
 * that no access of the other half's ends in SIGBUS, and none can let it grow beyond what Dom0
 * allowed. Once the domain has mapped the file, nobody can punch holes into it either: whoever
 * looked at a page then would wait in the kernel for as long as the hole is made. Its layout is a
 * pure function of its number of pages; start_info tells it for readers, and attach verifies that
 * it tells the truth.
 */
#ifndef SPLITDOM_RING_SEGMENT_H
#define SPLITDOM_RING_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include "splitdom/start_info.h"
#include "splitdom/xen/xs_wire.h"

enum {
    SEGMENT_PAGES_MIN = 8,
    SEGMENT_PAGES_MAX = 16384, /* 64 MiB */
};

struct segment {
    uint8_t *base; /* NULL when not mapped */
    uint32_t nr_pages;
    domid_t domid;
    uint32_t nr_grant_entries;
    uint32_t free_pfn; /* first page for the domain's own use */
    uint32_t nr_free_pages;
    evtchn_port_t store_evtchn;
    struct start_info *start_info;
    struct hints *hints;
    struct sleepers *sleepers;
    struct shared_info *shared_info;
    struct xenstore_domain_interface *store;
    struct grant_entry_v1 *gnttab;
    struct grant_use *uses; /* Dom0's: of each reference (grant_map.h); in the domain NULL */
};

/* How many of Dom0's maps (rings, other pages) have a reference mapped, and to write. */
struct grant_use {
    uint16_t maps, writers;
};

enum { SEGMENT_STORE_EVTCHN = 1 };

/*
 * Dom0: makes a segment of nr_pages for domid, maps it, fills start_info, grants the xenstore page
 * (reference 1, as Xen's toolstack does). *fd is the descriptor to hand over; close it afterwards.
 * Takes the memory of a few pages only, whatever nr_pages is. Errors: -EINVAL nr_pages out of
 * range; -EOPNOTSUPP this system has no memory files that can be sealed, or forbids them
 * (memfd_create, F_ADD_SEALS); -EFBIG beyond RLIMIT_FSIZE; -ENOMEM; ...
 */
int segment_create(uint32_t nr_pages, domid_t domid, struct segment *out, int *fd);

/*
 * Dom0: the domain has mapped its memory. From now on the file can't be changed but through the
 * mappings that there are. May be called again. Errors: -EPERM the domain has sealed the file
 * against this seal.
 */
int segment_settle(int fd);

/*
 * Domain: maps the segment behind fd (the caller keeps and closes fd) after checking magic,
 * version, sizes and every area of start_info. Takes all of the memory now, on the domain's account
 * and in its time, so that a lack of it is an error here and not a SIGBUS later. Errors: -EBADFD fd
 * is not a file in memory that is sealed at its size; -EPROTO the contents are invalid or come
 * from another version; -ENOSPC, -ENOMEM there is no memory; others from the system.
 */
int segment_attach(int fd, struct segment *out);

/* Unmaps. Zeroed or detached segments are allowed. */
void segment_detach(struct segment *segment);

static inline void *segment_page(const struct segment *segment, uint32_t pfn)
{
    return segment->base + ((size_t)pfn << XEN_PAGE_SHIFT);
}

/* How many pages a segment needs so that free_pages are left for the domain's own use. */
uint32_t segment_pages_for(uint32_t free_pages);

#endif
