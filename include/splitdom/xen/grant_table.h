/* SPDX-License-Identifier: MIT */
/*
 * Grant table, version 1: how a domain lets another one use a page of its memory.
 *
 * Layout and flags of xen/include/public/grant_table.h. A domain writes entries into its own table;
 * whoever acts as hypervisor (Dom0 here) checks an entry when it maps the page and sets the in-use
 * bits GTF_reading and GTF_writing for as long as the mapping lives, so that the owner can see that
 * the page must not be reused yet.
 */
#ifndef SPLITDOM_XEN_GRANT_TABLE_H
#define SPLITDOM_XEN_GRANT_TABLE_H

#include <stddef.h>
#include <stdint.h>

typedef uint16_t domid_t;
typedef uint32_t grant_ref_t;

enum {
    XEN_PAGE_SIZE = 4096,
    XEN_PAGE_SHIFT = 12,
    DOM0_DOMID = 0,
    DOMID_SELF = 0x7ff0, /* whoever asks */
    DOMID_ANY = 0x7ff5,  /* every domain, in permissions of xenstore */
};

enum {
    GTF_invalid = 0,
    GTF_permit_access = 1,
    GTF_type_mask = 3,
    GTF_readonly = 1 << 2, /* set by the owner: the peer may not write */
    GTF_reading = 1 << 3,  /* set by the mapper: mapped */
    GTF_writing = 1 << 4,  /* set by the mapper: mapped writable */
};

/* References 0..7 are reserved by Xen for its tools (0: console page, 1: xenstore page). */
enum {
    GNTTAB_NR_RESERVED_ENTRIES = 8,
    GNTTAB_ENTRIES_PER_FRAME = XEN_PAGE_SIZE / 8,
};

struct grant_entry_v1 {
    uint16_t flags; /* owner writes last; mapper toggles GTF_reading/GTF_writing */
    domid_t domid;  /* who may map */
    uint32_t frame; /* page number inside the owner's segment */
};

_Static_assert(sizeof(struct grant_entry_v1) == 8, "grant entry v1 is 8 bytes");
_Static_assert(offsetof(struct grant_entry_v1, frame) == 4, "grant_entry_v1.frame");

#endif
