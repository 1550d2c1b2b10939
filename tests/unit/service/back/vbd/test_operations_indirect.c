/* SPDX-License-Identifier: MIT */
/* operations: indirect requests, whose segments are named in pages of the domain. */
#include <errno.h>

#include "unit/service/back/vbd/operations_fixture.h"

static void an_indirect_request_is_the_operation_that_it_names(void **state)
{
    enum { PAGES_OF_ALL = 5390 };
    (void)state;
    connect();
    for (int op = BLKIF_OP_READ; op <= BLKIF_OP_WRITE; op++) {
        static const uint32_t counts[] = {1, 12, 256, 512, 513, 4096}; /* PAGES_OF_ALL */
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
            f->fake.vdisk->capabilities.sector_count = 40000;
            name_segments(counts[i], 10, 2, op == BLKIF_OP_READ ? 0 : READ_ONLY);
            struct blkif_request_indirect req = indirect((uint8_t)op, i, counts[i]);
            req.sector_number = 7;
            put_indirect(&req);
            consume(1);
            expect_waiting(0, op == BLKIF_OP_READ ? BLOCK_READ : BLOCK_WRITE, counts[i] * 8u);
            assert_int_equal(f->waiting[0]->sector, 7);
            assert_false(is_in_use(PAGE_REF + READ_ONLY)); /* the page that names is done with */
            end(0, 0);
            expect(i, (uint8_t)op, BLKIF_RSP_OKAY);
            assert_int_equal(f->ends.ring->grants.mapped_count, 1);
            assert_int_equal(f->ends.ring->indirect_segments, 0);
        }
    }
    assert_int_equal(f->ends.ring->stats.writes, 6);
    assert_int_equal(f->ends.ring->stats.reads_done, 6);
    assert_int_equal(f->ends.ring->stats.sectors, PAGES_OF_ALL * 8);
    assert_int_equal(f->ends.ring->stats.written_sectors, PAGES_OF_ALL * 8);
    assert_int_equal(f->ends.ring->stats.others_done, 6);
}

/* Neighbours in memory are one segment, in that order only. */
static void neighbours_are_one_segment(void **state)
{
    static const uint32_t pages[] = {20, 21, 22, 30, 29, 31, 40, 40};
    struct blkif_request_segment *named;
    (void)state;
    connect();
    named = (struct blkif_request_segment *)(void *)page(0);
    for (uint32_t i = 0; i < 8; i++)
        named[i] = (struct blkif_request_segment){.gref = PAGE_REF + pages[i], .last_sect = 7};
    named[2].last_sect = 3; /* the next one is no neighbour of a part of a page */
    const struct blkif_request_indirect req = indirect(BLKIF_OP_READ, 1, 8);
    put_indirect(&req);
    consume(1);
    static const uint32_t firsts[] = {20, 30, 29, 31, 40, 40}, sectors[] = {20, 8, 8, 8, 8, 8};
    assert_int_equal(f->waiting[0]->segment_count, 6);
    for (uint32_t i = 0; i < 6; i++) {
        assert_ptr_equal(f->waiting[0]->segments[i].address, page(firsts[i]));
        assert_int_equal(f->waiting[0]->segments[i].sector_count, sectors[i]);
    }
    end(0, 0);
    expect(1, BLKIF_OP_READ, BLKIF_RSP_OKAY);
}

