/* SPDX-License-Identifier: MIT */
#include "domu/blkfront/cache_view.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
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
};

/* All but retired and the notes is constant. */
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
    uint32_t retired; /* atomic */
    struct cache_view *next;
    struct cache_notes notes;
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
    view->notes.claims = claims;
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
static inline uint32_t find(const struct cache_view *view, const struct shared_cache_bucket *bucket,
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

static inline enum outcome read_slot(const struct cache_view *view, uint32_t slot, uint64_t sector,
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

/* NULL: Dom0 says that it uses more buckets than there are. */
static inline const struct shared_cache_bucket *bucket_of(const struct cache_view *view,
                                                          uint64_t hash)
{
    uint32_t limit = load_acquire_u32(view->bucket_limit);
    if (limit - 1 >= view->bucket_count)
        return NULL;
    return &view->buckets[shared_cache_bucket_of(hash, limit)];
}

/* Returns the slot that held the sector, or slot_count. */
static uint32_t find_sector(const struct cache_view *view, uint64_t sector, uint8_t *to)
{
    uint64_t hash = shared_cache_hash(view->seed, sector);
    const struct shared_cache_bucket *bucket = bucket_of(view, hash);
    if (bucket == NULL)
        return view->slot_count;
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

/* The same; it may be in the slot at. */
static uint32_t read_sector(const struct cache_view *view, uint32_t at, uint64_t sector,
                            uint8_t *to)
{
    if (at < view->slot_count && read_slot(view, at, sector, to) == HIT)
        return at;
    return find_sector(view, sector, to);
}

void cache_view_expect_bucket(const struct cache_view *view, uint64_t sector)
{
    uint64_t hash = shared_cache_hash(view->seed, sector);
    const struct shared_cache_bucket *bucket = bucket_of(view, hash);
    if (bucket != NULL)
        __builtin_prefetch(bucket);
}

uint32_t cache_view_expect_data(const struct cache_view *view, uint64_t sector)
{
    uint64_t hash = shared_cache_hash(view->seed, sector);
    const struct shared_cache_bucket *bucket = bucket_of(view, hash);
    int way = 0;
    uint32_t slot = bucket != NULL ? find(view, bucket, hash, &way) : view->slot_count;
    if (slot == view->slot_count)
        return CACHE_VIEW_ANYWHERE;
    /* The processor fetches the following lines by itself, and has room for few more. */
    __builtin_prefetch(&view->slots[slot]);
    __builtin_prefetch(data_of(view, slot));
    return slot;
}

/* Fills slot with where the first CACHE_NOTES_MAX of them were. */
static bool read_sectors(const struct cache_view *view, uint32_t at, uint64_t sector,
                         uint32_t sector_count, uint8_t *buffer, uint32_t *slot)
{
    for (uint32_t i = 0; i < sector_count; i++) {
        uint32_t next_at = CACHE_VIEW_ANYWHERE;
        if (i + 2 < sector_count)
            cache_view_expect_bucket(view, sector + i + 2);
        if (i + 1 < sector_count)
            next_at = cache_view_expect_data(view, sector + i + 1);
        uint32_t found =
            read_sector(view, at, sector + i, buffer + (size_t)i * SHARED_CACHE_SECTOR_BYTES);
        if (found == view->slot_count)
            return false;
        at = next_at;
        if (i < CACHE_NOTES_MAX)
            slot[i] = found;
    }
    return load_acquire_u32(&view->retired) == 0 &&
           (load_acquire_u32(view->owner) & FUTEX_OWNER_DIED) == 0;
}

bool cache_view_read_at(struct cache_view *view, uint32_t at, uint64_t sector,
                        uint32_t sector_count, void *buffer)
{
    uint32_t slot[CACHE_NOTES_MAX];
    bool hit = read_sectors(view, at, sector, sector_count, buffer, slot);
    if (hit)
        cache_notes_add(&view->notes, slot,
                        sector_count < CACHE_NOTES_MAX ? sector_count : CACHE_NOTES_MAX);
    else
        cache_notes_tell_mine(&view->notes);
    return hit;
}

struct cache_notes *cache_view_notes(struct cache_view *view)
{
    return &view->notes;
}
