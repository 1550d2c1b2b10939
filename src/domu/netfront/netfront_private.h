/* SPDX-License-Identifier: MIT */
/*
 * netfront_private: struct netfront, for the files that implement splitdom/netfront.h:
 *   netfront.c          open, close, information, statistics
 *   netfront_link.c     what the domain's link thread calls; the rings and Dom0
 *   netfront_memory.c   what the interface has of its domain: pages, grants, ports
 *   netfront_side.c     what both directions of a queue have in common: sleep, failure, suspension
 *   netfront_send.c     frames onto the tx ring
 *   netfront_receive.c  frames off the rx ring, when they are due
 *   netfront_fd.c       the descriptor to poll
 */
#ifndef SPLITDOM_DOMU_NETFRONT_NETFRONT_PRIVATE_H
#define SPLITDOM_DOMU_NETFRONT_NETFRONT_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "domu/domu_private.h"
#include "domu/due.h"
#include "domu/netfront/rx_frame.h"
#include "domu/netfront/tx_slots.h"
#include "domu/netfront/vif_front.h"
#include "ring/netif_front_ring.h"
#include "ring/spin_budget.h"
#include "splitdom/netfront.h"

/* What a direction of a queue has: a ring, a port on a vCPU of its own, and at most one thread that
 * sleeps there. */
struct netfront_side {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* linking has ended, the sleeper is awake, or a send has ended */
    uint32_t vcpu;          /* where its thread sleeps; 0: none yet */
    bool linking;           /* being re-linked: the ring is not to be used */
    bool without_ring;      /* of the present Dom0, which has fewer queues */
    bool sleeping;          /* a thread is in evtchn_wait */
    struct spin_budget spin;
    uint64_t kicks, upcalls, spins_won, spins_lost;
};

/* A pair of rings, and the pages of its frames. */
struct netfront_queue {
    struct netfront *nf;
    /* Constant once connected: */
    grant_ref_t tx_ref; /* of the tx data, read-only; those of the next pages follow */
    grant_ref_t rx_ref; /* of the rx data */
    uint8_t *tx_data, *rx_data;

    struct netfront_side tx; /* its lock: everything down to the next remark */
    struct netif_tx_front_ring tx_ring;
    struct tx_slots tx_slots;
    bool tx_busy;        /* a thread sends or drains, */
    uint32_t tx_waiters; /* and so many wait for its end: of queues without a ring */
    uint64_t tx_rings;   /* how many it had before the present one, */
    uint64_t tx_begun;   /* and when the present call began: what it finds then may be another's */
    struct {
        uint64_t frames, bytes, errors, dropped, lost, waits;
    } tx_count;

    struct netfront_side rx;            /* its lock: everything down to the next remark */
    struct netif_rx_front_ring rx_ring; /* a spinning thread looks without the lock */
    struct rx_frame next; /* taken off the ring, and its pages not posted again; nr_slots 0: none */
    uint64_t next_due_ns; /* of this domain's clock, if next has a stamp */
    struct due_looks looks;
    struct {
        uint64_t frames, bytes, errors, truncated, slots;
    } rx_count;
    int ready_fd;               /* to poll; -1: nobody has asked for it */
    bool ready_shown;           /* it is readable */
    bool watch_ends;            /* the thread that waits for it is to end */
    pthread_cond_t undelivered; /* for that thread: what it has shown is delivered */
    pthread_t watch_thread;     /* runs if ready_fd is open */

    uint32_t interrupted; /* atomic */
};

struct netfront {
    struct netfront_options options;
    struct domu *domu;
    struct vif_front front; /* of whoever has claimed the domain */
    /* Constant once connected; addresses and the doorbell are those of all lives of the domain: */
    uint32_t nr_queues;           /* those of the first Dom0: a next one may have fewer for us */
    uint32_t first_pfn, nr_pages; /* tx data, rx data, rings: of all queues; 0: none yet */
    grant_ref_t tx_ref, rx_ref;   /* of the tx data; of the rx data, and then of the rings */
    int doorbell_fd;
    struct shared_info *shared_info;
    struct domain_clock *clock;

    struct netfront_queue queue[NETFRONT_QUEUES_MAX];

    pthread_mutex_t state_lock; /* taken last; for what follows: */
    char failure[256];          /* written once, before failed */
    struct vif_link link;
    uint16_t domid;
    uint64_t reconnects;
    /* Of the present Dom0; changed while no ring is in use, so read with any side's lock, too: */
    bool scatter_gather, gso_tcpv4, gso_tcpv6, ipv6_checksum, stamps;

