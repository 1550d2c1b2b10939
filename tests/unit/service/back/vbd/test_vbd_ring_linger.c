/* SPDX-License-Identifier: MIT */
/* vbd_ring: a ring that ends while the device is at work on the pages of its requests. */
#include <errno.h>

#include "unit/service/back/vbd/operations_fixture.h"

/* Its memory is held until the device is done with it. */
static void a_ring_ends_while_the_device_is_at_work(void **state)
{
    (void)state;
    for (int persistent = 0; persistent < 2; persistent++) {
        f->ends.config.persistent_grants = persistent == 1;
        f->at_work = false;
        connect();
        const struct blkif_request early = one_page(BLKIF_OP_WRITE, 5, 0);
        struct blkif_request read = one_page(BLKIF_OP_READ, 6, 0);
        read.seg[read.nr_segments++] = (struct blkif_request_segment){.gref = PAGE_REF + 7};
        put(&early);
        consume(1);
        end(0, 0);
        name_segments(60, 10, 50, 0);
        const struct blkif_request_indirect named = indirect(BLKIF_OP_READ, 1, 60);
        put(&read);
        put_indirect(&named);
        consume(2);
        f->at_work = true;
        disconnect();
        assert_int_equal(f->hold.holders, 2);
        assert_true(is_in_use(PAGE_REF + 10)); /* what the device reads into, */
        assert_true(is_in_use(PAGE_REF + 6) && is_in_use(PAGE_REF + 7));
        assert_false(is_in_use(PAGE_REF + READ_ONLY + 5)); /* and nothing else */
        assert_false(is_in_use(PAGE_REF + READ_ONLY));
        assert_false(is_in_use(RING_REF));
        end(1, 0);
        assert_false(is_in_use(PAGE_REF + 10));
        assert_true(is_in_use(PAGE_REF + 6) && is_in_use(PAGE_REF + 7));
        assert_int_equal(f->hold.holders, 2);
        end(0, -ECANCELED);
        assert_false(is_in_use(PAGE_REF + 6) || is_in_use(PAGE_REF + 7));
        assert_int_equal(f->hold.holders, 1);
        assert_false(f->let_go);
    }
}

/* What the device has not begun with holds nothing, whatever else it is at work on. */
static void a_request_that_waits_ends_with_its_ring(void **state)
{
    (void)state;
    for (int device = 0; device < 2; device++) {
        f->at_work = false;
        connect();
        name_segments(60, 10, 50, 0);
        const struct blkif_request_indirect named = indirect(BLKIF_OP_READ, 1, 60);
        put_indirect(&named);
        consume(1);
        const struct blkif_request write = one_page(BLKIF_OP_WRITE, 5, 0);
        put(&write);
        consume(1);
        f->works_on = device == 1 ? f->waiting[1] : NULL;
        disconnect();
        assert_int_equal(is_in_use(PAGE_REF + READ_ONLY + 5), device == 1);
        assert_false(is_in_use(PAGE_REF + 10) || is_in_use(PAGE_REF + 50));
        if (device == 1)
            end(0, 0);
        assert_int_equal(f->hold.holders, 1);
    }
}

static void the_last_who_lets_go_gives_the_memory_back(void **state)
{
    (void)state;
    connect();
    const struct blkif_request req = one_page(BLKIF_OP_WRITE, 5, 0);
    put(&req);
    consume(1);
    f->at_work = true;
    disconnect();
    hold_put(&f->hold); /* the domain has ended, too */
    assert_false(f->let_go);
    end(0, 0);
    assert_true(f->let_go);
    f->hold.holders = 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPERATION_TEST(a_ring_ends_while_the_device_is_at_work),
        OPERATION_TEST(a_request_that_waits_ends_with_its_ring),
        OPERATION_TEST(the_last_who_lets_go_gives_the_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
