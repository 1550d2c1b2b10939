/* SPDX-License-Identifier: MIT */
/* blkfront_call: reads, writes, flushes and discards that block, of any size, on a disk in memory.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "domu/blkfront/blkfront_private.h"
#include "unit/domu/blkfront/scene.h"

#define MS UINT64_C(1000000)

enum { SECTORS = 8192, BYTES = SECTORS * 512, HANG_S = 120, KEPT_MAX = 64 };

static uint8_t disk[BYTES], data[BYTES], back[BYTES];

static int setup(void **state)
{
    (void)state;
    memset(disk, 0, sizeof(disk));
    for (uint32_t i = 0; i < BYTES; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    return scene_open(HANG_S);
}

static void meet(struct fake_dom0_script script, struct blkfront_options options)
{
    struct blkfront_error why;
    script.sectors = SECTORS;
    dom0 = fake_dom0_start(base, &script);
    assert_non_null(dom0);
    options.size = sizeof(options);
    options.rundir = base;
    options.name = "fake";
    if (blkfront_connect(&options, &bf, &why) < 0)
        fail_msg("%s", why.text);
}

/* A copy of the disk, as it is now that all is answered. */
static const uint8_t *seen(void)
{
    static uint8_t copy[BYTES];
    fake_dom0_sync(dom0);
    memcpy(copy, disk, sizeof(copy));
    fake_dom0_sync(dom0);
    return copy;
}

static void fill_disk(int byte)
{
    memset(disk, byte, sizeof(disk));
    fake_dom0_sync(dom0);
}

static void meet_disk(void)
{
    meet((struct fake_dom0_script){.disk = disk}, (struct blkfront_options){.depth = 8});
}

static uint64_t requests(void)
{
    struct blkfront_stats stats;
    blkfront_stats(bf, &stats);
    return stats.requests;
}

/* ---- data ---- */

/* Whatever fits a request of the ring, to Dom0s that take indirect requests of any size or none. */
static void what_is_written_is_on_the_disk_and_read_again(void **state)
{
    static const uint32_t sizes[] = {1, 7, 8, 88, 89, 256, 2048};
    static const uint32_t segments[] = {0, 11, 12, 32, 256};
    (void)state;
    struct prng prng;
    prng_init(&prng, 20261129, 2);
    for (size_t i = 0; i < 7 * 5; i++) {
        meet((struct fake_dom0_script){.disk = disk, .indirect_segments = segments[i % 5]},
             (struct blkfront_options){.depth = 4, .sectors_per_request = sizes[i / 5]});
        fill_disk(0);
        for (int round = 0; round < 6; round++) {
            uint32_t most = round < 3 ? 100 : SECTORS;
            uint32_t count = 1 + (uint32_t)prng_below(&prng, most);
            uint32_t sector = (uint32_t)prng_below(&prng, SECTORS - count + 1);
            uint32_t at = (uint32_t)prng_below(&prng, SECTORS - count + 1) * 512;
            assert_int_equal(blkfront_write(bf, sector, count, data + at), 0);
            assert_memory_equal(seen() + sector * 512, data + at, count * 512);
            assert_int_equal(blkfront_read(bf, sector, count, back), 0);
            assert_memory_equal(back, data + at, count * 512);
        }
        part();
    }
}

static void a_write_changes_no_sector_beside_it(void **state)
{
    (void)state;
    meet((struct fake_dom0_script){.disk = disk, .indirect_segments = 256},
         (struct blkfront_options){.depth = 2, .sectors_per_request = 256});
    for (uint32_t count = 1; count <= 600; count += 37) {
        fill_disk(0x5a);
        assert_int_equal(blkfront_write(bf, 1000, count, data), 0);
        assert_memory_equal(seen() + 1000 * 512, data, count * 512);
        const uint8_t *at_end = seen();
        for (uint32_t i = 0; i < BYTES; i++) {
            if (i < 1000 * 512 || i >= (1000 + count) * 512)
                assert_int_equal(at_end[i], 0x5a);
        }
    }
}

