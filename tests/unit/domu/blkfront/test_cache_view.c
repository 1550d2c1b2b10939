/* SPDX-License-Identifier: MIT */
/* cache_view: what Dom0 has put is read, nothing else is; a Dom0 that lies in the file gives wrong
 * data at most. */
#include "domu/blkfront/cache_view.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory_file.h"
#include "base/prng.h"
#include "fakes/valgrind.h"
#include "ring/barrier.h"
#include "service/block/cache/cache.h"
#include "service/block/cache/shared_cache.h"

enum { SLOTS = 100, SECTORS = 512, SECTOR_BYTES = SHARED_CACHE_SECTOR_BYTES };

struct fixture {
    struct shared_cache *shared;
    struct shared_cache_claims claims;
    struct cache_view *view, *retired;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    assert_int_equal(shared_cache_create(SLOTS, &f->shared), 0);
    assert_int_equal(cache_view_open(shared_cache_fd(f->shared), &f->claims, &f->view), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->view != NULL)
        cache_view_retire(f->view, &f->retired);
    cache_view_free_all(&f->retired);
    shared_cache_destroy(f->shared);
    free(f);
    return 0;
}

/* Every word says which sector and which version this is. */
static void make_sector(uint64_t sector, uint32_t version, uint64_t word[SECTOR_BYTES / 8])
{
    for (uint64_t i = 0; i < SECTOR_BYTES / 8; i++)
        word[i] = sector << 40 | (uint64_t)version << 8 | i;
}

static void put(struct fixture *f, uint32_t slot, uint64_t sector, uint32_t version)
{
    uint64_t word[SECTOR_BYTES / 8];
    make_sector(sector, version, word);
    shared_cache_put(f->shared, slot, sector, word);
}

static void a_sector_that_was_put_is_read(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[SECTOR_BYTES / 8], expected[SECTOR_BYTES / 8];
    put(f, 3, 77, 1);
    make_sector(77, 1, expected);
    assert_true(cache_view_read(f->view, 77, 1, seen));
    assert_memory_equal(seen, expected, SECTOR_BYTES);
    assert_false(cache_view_read(f->view, 78, 1, seen));
}

static void several_sectors_are_read_when_all_are_there(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[3 * SECTOR_BYTES / 8], expected[SECTOR_BYTES / 8];
    put(f, 9, 10, 1);
    put(f, 2, 12, 1);
    assert_false(cache_view_read(f->view, 10, 3, seen));
    put(f, 5, 11, 1);
    assert_true(cache_view_read(f->view, 10, 3, seen));
    for (uint64_t i = 0; i < 3; i++) {
        make_sector(10 + i, 1, expected);
        assert_memory_equal(seen + i * SECTOR_BYTES / 8, expected, SECTOR_BYTES);
    }
}

/* A domain whose disk was taken away by force may look once more before it knows. */
static void a_cache_that_is_gone_gives_nothing(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[SECTOR_BYTES / 8];
    put(f, 3, 77, 1);
    assert_true(cache_view_read(f->view, 77, 1, seen));
    shared_cache_destroy(f->shared);
    f->shared = NULL;
    assert_false(cache_view_read(f->view, 77, 1, seen));
}

/* The child is Dom0: makes a cache, puts a sector, tells the descriptor and waits to be killed. */
static void be_dom0(int tell)
{
    struct shared_cache *shared;
    uint64_t word[SECTOR_BYTES / 8] = {1};
    if (shared_cache_create(SLOTS, &shared) < 0)
        _exit(1);
    shared_cache_put(shared, 0, 77, word);
    int fd = shared_cache_fd(shared);
    if (write(tell, &fd, sizeof(fd)) != sizeof(fd))
        _exit(1);
    for (;;)
        pause();
}

/* Nobody need have noticed yet: a thread that goes on after a pause may look there first. */
static void a_killed_dom0s_cache_gives_nothing(void **state)
{
    struct fixture *f = *state;
    int pipe_fds[2], fd;
    char path[64];
    uint64_t seen[SECTOR_BYTES / 8];
    struct cache_view *view;
    if (under_qemu())
        return; /* which has no robust futexes: the kernel is told of none */
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    if (child == 0)
        be_dom0(pipe_fds[1]);
    assert_int_equal(read(pipe_fds[0], &fd, sizeof(fd)), sizeof(fd));
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)child, fd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(cache_view_open(fd, &f->claims, &view), 0);
    assert_true(cache_view_read(view, 77, 1, seen));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_false(cache_view_read(view, 77, 1, seen));
    cache_view_retire(view, &f->retired);
    close(fd);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

/* Random changes against an array: sector by slot, version by sector. A sector that is there may be
 * missed, where its bucket is full, but seldom. */
