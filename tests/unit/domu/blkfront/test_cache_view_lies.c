/* SPDX-License-Identifier: MIT */
/*
 * cache_view: a file that is not what it should be, or changes under the reader, gives wrong
 * data at most.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory_file.h"
#include "base/prng.h"
#include "ring/barrier.h"
#include "unit/domu/blkfront/cache_view_fixture.h"

/* ---- a Dom0 that lies ---- */

enum { FAKE_BYTES = 64 * 1024 };

/* A file as Dom0 would make it, of 16 slots and 4 buckets, which stays writable for the test. */
struct fake {
    int fd;
    struct shared_cache_header *header;
    struct shared_cache_bucket *buckets;
    struct shared_cache_slot *slots;
};

static void fake_init(struct fake *fake, int seals)
{
    fake->fd = memory_file_create("fake");
    assert_true(fake->fd >= 0);
    assert_int_equal(ftruncate(fake->fd, FAKE_BYTES), 0);
    void *base = mmap(NULL, FAKE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fake->fd, 0);
    assert_true(base != MAP_FAILED);
    fake->header = base;
    fake->buckets = (void *)((uint8_t *)base + 4096);
    fake->slots = (void *)((uint8_t *)base + 8192);
    *fake->header = (struct shared_cache_header){.magic = SHARED_CACHE_MAGIC,
                                                 .version = SHARED_CACHE_VERSION,
                                                 .sector_bytes = SECTOR_BYTES,
                                                 .slot_count = 16,
                                                 .bucket_count = 4,
                                                 .bucket_limit = 4,
                                                 .epoch = 1,
                                                 .seed = {1, 3},
                                                 .buckets_offset = 4096,
                                                 .slots_offset = 8192,
                                                 .data_offset = 12288,
                                                 .bytes = FAKE_BYTES};
    assert_int_equal(memory_file_seal(fake->fd, seals), 0);
}

static void fake_fini(struct fake *fake)
{
    munmap(fake->header, FAKE_BYTES);
    close(fake->fd);
}

enum { ALL_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | 0x0010 };

static int open_fake(struct fake *fake)
{
    struct shared_cache_claims claims;
    struct cache_view *view, *retired = NULL;
    int rc = cache_view_open(fake->fd, &claims, &view);
    if (rc == 0)
        cache_view_retire(view, &retired);
    cache_view_free_all(&retired);
    return rc;
}

static void a_file_without_its_seals_is_refused(void **state)
{
    (void)state;
    static const int seals[] = {0, F_SEAL_SHRINK | F_SEAL_GROW, F_SEAL_SHRINK | 0x0010};
    for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++) {
        struct fake fake;
        fake_init(&fake, seals[i]);
        assert_int_equal(open_fake(&fake), -EBADFD);
        fake_fini(&fake);
    }
}

#define HEADER_FIELD(name, value)                                                                  \
    {                                                                                              \
        offsetof(struct shared_cache_header, name),                                                \
            sizeof(((struct shared_cache_header *)0)->name), value                                 \
    }

static void an_invalid_header_is_refused(void **state)
{
    (void)state;
    static const struct {
        size_t offset, size;
        uint64_t value;
    } lies[] = {
        HEADER_FIELD(magic, 0),
        HEADER_FIELD(version, SHARED_CACHE_VERSION + 1),
        HEADER_FIELD(sector_bytes, 4096),
        HEADER_FIELD(slot_count, 0),
        HEADER_FIELD(slot_count, 4096),
        HEADER_FIELD(slot_count, UINT32_MAX),
        HEADER_FIELD(bucket_count, 0),
        HEADER_FIELD(bucket_count, 1u << 31),
        HEADER_FIELD(buckets_offset, 0),
        HEADER_FIELD(buckets_offset, 4100),
        HEADER_FIELD(buckets_offset, FAKE_BYTES - 64),
        HEADER_FIELD(slots_offset, UINT64_MAX - 63),
        HEADER_FIELD(slots_offset, FAKE_BYTES),
        HEADER_FIELD(data_offset, FAKE_BYTES - 15 * SECTOR_BYTES),
        HEADER_FIELD(bytes, FAKE_BYTES + 1),
        HEADER_FIELD(bytes, UINT64_MAX),
    };
    struct fake fake;
    fake_init(&fake, ALL_SEALS);
    assert_int_equal(open_fake(&fake), 0);
    const struct shared_cache_header sound = *fake.header;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        memcpy((uint8_t *)fake.header + lies[i].offset, &lies[i].value, lies[i].size);
        assert_int_equal(open_fake(&fake), -EPROTO);
        *fake.header = sound;
    }
    fake_fini(&fake);
}