static uint64_t requests_for(uint32_t sectors_per_request, uint32_t segments)
{
    struct blkfront_geometry geometry;
    meet((struct fake_dom0_script){.disk = disk, .indirect_segments = segments},
         (struct blkfront_options){.depth = 4, .sectors_per_request = sectors_per_request});
    assert_int_equal(blkfront_read(bf, 0, 2048, back), 0);
    assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    uint64_t count = requests();
    assert_int_equal(count,
                     (2048 + geometry.sectors_per_request - 1) / geometry.sectors_per_request);
    part();
    return count;
}

/* 1 MiB: as few requests as Dom0 and the options allow. */
static void large_requests_are_indirect_where_dom0_takes_them(void **state)
{
    (void)state;
    assert_int_equal(requests_for(2048, 256), 1);
    assert_int_equal(requests_for(2048, 32), 8);
    assert_int_equal(requests_for(2048, 0), 24);
    assert_int_equal(requests_for(256, 256), 8);
    assert_int_equal(requests_for(0, 256), 256);
}

static uint32_t cut(struct prng *prng, uint8_t *memory, size_t bytes, struct iovec *iov,
                    uint32_t most)
{
    uint32_t count = 0;
    for (; bytes > 0; count++) {
        size_t length = count == most - 1 ? bytes : (size_t)prng_below(prng, bytes + 1);
        iov[count] = (struct iovec){.iov_base = memory, .iov_len = length};
        memory += length;
        bytes -= length;
    }
    return count;
}

static void vectors_have_pieces_of_any_length(void **state)
{
    enum { PIECES = 9 };
    (void)state;
    struct iovec out[PIECES], in[PIECES];
    struct prng prng;
    prng_init(&prng, 20261129, 3);
    meet((struct fake_dom0_script){.disk = disk, .indirect_segments = 32},
         (struct blkfront_options){.depth = 4, .sectors_per_request = 100});
    for (int round = 0; round < 60; round++) {
        uint32_t sectors = 1 + (uint32_t)prng_below(&prng, 500), at = 3 * (uint32_t)round;
        uint32_t outs = cut(&prng, data + round, sectors * 512, out, PIECES);
        uint32_t ins = cut(&prng, back, sectors * 512, in, PIECES);
        assert_int_equal(blkfront_writev(bf, at, out, outs), 0);
        assert_memory_equal(seen() + at * 512, data + round, sectors * 512);
        memset(back, 0, sectors * 512);
        assert_int_equal(blkfront_readv(bf, at, in, ins), 0);
        assert_memory_equal(back, data + round, sectors * 512);
    }
    const struct iovec half = {.iov_base = back, .iov_len = 700};
    assert_int_equal(blkfront_readv(bf, 0, &half, 1), -EINVAL);
    assert_int_equal(blkfront_readv(bf, 0, &half, 0), -EINVAL);
}

/* ---- what has no data ---- */

static void a_flush_is_asked_of_dom0(void **state)
{
    (void)state;
    meet_disk();
    for (uint32_t i = 1; i <= 3; i++) {
        assert_int_equal(blkfront_flush(bf), 0);
        assert_int_equal(fake_dom0_flushes(dom0), i);
    }
    assert_int_equal(requests(), 3);
}

static void a_discard_of_any_size_is_one_request(void **state)
{
    (void)state;
    meet_disk();
    fill_disk(0x5a);
    assert_int_equal(blkfront_discard(bf, 8, 4), 0);
    const uint8_t *at_end = seen();
    assert_int_equal(at_end[8 * 512 - 1], 0x5a);
    assert_int_equal(at_end[12 * 512], 0x5a);
    for (uint32_t i = 8 * 512; i < 12 * 512; i++)
        assert_int_equal(at_end[i], 0);
    assert_int_equal(blkfront_discard(bf, 0, SECTORS), 0);
    at_end = seen();
    assert_int_equal(at_end[BYTES - 1], 0);
    assert_int_equal(requests(), 2);
}

