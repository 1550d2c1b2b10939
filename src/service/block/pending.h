/* SPDX-License-Identifier: MIT */
/*
 * pending: one block request between its arrival on a ring and its response.
 *
 * A fixed pool per ring, as many as the ring has slots: a request that was taken always finds one.
 * (Linux xen-blkback: struct pending_req.)
 */
#ifndef SPLITDOM_SERVICE_BLOCK_PENDING_H
#define SPLITDOM_SERVICE_BLOCK_PENDING_H

#include <stdint.h>

#include "splitdom/xen/blkif.h"
#include "tdf/timer.h"

struct disk_client;
struct vbd_ring;
struct disk_read;

enum pending_state {
    PENDING_FREE,
    PENDING_QUEUED,  /* in its domain's queue, waiting for a turn at the disk */
    PENDING_READING, /* on the list of a disk_read */
    PENDING_GATED,   /* in its domain's second queue, until the domain has a place at its disk */
    PENDING_HELD,    /* read, and held back until hold fires */
};

struct pending_segment {
    uint8_t *to; /* inside the domain's memory: written, never read */
    grant_ref_t gref;
    uint32_t sector_count;
};

/* In the order of use: what every request needs lies together, the segments after the first and
 * what only slowed disks need behind. */
struct pending {
    struct vbd_ring *ring;
    struct disk_client *client; /* once the disk queue has taken it */
    enum pending_state state;
    uint8_t operation;
    uint8_t nr_segments;
    uint32_t sector_count;
    uint64_t id; /* echoed */
    uint64_t sector;
    struct pending *next, *prev; /* free list, queue, or list of a disk_read */
    struct disk_read *read;      /* while READING */
    uint32_t cache_state;        /* of disk_queue when the cache was asked in vain */
    /* Completion in virtual time, else 0. CLOCK_MONOTONIC, but for the stamp. */
    uint64_t stamp_ns; /* when it was asked for, by the domain's clock */
    uint64_t asked_ns; /* the same instant */
    uint64_t due_ns;   /* when the model had it done; 0: the model did not do it */
    uint64_t turn;     /* while QUEUED: since which */
    uint64_t sent_ns;  /* while READING: since when; CLOCK_MONOTONIC */
    struct pending_segment segment[BLKIF_MAX_SEGMENTS_PER_REQUEST];
    struct timer hold; /* while HELD */
    int status;        /* while HELD: what will be answered */
};

/* A list of pendings, first in, first out, any member removable. Zeroed = empty. */
struct pending_list {
    struct pending *head, *tail;
};

static inline void pending_list_append(struct pending_list *list, struct pending *p)
{
    p->next = NULL;
    p->prev = list->tail;
    if (list->tail != NULL)
        list->tail->next = p;
    else
        list->head = p;
    list->tail = p;
}

static inline void pending_list_remove(struct pending_list *list, struct pending *p)
{
    if (p->prev != NULL)
        p->prev->next = p->next;
    else
        list->head = p->next;
    if (p->next != NULL)
        p->next->prev = p->prev;
    else
        list->tail = p->prev;
    p->next = p->prev = NULL;
}

#endif