static void garbage_in_the_file_ends_no_reader(void **state)
{
    (void)state;
    struct fake fake;
    struct shared_cache_claims claims = {0};
    struct cache_view *view, *retired = NULL;
    struct prng prng;
    uint8_t seen[4 * SECTOR_BYTES];
    fake_init(&fake, ALL_SEALS);
    assert_int_equal(cache_view_open(fake.fd, &claims, &view), 0);
    prng_init(&prng, 7, 0);
    for (int round = 0; round < 20000; round++) {
        uint64_t sector = prng_below(&prng, 8);
        uint64_t hash = shared_cache_hash(fake.header->seed, sector);
        uint64_t slot = prng_below(&prng, 4) == 0 ? prng_next(&prng) : prng_below(&prng, 17);
        struct shared_cache_bucket *bucket = &fake.buckets[hash & 3];
        bucket->entry[prng_below(&prng, SHARED_CACHE_WAYS)] =
            shared_cache_entry(hash, (uint32_t)slot);
        fake.slots[prng_below(&prng, 16)] =
            (struct shared_cache_slot){.version = (uint32_t)prng_below(&prng, 3),
                                       .epoch = (uint32_t)prng_below(&prng, 2),
                                       .sector = prng_below(&prng, 8)};
        if (prng_below(&prng, 100) == 0)
            for (size_t i = 0; i < sizeof(*fake.header); i++)
                ((uint8_t *)fake.header)[i] = (uint8_t)prng_next(&prng);
        (void)cache_view_read(view, sector, 1 + (uint32_t)prng_below(&prng, 4), seen);
        (void)cache_view_read(view, prng_next(&prng), 1, seen);
    }
    cache_view_retire(view, &retired);
    cache_view_free_all(&retired);
    fake_fini(&fake);
}

static void a_slot_that_is_being_changed_is_no_hit(void **state)
{
    (void)state;
    struct fake fake;
    struct shared_cache_claims claims = {0};
    struct cache_view *view, *retired = NULL;
    uint8_t seen[SECTOR_BYTES];
    fake_init(&fake, ALL_SEALS);
    assert_int_equal(cache_view_open(fake.fd, &claims, &view), 0);
    uint64_t hash = shared_cache_hash(fake.header->seed, 5);
    fake.buckets[hash & 3].entry[2] = shared_cache_entry(hash, 15);
    fake.slots[15] = (struct shared_cache_slot){.version = 8, .epoch = 1, .sector = 5};
    assert_true(cache_view_read(view, 5, 1, seen));
    fake.slots[15].version = 9;
    assert_false(cache_view_read(view, 5, 1, seen));
    fake.slots[15].version = 10;
    fake.header->epoch = 2;
    assert_false(cache_view_read(view, 5, 1, seen));
    cache_view_retire(view, &retired);
    cache_view_free_all(&retired);
    fake_fini(&fake);
}

/* ---- a reader beside the writer ---- */

struct race {
    struct fixture *f;
    uint32_t done;
    uint64_t hits, torn;
};

static void *read_all_the_time(void *arg)
{
    struct race *race = arg;
    struct prng prng;
    prng_init(&prng, 3, 0);
    while (load_acquire_u32(&race->done) == 0) {
        uint64_t sector = prng_below(&prng, 8);
        uint64_t seen[SECTOR_BYTES / 8], expected[SECTOR_BYTES / 8];
        if (!cache_view_read(race->f->view, sector, 1, seen))
            continue;
        store_release_u64(&race->hits, race->hits + 1);
        make_sector(sector, (uint32_t)(seen[0] >> 8), expected);
        race->torn += memcmp(seen, expected, SECTOR_BYTES) != 0;
    }
    return NULL;
}

static void a_hit_is_never_half_of_two_sectors(void **state)
{
    struct fixture *f = *state;
    struct race race = {.f = f};
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_all_the_time, &race), 0);
    for (uint32_t i = 1; load_acquire_u64(&race.hits) < 20000; i++)
        put(f, i % 2, i % 8 < 4 ? i % 2 : i % 8, i & 0xffff);
    store_release_u32(&race.done, 1);
    pthread_join(reader, NULL);
    assert_int_equal(race.torn, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_without_its_seals_is_refused),
        cmocka_unit_test(an_invalid_header_is_refused),
        cmocka_unit_test(garbage_in_the_file_ends_no_reader),
        cmocka_unit_test(a_slot_that_is_being_changed_is_no_hit),
        cmocka_unit_test_setup_teardown(a_hit_is_never_half_of_two_sectors, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
