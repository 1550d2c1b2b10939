/* SPDX-License-Identifier: MIT */
/* operations: writes, flushes and discards on a ring, and what ends it. */
#include <errno.h>

#include "fakes/fake_probes.h"
#include "tdf/clock.h"
#include "tdf/source.h"
#include "unit/service/back/vbd/operations_fixture.h"

static void put_discard(uint64_t id, uint64_t sector, uint64_t count, uint8_t flag)
{
    const struct blkif_request_discard req = {.operation = BLKIF_OP_DISCARD,
                                              .flag = flag,
                                              .id = id,
                                              .sector_number = sector,
                                              .nr_sectors = count};
    blkif_put_discard(&f->ends.front, &req);
    (void)front_ring_push(&f->ends.front.half);
}

static void a_write_hands_on_pages_that_are_only_read(void **state)
{
    (void)state;
    connect();
    struct blkif_request req = one_page(BLKIF_OP_WRITE, 3, 100);
    req.nr_segments = 2;
    req.seg[0].first_sect = 6;
    req.seg[1] = (struct blkif_request_segment){PAGE_REF + READ_ONLY + 9, 0, 0};
    put(&req);
    consume(1);
    expect_waiting(0, BLOCK_WRITE, 3);
    assert_int_equal(f->waiting[0]->sector, 100);
    assert_ptr_equal(f->waiting[0]->segments[0].address, page(3) + 6 * 512);
    assert_ptr_equal(f->waiting[0]->segments[1].address, page(9));
    assert_int_equal(f->segment.gnttab[PAGE_REF + READ_ONLY + 3].flags,
                     GTF_permit_access | GTF_readonly | GTF_reading);
    struct block_request *request = take_waiting(0);
    request->done(request, 0);
    expect_none();
    assert_false(is_in_use(PAGE_REF + READ_ONLY + 3)); /* before the answer shows (XSA-396) */
    assert_int_equal(f->ends.loop.active_count, 1);    /* the loop looks, and shows it */
    vbd_ring_flush(f->ends.ring);
    expect(3, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
    assert_int_equal(f->ends.ring->stats.written_sectors, 3);
    assert_int_equal(f->ends.ring->stats.others_done, 1);
    assert_int_equal(f->ends.ring->stats.writes, 1);
}

static void a_write_passes_the_probes_of_its_stages(void **state)
{
    (void)state;
    if (!fake_probes_begin())
        skip();
    connect();
    const struct blkif_request req = one_page(BLKIF_OP_WRITE, 3, 100);
    put(&req);
    consume(1);
    uint32_t taken = fake_probes_passed("taken"), judged = fake_probes_passed("judged");
    uint32_t early = fake_probes_passed("answered");
    end(0, 0);
    uint32_t answered = fake_probes_passed("answered"), published = fake_probes_passed("published");
    fake_probes_end();
    assert_true(taken == 1 && judged == 1 && early == 0 && answered == 1 && published == 1);
    expect(3, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
}

static void a_read_needs_pages_that_are_written(void **state)
{
    (void)state;
    connect();
    struct blkif_request req = one_page(BLKIF_OP_READ, 0, 0);
    req.seg[0].gref += READ_ONLY;
    put(&req);
    name_segments(1, 1, 1, READ_ONLY);
    const struct blkif_request_indirect named = indirect(BLKIF_OP_READ, 1, 1);
    put_indirect(&named);
    consume(2);
    expect(0, BLKIF_OP_READ, BLKIF_RSP_ERROR);
    expect(1, BLKIF_OP_READ, BLKIF_RSP_ERROR);
    assert_int_equal(f->waiting_count, 0);
}

/* The same pending serves a read after anything else. */
static void reads_and_others_take_turns(void **state)
{
    (void)state;
    connect();
    for (uint64_t round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < 32; i++) {
            const struct blkif_request req =
                one_page(i % 2 == round % 2 ? BLKIF_OP_READ : BLKIF_OP_WRITE, i, i * 8);
            put(&req);
        }
        consume(32);
        for (uint32_t i = 0; i < 32; i++) {
            bool reads = i % 2 == round % 2;
            expect_waiting(0, reads ? BLOCK_READ : BLOCK_WRITE, 8);
            end(0, 0);
            expect(i, reads ? BLKIF_OP_READ : BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
        }
    }
    assert_int_equal(f->ends.ring->stats.reads_done, 48);
    assert_int_equal(f->ends.ring->stats.sectors, 48 * 8);
    assert_int_equal(vbd_ring_stats_reads(&f->ends.ring->stats), 48);
}

static void put_all_that_changes_the_disk(void)
{
    static const uint8_t operations[] = {BLKIF_OP_WRITE, BLKIF_OP_WRITE_BARRIER,
                                         BLKIF_OP_FLUSH_DISKCACHE};
    for (uint64_t id = 0; id < 3; id++) {
        const struct blkif_request req = one_page(operations[id], id, 0);
        put(&req);
    }
    const struct blkif_request flush = without_segments(BLKIF_OP_FLUSH_DISKCACHE, 3);
    put(&flush);
    put_discard(4, 0, 8, 0);
    name_segments(1, 1, 1, READ_ONLY);
    const struct blkif_request_indirect named = indirect(BLKIF_OP_WRITE, 5, 1);
    put_indirect(&named);
}

static void a_read_only_disk_is_not_changed(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) { /* for this vbd, or for all */
        f->ends.config.writable = which == 1;
        f->fake.vdisk->capabilities.writable = which == 0;
        connect();
        put_all_that_changes_the_disk();
        consume(6);
        expect(0, BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
        expect(1, BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_EOPNOTSUPP);
        expect(2, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_EOPNOTSUPP);
        expect(3, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_EOPNOTSUPP);
        expect(4, BLKIF_OP_DISCARD, BLKIF_RSP_EOPNOTSUPP);
        expect(5, BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
        assert_int_equal(f->waiting_count, 0);
        assert_int_equal(f->ends.ring->grants.mapped_count, 1); /* the ring's own page */
        disconnect();
    }
}

static void failures_reach_their_request(void **state)
{
    (void)state;
    static const int errors[] = {-EIO, -ENOSPC, -EROFS, -EINVAL, -EOPNOTSUPP};
    connect();
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        const bool optional = errors[i] == -EOPNOTSUPP; /* the disk below can't: the node says so */
        const struct blkif_request write = one_page(BLKIF_OP_WRITE, 1, 0);
        const struct blkif_request flush = without_segments(BLKIF_OP_FLUSH_DISKCACHE, 2);
        put(&write);
        put(&flush);
        put_discard(3, 0, 8, 0);
        consume(3);
        end(2, errors[i]);
        end(1, errors[i]);
        end(0, errors[i]);
        expect(3, BLKIF_OP_DISCARD, optional ? BLKIF_RSP_EOPNOTSUPP : BLKIF_RSP_ERROR);
        expect(2, BLKIF_OP_FLUSH_DISKCACHE, optional ? BLKIF_RSP_EOPNOTSUPP : BLKIF_RSP_ERROR);
        expect(1, BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
    }
    assert_int_equal(f->ends.ring->stats.others_done, 0);
    assert_int_equal(f->ends.ring->stats.written_sectors, 0);
}

static void operations_that_there_are_not(void **state)
{
    (void)state;
    static const uint8_t unknown[] = {BLKIF_OP_RESERVED_1, 7, 100, 255};
    connect();
    for (uint64_t i = 0; i < 4; i++) {
        const struct blkif_request req = one_page(unknown[i], i, 0);
        put(&req);
    }
    consume(4);
    for (uint64_t i = 0; i < 4; i++)
        expect(i, unknown[i], BLKIF_RSP_EOPNOTSUPP);
    assert_int_equal(f->ends.ring->stats.unknown, 4);
}

static void a_flush_is_one_request(void **state)
{
    (void)state;
    connect();
    const struct blkif_request req = without_segments(BLKIF_OP_FLUSH_DISKCACHE, 1);
    put(&req);
    consume(1);
    expect_waiting(0, BLOCK_FLUSH, 0);
    assert_int_equal(f->waiting[0]->segment_count, 0);
    end(0, 0);
    expect(1, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_OKAY);
    assert_int_equal(f->ends.ring->stats.flushes, 1);
}

/* What was written before is on stable storage before these sectors are, and they are in the end.
 */
static void a_flush_with_data_flushes_twice(void **state)
{
    (void)state;
    connect();
    for (int failing = 0; failing < 4; failing++) {
        const struct blkif_request req = one_page(BLKIF_OP_FLUSH_DISKCACHE, 1, 16);
        put(&req);
        consume(1);
        for (int step = 0; step < 3; step++) {
            expect_none();
            assert_true(is_in_use(PAGE_REF + READ_ONLY + 1));
            expect_waiting(0, step == 1 ? BLOCK_WRITE : BLOCK_FLUSH, step == 1 ? 8 : 0);
            assert_int_equal(f->waiting_count, 1);
            end(0, step == failing ? -EIO : 0);
            if (step == failing)
                break;
        }
        expect(1, BLKIF_OP_FLUSH_DISKCACHE, failing < 3 ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY);
        assert_int_equal(f->waiting_count, 0);
    }
    assert_int_equal(f->ends.ring->stats.written_sectors, 8);
}

static void a_discard_is_handed_on(void **state)
{
    (void)state;
    connect();
    put_discard(1, 5, DISK_SECTORS - 5, 0);
    consume(1);
    expect_waiting(0, BLOCK_DISCARD, DISK_SECTORS - 5);
    assert_int_equal(f->waiting[0]->sector, 5);
    assert_int_equal(f->waiting[0]->segment_count, 0);
    end(0, 0);
    expect(1, BLKIF_OP_DISCARD, BLKIF_RSP_OKAY);
    assert_int_equal(f->ends.ring->stats.discards, 1);
    assert_int_equal(f->ends.ring->stats.written_sectors, 0);
}

static void discards_that_are_refused(void **state)
{
    (void)state;
    connect();
    put_discard(1, 0, 8, BLKIF_DISCARD_SECURE);
    put_discard(2, 0, 0, 0);
    put_discard(3, 1, DISK_SECTORS, 0);
    consume(3);
    expect(1, BLKIF_OP_DISCARD, BLKIF_RSP_EOPNOTSUPP);
    expect(2, BLKIF_OP_DISCARD, BLKIF_RSP_ERROR);
    expect(3, BLKIF_OP_DISCARD, BLKIF_RSP_ERROR);
    disconnect();
    f->ends.config.discard = false;
    connect();
    put_discard(4, 0, 8, 0);
    consume(1);
    expect(4, BLKIF_OP_DISCARD, BLKIF_RSP_EOPNOTSUPP);
    assert_int_equal(f->waiting_count, 0);
}

static uint64_t end_at(uint64_t due_ns)
{
    f->waiting[0]->due_ns = due_ns;
    end(0, 0);
    return due_ns;
}

/* Three requests to the model, one after another, and the time of all three. */
static void a_flush_with_data_takes_the_time_of_its_steps(void **state)
{
    enum { START_NS = 1000000 };
    const struct tdf one = {1, 1};
    struct tdf_source source;
    struct tdf_clock clock;
    (void)state;
    assert_int_equal(tdf_source_manual(&source, 1000000000, START_NS, 0), 0);
    assert_int_equal(tdf_clock_init(&clock, &source, NULL, 0, one), 0);
    f->ends.config.virtual_completion = true;
    f->ends.config.clock = &clock;
    f->ends.config.tdf = &one;
    connect();
    const struct blkif_request req = one_page(BLKIF_OP_FLUSH_DISKCACHE, 1, 0);
    blkif_put_request(&f->ends.front, &req);
    blkif_put_request_stamp(&f->ends.front, START_NS - 500);
    (void)front_ring_push(&f->ends.front.half);
    consume(1);
    const uint64_t asked_ns = f->waiting[0]->asked_ns;
    uint64_t due_ns = end_at(asked_ns + 100);
    assert_int_equal(f->waiting[0]->asked_ns, due_ns);
    due_ns = end_at(due_ns + 1000);
    assert_int_equal(f->waiting[0]->asked_ns, due_ns);
    (void)end_at(due_ns + 30);
    expect(1, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_OKAY);
    assert_int_equal(blkif_take_response_stamp(&f->ends.front), START_NS - 500 + 1130);
    put_discard(2, 0, 8, 0);
    blkif_put_request_stamp(&f->ends.front, 0); /* beside the discard; too late for this one */
    consume(1);
    end(0, 0);
    expect(2, BLKIF_OP_DISCARD, BLKIF_RSP_OKAY);
    assert_int_equal(blkif_take_response_stamp(&f->ends.front), 0); /* no model did it */
    disconnect();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPERATION_TEST(a_write_passes_the_probes_of_its_stages),
        OPERATION_TEST(a_write_hands_on_pages_that_are_only_read),
        OPERATION_TEST(a_read_needs_pages_that_are_written),
        OPERATION_TEST(reads_and_others_take_turns),
        OPERATION_TEST(a_read_only_disk_is_not_changed),
        OPERATION_TEST(failures_reach_their_request),
        OPERATION_TEST(operations_that_there_are_not),
        OPERATION_TEST(a_flush_is_one_request),
        OPERATION_TEST(a_flush_with_data_flushes_twice),
        OPERATION_TEST(a_discard_is_handed_on),
        OPERATION_TEST(discards_that_are_refused),
        OPERATION_TEST(a_flush_with_data_takes_the_time_of_its_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
