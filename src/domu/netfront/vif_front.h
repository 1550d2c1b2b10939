/* SPDX-License-Identifier: MIT */
/*
 * vif_front: the front end of a network interface, control side: what is negotiated about frames,
 * on top of what all classes of devices have in common (domu/xenbus_front.h).
 *
 * Linux: drivers/net/xen-netfront.c (talk_to_netback, xennet_connect). The two rings of a
 * queue have an event channel each. What the back end writes is checked like anything else from the
 * other side.
 */
#ifndef SPLITDOM_DOMU_NETFRONT_VIF_FRONT_H
#define SPLITDOM_DOMU_NETFRONT_VIF_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "domu/xenbus_front.h"
#include "splitdom/netfront.h"
#include "splitdom/xen/netif.h"

enum { VIF_MAC_BYTES = 6, VIF_MTU_DEFAULT = 1500, VIF_MTU_MIN = 68, VIF_MTU_MAX = 65535 };

/* What may change while we are connected. */
struct vif_link {
    uint8_t mac[VIF_MAC_BYTES];
    uint32_t mtu_bytes;
    bool carrier;
};

/* What is told of a queue. */
struct vif_front_queue {
    grant_ref_t tx_ring_ref, rx_ring_ref;
    evtchn_port_t tx_port, rx_port;
};

struct vif_front {
    struct xenbus_front xenbus;
    bool scatter_gather, gso_tcpv4, gso_tcpv6, ipv6_checksum; /* the back end takes these */
    bool stamps;          /* offered, see splitdom/xen/netif.h; clear it to refuse */
    bool persistent;      /* offered: our pages stay granted until we close, as they always do */
    bool no_offload;      /* the caller's: we take neither blank checksums nor segments */
    uint32_t queue_count; /* as negotiated */
    struct vif_front_queue queue[NETFRONT_QUEUES_MAX];
    struct vif_link link;
};

/* Finds the back end and reads what it can; queue_count is at most wanted_queues
 * (1..NETFRONT_QUEUES_MAX). Blocks until the back end waits for us. Errors: -errno, why;
 * -EOPNOTSUPP it lacks what we need. */
int vif_front_prepare(struct vif_front *front, uint32_t wanted_queues, char *why, size_t why_bytes);
/* Offers the rings of queue_count queues (initialised, granted, with a port each) and waits until
 * the back end is connected; then the link is known and we are Connected. */
int vif_front_connect(struct vif_front *front, char *why, size_t why_bytes);
/* Reads the link again. Errors: -errno, and it is as it was. */
int vif_front_read_link(struct vif_front *front);

#endif
