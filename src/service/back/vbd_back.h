/* SPDX-License-Identifier: MIT */
/*
 * vbd_back: the back end of one domain's disk, control side: the xenbus states.
 *
 * What Linux xen-blkback/xenbus.c does in frontend_changed, connect and disconnect. It watches the
 * front end's `state` node and acts on the value that it re-reads, whatever happened in between.
 * Everything that it reads in the front end's directory was written by the domain and is checked.
 */
#ifndef SPLITDOM_SERVICE_BACK_VBD_BACK_H
#define SPLITDOM_SERVICE_BACK_VBD_BACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "service/back/evtchn_table.h"
#include "service/back/vbd/vbd_ring.h"
#include "splitdom/xen/xenbus.h"
#include "xenstore/xs_local.h"

struct vbd_back;

struct vbd_back_config {
    struct xs_server *store;
    struct log *log;
    struct log_limit *log_limit; /* shared by all domains; NULL: one of its own */
    domid_t domid;
    const struct segment *segment;     /* outlives the back end */
    int fault_slot;                    /* of the segment, see fault_guard.h */
    const struct evtchn_table *evtchn; /* the domain's ports */
    struct disk_queue *disk_queue;
    const struct image *image;
    uint32_t max_ring_page_order;
    bool virtual_completion; /* offered: the disk is the model */
    struct tdf_clock *clock; /* the domain's */
    const struct tdf *tdf;   /* its rate, also while it is paused */
    /* The loop learns of a ring that must be served, and of its end (before it is destroyed). */
    void (*ring_up)(void *ctx, struct vbd_ring *ring);
    void (*ring_down)(void *ctx, struct vbd_ring *ring);
    /* There is no memory to tell the front end that its disk is gone: the domain is to end, soon
     * but not within the call. */
    void (*lost)(void *ctx);
    void *ctx;
};

/* Publishes the features and goes to InitWait; the toolstack's nodes exist. Errors: -errno. */
int vbd_back_create(const struct vbd_back_config *config, struct vbd_back **out);
/* Disconnects at once and forgets. NULL allowed. */
void vbd_back_destroy(struct vbd_back *back);

/* The image's size changed: rewrites `sectors` and touches `state`, the front end re-reads. */
void vbd_back_resize(struct vbd_back *back);
/* Share of the disk while others want it too. Errors: -EINVAL. */
int vbd_back_set_weight(struct vbd_back *back, uint32_t weight);

/* How much slower than the disk is; see disk_client_set_scale. Errors: -ERANGE. */
int vbd_back_set_scale(struct vbd_back *back, struct tdf scale);

/* NULL while not connected. */
struct vbd_ring *vbd_back_ring(const struct vbd_back *back);
enum xenbus_state vbd_back_state(const struct vbd_back *back);
uint32_t vbd_back_weight(const struct vbd_back *back);
/* Counters over all connections of this device so far. */
struct vbd_ring_stats vbd_back_stats(const struct vbd_back *back);

#endif