/* XSA-155: what the page says later is nobody's. */
static void the_page_that_names_may_change(void **state)
{
    (void)state;
    connect();
    name_segments(100, 10, 50, 0);
    const struct blkif_request_indirect req = indirect(BLKIF_OP_READ, 1, 100);
    put_indirect(&req);
    consume(1);
    memset(page(0), 0xff, XEN_PAGE_SIZE);
    expect_waiting(0, BLOCK_READ, 800);
    assert_int_equal(f->ends.ring->grants.mapped_count, 51);
    end(0, 0);
    expect(1, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    assert_int_equal(f->ends.ring->grants.mapped_count, 1);
}

static void indirect_requests_that_lie_are_refused(void **state)
{
    (void)state;
    connect();
    for (int lie = 0; lie < 9; lie++) {
        struct blkif_request_indirect req = indirect(BLKIF_OP_READ, 1, 513);
        struct blkif_request_segment *last = (struct blkif_request_segment *)(void *)page(1);
        f->fake.vdisk->capabilities.sector_count = 513 * 8;
        name_segments(513, 10, 50, 0);
        req.nr_segments = lie == 0 ? 0 : lie == 1 ? 4097 : 513;
        req.indirect_op = lie == 2 ? BLKIF_OP_FLUSH_DISKCACHE : lie == 3 ? BLKIF_OP_INDIRECT : 0;
        req.indirect_grefs[1] += lie == 4 ? 10000 : 0; /* no such grant */
        last->gref = lie == 5 ? 9 : last->gref;        /* not granted */
        last->last_sect = lie == 6 ? 8 : 7;            /* beyond its page */
        last->gref += lie == 7 ? READ_ONLY : 0;        /* can't be read into */
        req.sector_number = lie == 8 ? 1 : 0;          /* beyond the end */
        put_indirect(&req);
        consume(1);
        expect(1, req.indirect_op, BLKIF_RSP_ERROR);
        assert_int_equal(f->waiting_count, 0);
        assert_int_equal(f->ends.ring->grants.mapped_count, 1);
        assert_int_equal(f->ends.ring->indirect_segments, 0);
    }
    assert_int_equal(f->ends.ring->stats.out_of_room, 0);
    assert_int_equal(f->ends.ring->stats.unknown, 2);
}

static void room_for_what_is_named_is_bounded(void **state)
{
    enum { MOST = VBD_RING_INDIRECT_SEGMENTS / 4096 };
    (void)state;
    f->fake.vdisk->capabilities.sector_count = 40000;
    connect_order(1);
    name_segments(4096, 10, 70, 0);
    for (uint64_t id = 0; id <= MOST; id++) {
        const struct blkif_request_indirect req = indirect(BLKIF_OP_READ, id, 4096);
        put_indirect(&req);
        consume(1); /* and one look takes no more than one of these */
    }
    expect(MOST, BLKIF_OP_READ, BLKIF_RSP_ERROR);
    assert_int_equal(f->ends.ring->stats.out_of_room, 1);
    assert_int_equal(f->waiting_count, MOST);
    end(0, 0);
    expect(0, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    const struct blkif_request_indirect req = indirect(BLKIF_OP_READ, 99, 4096);
    put_indirect(&req);
    consume(1);
    while (f->waiting_count > 0)
        end(0, 0);
}

static void one_look_takes_a_bounded_number_of_named_segments(void **state)
{
    (void)state;
    connect();
    name_segments(60, 10, 50, 0);
    for (uint64_t id = 0; id < 3; id++) {
        const struct blkif_request_indirect req = indirect(BLKIF_OP_READ, id, 60);
        put_indirect(&req);
    }
    consume(2);
    assert_true(vbd_ring_arm(f->ends.ring));
    consume(1);
    while (f->waiting_count > 0)
        end(0, 0);
}

static void persistent_grants_hold_for_all_kinds(void **state)
{
    (void)state;
    f->ends.config.persistent_grants = true;
    connect();
    name_segments(1, 2, 1, 0);
    const struct blkif_request write = one_page(BLKIF_OP_WRITE, 1, 0);
    const struct blkif_request_indirect named = indirect(BLKIF_OP_READ, 2, 1);
    put(&write);
    put_indirect(&named);
    consume(2);
    end(0, 0);
    end(0, 0);
    assert_true(is_in_use(PAGE_REF + READ_ONLY + 1));
    assert_true(is_in_use(PAGE_REF + READ_ONLY)); /* the page that names */
    assert_true(is_in_use(PAGE_REF + 2));
    disconnect();
    assert_false(is_in_use(PAGE_REF + 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPERATION_TEST(an_indirect_request_is_the_operation_that_it_names),
        OPERATION_TEST(neighbours_are_one_segment),
        OPERATION_TEST(the_page_that_names_may_change),
        OPERATION_TEST(indirect_requests_that_lie_are_refused),
        OPERATION_TEST(room_for_what_is_named_is_bounded),
        OPERATION_TEST(one_look_takes_a_bounded_number_of_named_segments),
        OPERATION_TEST(persistent_grants_hold_for_all_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
