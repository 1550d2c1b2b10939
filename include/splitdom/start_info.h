/* SPDX-License-Identifier: MIT */
/*
 * start_info: page 0 of a domain's segment, the map of the rest.
 *
 * Dom0 fills it before the domain gets the segment; the domain verifies it on attach and then uses
 * its own copy. Dom0 never reads it back. Only the *_cpu words and busy_domains change later: hints
 * for the decisions whether spinning can pay and how answers are handed over (a peer on the same
 * CPU can't make progress while we run); a wrong hint costs time, nothing else. A front end need
 * not write any.
 *
 *     page 0                 start_info
 *     shared_info_pfn        shared_info (splitdom/xen/shared_info.h)
 *     store_pfn              xenstore ring page (splitdom/xen/xs_wire.h)
 *     gnttab_pfn  ...        nr_gnttab_frames pages of struct grant_entry_v1
 *     free_pfn    ...        pages for the domain's own use: rings and data
 */
#ifndef SPLITDOM_START_INFO_H
#define SPLITDOM_START_INFO_H

#include <stdint.h>

#include "splitdom/xen/grant_table.h"
#include "splitdom/xen/shared_info.h"

#define START_INFO_MAGIC "splitdom-1"

enum {
    START_INFO_ABI_VERSION = 1,
    START_INFO_CPU_NONE = 0xffffffffu, /* nowhere, or not told yet */
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
    uint8_t pad1[52];      /* the hints below get a cache line each: they have different writers */
    uint32_t dom0_cpu;     /* Dom0 writes: the CPU on which it last served this domain */
    uint32_t busy_domains; /* Dom0 writes: how many had requests in the last 50 ms, or so */
    uint8_t pad2[56];
    uint32_t domu_cpu; /* the domain writes: the CPU on which it spins for an answer, else NONE */
    uint32_t domu_sleep_cpu; /* the domain writes: the CPU on which it last slept for an answer */
    uint8_t pad3[56];
};

_Static_assert(sizeof(struct start_info) <= XEN_PAGE_SIZE, "start_info fits its page");
_Static_assert(offsetof(struct start_info, dom0_cpu) % 64 == 0, "dom0_cpu has its own line");
_Static_assert(offsetof(struct start_info, domu_cpu) % 64 == 0, "domu_cpu has its own line");

#endif