    /* Atomic: */
    uint32_t queues_in_use; /* with rings of the present Dom0; senders spread over these */
    uint32_t failed;        /* -errno as stored, or 0 */
    uint32_t closing;
};

static inline bool netfront_has_ring(const struct netfront_side *side)
{
    return !side->linking && !side->without_ring;
}

/* NULL: there is none of that number. */
static inline struct netfront_queue *netfront_queue_at(struct netfront *nf, uint32_t index)
{
    return index < nf->nr_queues ? &nf->queue[index] : NULL;
}

/* netfront_link.c */
/* Connects the interface in nf->domu, which follows it from then on. Errors: -errno, why. */
int netfront_link_start(struct netfront *nf, char *why, size_t why_bytes);
/* Closes the interface and gives back what it has of its domain. Accepts half-built ones. */
void netfront_link_stop(struct netfront *nf);

/* netfront_memory.c: with the domain claimed */
/* Pages, grants and ports for nf->nr_queues queues; what they are is in nf and its queues. Errors:
 * -errno, why; then netfront_memory_give gives back what there is. */
int netfront_memory_take(struct netfront *nf, char *why, size_t why_bytes);
void netfront_memory_give(struct netfront *nf);
/* Where a queue's ring pages are. */
uint32_t netfront_tx_ring_pfn(const struct netfront *nf, uint32_t queue);
uint32_t netfront_rx_ring_pfn(const struct netfront *nf, uint32_t queue);

/* netfront_side.c */
void netfront_side_init(struct netfront_side *side);
void netfront_side_fini(struct netfront_side *side);
/* -errno of the interface when nothing works any more; else 0. Any thread. */
int netfront_failed(const struct netfront *nf);
/* Makes all calls fail from now on. The first reason stays. With no lock or one side's. */
void netfront_fail(struct netfront *nf, int error, const char *why);
/* With the side's lock, on a thread that may wait: is there a ring to be used? Waits for a next
 * Dom0 until deadline_ns of CLOCK_MONOTONIC, 0 for ever. Errors: of the interface; -EAGAIN; with
 * 0 the side may be without a ring, or netfront_interrupt has come on its side. */
int netfront_await_ring(struct netfront_queue *q, struct netfront_side *side, uint64_t deadline_ns);
/* With the side's lock, which is given up meanwhile, and the ring's event armed: until an event
 * comes, or limit_ns is over. < 0: no limit. */
void netfront_sleep(struct netfront *nf, struct netfront_side *side, int64_t limit_ns);
/* Rings the doorbell. With the side's lock. */
void netfront_kick(struct netfront *nf, struct netfront_side *side);
/* Takes the ring out of use: afterwards no thread sleeps there. / It may be used again. */
void netfront_side_suspend(struct netfront *nf, struct netfront_side *side);
void netfront_side_resume(struct netfront_side *side);
/* A deadline for timeout_ns from now; 0: none. */
uint64_t netfront_deadline_ns(int64_t timeout_ns);
/* How long until then, >= 0; -1: for ever. */
int64_t netfront_left_ns(uint64_t deadline_ns);

/* netfront_send.c: by the link thread, with the lock */
/* The ring is new and empty, or there is none: what was unanswered is lost. */
void netfront_restart_tx(struct netfront_queue *q);

/* netfront_receive.c: with the lock */
/* The ring is new and empty, where there is one: posts all pages. */
void netfront_restart_rx(struct netfront_queue *q);
/* Is there a frame to be delivered now, in q->next? 1; 0: not yet, and *left_ns is how long until
 * the next one is due (-1: there is none). Errors: of the interface. */
int netfront_look(struct netfront_queue *q, int64_t *left_ns);

/* netfront_fd.c */
/* With the lock: makes ready_fd unreadable if there is nothing to tell any more. */
void netfront_show_delivered(struct netfront_queue *q);
/* With the lock, which is given up meanwhile, and ready_fd open: until it is readable, or limit_ns
 * is over. < 0: no limit. */
void netfront_await_shown(struct netfront_queue *q, int64_t limit_ns);
/* Ends the thread and closes the descriptor. Accepts one that nobody has asked for. */
void netfront_fd_stop(struct netfront_queue *q);

#endif
