/* SPDX-License-Identifier: MIT */
/*
 * start_info: page 0 of a domain's segment, the map of the rest.
 *
 * Dom0 fills it before the domain gets the segment; the domain verifies it on attach and then uses
 * its own copy. Dom0 never reads it back, and nothing in it changes.
 *
 *     page 0                 start_info; in its second half hints (splitdom/hints.h) and the words
 *                            on which threads sleep (splitdom/sleepers.h)
 *     shared_info_pfn        shared_info (splitdom/xen/shared_info.h)
 *     store_pfn              xenstore ring page (splitdom/xen/xs_wire.h)
 *     gnttab_pfn  ...        nr_gnttab_frames pages of struct grant_entry_v1
 *     free_pfn    ...        pages for the domain's own use: rings and data
 */
#ifndef SPLITDOM_START_INFO_H
#define SPLITDOM_START_INFO_H

#include <stdint.h>

#include "splitdom/hints.h"
#include "splitdom/sleepers.h"
#include "splitdom/xen/grant_table.h"
#include "splitdom/xen/shared_info.h"

#define START_INFO_MAGIC "splitdom-1"

enum {
    START_INFO_ABI_VERSION = 3,
};

struct start_info {
    char magic[32];
    uint32_t abi_version;
    uint32_t struct_size; /* sizeof(struct start_info): catches builds that differ */
    uint32_t nr_pages;    /* of the whole segment */
    domid_t domid;
    uint16_t pad0;
    uint32_t shared_info_pfn;
    uint32_t store_pfn;
    evtchn_port_t store_evtchn; /* the domain's port for xenstore, bound to vCPU 0 */
    uint32_t gnttab_pfn;
    uint32_t nr_gnttab_frames;
    uint32_t free_pfn;
    uint32_t nr_free_pages;
};

_Static_assert(sizeof(struct start_info) <= HINTS_OFFSET, "start_info ends before the hints");
_Static_assert(HINTS_OFFSET + sizeof(struct hints) <= SLEEPERS_OFFSET,
               "the hints end before the words");

#endif
