/* SPDX-License-Identifier: MIT */
/*
 * vbd_ring: the data path of one connected virtual block device: a domain's ring, seen from Dom0.
 *
 * Life: vbd_ring_create maps ring pages that the front end granted; vbd_ring_consume takes requests
 * and submits valid ones to the vdisk, as its client; their answers, in any order, become
 * responses. What is no plain read is operations.h's. Dom0's loop does that through the ring's
 * pollable, once its owner has added it there
 * (pollables_add). vbd_ring_destroy takes back whatever is still waiting. (Linux:
 * xen-blkback/blkback.c.)
 *
 * A ring that breaks the protocol is halted: nothing more is taken from it until it is destroyed.
 */
#ifndef SPLITDOM_SERVICE_BACK_VBD_VBD_RING_H
#define SPLITDOM_SERVICE_BACK_VBD_VBD_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/blkif_back_ring.h"
#include "ring/grant_map.h"
#include "service/back/back_class.h"
#include "service/back/hold.h"
#include "service/back/vbd/pending.h"
#include "service/back/vbd/validate.h"
#include "service/block/client.h"
#include "service/loop/pollables.h"

enum {
    /* Of one look at a ring: requests taken. Hits are copied within it: no more are taken when so
     * many sectors were. */
    VBD_RING_CONSUME_BATCH = 64,
    VBD_RING_CONSUME_SECTORS = 64,
    /* Segments that indirect requests under way have together: a full ring of one page of the
     * largest that there are, or the largest ring of those that are offered. Beyond that a request
     * is refused. */
    VBD_RING_INDIRECT_SEGMENTS = 1 << 17,
    /* Of one indirect request, as offered: as Linux's back end. Up to
     * BLKIF_MAX_INDIRECT_SEGMENTS are taken. */
    VBD_RING_INDIRECT_OFFER = 256,
};

struct vbd_ring_config {
    const struct segment *segment; /* the domain's memory */
    uint32_t devid;                /* for people who trace */
    struct hold *memory;           /* holds it; NULL: it outlives the ring */
    int fault_slot;                /* of the segment, see fault_guard.h */
    struct block_client *client;   /* of the vdisk */
    struct hold *client_hold;      /* holds it; NULL: it outlives the ring */
    uint32_t page_order;           /* 0..BLKIF_RING_PAGE_ORDER_MAX */
    grant_ref_t ring_ref[1 << BLKIF_RING_PAGE_ORDER_MAX];
    evtchn_port_t port; /* the domain's port to notify, and the vCPU that it is bound to */
    uint32_t vcpu;
    bool persistent_grants;
    bool trace_ranks;        /* ids have them (splitdom/trace.h); else they mean nothing */
    bool writable;           /* and the vdisk is */
    bool discard;            /* where the vdisk can */
    bool virtual_completion; /* see splitdom/xen/blkif.h; then the next two are used */
    struct tdf_clock *clock; /* the domain's */
    const struct tdf *tdf;   /* its rate, also while it is paused */
    /* Dom0's loop found the ring halted, just now. The ring must not be destroyed within. */
    void (*broken)(void *ctx);
    void *ctx;
};

struct vbd_ring_stats {
    uint64_t requests;   /* taken off the ring */
    uint64_t reads_done; /* answered OKAY, indirect ones included */
    uint64_t sectors;
    uint64_t errors;      /* answered ERROR: malformed, refused, or the disk failed */
    uint64_t unsupported; /* answered EOPNOTSUPP */
    uint64_t notifies;    /* events sent to the domain */
    uint64_t wakes;       /* of these: the vCPU may have slept */
    uint64_t woken;       /* threads that slept on words of their own */
    /* What else was asked for, whatever came of it; direct or indirect. */
    uint64_t writes;
    uint64_t flushes; /* barriers included */
    uint64_t discards;
    uint64_t unknown; /* operations that there are not */
    /* Of all these. */
    uint64_t others_done; /* answered OKAY */
    uint64_t written_sectors;
    uint64_t out_of_room; /* refused, for the sake of VBD_RING_INDIRECT_SEGMENTS or of memory */
};