/* ---- refusals ---- */

static void a_disk_tells_what_it_can_do(void **state)
{
    (void)state;
    struct blkfront_geometry geometry;
    meet_disk();
    assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    assert_false(geometry.read_only);
    assert_true(geometry.flush && geometry.discard);
    assert_int_equal(geometry.discard_granularity, 4096);
    assert_int_equal(geometry.discard_alignment, 512);
    assert_int_equal(geometry.sectors_per_request, 8);
}

static void what_dom0_does_not_offer_is_refused_without_a_request(void **state)
{
    (void)state;
    struct blkfront_geometry geometry;
    meet((struct fake_dom0_script){0}, (struct blkfront_options){0});
    assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    assert_true(geometry.read_only);
    assert_false(geometry.flush || geometry.discard);
    assert_int_equal(geometry.discard_granularity, 0);
    assert_int_equal(blkfront_write(bf, 0, 1, data), -EROFS);
    assert_int_equal(blkfront_discard(bf, 0, 1), -EROFS);
    assert_int_equal(blkfront_flush(bf), -EOPNOTSUPP);
    assert_int_equal(requests(), 0);
}

static void writable_without_features(struct fake_dom0 *d, struct xs_server *store)
{
    (void)store;
    fake_dom0_node(d, "feature-flush-cache", "0");
    fake_dom0_node(d, "feature-discard", "0");
}

static void a_writable_disk_may_have_neither_flush_nor_discard(void **state)
{
    (void)state;
    meet((struct fake_dom0_script){.disk = disk, .change_nodes = writable_without_features},
         (struct blkfront_options){0});
    assert_int_equal(blkfront_discard(bf, 0, 1), -EOPNOTSUPP);
    assert_int_equal(blkfront_flush(bf), -EOPNOTSUPP);
    assert_int_equal(requests(), 0);
    assert_int_equal(blkfront_write(bf, 0, 1, data), 0);
}

static void only_reads_and_writes(struct fake_dom0 *d, const struct blkif_request *req)
{
    if (req->operation <= BLKIF_OP_WRITE) {
        fake_dom0_serve(d, req);
        return;
    }
    fake_dom0_respond(d, req->id, req->operation, BLKIF_RSP_EOPNOTSUPP);
    fake_dom0_flush(d);
}

/* As a file system that cannot punch holes finds out when it is asked. */
static void what_dom0_turns_out_not_to_do_is_not_asked_again(void **state)
{
    (void)state;
    struct blkfront_geometry geometry;
    meet((struct fake_dom0_script){.disk = disk, .request = only_reads_and_writes},
         (struct blkfront_options){0});
    for (int i = 0; i < 2; i++) {
        assert_int_equal(blkfront_discard(bf, 0, 1), -EOPNOTSUPP);
        assert_int_equal(blkfront_geometry(bf, &geometry), 0);
        assert_false(geometry.discard);
        assert_true(geometry.flush || i == 1);
        assert_int_equal(blkfront_flush(bf), -EOPNOTSUPP);
        assert_int_equal(requests(), 2);
    }
    assert_int_equal(blkfront_write(bf, 0, 1, data), 0);
}

/* Tells of another size with the answer to a write. */
static void only_reads_and_writes_and_grows(struct fake_dom0 *d, const struct blkif_request *req)
{
    char size[24];
    snprintf(size, sizeof(size), "%d", SECTORS + 8);
    if (req->operation == BLKIF_OP_WRITE) {
        fake_dom0_node(d, "sectors", size);
        fake_dom0_node(d, "state", "4");
        fake_dom0_pump(d); /* nothing else wakes it up */
    }
    only_reads_and_writes(d, req);
}

