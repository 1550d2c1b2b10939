/* SPDX-License-Identifier: MIT */
/* operations: barriers, and a ring that ends in one. */
#include "unit/service/back/vbd/operations_fixture.h"

static void a_barrier_waits_for_all_before_it_and_all_after_wait_for_it(void **state)
{
    (void)state;
    connect();
    for (uint64_t id = 0; id < 3; id++) {
        const struct blkif_request req = one_page(BLKIF_OP_WRITE, id, 8 * id);
        put(&req);
    }
    const struct blkif_request barrier = one_page(BLKIF_OP_WRITE_BARRIER, 3, 100);
    put(&barrier);
    const struct blkif_request late = one_page(BLKIF_OP_READ, 4, 100);
    put(&late);
    consume(4); /* not the late one */
    assert_int_equal(f->waiting_count, 3);
    assert_false(vbd_ring_arm(f->ends.ring)); /* and nobody is kept awake for it */
    end(2, 0);
    end(0, 0);
    consume(0);
    assert_int_equal(f->waiting_count, 1);
    end(0, 0);
    consume(0); /* begins the barrier */
    expect_waiting(0, BLOCK_FLUSH, 0);
    end(0, 0);
    consume(0);
    expect_waiting(0, BLOCK_WRITE, 8);
    end(0, 0);
    expect_waiting(0, BLOCK_FLUSH, 0);
    for (uint64_t i = 0; i < 3; i++)
        expect(i == 0 ? 2 : i - 1, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
    expect_none();
    consume(0);
    end(0, 0);
    expect(3, BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_OKAY);
    consume(1);
    expect_waiting(0, BLOCK_READ, 8);
    end(0, 0);
    expect(4, BLKIF_OP_READ, BLKIF_RSP_OKAY);
}

/* The loop looks at the ring again whenever it can go on. */
static void a_barrier_wakes_its_ring(void **state)
{
    (void)state;
    connect();
    const struct blkif_request write = one_page(BLKIF_OP_WRITE, 0, 0);
    const struct blkif_request barrier = without_segments(BLKIF_OP_WRITE_BARRIER, 1);
    const struct blkif_request late = one_page(BLKIF_OP_WRITE, 2, 8);
    put(&write);
    put(&barrier);
    put(&late);
    consume(2);
    assert_true(pollables_settle(&f->ends.loop, 0));
    for (int step = 0; step < 2; step++) { /* the write, the barrier's flush */
        assert_int_equal(f->ends.loop.active_count, 0);
        struct block_request *request = take_waiting(0);
        request->done(request, 0);
        assert_int_equal(f->ends.loop.active_count, 1);
        (void)pollables_turn(&f->ends.loop, 1);
        (void)pollables_settle(&f->ends.loop, 1);
        (void)pollables_settle(&f->ends.loop, 1);
    }
    expect(0, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
    expect(1, BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_OKAY);
    expect_waiting(0, BLOCK_WRITE, 8);
    end(0, 0);
    expect(2, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
}

static void barriers_in_a_row_are_served_in_one_look(void **state)
{
    (void)state;
    f->answers_at_once = true;
    connect();
    for (uint64_t id = 0; id < 30; id++) {
        const struct blkif_request req = id % 3 == 0 ? without_segments(BLKIF_OP_WRITE_BARRIER, id)
                                         : id % 3 == 1
                                             ? one_page(BLKIF_OP_WRITE_BARRIER, id, 8 * id)
                                             : one_page(BLKIF_OP_READ, id, 8 * id);
        put(&req);
    }
    int taken = 0;
    for (int look = 0; look < 3; look++) /* bounded by what is copied */
        taken += vbd_ring_consume(f->ends.ring, 0);
    assert_int_equal(taken, 30);
    for (uint64_t id = 0; id < 30; id++)
        expect(id, id % 3 == 2 ? BLKIF_OP_READ : BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_OKAY);
}

static void the_disk_may_shrink_while_a_barrier_waits(void **state)
{
    (void)state;
    connect();
    const struct blkif_request req = one_page(BLKIF_OP_WRITE_BARRIER, 1, 4000);
    put(&req);
    consume(1);
    f->fake.vdisk->capabilities.sector_count = 4000;
    end(0, 0);
    expect(1, BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_ERROR);
    assert_int_equal(f->waiting_count, 0);
}

static void a_ring_may_end_in_a_barrier(void **state)
{
    (void)state;
    for (int begun = 0; begun < 2; begun++) {
        connect();
        const struct blkif_request write = one_page(BLKIF_OP_WRITE, 0, 0);
        const struct blkif_request barrier = one_page(BLKIF_OP_WRITE_BARRIER, 1, 8);
        if (begun == 0)
            put(&write);
        put(&barrier);
        consume(2 - begun);
        assert_true(is_in_use(PAGE_REF + READ_ONLY + 1));
        disconnect();
        assert_false(is_in_use(PAGE_REF + READ_ONLY + 1));
        assert_int_equal(f->waiting_count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPERATION_TEST(a_barrier_waits_for_all_before_it_and_all_after_wait_for_it),
        OPERATION_TEST(a_barrier_wakes_its_ring),
        OPERATION_TEST(barriers_in_a_row_are_served_in_one_look),
        OPERATION_TEST(the_disk_may_shrink_while_a_barrier_waits),
        OPERATION_TEST(a_ring_may_end_in_a_barrier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
