/* SPDX-License-Identifier: MIT */
/* transfer: asynchronous requests of any size, one case at a time. */
#include <errno.h>
#include <unistd.h>

#include "domu/blkfront/blkfront_private.h"
#include "unit/domu/blkfront/transfer_fixture.h"

/* ---- in particular ---- */

static void keep_all(void)
{
    store_full_u32(&keeper.keep, UINT32_MAX);
}

static void answer_all(void)
{
    store_full_u32(&keeper.keep, 0);
    fake_dom0_wake(dom0);
}

static void start_at(uint32_t index, enum blkfront_operation operation, uint32_t count)
{
    struct place *p = &place[index];
    *p = (struct place){.operation = operation, .count = count, .in_flight = true};
    memset(p->buffer, (int)(0x40 + index), sizeof(p->buffer));
    assert_int_equal(submit(p), 0);
}

static void wait_until_kept(uint32_t count)
{
    assert_int_equal(blkfront_kick(bf), 0);
    while (load_full_u32(&keeper.count) < count)
        usleep(1000);
}

/* What Dom0 had not answered is asked of the next one, what it had answered is not. */
static void unanswered_writes_and_flushes_are_asked_again(void **state)
{
    (void)state;
    meet(8, 0, 8);
    start_at(0, BLKFRONT_WRITE, 8);
    assert_int_equal(reap(1, 1), 1);
    keep_all();
    start_at(1, BLKFRONT_WRITE, 8);
    start_at(2, BLKFRONT_FLUSH, 0);
    start_at(3, BLKFRONT_DISCARD, 8);
    wait_until_kept(3);
    fake_dom0_stop(dom0);
    memset(disk + PLACE_SECTORS * 512, 0, PLACE_SECTORS * 512); /* it had not done it */
    store_full_u32(&keeper.writes, 0);
    start_dom0(0);
    answer_all();
    assert_int_equal(reap(3, 3), 3);
    assert_int_equal(load_full_u32(&keeper.writes), 1);
    assert_int_equal(fake_dom0_flushes(dom0), 1);
    fake_dom0_sync(dom0);
    assert_memory_equal(disk, model, sizeof(disk));
}

/* 300 sectors in one indirect request; the next Dom0 takes direct ones alone. */
static void what_was_one_request_is_asked_in_pieces_of_a_dom0_that_takes_less(void **state)
{
    (void)state;
    struct blkfront_geometry geometry;
    meet(300, 256, 4);
    keep_all();
    start_at(0, BLKFRONT_WRITE, 300);
    start_at(1, BLKFRONT_READ, 250);
    wait_until_kept(2);
    fake_dom0_stop(dom0);
    memset(disk, 0, sizeof(disk));
    start_dom0(0);
    answer_all();
    assert_int_equal(reap(2, 2), 2);
    fake_dom0_sync(dom0);
    assert_memory_equal(disk, model, sizeof(disk));
    assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    assert_int_equal(geometry.sectors_per_request, 88);
}

/* All of its parts, those that are asked and those that are not. Each buffer is the caller's. */
static void a_large_request_is_cancelled_as_one(void **state)
{
    (void)state;
    struct blkfront_completion done;
    meet(1, 0, 8);
    keep_all();
    start_at(0, BLKFRONT_READ, 200);
    start_at(1, BLKFRONT_READ, 100);
    assert_int_equal(blkfront_cancel(bf, &place[0]), 1);
    assert_int_equal(blkfront_cancel(bf, &place[0]), 0);
    assert_int_equal(blkfront_reap(bf, &done, 1, 1), 1);
    assert_int_equal(done.status, -ECANCELED);
    assert_int_equal(done.sector_count, 200);
    assert_ptr_equal(done.cookie, &place[0]);
    memset(place[0].buffer, 0x11, sizeof(place[0].buffer));
    answer_all();
    assert_int_equal(reap(1, 1), 1); /* the other one, with the entries that become free */
    for (uint32_t i = 0; i < sizeof(place[0].buffer); i++)
        assert_int_equal(place[0].buffer[i], 0x11);
    assert_int_equal(blkfront_reap(bf, &done, 1, 1), 0);
    while (bf->queue[0].shadow.free_count < bf->queue[0].shadow.nr_entries)
        assert_int_equal(blkfront_reap(bf, &done, 0, 0), 0);
}