static void nor_when_the_disk_has_another_size(void **state)
{
    (void)state;
    struct blkfront_geometry geometry;
    meet((struct fake_dom0_script){.disk = disk, .request = only_reads_and_writes_and_grows},
         (struct blkfront_options){0});
    assert_int_equal(blkfront_discard(bf, 0, 1), -EOPNOTSUPP);
    assert_int_equal(blkfront_flush(bf), -EOPNOTSUPP);
    assert_int_equal(blkfront_write(bf, 0, 1, data), 0);
    do
        assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    while (geometry.last_sector != SECTORS + 8 - 1);
    assert_false(geometry.discard || geometry.flush);
    assert_int_equal(blkfront_discard(bf, 0, 1), -EOPNOTSUPP);
    assert_int_equal(blkfront_flush(bf), -EOPNOTSUPP);
    assert_int_equal(requests(), 3);
}

static void sectors_beyond_the_end_are_refused(void **state)
{
    (void)state;
    meet_disk();
    assert_int_equal(blkfront_write(bf, SECTORS - 1, 2, data), -EINVAL);
    assert_int_equal(blkfront_write(bf, UINT64_MAX, 1, data), -EINVAL);
    assert_int_equal(blkfront_write(bf, 0, 0, data), -EINVAL);
    assert_int_equal(blkfront_discard(bf, 1, SECTORS), -EINVAL);
    assert_int_equal(blkfront_discard(bf, 1, UINT64_MAX), -EINVAL);
    assert_int_equal(blkfront_discard(bf, 0, 0), -EINVAL);
    assert_int_equal(requests(), 0);
}

static void blocks_of_4096(struct fake_dom0 *d, struct xs_server *store)
{
    (void)store;
    fake_dom0_node(d, "sector-size", "4096");
}

/* And parts of large ones are aligned as well. */
static void requests_are_aligned_to_the_sector_size_of_the_disk(void **state)
{
    (void)state;
    struct blkfront_geometry geometry;
    meet((struct fake_dom0_script){.disk = disk, .change_nodes = blocks_of_4096},
         (struct blkfront_options){.sectors_per_request = 21});
    assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    assert_int_equal(geometry.sectors_per_request, 16);
    assert_int_equal(blkfront_write(bf, 1, 8, data), -EINVAL);
    assert_int_equal(blkfront_read(bf, 8, 4, back), -EINVAL);
    assert_int_equal(blkfront_discard(bf, 8, 12), -EINVAL);
    assert_int_equal(blkfront_write(bf, 8, 800, data), 0);
    assert_memory_equal(seen() + 8 * 512, data, 800 * 512);
    assert_int_equal(requests(), 50);
    part();
    meet((struct fake_dom0_script){.disk = disk, .change_nodes = blocks_of_4096},
         (struct blkfront_options){.sectors_per_request = 1});
    assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    assert_int_equal(geometry.sectors_per_request, 8);
    assert_int_equal(blkfront_write(bf, 16, 16, data), 0);
    assert_int_equal(requests(), 2);
}

/* ---- errors ---- */

enum { BAD_SECTOR = 77 };

static void one_bad_sector(struct fake_dom0 *d, const struct blkif_request *req)
{
    if (req->sector_number == BAD_SECTOR) {
        fake_dom0_respond(d, req->id, req->operation, BLKIF_RSP_ERROR);
        fake_dom0_flush(d);
    } else {
        fake_dom0_serve(d, req);
    }
}

static void an_error_of_a_part_is_the_error_of_the_whole(void **state)
{
    (void)state;
    meet((struct fake_dom0_script){.disk = disk, .request = one_bad_sector},
         (struct blkfront_options){.sectors_per_request = 1});
    assert_int_equal(blkfront_read(bf, 0, BAD_SECTOR, back), 0);
    assert_int_equal(blkfront_read(bf, 0, BAD_SECTOR + 1, back), -EIO);
    assert_int_equal(blkfront_write(bf, BAD_SECTOR, 50, data), -EIO);
    uint64_t before = requests();
    /* The error comes with the first answers: of the rest, little is asked. */
    assert_int_equal(blkfront_write(bf, BAD_SECTOR, 8000, data), -EIO);
    assert_in_range(requests() - before, 1, 64);
    assert_int_equal(blkfront_write(bf, BAD_SECTOR + 1, 500, data), 0);
}

