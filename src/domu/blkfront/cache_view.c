/* SPDX-License-Identifier: MIT */
#include "domu/blkfront/cache_view.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/memory_file.h"
#include "ring/barrier.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

enum {
    TRIES = 3, /* of one sector that Dom0 changes while we read it; then Dom0 is asked */
    WORDS_PER_SECTOR = SHARED_CACHE_SECTOR_BYTES / sizeof(uint64_t),
    NOTED_MAX = 8, /* sectors of one read whose use is told to Dom0 */
    LANES = 128,
    LANE_LOOKS = 8, /* at so many lanes a thread looks for its own */
    LANE_SLOTS = 12,
};

/*
 * What a thread has hit and not told Dom0 yet, so that a hit writes to no memory that another
 * thread writes to. The thread alone writes here; whoever ends the view reads what is left.
 */
struct lane {
    uint32_t reads;
    uint32_t count;
    uint32_t slot[LANE_SLOTS];
    uint64_t turn; /* which shard is next */
} __attribute__((aligned(SHARED_CACHE_LINE_BYTES)));

/* The thread's alone, too. */
struct lane_pace {
    struct trace_pace hits;
} __attribute__((aligned(SHARED_CACHE_LINE_BYTES)));

/* All but retired, owners, lanes and paces is constant. */
struct cache_view {
    const uint8_t *base;
    size_t bytes;
    uint32_t slot_count;
    uint32_t bucket_count;
    uint64_t seed[2];
    const uint32_t *epoch, *bucket_limit, *owner; /* in the header */
    const struct shared_cache_bucket *buckets;
    const struct shared_cache_slot *slots;
    const uint8_t *data;
    struct shared_cache_claims *claims;
    uint32_t retired; /* atomic */
    struct cache_view *next;
    uint64_t lane_owner[LANES]; /* atomic: the thread's pthread_self; 0: nobody's. Set once */
    uint64_t lane_count;        /* atomic: that have an owner */
    struct lane lane[LANES];
    struct lane_pace pace[LANES];
};

/* Do count items of size bytes from offset on lie in the file, each where it may be read as what it
 * is? */
static bool lies_within(const struct shared_cache_header *header, uint64_t offset, uint64_t count,
                        uint64_t size)
{
    return offset % SHARED_CACHE_LINE_BYTES == 0 && offset >= sizeof(*header) &&
           offset <= header->bytes && count <= (header->bytes - offset) / size;
}

static bool is_sound(const struct shared_cache_header *header, uint64_t file_bytes)
{
    uint32_t buckets = header->bucket_count;
    return header->magic == SHARED_CACHE_MAGIC && header->version == SHARED_CACHE_VERSION &&
           header->sector_bytes == SHARED_CACHE_SECTOR_BYTES && header->slot_count > 0 &&
           header->slot_count <= SHARED_CACHE_SLOTS_MAX && buckets > 0 &&
           header->bytes == file_bytes &&
           lies_within(header, header->buckets_offset, buckets,
                       sizeof(struct shared_cache_bucket)) &&
           lies_within(header, header->slots_offset, header->slot_count,
                       sizeof(struct shared_cache_slot)) &&
           lies_within(header, header->data_offset, header->slot_count, SHARED_CACHE_SECTOR_BYTES);
}

static int map_view(struct cache_view *view, int fd)
{
    struct stat st;
    struct shared_cache_header header;
    int rc = memory_file_check(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE);
    if (rc < 0)
        return rc;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size < (off_t)sizeof(header))
        return -EPROTO;
    void *base = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return -errno;
    view->base = base;
    view->bytes = (size_t)st.st_size;
    memcpy(&header, base, sizeof(header)); /* once: Dom0 may change what it says */
    if (!is_sound(&header, (uint64_t)st.st_size))
        return -EPROTO;
    view->slot_count = header.slot_count;
    view->bucket_count = header.bucket_count;
    view->seed[0] = header.seed[0];
    view->seed[1] = header.seed[1];
    const struct shared_cache_header *shown = base;
    view->epoch = &shown->epoch;
    view->bucket_limit = &shown->bucket_limit;
    view->owner = &shown->owner;
    view->buckets = (const void *)(view->base + header.buckets_offset);
    view->slots = (const void *)(view->base + header.slots_offset);
    view->data = view->base + header.data_offset;
    return 0;
}

static void destroy(struct cache_view *view)
{
    if (view->base != NULL)
        munmap((void *)(uintptr_t)view->base, view->bytes);
    free(view);
}

int cache_view_open(int fd, struct shared_cache_claims *claims, struct cache_view **out)
{
    *out = NULL;
    struct cache_view *view = aligned_alloc(_Alignof(struct cache_view), sizeof(*view));
    if (view == NULL)
        return -ENOMEM;
    memset(view, 0, sizeof(*view));
    view->claims = claims;
    int rc = map_view(view, fd);
    if (rc < 0) {
        destroy(view);
        return rc;
    }
    *out = view;
    return 0;
}

