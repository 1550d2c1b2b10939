/* SPDX-License-Identifier: MIT */
/*
 * xen_vif: the xenbus half of a network front end of any kind (xen_vif_kind.h). Linux's waits for
 * InitWait, writes rings and features in a transaction, then 4, waits for 4; and back.
 *
 * Functions return 0 or -errno and leave in vif->doing what they were at.
 */
#ifndef SPLITDOM_TESTS_ABI_XEN_VIF_H
#define SPLITDOM_TESTS_ABI_XEN_VIF_H

#include <stdint.h>

#include "xen_store.h"
#include "xen_vif_kind.h"

struct xen_vif {
    struct xen_store *store;
    char front[64]; /* device directory */
    char back[192];
    char doing[256];
    uint8_t mac[6];
};

/* What the front end tells of itself. */
struct xen_vif_offer {
    const struct xen_vif_kind *kind;
    uint32_t tx_ring_ref, rx_ring_ref;
    uint32_t tx_port, rx_port; /* the same: without split event channels */
};

/* Comes to where the kind writes its rings, for the first time (vif is zeroed but for store) or
 * again: after it the back end has given back every grant of the time before, if the kind waits for
 * it at all. */
int xen_vif_begin(struct xen_vif *vif, uint16_t domid, const struct xen_vif_kind *kind);
int xen_vif_connect(struct xen_vif *vif, const struct xen_vif_offer *offer);
/* Leaves the rings: after it the back end must have given back every grant, unless it crashes. */
int xen_vif_close(struct xen_vif *vif, const struct xen_vif_kind *kind);

#endif
