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
    NOTED_MAX = 8, /* sectors of one read whose use is told to Dom0 */
};

/* All but retired is constant. */
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
    struct cache_view *view = calloc(1, sizeof(*view));
    if (view == NULL)
        return -ENOMEM;
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

/* Pairs with write_sector in shared_cache.c: each load is an acquire, so that the version that is
 * looked at afterwards is not older than the data. */
static void copy_sector(uint8_t *to, const uint8_t *from)
{
    uint64_t word[WORDS_PER_SECTOR];
    for (size_t i = 0; i < WORDS_PER_SECTOR; i++)
        word[i] = load_acquire_u64((const uint64_t *)(const void *)from + i);
    memcpy(to, word, sizeof(word));
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
    copy_sector(to, view->data + (size_t)slot * SHARED_CACHE_SECTOR_BYTES);
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

/* Threads that run side by side have stacks far from each other, so they mostly choose different
 * shards. */
static struct shared_cache_shard *my_shard(const struct cache_view *view)
{
    uint64_t place = (uint64_t)(uintptr_t)__builtin_frame_address(0) >> 16;
    return &view->claims->shard[(place * UINT64_C(0x9e3779b97f4a7c15)) >> 61];
}

/* Another process reads this page, and nobody of us does. */
static void note(const struct cache_view *view, const uint32_t *slot, uint32_t count)
{
    struct shared_cache_shard *shard = my_shard(view);
    (void)fetch_add_relaxed_u64(&shard->reads, 1);
    uint64_t at = fetch_add_relaxed_u64(&shard->noted, count);
    for (uint32_t i = 0; i < count; i++)
        store_relaxed_u32(&shard->slot[(at + i) % SHARED_CACHE_SHARD_SLOTS], slot[i]);
}

bool cache_view_read(struct cache_view *view, uint64_t sector, uint32_t sector_count, void *buffer)
{
    uint32_t slot[NOTED_MAX];
    for (uint32_t i = 0; i < sector_count; i++) {
        uint32_t found = read_sector(view, sector + i,
                                     (uint8_t *)buffer + (size_t)i * SHARED_CACHE_SECTOR_BYTES);
        if (found == view->slot_count)
            return false;
        if (i < NOTED_MAX)
            slot[i] = found;
    }
    if (load_acquire_u32(&view->retired) != 0 ||
        (load_acquire_u32(view->owner) & FUTEX_OWNER_DIED) != 0)
        return false;
    note(view, slot, sector_count < NOTED_MAX ? sector_count : NOTED_MAX);
    return true;
}