static void what_is_read_is_what_a_model_has(void **state)
{
    struct fixture *f = *state;
    struct prng prng;
    uint64_t holds[SLOTS];
    uint32_t version[SECTORS] = {0}, there = 0, found = 0;
    memset(holds, 0xff, sizeof(holds));
    prng_init(&prng, 20261129, 0);
    for (int step = 0; step < 200000; step++) {
        uint32_t slot = (uint32_t)prng_below(&prng, SLOTS);
        uint64_t sector = prng_below(&prng, SECTORS);
        uint32_t held_by = 0;
        while (held_by < SLOTS && holds[held_by] != sector)
            held_by++;
        switch (prng_below(&prng, 100)) {
        case 0:
            shared_cache_clear(f->shared);
            memset(holds, 0xff, sizeof(holds));
            break;
        case 1 ... 9:
            shared_cache_drop(f->shared, slot);
            holds[slot] = UINT64_MAX;
            break;
        case 10 ... 49:
            slot = held_by < SLOTS ? held_by : slot; /* in one slot at most */
            put(f, slot, sector, ++version[sector]);
            holds[slot] = sector;
            break;
        default: {
            uint64_t seen[SECTOR_BYTES / 8], expected[SECTOR_BYTES / 8];
            make_sector(sector, version[sector], expected);
            bool hit = cache_view_read(f->view, sector, 1, seen);
            if (held_by == SLOTS)
                assert_false(hit);
            if (hit)
                assert_memory_equal(seen, expected, SECTOR_BYTES);
            there += held_by < SLOTS;
            found += hit;
        }
        }
    }
    assert_true(found > there - there / 1000);
}

/* A cache of any policy that is shared, from random changes: the view has what the cache has, and
 * nothing else. */
static void follow_cache(const struct cache_policy *policy)
{
    struct shared_cache_claims claims = {0};
    struct cache_view *view, *retired = NULL;
    struct cache *cache;
    struct prng prng;
    struct cache_removal removal;
    uint32_t looks;
    uint64_t word[SECTOR_BYTES / 8], seen[SECTOR_BYTES / 8];
    assert_int_equal(cache_create(SLOTS * SECTOR_BYTES, policy, &cache), 0);
    assert_int_equal(cache_share(cache), 0);
    assert_int_equal(cache_view_open(cache_shared_fd(cache), &claims, &view), 0);
    prng_init(&prng, 20261130, 0);
    for (uint32_t step = 0; step < 30000; step++) {
        uint64_t sector = prng_below(&prng, SECTORS);
        switch (prng_below(&prng, 200)) {
        case 0:
            cache_clear(cache);
            break;
        case 1 ... 9:
            cache_remove_begin(cache, &removal, sector, prng_below(&prng, 2 * SLOTS));
            looks = UINT32_MAX;
            assert_true(cache_remove_on(cache, &removal, &looks));
            break;
        case 10 ... 19:
            cache_use_slot(cache, (uint32_t)prng_below(&prng, 2 * SLOTS));
            break;
        default:
            make_sector(sector, step, word);
            cache_insert(cache, sector, word);
        }
        sector = prng_below(&prng, SECTORS);
        const void *held = cache_peek(cache, sector);
        if (cache_view_read(view, sector, 1, seen)) {
            assert_non_null(held);
            assert_memory_equal(seen, held, SECTOR_BYTES);
        }
    }
    cache_view_retire(view, &retired);
    cache_view_free_all(&retired);
    cache_destroy(cache);
}

static void a_view_has_what_the_cache_has(void **state)
{
    const struct cache_policy *policy;
    (void)state;
    for (uint32_t i = 0; (policy = cache_policy_at(i)) != NULL; i++)
        follow_cache(policy);
}

static void hits_are_noted_for_dom0(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[2 * SECTOR_BYTES / 8];
    uint64_t reads = 0, noted = 0;
    put(f, 7, 100, 1);
    put(f, 8, 101, 1);
    assert_true(cache_view_read(f->view, 100, 2, seen));
    assert_false(cache_view_read(f->view, 200, 1, seen));
    for (int i = 0; i < SHARED_CACHE_SHARDS; i++) {
        const struct shared_cache_shard *shard = &f->claims.shard[i];
        reads += shard->reads;
        noted += shard->noted;
        if (shard->noted == 2) {
            assert_int_equal(shard->slot[0], 7);
            assert_int_equal(shard->slot[1], 8);
        }
    }
    assert_int_equal(reads, 1);
    assert_int_equal(noted, 2);
}

static bool is_marked(const struct fixture *f, uint32_t slot)
{
    return (f->claims.used[slot / 64] >> slot % 64 & 1) != 0;
}

static bool is_noted(const struct fixture *f, uint32_t slot)
{
    for (int i = 0; i < SHARED_CACHE_SHARDS; i++) {
        const struct shared_cache_shard *shard = &f->claims.shard[i];
        for (uint64_t at = 0; at < shard->noted && at < SHARED_CACHE_SHARD_SLOTS; at++) {
            if (shard->slot[at] == slot)
                return true;
        }
    }
    return false;
}

