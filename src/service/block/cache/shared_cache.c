/* SPDX-License-Identifier: MIT */
#include "service/block/cache/shared_cache.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory_file.h"
#include "base/prefetch.h"
#include "ring/barrier.h"
#include "service/block/cache/owner_mark.h"
#include "splitdom/shared_cache.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

enum {
    /* On the average. Buckets that are not split yet have up to twice as many, and hardly ever want
     * a ninth entry (Poisson: 1 of 4,000). */
    SLOTS_PER_BUCKET_MAX = 1,
    WORDS_PER_SECTOR = SHARED_CACHE_SECTOR_BYTES / sizeof(uint64_t),
    SHOWN_PER_WORD = 64,
};

struct shared_cache {
    int fd;
    size_t bytes;
    uint32_t slot_count;
    uint32_t bucket_count, bucket_limit;
    uint32_t shown_count;
    uint32_t epoch;
    bool is_retired;
    uint64_t seed[2];
    uint64_t *shown; /* a bit for each slot: buckets may name it. Private: it fits the processor */
    struct owner_mark *mark;            /* a private page, right before the file's mapping */
    struct shared_cache_header *header; /* the mapping begins here */
    struct shared_cache_bucket *buckets;
    struct shared_cache_slot *slots;
    uint8_t *data;
};

static size_t whole_pages(size_t bytes)
{
    return (bytes + SHARED_CACHE_PAGE_BYTES - 1) & ~(size_t)(SHARED_CACHE_PAGE_BYTES - 1);
}

/* Odd, with as many ones as zeros (of wyhash). No secret: domains read the seed, so a random one
 * would keep none of them from choosing sectors that share a bucket. And what is found where is
 * the same in each run. */
static const uint64_t hash_seed[2] = {UINT64_C(0xa0761d6478bd642f), UINT64_C(0xe7037ed1a0b428db)};

static struct shared_cache_header plan(uint32_t slot_count)
{
    struct shared_cache_header plan = {.magic = SHARED_CACHE_MAGIC,
                                       .version = SHARED_CACHE_VERSION,
                                       .sector_bytes = SHARED_CACHE_SECTOR_BYTES,
                                       .slot_count = slot_count,
                                       .bucket_count = slot_count / SLOTS_PER_BUCKET_MAX + 1,
                                       .epoch = 1,
                                       .bucket_limit = 1};
    memcpy(plan.seed, hash_seed, sizeof(plan.seed));
    plan.buckets_offset = SHARED_CACHE_PAGE_BYTES;
    plan.slots_offset = plan.buckets_offset +
                        whole_pages((size_t)plan.bucket_count * sizeof(struct shared_cache_bucket));
    plan.data_offset =
        plan.slots_offset + whole_pages((size_t)slot_count * sizeof(struct shared_cache_slot));
    plan.bytes = plan.data_offset + whole_pages((size_t)slot_count * SHARED_CACHE_SECTOR_BYTES);
    return plan;
}

