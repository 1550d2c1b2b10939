/* SPDX-License-Identifier: MIT */
/*
 * xen_vif: the xenbus half of a network front end, as Linux has it: waits for InitWait, writes
 * rings and features in a transaction, then 4, waits for 4; and back.
 *
 * Functions return 0 or -errno and leave in vif->doing what they were at.
 */
#ifndef SPLITDOM_TESTS_ABI_XEN_VIF_H
#define SPLITDOM_TESTS_ABI_XEN_VIF_H

#include <stdint.h>

#include "xen_store.h"

struct xen_vif {
    struct xen_store *store;
    char front[64]; /* device directory */
    char back[192];
    char doing[256];
    uint8_t mac[6];
};

/* What the front end tells of itself. */
struct xen_vif_offer {
    uint32_t tx_ring_ref, rx_ring_ref;
    uint32_t tx_port, rx_port; /* the same: without split event channels */
};

int xen_vif_connect(struct xen_vif *vif, uint16_t domid, const struct xen_vif_offer *offer);
/* Leaves the rings: after it the back end must have given back every grant. */
int xen_vif_close(struct xen_vif *vif);

#endif
