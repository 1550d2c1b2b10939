/* SPDX-License-Identifier: MIT */
/*
 * vbd_transport: how a front end wants to be reached: its rings, their ports, and what it can do.
 * All of it was written by the domain and is checked here.
 *
 * One ring has its nodes in the front end's directory, as ever. Several have theirs in directories
 * queue-0, queue-1 and so on, all but ring-page-order, which is the same for all. (Linux:
 * xen-blkback/xenbus.c: connect_ring, read_per_ring_refs.)
 */
#ifndef SPLITDOM_SERVICE_BACK_VBD_VBD_TRANSPORT_H
#define SPLITDOM_SERVICE_BACK_VBD_VBD_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/blkif_ring.h"
#include "service/back/xenbus_back.h"
#include "splitdom/xen/shared_info.h"

#define VBD_PROTOCOL "x86_64-abi" /* the one that is spoken here */

enum { VBD_QUEUES_MAX = 8 };

struct vbd_queue {
    grant_ref_t ring_ref[1 << BLKIF_RING_PAGE_ORDER_MAX];
    evtchn_port_t port; /* the domain's port to notify, and the vCPU that it is bound to */
    uint32_t vcpu;
};

struct vbd_transport {
    uint32_t page_order; /* of each ring */
    uint32_t queue_count;
    struct vbd_queue queue[VBD_QUEUES_MAX];
    bool persistent_grants;
    bool virtual_completion; /* it wants that, offered or not */
    bool trace_ranks;        /* its ids have them (splitdom/trace.h) */
};

/* What was offered: at most so large and so many. */
struct vbd_transport_limits {
    uint32_t max_page_order; /* up to BLKIF_RING_PAGE_ORDER_MAX */
    uint32_t max_queues;     /* 1..VBD_QUEUES_MAX */
};

/* Errors: -errno, and *what says what was wrong. */
int vbd_transport_read(struct xenbus_back *back, const struct vbd_transport_limits *limits,
                       struct vbd_transport *out, const char **what);

#endif
