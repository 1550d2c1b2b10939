/* SPDX-License-Identifier: MIT */
/*
 * vif_queue: one pair of rings of a connected network interface, seen from Dom0.
 *
 * Life: vif_queue_create maps both ring pages. Whoever gives the port its turns lets
 * vif_queue_take read frames off the tx ring into the port; what is delivered to the port waits in
 * a bounded queue (vif_queue_deliver) until the front end has posted pages for the whole frame. All
 * data are copied, both ways: no page of the domain stays in use beyond a call, but for the rings,
 * and the first VIF_PERSISTENT_MAX ones if grants are persistent. Dom0's loop looks at both rings
 * through the pollable. (Linux: struct xenvif_queue.)
 *
 * Queues of frames: what does not fit is dropped, and so is what has waited for too long. A front
 * end that has posted too few pages for VIF_STALL_NS of its own time counts as stalled: what waits
 * is dropped, and so is what comes, until it posts again. (Linux: xenvif_rx_queue_stalled,
 * xenvif_rx_queue_drop_expired; XSA-392.)
 *
 * A front end that has not promised to ring for the pages that it posts (feature-rx-notify: old
 * Mini-OS, so PV-GRUB and stub domains) is looked at when a frame has waited for a short time. What
 * there are no pages for then is dropped. It is never stalled: nobody would hear that it goes on.
 *
 * A front end that breaks the protocol has its queue halted: nothing more is taken from it or
 * delivered to it until it is destroyed.
 */
#ifndef SPLITDOM_SERVICE_BACK_VIF_VIF_QUEUE_H
#define SPLITDOM_SERVICE_BACK_VIF_VIF_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/grant_map.h"
#include "ring/netif_back_ring.h"
#include "service/back/vif/vif_stats.h"
#include "service/loop/pollables.h"
#include "service/net/port.h"
#include "splitdom/xen/shared_info.h"
#include "tdf/clock.h"
#include "tdf/timer.h"

enum {
    VIF_RX_FRAMES_MAX = 64, /* of one look */
    /* What waits for the front end: a ring's worth of half its pages, as in Linux. */
    VIF_RX_QUEUE_FRAMES = 1024, /* a power of two */
    VIF_RX_QUEUE_BYTES = NETIF_RING_ENTRIES / 2 * XEN_PAGE_SIZE,
    VIF_PERSISTENT_MAX = 2 * NETIF_RING_ENTRIES, /* a page for each slot of both rings */
};

/* As in Linux (rx_stall_timeout_msecs, rx_drain_timeout_msecs): time of the domain. */
#define VIF_STALL_NS  UINT64_C(60000000000)
#define VIF_EXPIRE_NS UINT64_C(10000000000)
#define VIF_POLL_NS   UINT64_C(30000000) /* instead, for who is polled; also between two looks */

/* What the front end has said that it takes. */
struct vif_features {
    bool sg;                   /* frames in several slots */
    bool gso_tcpv4, gso_tcpv6; /* large ones */
    bool csum_ipv4, csum_ipv6; /* checksums left to it */
    bool stamps;               /* agreed on by both, see splitdom/xen/netif.h */
    bool persistent;           /* agreed on by both: its pages stay granted until it closes */
};

struct vif_event {
    evtchn_port_t port; /* the domain's, and the vCPU that it is bound to */
    uint32_t vcpu;
};

struct vif_queue_config {
    const struct segment *segment; /* the domain's memory */
    grant_ref_t tx_ring_ref, rx_ring_ref;
    struct vif_event tx_event, rx_event; /* may be the same */
    struct vif_features features;
    bool polled; /* the front end may not ring for pages that it posts */
    struct net_port *port;
    struct tdf_clock *clock;           /* the domain's */
    const struct tdf *tdf;             /* its rate, also while it is paused */
    uint64_t (*now_ns)(void *now_ctx); /* CLOCK_MONOTONIC */
    void *now_ctx;
    /* CLOCK_MONOTONIC's timers, where late does not matter; outlives the queue. NULL: who is polled
     * is looked at when a frame comes. */
    struct timer_clock *idle_time;
    /* Dom0's loop found the queue halted, just now; why is a line for people. The queue must not be
     * destroyed within. */
    void (*broken)(void *ctx, const char *why);
    void *ctx;
};

/* A frame that waits for the front end, one reference. */
struct vif_waiting {
    struct net_frame *frame;
    uint64_t at_ns;
    bool part; /* of a frame that was cut here: the port has counted the whole one */
};

struct vif_queue {
    struct pollable pollable;
    struct vif_queue_config config;
    struct grant_map grants;
    struct vif_stats stats;
    struct netif_tx_back_ring tx;
    struct netif_rx_back_ring rx;
    const char *fault; /* what halted the queue; NULL: nothing did */
    bool told;         /* config.broken knows */
    bool tx_unpushed, rx_unpushed;
    uint32_t taken; /* slots, since the loop's last visit */
    struct net_frame_pool *frames;
    /* When the tx ring was looked at: all frames of that look had left before. CLOCK_MONOTONIC, and
     * the domain's clock, if frames have stamps. */
    uint64_t tx_look_ns, tx_look_virtual_ns;
    uint64_t tx_stamp_ns; /* when the last frame with a stamp left, CLOCK_MONOTONIC */

    struct vif_waiting *waiting; /* VIF_RX_QUEUE_FRAMES of them, a ring */
    uint32_t waiting_head, waiting_count;
    uint32_t waiting_bytes;
    uint64_t rx_virtual_ns;  /* domain's clock when the visit began, if frames have stamps */
    uint64_t rx_progress_ns; /* when there were enough pages last, or none were needed */
    struct timer poll;       /* set while frames wait for a front end that is polled */
    bool stalled;
    bool starved; /* the queue is empty for frames that were too old, not for pages */
    bool full;    /* the port's senders wait for the front end (net/pressure.h) */
};

/* Maps the rings and makes them ready. Errors: those of grant_map_get; -ENOMEM. On failure nothing
 * stays mapped. */
int vif_queue_create(const struct vif_queue_config *config, struct vif_queue **out);
/* Frames that wait are dropped, and counted by the port; *total gets what the queue has counted.
 * The loop has let go of the pollable (pollables_remove). q NULL allowed, and total. */
void vif_queue_destroy(struct vif_queue *q, struct vif_stats *total);

/* Hands frames off the tx ring to the port: see net_port_ops.take. 0: the ring is empty and the
 * front end will ring the doorbell, or the queue is halted. At most a ring's worth of slots. */
uint32_t vif_queue_take(struct vif_queue *q, uint32_t budget_bytes);
/* A frame for the front end: see net_port_ops.deliver. */
void vif_queue_deliver(struct vif_queue *q, struct net_frame *frame, uint64_t at_ns);

/* ---- for vif_tx.c and vif_rx.c ---- */

/* Nothing is taken or delivered any more. */
void vif_queue_halt(struct vif_queue *q, const char *fault);
/* Raises an event. */
void vif_queue_notify(struct vif_queue *q, const struct vif_event *event);

#endif
