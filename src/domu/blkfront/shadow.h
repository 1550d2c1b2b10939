/* SPDX-License-Identifier: MIT */
/*
 * shadow: what the front end asked for, one entry per request in flight.
 *
 * The id on the wire names an entry (bits 0 to 15), its generation (32 to 63) and its rank (16 to
 * 31, splitdom/trace.h), so an answer to a request that is not in flight, or that was answered
 * already, is recognised whatever the back end writes. (Linux xen-blkfront: shadow[]; there without
 * a generation.) Protected by the ring's lock.
 */
#ifndef SPLITDOM_DOMU_BLKFRONT_SHADOW_H
#define SPLITDOM_DOMU_BLKFRONT_SHADOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "splitdom/trace.h"

struct read_waiter;
struct transfer;

struct shadow_entry {
    bool pending;      /* asked, not answered */
    uint8_t operation; /* BLKIF_OP_READ, _WRITE, _FLUSH_DISKCACHE or _DISCARD */
    bool traced;       /* the trace's: its life is being written down */
    uint64_t id;       /* of the request, on the wire */
    uint64_t sector, sector_count;
    /* Of a read or write that is larger than the present Dom0 takes: it is asked for piece by
     * piece. */
    uint64_t done_count;        /* sectors that are answered */
    uint64_t asked_count;       /* sectors after those that Dom0 is asked for now */
    uint64_t sequence;          /* order of submission, for re-issue */
    void *buffer;               /* where the data shall go, or come from */
    struct transfer *transfer;  /* whose part it is; NULL: it is all of a request */
    struct read_waiter *waiter; /* blocking call: its thread; asynchronous, or a part: NULL */
    void *cookie;
    uint64_t submitted_ns;
    bool abandoned; /* nobody waits for the answer; until it comes, Dom0 may write to the page */
    struct list_node backlog; /* while it waits for a slot of the ring */
    struct heap_node held;    /* while held; key: when it is to be delivered */
    bool is_held;             /* answered, and too early by our clock */
    int status;               /* while held */
    uint32_t next_free;
};

struct shadow {
    struct shadow_entry *entry;
    uint32_t nr_entries;
    uint32_t free_head; /* SHADOW_NONE when all are taken */
    uint32_t free_count;
    uint64_t sequence;
    uint32_t first_id; /* of the ids: those of a disk's queues differ */
};

enum { SHADOW_NONE = UINT32_MAX, SHADOW_IDS = 1 << 16 };

/* first_id + nr_entries: at most SHADOW_IDS. Errors: -ENOMEM. */
int shadow_init(struct shadow *shadow, uint32_t nr_entries, uint32_t first_id);
void shadow_fini(struct shadow *shadow); /* zeroed allowed */

/* Takes an entry for a new request; NULL when all are in flight. */
struct shadow_entry *shadow_take(struct shadow *shadow);
/* Gives it back: an answer with its id is stale from now on. */
void shadow_put(struct shadow *shadow, struct shadow_entry *entry);
/* The same in two steps: an answer with its id is stale after the first, and nobody else gets the
 * entry before the second. */
void shadow_retire(struct shadow_entry *entry);
void shadow_free(struct shadow *shadow, struct shadow_entry *entry);

uint32_t shadow_index(const struct shadow *shadow, const struct shadow_entry *entry);
/* Before its id is on the wire: which samples of a trace it is of. */
static inline void shadow_set_rank(struct shadow_entry *entry, uint32_t rank)
{
    uint64_t mask = (uint64_t)TRACE_RANK_NEVER << TRACE_RANK_SHIFT;
    entry->id = (entry->id & ~mask) | (uint64_t)rank << TRACE_RANK_SHIFT;
}
/* The pending entry that an id from the wire names, or NULL: the back end lies. */
struct shadow_entry *shadow_find(struct shadow *shadow, uint64_t id);

/* The pending entry that was submitted next after sequence, or NULL: iterates in order. */
struct shadow_entry *shadow_next(struct shadow *shadow, uint64_t sequence);

#endif
