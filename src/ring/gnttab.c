/* SPDX-License-Identifier: MIT */
#include "ring/gnttab.h"

#include <errno.h>

#include "ring/barrier.h"

void gnttab_grant_access(struct grant_entry_v1 *table, grant_ref_t ref, domid_t domid,
                         uint32_t frame, bool readonly)
{
    struct grant_entry_v1 *entry = &table[ref];
    store_relaxed_u16(&entry->domid, domid);
    store_relaxed_u32(&entry->frame, frame);
    /* domid and frame before flags: pairs with load_acquire in grant_map. */
    store_release_u16(&entry->flags, (uint16_t)(GTF_permit_access | (readonly ? GTF_readonly : 0)));
}

int gnttab_end_access(struct grant_entry_v1 *table, grant_ref_t ref)
{
    uint16_t *flags = &table[ref].flags;
    uint16_t found = load_full_u16(flags);
    do {
        if (found & (GTF_reading | GTF_writing))
            return -EBUSY;
    } while (!compare_exchange_full_u16(flags, &found, GTF_invalid));
    return 0;
}