/* Slot 7 is hit first, and never again. */
static void what_dom0_did_not_hear_in_time_is_marked(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[SECTOR_BYTES / 8];
    put(f, 7, 100, 1);
    put(f, 8, 101, 1);
    assert_true(cache_view_read(f->view, 100, 1, seen));
    for (int i = 0; i < SHARED_CACHE_SHARDS * SHARED_CACHE_SHARD_SLOTS / 2; i++)
        assert_true(cache_view_read(f->view, 101, 1, seen));
    cache_view_tell_all(f->view);
    assert_true(is_noted(f, 7) && !is_marked(f, 7));
    for (int i = 0; i < SHARED_CACHE_SHARDS * SHARED_CACHE_SHARD_SLOTS; i++)
        assert_true(cache_view_read(f->view, 101, 1, seen));
    cache_view_tell_all(f->view);
    assert_true(!is_noted(f, 7) && is_marked(f, 7));
}

static void what_dom0_has_heard_is_not_marked(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[SECTOR_BYTES / 8];
    put(f, 7, 100, 1);
    for (int i = 0; i < 100 * SHARED_CACHE_SHARD_SLOTS; i++) {
        assert_true(cache_view_read(f->view, 100, 1, seen));
        for (int k = 0; k < SHARED_CACHE_SHARDS; k++)
            f->claims.shard[k].heard = f->claims.shard[k].noted;
    }
    assert_false(is_marked(f, 7));
    for (int i = 0; i < SHARED_CACHE_SHARDS; i++)
        assert_int_equal(f->claims.shard[i].spilled, 0);
}

enum { THREADS = 200, HITS = 50 };

static void *hit_and_end(void *arg)
{
    struct fixture *f = arg;
    uint64_t seen[SECTOR_BYTES / 8];
    for (int i = 0; i < HITS; i++) {
        if (!cache_view_read(f->view, 100, 1, seen))
            return NULL;
    }
    return f;
}

/* More threads than can have a lane, all at once: what each has hit is told once. */
static void every_thread_has_its_hits_noted(void **state)
{
    struct fixture *f = *state;
    pthread_t thread[THREADS];
    uint64_t reads = 0, noted = 0;
    void *ended;
    put(f, 7, 100, 1);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, hit_and_end, f), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(thread[i], &ended), 0);
        assert_non_null(ended);
    }
    cache_view_tell_all(f->view);
    cache_view_tell_all(f->view); /* has nothing to tell */
    for (int i = 0; i < SHARED_CACHE_SHARDS; i++) {
        reads += f->claims.shard[i].reads;
        noted += f->claims.shard[i].noted;
    }
    assert_int_equal(reads, THREADS * HITS);
    assert_int_equal(noted, THREADS * HITS);
}

static void a_retired_view_serves_nobody(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[SECTOR_BYTES / 8];
    struct cache_view *view = f->view;
    put(f, 0, 0, 1);
    assert_true(cache_view_read(view, 0, 1, seen));
    cache_view_retire(view, &f->retired);
    f->view = NULL;
    assert_false(cache_view_read(view, 0, 1, seen));
}

static void a_domain_can_neither_write_nor_cut_the_file(void **state)
{
    struct fixture *f = *state;
    int fd = shared_cache_fd(f->shared);
    char byte = 1;
    assert_true(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    assert_int_equal(pwrite(fd, &byte, 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    void *mapped = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(mapped != MAP_FAILED);
    assert_int_equal(mprotect(mapped, 4096, PROT_READ | PROT_WRITE), -1);
    munmap(mapped, 4096);
}

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
        cmocka_unit_test_setup_teardown(a_sector_that_was_put_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(several_sectors_are_read_when_all_are_there, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_cache_that_is_gone_gives_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_killed_dom0s_cache_gives_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_read_is_what_a_model_has, setup, teardown),
        cmocka_unit_test(a_view_has_what_the_cache_has),
        cmocka_unit_test_setup_teardown(hits_are_noted_for_dom0, setup, teardown),
        cmocka_unit_test_setup_teardown(what_dom0_did_not_hear_in_time_is_marked, setup, teardown),
        cmocka_unit_test_setup_teardown(what_dom0_has_heard_is_not_marked, setup, teardown),
        cmocka_unit_test_setup_teardown(every_thread_has_its_hits_noted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_retired_view_serves_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(a_domain_can_neither_write_nor_cut_the_file, setup,
                                        teardown),
        cmocka_unit_test(a_file_without_its_seals_is_refused),
        cmocka_unit_test(an_invalid_header_is_refused),
        cmocka_unit_test(garbage_in_the_file_ends_no_reader),
        cmocka_unit_test(a_slot_that_is_being_changed_is_no_hit),
        cmocka_unit_test_setup_teardown(a_hit_is_never_half_of_two_sectors, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
