/* SPDX-License-Identifier: MIT */
/* vbd_pages: the pages of a ring, in Dom0's memory, one after the other. */
#include <errno.h>
#include <sys/mman.h>

#include "ring/fault_guard.h"
#include "service/back/vbd/vbd_ring_private.h"

/* Ring pages need not lie side by side in the domain's memory. When they don't, they are mapped a
 * second time, in order: mremap with an old size of 0 duplicates a shared mapping. */
static int alias_pages(struct vbd_ring *vr, void *const *page, uint32_t count)
{
    size_t bytes = (size_t)count << XEN_PAGE_SHIFT;
    uint8_t *view = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (view == MAP_FAILED)
        return -errno;
    vr->alias = view;
    for (uint32_t i = 0; i < count; i++) {
        void *at = view + ((size_t)i << XEN_PAGE_SHIFT);
        if (mremap(page[i], 0, XEN_PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, at) == MAP_FAILED)
            return -errno;
    }
    vr->alias_fault_slot = fault_guard_add(view, bytes, vr->config.fault_slot);
    return vr->alias_fault_slot < 0 ? vr->alias_fault_slot : 0;
}

int vbd_ring_map_pages(struct vbd_ring *vr)
{
    uint32_t count = 1u << vr->config.page_order;
    void *page[1 << BLKIF_RING_PAGE_ORDER_MAX];
    bool contiguous = true;
    for (uint32_t i = 0; i < count; i++) {
        int rc = grant_map_get(&vr->grants, vr->config.ring_ref[i], true, false, &page[i]);
        if (rc < 0)
            return rc;
        contiguous = contiguous && page[i] == (uint8_t *)page[0] + ((size_t)i << XEN_PAGE_SHIFT);
    }
    if (!contiguous) {
        int rc = alias_pages(vr, page, count);
        if (rc < 0)
            return rc;
    }
    struct sring *sring = contiguous ? page[0] : vr->alias;
    /* A fresh front end starts at 0; one that re-attaches to a live ring starts where it stands. */
    back_ring_init(&vr->ring.half, sring, blkif_ring_entries(vr->config.page_order),
                   load_acquire_u32(&sring->rsp_prod));
    return 0;
}