static int map_file(struct shared_cache *shared, const struct shared_cache_header *header)
{
    if (ftruncate(shared->fd, (off_t)header->bytes) < 0)
        return -errno;
    void *mark = mmap(NULL, OWNER_MARK_DISTANCE + header->bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mark == MAP_FAILED)
        return -errno;
    void *base = mmap((uint8_t *)mark + OWNER_MARK_DISTANCE, header->bytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_FIXED, shared->fd, 0);
    if (base == MAP_FAILED) {
        int rc = -errno;
        munmap(mark, OWNER_MARK_DISTANCE + header->bytes);
        return rc;
    }
    shared->mark = mark;
    shared->header = base;
    shared->bytes = header->bytes;
    shared->buckets = (void *)((uint8_t *)base + header->buckets_offset);
    shared->slots = (void *)((uint8_t *)base + header->slots_offset);
    shared->data = (uint8_t *)base + header->data_offset;
    return memory_file_seal(shared->fd,
                            F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
}

static int make_shown(struct shared_cache *shared)
{
    shared->shown = calloc(shared->slot_count / SHOWN_PER_WORD + 1, sizeof(*shared->shown));
    return shared->shown != NULL ? 0 : -ENOMEM;
}

int shared_cache_create(uint32_t slot_count, struct shared_cache **out)
{
    assert(slot_count > 0);
    *out = NULL;
    if (slot_count > SHARED_CACHE_SLOTS_MAX)
        return -ENOMEM;
    struct shared_cache *shared = calloc(1, sizeof(*shared));
    if (shared == NULL)
        return -ENOMEM;
    const struct shared_cache_header header = plan(slot_count);
    shared->slot_count = slot_count;
    int rc = shared->fd = memory_file_create("splitdom-cache");
    if (rc >= 0)
        rc = make_shown(shared);
    if (rc >= 0)
        rc = map_file(shared, &header);
    if (rc < 0) {
        shared_cache_destroy(shared);
        return rc;
    }
    shared->bucket_count = header.bucket_count;
    shared->bucket_limit = header.bucket_limit;
    shared->epoch = header.epoch;
    shared->seed[0] = header.seed[0];
    shared->seed[1] = header.seed[1];
    *shared->header = header;
    owner_mark_set(shared->mark, offsetof(struct shared_cache_header, owner));
    *out = shared;
    return 0;
}

void shared_cache_retire(struct shared_cache *shared)
{
    shared_cache_clear(shared);
    owner_mark_clear(shared->mark, offsetof(struct shared_cache_header, owner));
    shared->is_retired = true;
}

void shared_cache_destroy(struct shared_cache *shared)
{
    if (shared == NULL)
        return;
    if (shared->header != NULL) {
        if (!shared->is_retired)
            shared_cache_retire(shared);
        munmap(shared->mark, OWNER_MARK_DISTANCE + shared->bytes);
    }
    if (shared->fd >= 0)
        close(shared->fd);
    free(shared->shown);
    free(shared);
}

int shared_cache_fd(const struct shared_cache *shared)
{
    return shared->fd;
}

static uint8_t *slot_data(const struct shared_cache *shared, uint32_t slot)
{
    assert(slot < shared->slot_count);
    return shared->data + (size_t)slot * SHARED_CACHE_SECTOR_BYTES;
}

const void *shared_cache_data(const struct shared_cache *shared)
{
    return shared->data;
}

static bool is_empty(const struct shared_cache *shared, const struct shared_cache_slot *slot)
{
    return slot->epoch != shared->epoch || slot->sector == SHARED_CACHE_NO_SECTOR;
}

/* Has it been shown, and not hidden since? Its sector may have been forgotten all the same, with
 * all others (shared_cache_clear). */
static bool was_shown(const struct shared_cache *shared, uint32_t slot)
{
    return (shared->shown[slot / SHOWN_PER_WORD] >> slot % SHOWN_PER_WORD & 1) != 0;
}

static void note_shown(struct shared_cache *shared, uint32_t slot, bool is_shown)
{
    uint64_t *word = &shared->shown[slot / SHOWN_PER_WORD];
    uint64_t bit = UINT64_C(1) << slot % SHOWN_PER_WORD;
    *word = is_shown ? *word | bit : *word & ~bit;
}

/* Entries of a bucket are ours alone: what we read there is what we wrote. One whose slot was
 * emptied (shared_cache_clear) is as good as free. */
static bool is_free(const struct shared_cache *shared, uint64_t entry)
{
    uint32_t slot = (uint32_t)entry - 1;
    return (uint32_t)entry == 0 || is_empty(shared, &shared->slots[slot]);
}

static struct shared_cache_bucket *bucket_of(const struct shared_cache *shared, uint64_t hash)
{
    return &shared->buckets[shared_cache_bucket_of(hash, shared->bucket_limit)];
}

static uint64_t hash_of_slot(const struct shared_cache *shared, uint32_t slot)
{
    return shared_cache_hash(shared->seed, shared->slots[slot].sector);
}

/* One more bucket is in use: the entries that belong there move. Who looks for one of them just now
 * may miss it, and asks on the ring. */
static void split_bucket(struct shared_cache *shared)
{
    uint32_t fresh = shared->bucket_limit++;
    struct shared_cache_bucket *to = &shared->buckets[fresh];
    int count = 0;
    memset(to, 0, sizeof(*to)); /* nobody looks there yet */
    uint32_t half = UINT32_C(1) << (31 - __builtin_clz(fresh));
    struct shared_cache_bucket *from = &shared->buckets[fresh - half];
    for (int way = 0; way < SHARED_CACHE_WAYS; way++) {
        uint64_t entry = from->entry[way];
        if (is_free(shared, entry))
            continue;
        uint64_t hash = hash_of_slot(shared, (uint32_t)entry - 1);
        if (shared_cache_bucket_of(hash, shared->bucket_limit) != fresh)
            continue;
        to->entry[count++] = entry;
        store_release_u64(&from->entry[way], 0);
    }
    store_release_u32(&shared->header->bucket_limit, shared->bucket_limit);
}

/* A free entry of the bucket; NULL: none. One that was never used, or was taken out, is seen by
 * itself. Only where there is none of these are the slots looked at, which lie anywhere. */
static uint64_t *find_free(const struct shared_cache *shared, struct shared_cache_bucket *bucket)
{
    for (int way = 0; way < SHARED_CACHE_WAYS; way++) {
        if ((uint32_t)bucket->entry[way] == 0)
            return &bucket->entry[way];
    }
    for (int way = 0; way < SHARED_CACHE_WAYS; way++) {
        if (is_free(shared, bucket->entry[way]))
            return &bucket->entry[way];
    }
    return NULL;
}

static void index_add(struct shared_cache *shared, uint64_t sector, uint32_t slot)
{
    uint64_t hash = shared_cache_hash(shared->seed, sector);
    uint64_t *entry = find_free(shared, bucket_of(shared, hash));
    if (entry != NULL)
        store_release_u64(entry, shared_cache_entry(hash, slot));
}

static void index_remove(struct shared_cache *shared, uint64_t sector, uint32_t slot)
{
    uint64_t hash = shared_cache_hash(shared->seed, sector);
    struct shared_cache_bucket *bucket = bucket_of(shared, hash);
    for (int way = 0; way < SHARED_CACHE_WAYS; way++) {
        if (bucket->entry[way] == shared_cache_entry(hash, slot))
            store_release_u64(&bucket->entry[way], 0);
    }
}

/* A reader may look at any moment. Pairs with copy_acquire_u64 in cache_view.c. */
static void write_data(const struct shared_cache *shared, uint32_t slot, const void *from)
{
    copy_release_u64((void *)slot_data(shared, slot), from, WORDS_PER_SECTOR);
}

/* On return, no reader that begins finds the sector, and who reads it just now will see that it was
 * hidden: the slot may be written to. */
static void hide(struct shared_cache *shared, uint32_t slot)
{
    struct shared_cache_slot *at = &shared->slots[slot];
    uint32_t version = at->version;
    assert((version & 1) == 0 && at->sector != SHARED_CACHE_NO_SECTOR);
    if (!is_empty(shared, at))
        shared->shown_count--;
    note_shown(shared, slot, false);
    index_remove(shared, at->sector, slot);
    store_relaxed_u32(&at->version, version + 1);
    store_release_u64(&at->sector, SHARED_CACHE_NO_SECTOR);
    store_full_u32(&at->version, version + 2);
}

static void fill_in_sight(struct shared_cache *shared, uint32_t slot, const void *data)
{
    struct shared_cache_slot *at = &shared->slots[slot];
    uint32_t version = at->version;
    store_relaxed_u32(&at->version, version + 1);
    write_data(shared, slot, data);
    store_release_u32(&at->version, version + 2);
}

void shared_cache_fill(struct shared_cache *shared, uint32_t slot, uint64_t sector,
                       const void *data)
{
    assert(slot < shared->slot_count && sector != SHARED_CACHE_NO_SECTOR);
    if (was_shown(shared, slot)) {
        const struct shared_cache_slot *at = &shared->slots[slot];
        if (!is_empty(shared, at) && at->sector == sector) {
            fill_in_sight(shared, slot, data);
            return;
        }
        hide(shared, slot);
    }
    write_data(shared, slot, data);
}

static void show(struct shared_cache *shared, uint32_t slot, uint64_t sector)
{
    struct shared_cache_slot *at = &shared->slots[slot];
    uint32_t version = at->version;
    assert((version & 1) == 0 && is_empty(shared, at));
    store_relaxed_u32(&at->version, version + 1);
    store_release_u64(&at->sector, sector);
    store_release_u32(&at->epoch, shared->epoch);
    store_release_u32(&at->version, version + 2);
    note_shown(shared, slot, true);
    shared->shown_count++;
    if (shared->shown_count > (uint64_t)SLOTS_PER_BUCKET_MAX * shared->bucket_limit &&
        shared->bucket_limit < shared->bucket_count)
        split_bucket(shared);
    index_add(shared, sector, slot);
}

void shared_cache_show(struct shared_cache *shared, uint32_t slot, uint64_t sector)
{
    assert(slot < shared->slot_count && sector != SHARED_CACHE_NO_SECTOR);
    if (was_shown(shared, slot)) {
        const struct shared_cache_slot *at = &shared->slots[slot];
        if (!is_empty(shared, at)) {
            assert(at->sector == sector);
            return;
        }
        hide(shared, slot); /* what it held before all was forgotten */
    }
    show(shared, slot, sector);
}

void shared_cache_drop(struct shared_cache *shared, uint32_t slot)
{
    assert(slot < shared->slot_count);
    if (was_shown(shared, slot))
        hide(shared, slot);
}

void shared_cache_prefetch_drop(const struct shared_cache *shared, uint32_t slot, uint64_t sector)
{
    if (!was_shown(shared, slot))
        return;
    prefetch_to_write(&shared->slots[slot], 1);
    prefetch_to_write(bucket_of(shared, shared_cache_hash(shared->seed, sector)), 1);
}

void shared_cache_clear(struct shared_cache *shared)
{
    shared->shown_count = 0;
    /* After 2^32 times an old slot would look filled again: forget them for good. */
    if (++shared->epoch == 0) {
        shared->epoch = 1;
        for (uint32_t i = 0; i < shared->slot_count; i++) {
            note_shown(shared, i, false);
            store_release_u64(&shared->slots[i].sector, SHARED_CACHE_NO_SECTOR);
        }
    }
    store_full_u32(&shared->header->epoch, shared->epoch);
}