/* ---- a Dom0 that waits ---- */

struct keeper {
    struct blkif_request kept[KEPT_MAX];
    uint64_t order[KEPT_MAX]; /* first sectors, as they came once it answered */
    uint32_t count;           /* atomic */
    uint32_t came;            /* atomic: since it answers */
    uint32_t answers;         /* atomic: it does */
};

static struct keeper keeper;

static void keep(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct keeper *k = fake_dom0_ctx(d);
    if (load_full_u32(&k->answers) != 0) {
        if (k->came < KEPT_MAX)
            k->order[k->came] = req->sector_number;
        store_full_u32(&k->came, k->came + 1);
        fake_dom0_serve(d, req);
        return;
    }
    k->kept[k->count] = *req;
    store_full_u32(&k->count, k->count + 1);
}

static void answer_kept(struct fake_dom0 *d)
{
    struct keeper *k = fake_dom0_ctx(d);
    if (load_full_u32(&k->answers) == 0)
        return;
    for (uint32_t i = 0; i < k->count; i++)
        fake_dom0_serve(d, &k->kept[i]);
    store_full_u32(&k->count, 0);
}

static void meet_keeper(uint64_t timeout_ns)
{
    memset(&keeper, 0, sizeof(keeper));
    meet(
        (struct fake_dom0_script){
            .disk = disk, .request = keep, .idle = answer_kept, .ctx = &keeper},
        (struct blkfront_options){.sectors_per_request = 1, .timeout_ns = timeout_ns});
}

static void let_it_answer(void)
{
    store_full_u32(&keeper.answers, 1);
    fake_dom0_wake(dom0);
}

/* Buffers are the caller's when the time is up, whatever Dom0 does with the parts later. */
static void a_large_request_ends_when_its_time_is_up(void **state)
{
    (void)state;
    meet_keeper(30 * MS);
    memset(back, 0x77, sizeof(back));
    assert_int_equal(blkfront_read(bf, 0, 100, back), -ETIMEDOUT);
    assert_true(list_is_empty(&bf->queue[0].unasked));
    assert_int_equal(blkfront_write(bf, 200, 1, data), -ETIMEDOUT); /* no entry is free */
    assert_true(list_is_empty(&bf->queue[0].unasked));
    let_it_answer();
    int rc;
    while ((rc = blkfront_write(bf, 300, 100, data)) == -ETIMEDOUT) /* on a slow machine */
        continue;
    assert_int_equal(rc, 0);
    assert_memory_equal(seen() + 300 * 512, data, 100 * 512);
    for (uint32_t i = 0; i < 100 * 512; i++)
        assert_int_equal(back[i], 0x77);
    const uint8_t *at_end = seen();
    for (uint32_t i = 0; i < 512; i++)
        assert_int_equal(at_end[200 * 512 + i], 0);
}

struct caller {
    pthread_t thread;
    uint32_t sector, count;
    int rc;
};

static void *call_write(void *arg)
{
    struct caller *caller = arg;
    caller->rc = blkfront_write(bf, caller->sector, caller->count, data);
    return NULL;
}

static void start_call(struct caller *caller, uint32_t sector, uint32_t count)
{
    *caller = (struct caller){.sector = sector, .count = count};
    assert_int_equal(pthread_create(&caller->thread, NULL, call_write, caller), 0);
}

static uint32_t waiting_calls(void)
{
    uint32_t count = 0;
    pthread_mutex_lock(&bf->queue[0].lock);
    for (struct list_node *n = list_first(&bf->queue[0].unasked); n != NULL;
         n = list_next(&bf->queue[0].unasked, n))
        count++;
    pthread_mutex_unlock(&bf->queue[0].lock);
    return count;
}

