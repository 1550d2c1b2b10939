/* SPDX-License-Identifier: MIT */
/* The interfaces as include/splitdom and src/ring have them. */
#include "abi.h"

#include "ring/sring.h"
#include "splitdom/xen/blkif.h"
#include "splitdom/xen/grant_table.h"
#include "splitdom/xen/shared_info.h"
#include "splitdom/xen/xenbus.h"
#include "splitdom/xen/xs_wire.h"

enum { ABI_PAGE_SHIFT = XEN_PAGE_SHIFT, ABI_DOM0 = DOM0_DOMID, ABI_XVDA = XENBUS_VBD_XVDA };

/* clang-format off */
static const struct abi_entry entries[] = {
#include "abi_list.h"
};
/* clang-format on */

static uint32_t ring_entries(size_t bytes)
{
    uint32_t order = 0;
    while ((size_t)XEN_PAGE_SIZE << order < bytes)
        order++;
    return sring_entries(order);
}

const struct abi abi_ours = {
    .entries = entries,
    .count = sizeof(entries) / sizeof(entries[0]),
    .ring_entries = ring_entries,
};
