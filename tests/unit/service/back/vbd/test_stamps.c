/* SPDX-License-Identifier: MIT */
/* Completion in virtual time: stamps on the ring, when a stamp was, when the model takes it to be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ring/blkif_back_ring.h"
#include "ring/blkif_front_ring.h"
#include "service/block/engine/disk_model.h"
#include "service/block/engine/image.h"
#include "tdf/clock.h"

enum { START_NS = 1000000 };

static void stamps_travel_beside_requests_and_responses(void **state)
{
    (void)state;
    struct sring *sring = aligned_alloc(XEN_PAGE_SIZE, XEN_PAGE_SIZE);
    assert_non_null(sring);
    memset(sring, 0, XEN_PAGE_SIZE);
    struct blkif_front_ring front;
    struct blkif_back_ring back;
    sring_init(sring, 0);
    front_ring_init(&front.half, sring, blkif_ring_entries(0), 0);
    back_ring_init(&back.half, sring, blkif_ring_entries(0), 0);

    for (uint64_t i = 1; i <= 2; i++) {
        struct blkif_request req = {.operation = BLKIF_OP_READ, .id = i};
        req.nr_segments = BLKIF_STAMPED_SEGMENTS_MAX;
        for (uint32_t s = 0; s < req.nr_segments; s++)
            req.seg[s] = (struct blkif_request_segment){.gref = s + 8, .last_sect = 7};
        blkif_put_request(&front, &req);
        blkif_put_request_stamp(&front, i << 40 | 5);
    }
    (void)front_ring_push(&front.half);
    assert_int_equal(back_ring_look(&back.half), 2);
    for (uint64_t i = 1; i <= 2; i++) {
        struct blkif_request req;
        blkif_take_request(&back, &req);
        assert_int_equal(blkif_take_request_stamp(&back), i << 40 | 5);
        assert_int_equal(req.id, i);
        for (uint32_t s = 0; s < req.nr_segments; s++)
            assert_int_equal(req.seg[s].gref, s + 8);
    }
    for (uint64_t i = 2; i >= 1; i--) {
        blkif_put_response(&back, i, BLKIF_OP_READ, BLKIF_RSP_OKAY);
        blkif_put_response_stamp(&back, i << 41 | 7);
    }
    (void)back_ring_push(&back.half);
    for (uint64_t i = 2; i >= 1; i--) {
        struct blkif_response rsp;
        assert_int_equal(blkif_take_response(&front, &rsp), 1);
        assert_int_equal(rsp.id, i);
        assert_int_equal(rsp.status, BLKIF_RSP_OKAY);
        assert_int_equal(blkif_take_response_stamp(&front), i << 41 | 7);
    }
    free(sring);
}

static void a_clock_tells_when_it_showed_a_time(void **state)
{
    (void)state;
    struct tdf_source source;
    struct tdf_clock clock;
    assert_int_equal(tdf_source_manual(&source, 1000000000, START_NS, 0), 0);
    assert_int_equal(tdf_clock_init(&clock, &source, NULL, 0, (struct tdf){10, 1}), 0);
    tdf_source_advance_ns(&source, 5000);
    assert_int_equal(tdf_clock_when_ns(&clock, START_NS + 500), START_NS + 5000);
    assert_int_equal(tdf_clock_when_ns(&clock, START_NS + 123), START_NS + 1230);
    assert_int_equal(tdf_clock_when_ns(&clock, START_NS + 700), START_NS + 7000);
    assert_int_equal(tdf_clock_when_ns(&clock, START_NS - 1), START_NS);
    assert_int_equal(tdf_clock_set_tdf(&clock, (struct tdf){1, 2}), 0);
    assert_int_equal(tdf_clock_when_ns(&clock, START_NS + 400), START_NS + 5000);
    assert_int_equal(tdf_clock_when_ns(&clock, START_NS + 600), START_NS + 5050);
    tdf_source_advance_ns(&source, 100);
    assert_int_equal(tdf_clock_set_tdf(&clock, (struct tdf){0, 1}), 0);
    assert_int_equal(tdf_clock_when_ns(&clock, START_NS + 700), START_NS + 5100);
}

static uint64_t manual_ns(void *ctx)
{
    return *(uint64_t *)ctx;
}

static uint64_t done_due_ns[3];
static uint32_t done_count;

static void on_done(struct disk_io *io)
{
    done_due_ns[done_count++] = io->due_ns;
}

static void the_model_counts_from_when_a_read_says_it_was_sent(void **state)
{
    (void)state;
    uint64_t now_ns = START_NS;
    uint8_t buffer[512];
    struct why why;
    struct disk *disk;
    const struct image image = {.fd = -1, .size_bytes = 512 * 100, .block_size_bytes = 512};
    const struct disk_model_clock clock = {.now_ns = manual_ns, .ctx = &now_ns};
    const struct disk_config config = {
        .depth = 3, .model = "mean=1us,law=fixed,channels=4", .clock = &clock};
    struct disk_io io[3];
    assert_int_equal(disk_model_ops.create(&config, &disk, &why), 0);
    const uint64_t arrivals[3] = {START_NS - 300, START_NS - 500, 0};
    done_count = 0;
    for (int i = 0; i < 3; i++) {
        io[i] = (struct disk_io){
            .image = &image, .length_bytes = 512, .buffer = buffer, .done = on_done};
        io[i].arrival_ns = arrivals[i];
        disk_model_ops.submit(disk, &io[i]);
    }
    assert_int_equal(disk_model_next_due_ns(disk), START_NS + 700);
    now_ns += 1000;
    assert_int_equal(disk_model_expire(disk), 3);
    assert_int_equal(done_due_ns[0], START_NS + 700);
    assert_int_equal(done_due_ns[1], START_NS + 700); /* not before the one before it */
    assert_int_equal(done_due_ns[2], START_NS + 1000);
    disk_model_ops.destroy(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stamps_travel_beside_requests_and_responses),
        cmocka_unit_test(a_clock_tells_when_it_showed_a_time),
        cmocka_unit_test(the_model_counts_from_when_a_read_says_it_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
