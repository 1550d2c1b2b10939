/* SPDX-License-Identifier: MIT */
/*
 * cache_notes: what the threads of a domain hit in a cache_view, on its way to Dom0: first in the
 * lane of the thread, so that a hit writes to no memory that another thread writes to; then, a
 * dozen at a time, in the page of claims (splitdom/shared_cache.h) where Dom0 hears of it.
 *
 * Any thread calls these at any time, without a lock; none of them waits.
 */
#ifndef SPLITDOM_DOMU_BLKFRONT_CACHE_NOTES_H
#define SPLITDOM_DOMU_BLKFRONT_CACHE_NOTES_H

#include <pthread.h>
#include <stdint.h>

#include "ring/barrier.h"
#include "splitdom/shared_cache.h"
#include "trace/trace_pace.h"

enum {
    CACHE_NOTES_LANES = 128,
    CACHE_NOTES_LANE_SLOTS = 12,
    CACHE_NOTES_MAX = 8, /* of one hit */
};

/* What a thread has hit and not told Dom0 yet. The thread alone writes here; whoever ends the view
 * reads what is left. */
struct cache_notes_lane {
    uint32_t reads;
    uint32_t count;
    uint32_t slot[CACHE_NOTES_LANE_SLOTS];
    uint64_t turn; /* which shard is next */
} __attribute__((aligned(SHARED_CACHE_LINE_BYTES)));

/* The thread's alone, too. */
struct cache_notes_pace {
    struct trace_pace hits;
    uint32_t seen; /* so many of the lane's reads have come by there */
} __attribute__((aligned(SHARED_CACHE_LINE_BYTES)));

/* Which hits are traced, of all threads. Nobody counts a hit: how many have passed by is known when
 * a lane is told to Dom0, and a thread that has only a lane's length to go raises `near`. As long
 * as that is up each hit looks at its thread's pace. Atomic; what threads write here over each
 * other comes right with the next lane that is told. */
struct cache_notes_watch {
    uint32_t threshold; /* of trace_wants; 0: none */
    uint32_t serial;    /* of the trace, never 0 */
    uint32_t near;
};

/* All zeros but for the first two, which are constant: no thread has hit anything yet. */
struct cache_notes {
    struct shared_cache_claims *claims;
    struct cache_notes_watch *watch;   /* NULL: none is traced */
    uint64_t owner[CACHE_NOTES_LANES]; /* atomic: the thread's pthread_self; 0: none. Set once */
    uint64_t owner_count;              /* atomic: lanes that have one */
    struct cache_notes_lane lane[CACHE_NOTES_LANES];
    struct cache_notes_pace pace[CACHE_NOTES_LANES];
};

/* Dom0 hears what the calling thread has hit: before it is asked for what is not there. */
void cache_notes_tell_mine(struct cache_notes *notes);
/* The same of all threads. None of them hits now. */
void cache_notes_tell_all(struct cache_notes *notes);

/* By which hits of the calling thread are traced: its own, as long as the notes are; all hits so
 * far have come by. NULL: none are, or so many threads have a lane already that there is none for
 * it. */
struct trace_pace *cache_notes_pace(struct cache_notes *notes);
/* Of a thread with a pace: that has heard of the last hit. */
void cache_notes_pace_knows(struct cache_notes *notes);
/* How many threads have a lane. */
uint32_t cache_notes_threads(const struct cache_notes *notes);

/* Where thread self begins to look for its lane. */
static inline uint32_t cache_notes_first_lane(uint64_t self)
{
    return (uint32_t)((self * UINT64_C(0x9e3779b97f4a7c15)) >> 57);
}
_Static_assert(CACHE_NOTES_LANES == 1 << (64 - 57), "the product's upper bits number the lanes");

/* The lane has at notes, and room for these. */
static inline void cache_notes_put(struct cache_notes_lane *lane, uint32_t at, const uint32_t *slot,
                                   uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        store_relaxed_u32(&lane->slot[at + i], slot[i]);
    store_relaxed_u32(&lane->count, at + count);
    store_relaxed_u32(&lane->reads, load_relaxed_u32(&lane->reads) + 1);
}

/* For cache_notes_add, where the thread's lane is another, or full. */
void cache_notes_make_room(struct cache_notes *notes, const uint32_t *slot, uint32_t count);

/* The calling thread has had a hit in these slots, CACHE_NOTES_MAX at most. */
static inline void cache_notes_add(struct cache_notes *notes, const uint32_t *slot, uint32_t count)
{
    uint64_t self = (uint64_t)pthread_self();
    uint32_t index = cache_notes_first_lane(self);
    struct cache_notes_lane *lane = &notes->lane[index];
    uint32_t at = load_relaxed_u32(&lane->count);
    if (load_relaxed_u64(&notes->owner[index]) != self || at + count > CACHE_NOTES_LANE_SLOTS) {
        cache_notes_make_room(notes, slot, count);
        return;
    }
    cache_notes_put(lane, at, slot, count);
}

#endif