/* A thousand parts, on a ring of 32; a small one that comes later takes turns with them. */
static void a_small_request_waits_for_no_large_one(void **state)
{
    (void)state;
    struct caller large, small;
    meet_keeper(0);
    start_call(&large, 0, 1000);
    while (waiting_calls() < 1)
        sched_yield();
    start_call(&small, 5000, 1);
    while (waiting_calls() < 2 || load_full_u32(&keeper.count) < 32)
        sched_yield();
    let_it_answer();
    pthread_join(small.thread, NULL);
    pthread_join(large.thread, NULL);
    assert_int_equal(small.rc, 0);
    assert_int_equal(large.rc, 0);
    assert_true(load_full_u32(&keeper.came) > 1);
    assert_true(keeper.order[0] == 5000 || keeper.order[1] == 5000);
    assert_memory_equal(seen(), data, 1000 * 512);
}

static void *call_often(void *arg)
{
    struct caller *caller = arg;
    uint8_t own[64 * 512];
    for (uint32_t i = 0; i < 60 && caller->rc == 0; i++) {
        uint32_t count = i % 3 == 0 ? 64 : 1;
        caller->rc = blkfront_write(bf, caller->sector, count, data + caller->sector * 512);
        if (caller->rc == 0)
            caller->rc = blkfront_read(bf, caller->sector, count, own);
        if (caller->rc == 0 && memcmp(own, data + caller->sector * 512, count * 512) != 0)
            caller->rc = -EILSEQ;
    }
    return NULL;
}

/* More threads than the ring has slots, each with large and small requests. */
static void many_threads_write_and_read_their_own(void **state)
{
    enum { CALLERS = 48 };
    (void)state;
    static struct caller callers[CALLERS];
    meet((struct fake_dom0_script){.disk = disk}, (struct blkfront_options){.depth = 1});
    for (uint32_t i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.sector = i * 64};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]), 0);
    }
    for (uint32_t i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].rc, 0);
    }
    assert_true(list_is_empty(&bf->queue[0].unasked));
    assert_int_equal(bf->queue[0].shadow.free_count, bf->queue[0].shadow.nr_entries);
}

/* Of both kinds: on the ring, and waiting for an entry. */
static void calls_in_flight_end_when_dom0_dies(void **state)
{
    (void)state;
    struct caller large, small;
    meet_keeper(0);
    start_call(&large, 0, 1000);
    while (waiting_calls() < 1)
        sched_yield();
    start_call(&small, 5000, 1);
    while (waiting_calls() < 2)
        sched_yield();
    fake_dom0_stop(dom0);
    dom0 = NULL;
    pthread_join(small.thread, NULL);
    pthread_join(large.thread, NULL);
    assert_int_equal(small.rc, -ENOTCONN);
    assert_int_equal(large.rc, -ENOTCONN);
    assert_int_equal(blkfront_flush(bf), -ENOTCONN);
}

int main(void)
{
#define CALL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CALL_TEST(what_is_written_is_on_the_disk_and_read_again),
        CALL_TEST(a_write_changes_no_sector_beside_it),
        CALL_TEST(large_requests_are_indirect_where_dom0_takes_them),
        CALL_TEST(vectors_have_pieces_of_any_length),
        CALL_TEST(a_flush_is_asked_of_dom0),
        CALL_TEST(a_discard_of_any_size_is_one_request),
        CALL_TEST(a_disk_tells_what_it_can_do),
        CALL_TEST(what_dom0_does_not_offer_is_refused_without_a_request),
        CALL_TEST(a_writable_disk_may_have_neither_flush_nor_discard),
        CALL_TEST(what_dom0_turns_out_not_to_do_is_not_asked_again),
        CALL_TEST(nor_when_the_disk_has_another_size),
        CALL_TEST(sectors_beyond_the_end_are_refused),
        CALL_TEST(requests_are_aligned_to_the_sector_size_of_the_disk),
        CALL_TEST(an_error_of_a_part_is_the_error_of_the_whole),
        CALL_TEST(a_large_request_ends_when_its_time_is_up),
        CALL_TEST(a_small_request_waits_for_no_large_one),
        CALL_TEST(many_threads_write_and_read_their_own),
        CALL_TEST(calls_in_flight_end_when_dom0_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
