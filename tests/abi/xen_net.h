/* SPDX-License-Identifier: MIT */
/*
 * xen_net: a network front end's data path by Xen's headers and macros alone: io/ring.h,
 * io/netif.h. It follows Linux's front end: one page for each slot, an extra info only for large
 * frames, responses that lie in the slot of their request.
 */
#ifndef SPLITDOM_TESTS_ABI_XEN_NET_H
#define SPLITDOM_TESTS_ABI_XEN_NET_H

#include <stdbool.h>
#include <stdint.h>

enum { XEN_NET_SLOTS = 256, XEN_NET_FRAME_MAX = 65535 };

/* Pages of a domain, all of them granted already: page i of each data area by reference ref + i. */
struct xen_net_pages {
    void *tx_ring, *rx_ring;
    uint8_t *tx_data, *rx_data; /* XEN_NET_SLOTS pages each */
    uint32_t tx_ref, rx_ref;
    uint32_t index; /* where both rings start */
};

struct xen_net_frame {
    uint8_t data[XEN_NET_FRAME_MAX];
    uint32_t length_bytes;
    bool checksum_blank, data_validated;
    uint8_t gso_type;
    uint16_t gso_size;
};

struct xen_net;

/* NULL: no memory. */
struct xen_net *xen_net_create(const struct xen_net_pages *pages);
void xen_net_destroy(struct xen_net *net);

/* Whether there was room. *notify: the doorbell is to be rung. */
bool xen_net_send(struct xen_net *net, const struct xen_net_frame *frame, bool *notify);
/* Takes answers; the number of frames that were answered okay, or -1: something else was said. */
int xen_net_collect(struct xen_net *net);
/* Posts pages until there are so many, at most XEN_NET_SLOTS. */
void xen_net_post(struct xen_net *net, uint32_t pages, bool *notify);
/* 1: a frame; 0: none; -1: the slots make no frame. */
int xen_net_receive(struct xen_net *net, struct xen_net_frame *frame);

#endif
