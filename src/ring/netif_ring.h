/* SPDX-License-Identifier: MIT */
/*
 * netif_ring: what the slots of a network device's two rings hold. The rings themselves:
 * netif_front_ring.h and netif_back_ring.h.
 *
 * Instances of DEFINE_RING_TYPES(netif_tx, ...) and (netif_rx, ...) in
 * xen/include/public/io/netif.h, where an extra info has no name of its own in the union. Each ring
 * has one page.
 */
#ifndef SPLITDOM_RING_NETIF_RING_H
#define SPLITDOM_RING_NETIF_RING_H

#include "ring/sring.h"
#include "splitdom/xen/netif.h"

union netif_tx_sring_entry {
    struct netif_tx_request req;
    struct netif_tx_response rsp;
    struct netif_extra_info extra; /* from the front end */
};

union netif_rx_sring_entry {
    struct netif_rx_request req;
    struct netif_rx_response rsp;
    struct netif_extra_info extra; /* from the back end */
};

/* Slots of either ring. */
enum { NETIF_RING_ENTRIES = 256 };

_Static_assert(sizeof(union netif_tx_sring_entry) == 12, "a tx slot is 12 bytes");
_Static_assert(sizeof(union netif_rx_sring_entry) == 8, "an rx slot is 8 bytes");

#endif
