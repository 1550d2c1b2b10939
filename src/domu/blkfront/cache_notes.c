/* SPDX-License-Identifier: MIT */
#include "domu/blkfront/cache_notes.h"

#include "base/clock.h"

enum { LANE_LOOKS = 8 }; /* at so many lanes a thread looks for its own */

/* Dom0 has not heard of this note, and will not: a mark tells at least that the slot was used. */
static void spill(struct cache_notes *notes, struct shared_cache_shard *shard, uint32_t slot)
{
    if (slot >= SHARED_CACHE_USED_WORDS * 64)
        return;
    uint64_t *word = &notes->claims->used[slot / 64], bit = UINT64_C(1) << slot % 64;
    if ((load_relaxed_u64(word) & bit) != 0)
        return;
    (void)fetch_or_full_u64(word, bit);
    (void)fetch_add_relaxed_u64(&shard->spilled, 1);
}

/* Another process reads this page, and nobody of us does. */
static void tell(struct cache_notes *notes, uint64_t shard_index, uint64_t reads,
                 const uint32_t *slot, uint32_t count)
{
    struct shared_cache_shard *shard = &notes->claims->shard[shard_index % SHARED_CACHE_SHARDS];
    (void)fetch_add_relaxed_u64(&shard->reads, reads);
    uint64_t at = fetch_add_relaxed_u64(&shard->noted, count);
    uint64_t heard = load_relaxed_u64(&shard->heard);
    uint32_t next = (uint32_t)(at % SHARED_CACHE_SHARD_SLOTS);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *place = &shard->slot[next];
        if (at + i - heard >= SHARED_CACHE_SHARD_SLOTS)
            spill(notes, shard, load_relaxed_u32(place));
        store_relaxed_u32(place, load_relaxed_u32(&slot[i]));
        next = next + 1 < SHARED_CACHE_SHARD_SLOTS ? next + 1 : 0;
    }
}

/* What the lane has had since the last look at its pace passes by there. What was hit before the
 * trace is no part of it. NULL: nobody traces. */
static struct trace_pace *pass_by(struct cache_notes *notes, uint32_t index)
{
    struct cache_notes_pace *pace = &notes->pace[index];
    const struct cache_notes_watch *watch = notes->watch;
    uint32_t serial = watch != NULL ? load_acquire_u32(&watch->serial) : 0;
    uint32_t threshold = watch != NULL ? load_relaxed_u32(&watch->threshold) : 0;
    uint32_t reads = load_relaxed_u32(&notes->lane[index].reads);
    if (threshold == 0)
        return NULL;
    if (pace->hits.serial != serial) {
        trace_pace_init(&pace->hits, threshold);
        pace->hits.serial = serial;
    } else if (trace_pace_pass(&pace->hits, reads - pace->seen)) {
        trace_pace_look(&pace->hits, clock_coarse_ns());
    }
    pace->seen = reads;
    return &pace->hits;
}

/* The lane's reads begin at 0 again. */
static void pass_all_by(struct cache_notes *notes, uint32_t index)
{
    const struct trace_pace *pace = pass_by(notes, index);
    if (pace == NULL)
        return;
    notes->pace[index].seen = 0;
    if (trace_pace_distance(pace) <= CACHE_NOTES_LANE_SLOTS)
        store_relaxed_u32(&notes->watch->near, 1);
}

/* A thread takes the shards in turn: together they hold more than one of them. */
static void tell_lane(struct cache_notes *notes, uint32_t index)
{
    struct cache_notes_lane *lane = &notes->lane[index];
    uint64_t turn = load_relaxed_u64(&lane->turn);
    pass_all_by(notes, index);
    tell(notes, turn, load_relaxed_u32(&lane->reads), lane->slot, load_relaxed_u32(&lane->count));
    store_relaxed_u64(&lane->turn, turn + 1);
    store_relaxed_u32(&lane->reads, 0);
    store_relaxed_u32(&lane->count, 0);
}

/* The lane of thread self, taken if it has none yet and take is set; CACHE_NOTES_LANES: there is
 * none for it. Threads that have ended keep theirs for the next one of that number. */
static uint32_t find_lane(struct cache_notes *notes, uint64_t self, bool take)
{
    uint64_t owner;
    for (uint32_t i = 0; i < LANE_LOOKS; i++) {
        uint32_t index = (cache_notes_first_lane(self) + i) % CACHE_NOTES_LANES;
        owner = load_relaxed_u64(&notes->owner[index]);
        if (owner == self)
            return index;
        if (owner != 0)
            continue;
        if (!take)
            break;
        if (!compare_exchange_full_u64(&notes->owner[index], &owner, self))
            continue;
        /* Threads begin at shards of their own; one thread always at the first. */
        store_relaxed_u64(&notes->lane[index].turn, fetch_add_relaxed_u64(&notes->owner_count, 1));
        return index;
    }
    return CACHE_NOTES_LANES;
}

/* The same of the calling thread: nearly always the first one that it looks at. */
static inline uint32_t my_lane(struct cache_notes *notes, bool take)
{
    uint64_t self = (uint64_t)pthread_self();
    uint32_t index = cache_notes_first_lane(self);
    bool is_mine = load_relaxed_u64(&notes->owner[index]) == self;
    return __builtin_expect(is_mine, true) ? index : find_lane(notes, self, take);
}

void cache_notes_make_room(struct cache_notes *notes, const uint32_t *slot, uint32_t count)
{
    uint32_t index = my_lane(notes, true);
    if (index == CACHE_NOTES_LANES) {
        tell(notes, cache_notes_first_lane((uint64_t)pthread_self()), 1, slot, count);
        return;
    }
    struct cache_notes_lane *lane = &notes->lane[index];
    uint32_t at = load_relaxed_u32(&lane->count);
    if (at + count > CACHE_NOTES_LANE_SLOTS) {
        tell_lane(notes, index);
        at = 0;
    }
    cache_notes_put(lane, at, slot, count);
}

struct trace_pace *cache_notes_pace(struct cache_notes *notes)
{
    uint32_t index = my_lane(notes, true);
    return index < CACHE_NOTES_LANES ? pass_by(notes, index) : NULL;
}

void cache_notes_pace_knows(struct cache_notes *notes)
{
    uint32_t index = my_lane(notes, false);
    notes->pace[index].seen = load_relaxed_u32(&notes->lane[index].reads);
}

uint32_t cache_notes_threads(const struct cache_notes *notes)
{
    return (uint32_t)load_relaxed_u64(&notes->owner_count);
}

void cache_notes_tell_mine(struct cache_notes *notes)
{
    uint32_t index = my_lane(notes, false);
    if (index < CACHE_NOTES_LANES && load_relaxed_u32(&notes->lane[index].count) > 0)
        tell_lane(notes, index);
}

void cache_notes_tell_all(struct cache_notes *notes)
{
    for (uint32_t i = 0; i < CACHE_NOTES_LANES; i++) {
        if (load_relaxed_u32(&notes->lane[i].count) > 0)
            tell_lane(notes, i);
    }
}
