/* SPDX-License-Identifier: MIT */
/* hit_queue: what was put comes out in order, with the time that was told after it. */
#include "domu/blkfront/hit_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { DEPTH = 3 };

static uint8_t memory[2 * 512];

static void add(struct hit_queue *queue, uint64_t sector, uint64_t submitted_ns)
{
    const struct blkfront_io io = {.operation = BLKFRONT_READ,
                                   .sector = sector,
                                   .sector_count = 2,
                                   .buffer = memory,
                                   .cookie = queue};
    hit_queue_tell(queue, submitted_ns);
    hit_queue_add(queue, &io, submitted_ns);
}

static void a_hit_ends_with_the_next_reading_of_the_clock(void **state)
{
    (void)state;
    struct hit_queue queue;
    assert_int_equal(hit_queue_init(&queue, DEPTH), 0);
    assert_null(hit_queue_first(&queue));
    for (uint64_t i = 0; i < 2 * DEPTH; i++) { /* around the end of the array */
        add(&queue, 10 * i, 100 * i);
        add(&queue, 10 * i + 1, 100 * i + 3);
        hit_queue_tell(&queue, 100 * i + 7);
        hit_queue_tell(&queue, 100 * i + 9); /* has nothing to tell */
        for (uint64_t j = 0; j < 2; j++) {
            const struct blkfront_completion *hit = hit_queue_first(&queue);
            assert_non_null(hit);
            assert_int_equal(hit->sector, 10 * i + j);
            assert_int_equal(hit->sector_count, 2);
            assert_int_equal(hit->operation, BLKFRONT_READ);
            assert_int_equal(hit->status, 0);
            assert_ptr_equal(hit->buffer, memory);
            assert_ptr_equal(hit->cookie, &queue);
            assert_int_equal(hit->submitted_ns, 100 * i + 3 * j);
            assert_int_equal(hit->completed_ns, j == 0 ? 100 * i + 3 : 100 * i + 7);
            hit_queue_drop_first(&queue);
        }
        assert_null(hit_queue_first(&queue));
    }
    hit_queue_fini(&queue);
    hit_queue_fini(&queue);
}

static void hits_that_come_together_end_together(void **state)
{
    const struct blkfront_io io = {.operation = BLKFRONT_READ};
    (void)state;
    struct hit_queue queue;
    assert_int_equal(hit_queue_init(&queue, DEPTH), 0);
    add(&queue, 1, 10);
    hit_queue_tell(&queue, 20);
    hit_queue_add(&queue, &io, 20);
    hit_queue_add(&queue, &io, 20);
    hit_queue_tell(&queue, 30);
    hit_queue_tell(&queue, 40);
    const uint64_t ends[DEPTH] = {20, 30, 30};
    for (uint64_t i = 0; i < DEPTH; i++) {
        assert_int_equal(hit_queue_first(&queue)->completed_ns, ends[i]);
        hit_queue_drop_first(&queue);
    }
    hit_queue_fini(&queue);
}

static void as_many_as_its_depth_fit(void **state)
{
    (void)state;
    struct hit_queue queue;
    assert_int_equal(hit_queue_init(&queue, DEPTH), 0);
    for (uint64_t i = 0; i < DEPTH; i++)
        add(&queue, i, i);
    assert_int_equal(queue.count, DEPTH);
    hit_queue_tell(&queue, DEPTH);
    for (uint64_t i = 0; i < DEPTH; i++) {
        assert_int_equal(hit_queue_first(&queue)->sector, i);
        assert_int_equal(hit_queue_first(&queue)->completed_ns, i + 1);
        hit_queue_drop_first(&queue);
    }
    hit_queue_fini(&queue);
}

static void several_are_taken_at_once(void **state)
{
    (void)state;
    struct hit_queue queue;
    struct blkfront_completion out[DEPTH + 1] = {{.sector = 0}};
    assert_int_equal(hit_queue_init(&queue, DEPTH), 0);
    assert_int_equal(hit_queue_take(&queue, out, DEPTH), 0);
    for (uint64_t i = 0; i < 2 * DEPTH; i++) { /* around the end of the array */
        add(&queue, 10 * i, i);
        add(&queue, 10 * i + 1, i);
        hit_queue_tell(&queue, i);
        assert_int_equal(hit_queue_take(&queue, NULL, 0), 0);
        assert_int_equal(hit_queue_take(&queue, out, 1), 1);
        assert_int_equal(out[0].sector, 10 * i);
        add(&queue, 10 * i + 2, i);
        hit_queue_tell(&queue, i);
        out[2].sector = UINT64_MAX;
        assert_int_equal(hit_queue_take(&queue, out, DEPTH + 1), 2);
        assert_int_equal(out[0].sector, 10 * i + 1);
        assert_int_equal(out[1].sector, 10 * i + 2);
        assert_int_equal(out[2].sector, UINT64_MAX);
        assert_null(hit_queue_first(&queue));
    }
    hit_queue_fini(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hit_ends_with_the_next_reading_of_the_clock),
        cmocka_unit_test(hits_that_come_together_end_together),
        cmocka_unit_test(as_many_as_its_depth_fit),
        cmocka_unit_test(several_are_taken_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
