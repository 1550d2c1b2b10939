/* SPDX-License-Identifier: MIT */
/* blkfront_call: reads, writes, flushes and discards that block, of any size, on a disk in memory.
 */
#include <errno.h>

#include "base/prng.h"
#include "domu/blkfront/blkfront_private.h"
#include "unit/domu/blkfront/blkfront_call_fixture.h"

static void fill_disk(int byte)
{
    memset(disk, byte, sizeof(disk));
    fake_dom0_sync(dom0);
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
        CALL_TEST(many_threads_write_and_read_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