static void requests_of_any_size_count_as_one(void **state)
{
    (void)state;
    meet(1, 0, 3);
    start_at(0, BLKFRONT_WRITE, 3);
    start_at(1, BLKFRONT_WRITE, 5);
    start_at(2, BLKFRONT_FLUSH, 0);
    place[3] = (struct place){.operation = BLKFRONT_READ, .count = 1};
    assert_int_equal(submit(&place[3]), -EAGAIN);
    assert_int_equal(reap(3, 3), 3);
    assert_int_equal(submit(&place[3]), 0);
}

static void a_large_request_is_complete_when_its_last_part_is(void **state)
{
    (void)state;
    struct blkfront_completion done;
    meet(1, 0, 8);
    keep_all();
    start_at(0, BLKFRONT_WRITE, 20);
    wait_until_kept(20);
    uint64_t before_ns = blkfront_now_ns(bf);
    answer_all();
    assert_int_equal(blkfront_reap(bf, &done, 1, 1), 1);
    assert_true(done.completed_ns >= before_ns);
}

/* Dom0 dies with all slots taken by what was cancelled: the next one has no answers to give that
 * would free one. */
static void what_waits_for_a_slot_is_asked_of_the_next_dom0(void **state)
{
    (void)state;
    struct blkfront_completion done;
    meet(1, 0, 8);
    keep_all();
    start_at(0, BLKFRONT_WRITE, 200);
    start_at(1, BLKFRONT_WRITE, 2);
    wait_until_kept(32);
    assert_int_equal(blkfront_cancel(bf, &place[0]), 1);
    assert_int_equal(blkfront_reap(bf, &done, 1, 1), 1);
    fake_dom0_stop(dom0);
    start_dom0(0);
    answer_all();
    assert_int_equal(reap(1, 1), 1);
    fake_dom0_sync(dom0);
    assert_memory_equal(disk + PLACE_SECTORS * 512, place[1].buffer, 1024);
}

static void what_is_in_flight_comes_back_when_the_device_dies(void **state)
{
    (void)state;
    struct blkfront_completion done[4];
    meet(1, 0, 8);
    bf->domu->options.reconnect = false;
    keep_all();
    start_at(0, BLKFRONT_WRITE, 200);
    start_at(1, BLKFRONT_READ, 1 + 7);
    fake_dom0_stop(dom0);
    dom0 = NULL;
    assert_int_equal(blkfront_reap(bf, done, 4, 2), 2);
    for (int i = 0; i < 2; i++) {
        struct place *p = done[i].cookie;
        assert_true(p->in_flight);
        p->in_flight = false;
        assert_int_equal(done[i].status, -ENOTCONN);
    }
    place[2] = (struct place){.operation = BLKFRONT_READ, .count = 1};
    assert_int_equal(submit(&place[2]), -ENOTCONN);
}

static void pieces_must_be_as_long_as_the_request(void **state)
{
    (void)state;
    meet(8, 0, 8);
    place[0] = (struct place){.operation = BLKFRONT_WRITE, .count = 2, .iov_count = 1};
    place[0].iov[0] = (struct iovec){.iov_base = place[0].buffer, .iov_len = 1023};
    assert_int_equal(submit(&place[0]), -EINVAL);
    place[0].iov[0].iov_len = 1024;
    place[0].in_flight = true;
    assert_int_equal(submit(&place[0]), 0);
    assert_int_equal(reap(1, 1), 1);
    place[1] = (struct place){.operation = 7, .count = 1};
    assert_int_equal(submit(&place[1]), -EINVAL);
}

int main(void)
{
#define TRANSFER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TRANSFER_TEST(unanswered_writes_and_flushes_are_asked_again),
        TRANSFER_TEST(what_was_one_request_is_asked_in_pieces_of_a_dom0_that_takes_less),
        TRANSFER_TEST(a_large_request_is_cancelled_as_one),
        TRANSFER_TEST(requests_of_any_size_count_as_one),
        TRANSFER_TEST(a_large_request_is_complete_when_its_last_part_is),
        TRANSFER_TEST(what_waits_for_a_slot_is_asked_of_the_next_dom0),
        TRANSFER_TEST(what_is_in_flight_comes_back_when_the_device_dies),
        TRANSFER_TEST(pieces_must_be_as_long_as_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
