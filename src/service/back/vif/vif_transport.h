/* SPDX-License-Identifier: MIT */
/*
 * vif_transport: how a front end wants to be reached: its rings, their ports, and what it can do.
 * All of it was written by the domain and is checked here.
 *
 * One queue has its nodes in the front end's directory. Several have theirs in directories queue-0,
 * queue-1 and so on. (Linux: xen-netback/xenbus.c: connect, connect_data_rings,
 * read_xenbus_vif_flags.)
 */
#ifndef SPLITDOM_SERVICE_BACK_VIF_VIF_TRANSPORT_H
#define SPLITDOM_SERVICE_BACK_VIF_VIF_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "service/back/vif/vif_queue.h"
#include "service/back/xenbus_back.h"

enum { VIF_QUEUES_MAX = 8 };

struct vif_transport_queue {
    grant_ref_t tx_ring_ref, rx_ring_ref;
    struct vif_event tx_event, rx_event; /* the same one without split event channels */
};

struct vif_transport {
    uint32_t queue_count; /* 1..VIF_QUEUES_MAX */
    struct vif_transport_queue queue[VIF_QUEUES_MAX];
    struct vif_features features; /* stamps, persistent: it wants them, offered or not */
    bool polled;                  /* it has not promised to ring for pages (feature-rx-notify) */
};

/* max_queues: what was offered, 1..VIF_QUEUES_MAX. Errors: -errno, and *what says what was wrong.
 */
int vif_transport_read(struct xenbus_back *back, uint32_t max_queues, struct vif_transport *out,
                       const char **what);

#endif
