/* SPDX-License-Identifier: MIT */
/*
 * grants: the references of a domain's grant table, handed out to its devices, and a record of what
 * they offer, to offer it again in the domain's next life. The peer is always Dom0.
 *
 * The first GNTTAB_NR_RESERVED_ENTRIES references are the toolstack's. One thread at a time.
 */
#ifndef SPLITDOM_DOMU_GRANTS_H
#define SPLITDOM_DOMU_GRANTS_H

#include <stdbool.h>
#include <stdint.h>

#include "domu/extents.h"
#include "domu/pages.h"
#include "ring/segment.h"

struct grants {
    struct extents free;
    struct grant *grant; /* one for each entry of the table */
    struct grant_entry_v1 *table;
    struct grant_page *page; /* one for each of the segment's */
    uint32_t ending_count;   /* references that were taken back while Dom0 had their pages mapped */
};

/* segment: where the table is, now and in all later lives. Errors: -ENOMEM. */
int grants_init(struct grants *grants, const struct segment *segment);
void grants_fini(struct grants *grants); /* zeroed allowed */

/* Offers Dom0 count pages that follow each other, under as many references that do; *ref is the
 * first. Dom0 may read them, and write them unless readonly. Errors: -ENOSPC. */
int grants_offer(struct grants *grants, uint32_t pfn, uint32_t count, bool readonly,
                 grant_ref_t *ref);
/* Takes the offers back. Errors: -EBUSY Dom0 has some of the pages mapped, as for a large request
 * of a disk that was taken away by force: these references stay taken until grants_sweep. A Dom0
 * that is dead (peer_is_dead) has nothing mapped, whatever the table says. */
int grants_end(struct grants *grants, grant_ref_t ref, uint32_t count, bool peer_is_dead);

/* Gives pages back whose offers have been taken back: now, or, where Dom0 has them mapped, by the
 * grants_sweep after it let go of them. */
void grants_give_pages(struct grants *grants, struct pages *pages, uint32_t pfn, uint32_t count);
/* Looks what Dom0 has let go of. Before more is taken of either. */
void grants_sweep(struct grants *grants, struct pages *pages);

/* Makes all offers in another table of at least as many entries: that of the next life. */
void grants_repeat(const struct grants *grants, struct grant_entry_v1 *table);

#endif
