/* SPDX-License-Identifier: MIT */
/*
 * gnttab: a domain's own side of its grant table: offer a page, take the offer back.
 *
 * The rules are those of Linux's drivers/xen/grant-table.c. Domid and frame are written first,
 * flags last. An offer is taken back by compare and exchange, never by "look, then clear"
 * (XSA-396). One thread at a time for each reference. Nothing here blocks.
 */
#ifndef SPLITDOM_RING_GNTTAB_H
#define SPLITDOM_RING_GNTTAB_H

#include <stdbool.h>

#include "splitdom/xen/grant_table.h"

/* Offers page frame of this domain to domid under ref. Pairs with the checks in grant_map.c. */
void gnttab_grant_access(struct grant_entry_v1 *table, grant_ref_t ref, domid_t domid,
                         uint32_t frame, bool readonly);

/* Takes the offer back. Errors: -EBUSY the peer has the page mapped: it must not be reused yet. */
int gnttab_end_access(struct grant_entry_v1 *table, grant_ref_t ref);

#endif