void cache_view_retire(struct cache_view *view, struct cache_view **retired)
{
    store_full_u32(&view->retired, 1);
    /* Zeros in its place, for who is still reading there; it finds `retired` before it is done. If
     * this fails, the memory is given back by cache_view_free_all. Moved there, not mapped: to the
     * thread sanitizer mmap is a write. */
    void *base = (void *)(uintptr_t)view->base;
    void *zeros =
        mmap(NULL, view->bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (zeros != MAP_FAILED &&
        mremap(zeros, view->bytes, view->bytes, MREMAP_MAYMOVE | MREMAP_FIXED, base) == MAP_FAILED)
        munmap(zeros, view->bytes);
    view->next = *retired;
    *retired = view;
}

void cache_view_free_all(struct cache_view **retired)
{
    struct cache_view *view;
    while ((view = *retired) != NULL) {
        *retired = view->next;
        destroy(view);
    }
}

/* A slot that may hold the sector, from way on, or slot_count. */
static uint32_t find(const struct cache_view *view, const struct shared_cache_bucket *bucket,
                     uint64_t hash, int *way)
{
    for (; *way < SHARED_CACHE_WAYS; (*way)++) {
        uint64_t entry = load_relaxed_u64(&bucket->entry[*way]);
        uint32_t slot = (uint32_t)entry - 1;
        if ((entry ^ hash) >> 32 == 0 && slot < view->slot_count)
            return slot;
    }
    return view->slot_count;
}

static const uint64_t *data_of(const struct cache_view *view, uint32_t slot)
{
    return (const void *)(view->data + (size_t)slot * SHARED_CACHE_SECTOR_BYTES);
}

enum outcome { HIT, MISS, CHANGING };

static enum outcome read_slot(const struct cache_view *view, uint32_t slot, uint64_t sector,
                              uint8_t *to)
{
    const struct shared_cache_slot *at = &view->slots[slot];
    uint32_t epoch = load_acquire_u32(view->epoch);
    uint32_t version = load_acquire_u32(&at->version);
    if ((version & 1) != 0)
        return CHANGING;
    if (load_acquire_u64(&at->sector) != sector || load_acquire_u32(&at->epoch) != epoch)
        return MISS;
    /* Pairs with write_sector in shared_cache.c: the version that is looked at afterwards is not
     * older than the data. */
    copy_acquire_u64(to, data_of(view, slot), WORDS_PER_SECTOR);
    if (load_acquire_u32(&at->version) != version || load_acquire_u32(view->epoch) != epoch)
        return CHANGING;
    return HIT;
}

/* Returns the slot that held the sector, or slot_count. */
static uint32_t read_sector(const struct cache_view *view, uint64_t sector, uint8_t *to)
{
    uint64_t hash = shared_cache_hash(view->seed, sector);
    uint32_t limit = load_acquire_u32(view->bucket_limit);
    if (limit - 1 >= view->bucket_count)
        return view->slot_count;
    const struct shared_cache_bucket *bucket = &view->buckets[shared_cache_bucket_of(hash, limit)];
    int tries = TRIES;
    for (int way = 0; way < SHARED_CACHE_WAYS; way++) {
        uint32_t slot = find(view, bucket, hash, &way);
        if (slot == view->slot_count)
            break;
        enum outcome outcome;
        do
            outcome = read_slot(view, slot, sector, to);
        while (outcome == CHANGING && --tries > 0);
        if (outcome == HIT)
            return slot;
        if (outcome == CHANGING)
            break;
    }
    return view->slot_count;
}

/* Dom0 has not heard of this note, and will not: a mark tells at least that the slot was used. */
static void spill(const struct cache_view *view, struct shared_cache_shard *shard, uint32_t slot)
{
    if (slot >= SHARED_CACHE_USED_WORDS * 64)
        return;
    uint64_t *word = &view->claims->used[slot / 64], bit = UINT64_C(1) << slot % 64;
    if ((load_relaxed_u64(word) & bit) != 0)
        return;
    (void)fetch_or_full_u64(word, bit);
    (void)fetch_add_relaxed_u64(&shard->spilled, 1);
}

/* Another process reads this page, and nobody of us does. */
static void tell(const struct cache_view *view, uint64_t shard_index, uint64_t reads,
                 const uint32_t *slot, uint32_t count)
{
    struct shared_cache_shard *shard = &view->claims->shard[shard_index % SHARED_CACHE_SHARDS];
    (void)fetch_add_relaxed_u64(&shard->reads, reads);
    uint64_t at = fetch_add_relaxed_u64(&shard->noted, count);
    uint64_t heard = load_relaxed_u64(&shard->heard);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *place = &shard->slot[(at + i) % SHARED_CACHE_SHARD_SLOTS];
        if (at + i - heard >= SHARED_CACHE_SHARD_SLOTS)
            spill(view, shard, load_relaxed_u32(place));
        store_relaxed_u32(place, load_relaxed_u32(&slot[i]));
    }
}