/* Reads asked for, whatever came of them. */
static inline uint64_t vbd_ring_stats_reads(const struct vbd_ring_stats *stats)
{
    return stats->requests - stats->writes - stats->flushes - stats->discards - stats->unknown;
}

static inline void vbd_ring_stats_add(struct vbd_ring_stats *to, const struct vbd_ring_stats *from)
{
    to->requests += from->requests;
    to->reads_done += from->reads_done;
    to->sectors += from->sectors;
    to->errors += from->errors;
    to->unsupported += from->unsupported;
    to->notifies += from->notifies;
    to->wakes += from->wakes;
    to->woken += from->woken;
    to->writes += from->writes;
    to->flushes += from->flushes;
    to->discards += from->discards;
    to->unknown += from->unknown;
    to->others_done += from->others_done;
    to->written_sectors += from->written_sectors;
    to->out_of_room += from->out_of_room;
}

struct vbd_trace;

struct vbd_ring {
    struct pollable pollable;
    struct blkif_back_ring ring;
    struct vbd_ring_config config;
    const struct vdisk *vdisk; /* the client's */
    struct grant_map grants;
    struct vbd_ring_stats stats;
    void *alias; /* contiguous view of scattered ring pages, or NULL */
    int alias_fault_slot;
    struct pending *pool;
    struct pending *free;
    struct vbd_rights rights;   /* as of the last look */
    struct pending *barrier;    /* nothing is taken until it is answered; or NULL */
    uint32_t indirect_segments; /* of those under way */
    uint32_t lingering;         /* requests that the device is at work on, after destroy */
    uint64_t work;              /* done for others than plain reads, in sectors copied */
    /* Of the responses that the front end can't see yet: the words of their ids (sleepers.h). */
    uint16_t answered[BLKIF_RING_ENTRIES_MAX];
    uint32_t answered_count;
    bool halted;             /* broke the protocol: nothing is taken from it any more */
    bool unpushed;           /* responses filled that the front end can't see yet */
    bool consuming;          /* vbd_ring_consume runs: it shows what is answered meanwhile */
    struct vbd_trace *trace; /* vbd_trace.h; NULL: nobody traces */
    uint32_t domid;          /* of the segment, for probes */
    uint64_t now_ns;
};

/*
 * Maps the ring and makes it ready. Errors: those of grant_map_get; -EINVAL order; -ENOMEM.
 * On failure nothing stays mapped.
 */
int vbd_ring_create(const struct vbd_ring_config *config, struct vbd_ring **out);
/*
 * Requests in flight are forgotten: their reads end in Dom0's own buffers. What the device does
 * straight in the domain's memory goes on, and until then those pages stay in use, memory and
 * client held; the ring frees itself afterwards. The loop has let go of the ring
 * (pollables_remove). NULL allowed.
 */
void vbd_ring_destroy(struct vbd_ring *vr);

/* What Dom0's loop does, through the pollable: */
/* Shows the front end what is answered, then takes requests, so many as the bounds above allow.
 * Returns how many, or -EPROTO: halted just now. */
static inline int vbd_ring_consume(struct vbd_ring *vr, uint64_t now_ns)
{
    return vr->pollable.ops->consume(&vr->pollable, now_ns);
}
/* Shows filled responses to the front end and notifies it when it asked for that. */
static inline void vbd_ring_flush(struct vbd_ring *vr)
{
    vr->pollable.ops->flush(&vr->pollable);
}
/* Shows what is filled, then asks for the doorbell; true: there is work already, go on. */
static inline bool vbd_ring_arm(struct vbd_ring *vr)
{
    return vr->pollable.ops->arm(&vr->pollable);
}

static inline uint32_t vbd_ring_in_flight(const struct vbd_ring *vr)
{
    return back_ring_in_flight(&vr->ring.half);
}

#endif