/* A thread takes the shards in turn: together they hold more than one of them. */
static void tell_lane(struct cache_view *view, uint32_t index)
{
    struct lane *lane = &view->lane[index];
    uint64_t turn = load_relaxed_u64(&lane->turn);
    tell(view, turn, load_relaxed_u32(&lane->reads), lane->slot, load_relaxed_u32(&lane->count));
    store_relaxed_u64(&lane->turn, turn + 1);
    store_relaxed_u32(&lane->reads, 0);
    store_relaxed_u32(&lane->count, 0);
}

/* Where a thread begins to look for its lane: below LANES. */
static uint32_t first_lane(uint64_t self)
{
    return (uint32_t)((self * UINT64_C(0x9e3779b97f4a7c15)) >> 57);
}

/* The lane of thread self, taken if it has none yet and take is set; LANES: there is none for it.
 * Threads that have ended keep theirs for the next one of that number. */
__attribute__((noinline)) static uint32_t find_lane(struct cache_view *view, uint64_t self,
                                                    bool take)
{
    uint64_t owner;
    for (uint32_t i = 0; i < LANE_LOOKS; i++) {
        uint32_t index = (first_lane(self) + i) % LANES;
        owner = load_relaxed_u64(&view->lane_owner[index]);
        if (owner == self)
            return index;
        if (owner != 0)
            continue;
        if (!take)
            break;
        if (!compare_exchange_full_u64(&view->lane_owner[index], &owner, self))
            continue;
        /* Threads begin at shards of their own; one thread always at the first. */
        store_relaxed_u64(&view->lane[index].turn, fetch_add_relaxed_u64(&view->lane_count, 1));
        return index;
    }
    return LANES;
}

/* The same of the calling thread: nearly always the first one that it looks at. */
static inline uint32_t my_lane(struct cache_view *view, bool take)
{
    uint64_t self = (uint64_t)pthread_self();
    uint32_t index = first_lane(self);
    bool is_mine = load_relaxed_u64(&view->lane_owner[index]) == self;
    return __builtin_expect(is_mine, true) ? index : find_lane(view, self, take);
}

static void note(struct cache_view *view, const uint32_t *slot, uint32_t count)
{
    uint32_t index = my_lane(view, true);
    if (index == LANES) {
        tell(view, first_lane((uint64_t)pthread_self()), 1, slot, count);
        return;
    }
    struct lane *lane = &view->lane[index];
    uint32_t at = load_relaxed_u32(&lane->count);
    if (at + count > LANE_SLOTS) {
        tell_lane(view, index);
        at = 0;
    }
    for (uint32_t i = 0; i < count; i++)
        store_relaxed_u32(&lane->slot[at + i], slot[i]);
    store_relaxed_u32(&lane->count, at + count);
    store_relaxed_u32(&lane->reads, load_relaxed_u32(&lane->reads) + 1);
}

struct trace_pace *cache_view_pace(struct cache_view *view)
{
    uint32_t index = my_lane(view, true);
    return index < LANES ? &view->pace[index].hits : NULL;
}

uint32_t cache_view_threads(const struct cache_view *view)
{
    return (uint32_t)load_relaxed_u64(&view->lane_count);
}

/* Before Dom0 is asked for what is not there, it hears what was in use before that. */
static void tell_mine(struct cache_view *view)
{
    uint32_t index = my_lane(view, false);
    if (index < LANES && load_relaxed_u32(&view->lane[index].count) > 0)
        tell_lane(view, index);
}

void cache_view_tell_all(struct cache_view *view)
{
    for (uint32_t i = 0; i < LANES; i++) {
        if (load_relaxed_u32(&view->lane[i].count) > 0)
            tell_lane(view, i);
    }
}

/* Fills slot with where the first NOTED_MAX of them were. */
static bool read_sectors(const struct cache_view *view, uint64_t sector, uint32_t sector_count,
                         uint8_t *buffer, uint32_t *slot)
{
    for (uint32_t i = 0; i < sector_count; i++) {
        uint32_t found =
            read_sector(view, sector + i, buffer + (size_t)i * SHARED_CACHE_SECTOR_BYTES);
        if (found == view->slot_count)
            return false;
        if (i < NOTED_MAX)
            slot[i] = found;
    }
    return load_acquire_u32(&view->retired) == 0 &&
           (load_acquire_u32(view->owner) & FUTEX_OWNER_DIED) == 0;
}

bool cache_view_read(struct cache_view *view, uint64_t sector, uint32_t sector_count, void *buffer)
{
    uint32_t slot[NOTED_MAX];
    bool hit = read_sectors(view, sector, sector_count, buffer, slot);
    if (hit)
        note(view, slot, sector_count < NOTED_MAX ? sector_count : NOTED_MAX);
    else
        tell_mine(view);
    return hit;
}
