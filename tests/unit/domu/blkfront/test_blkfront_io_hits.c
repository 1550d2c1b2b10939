/* SPDX-License-Identifier: MIT */
/*
 * blkfront_io: what a reap brings when the shared cache has served some reads and Dom0 has answered
 * others. Their times are set by the test.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "domu/blkfront/blkfront_private.h"
#include "fakes/fake_disk.h"
#include "unit/domu/blkfront/scene.h"

enum { DEPTH = 16, HANG_S = 60, ANSWERS = 3, FIRST_HIT = 100 };

static uint8_t bytes[DEPTH][512];

/* Three reads that Dom0 has answered and nobody has reaped. */
static int setup(void **state)
{
    struct blkfront_error why;
    struct blkfront_options options = {
        .size = sizeof(options), .name = "fake", .depth = DEPTH, .sectors_per_request = 1};
    (void)state;
    if (scene_open(HANG_S) < 0)
        return -1;
    options.rundir = base;
    dom0 = fake_dom0_start(base, &(struct fake_dom0_script){0});
    if (dom0 == NULL || blkfront_connect(&options, &bf, &why) < 0)
        return -1;
    for (uint32_t i = 0; i < ANSWERS; i++)
        if (blkfront_submit(bf, i, 1, bytes[i], NULL) < 0)
            return -1;
    while (bf->queue[0].done_count < ANSWERS)
        if (blkfront_read(bf, DEPTH, 1, bytes[DEPTH - 1]) < 0)
            return -1;
    return 0;
}

static void answered_at(uint32_t which, uint64_t completed_ns)
{
    struct blkfront_queue *queue = &bf->queue[0];
    queue->done[(queue->done_head + which) % queue->depth].completed_ns = completed_ns;
}

static void hit_at(uint64_t completed_ns)
{
    const struct blkfront_io io = {
        .operation = BLKFRONT_READ, .sector = FIRST_HIT + bf->hits.count, .sector_count = 1};
    hit_queue_add(&bf->hits, &io, 0);
    hit_queue_tell(&bf->hits, completed_ns);
    bf->unreaped++;
}

/* Of two that ended together the hit comes first: nothing had to be waited for. */
static void hits_and_answers_are_reaped_in_the_order_of_their_ends(void **state)
{
    static const uint64_t order[] = {FIRST_HIT, FIRST_HIT + 1, 0, FIRST_HIT + 2,
                                     1,         FIRST_HIT + 3, 2, FIRST_HIT + 4};
    enum { ALL = sizeof(order) / sizeof(order[0]) };
    const uint64_t hits_ns[] = {50, 100, 150, 300, 301};
    struct blkfront_completion done[ALL + 1];
    (void)state;
    for (uint32_t max = 1; max <= ALL; max++) {
        teardown(state);
        assert_int_equal(setup(state), 0);
        for (uint32_t i = 0; i < ANSWERS; i++)
            answered_at(i, 100 * (i + 1));
        for (uint32_t i = 0; i < sizeof(hits_ns) / sizeof(hits_ns[0]); i++)
            hit_at(hits_ns[i]);
        for (uint32_t reaped = 0; reaped < ALL;) {
            uint32_t expected = ALL - reaped < max ? ALL - reaped : max;
            done[expected].sector = UINT64_MAX;
            assert_int_equal(blkfront_reap(bf, done, max, 0), expected);
            assert_int_equal(done[expected].sector, UINT64_MAX); /* nothing beyond them */
            for (uint32_t i = 0; i < expected; i++)
                assert_int_equal(done[i].sector, order[reaped + i]);
            reaped += expected;
            assert_int_equal(bf->unreaped, ALL - reaped);
        }
    }
}

/* Each one makes room for one. */
static void what_was_reaped_makes_room(void **state)
{
    struct blkfront_completion done[DEPTH];
    uint32_t count = 0;
    (void)state;
    for (uint32_t i = 0; i < 5; i++)
        hit_at(1);
    assert_int_equal(blkfront_reap(bf, done, 6, 0), 6); /* five hits and an answer */
    while (blkfront_submit(bf, 1, 1, bytes[0], NULL) == 0)
        count++;
    assert_int_equal(count, DEPTH - (ANSWERS - 1));
}

static bool is_readable(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    return poll(&ready, 1, 0) == 1;
}

static void reap_all(uint32_t count)
{
    struct blkfront_completion done[DEPTH];
    assert_int_equal(blkfront_reap(bf, done, DEPTH, count), count);
}

/* Those that nobody has reaped when it is made, and those that come later. */
static void hits_make_the_descriptor_readable(void **state)
{
    (void)state;
    reap_all(ANSWERS);
    hit_at(1);
    hit_at(2);
    int fd = blkfront_fd(bf);
    assert_true(fd >= 0);
    assert_true(is_readable(fd));
    reap_all(2);
    assert_false(is_readable(fd));
    hit_at(3);
    assert_int_equal(blkfront_submit(bf, 1, 1, bytes[0], NULL), 0); /* shows it */
    assert_true(is_readable(fd));
    reap_all(2);
    assert_false(is_readable(fd));
}

/* ---- requests of several buffers ----------------------------------------------------------------
 */

/* The vector is the library's until the request is reaped. */
static int submit_two(uint32_t first_bytes, uint32_t second_bytes, uint64_t sectors)
{
    static struct iovec vectors[4][2];
    static uint32_t used;
    struct iovec *iov = vectors[used++ % 4];
    iov[0] = (struct iovec){bytes[0], first_bytes};
    iov[1] = (struct iovec){bytes[1], second_bytes};
    const struct blkfront_io io = {.operation = BLKFRONT_READ,
                                   .sector = 7,
                                   .sector_count = sectors,
                                   .iov = iov,
                                   .iov_count = 2};
    return blkfront_submit_io(bf, &io);
}

static void buffers_have_as_many_bytes_as_the_sectors(void **state)
{
    (void)state;
    reap_all(ANSWERS);
    assert_int_equal(submit_two(512, 512, 1), -EINVAL);
    assert_int_equal(submit_two(512, 256, 2), -EINVAL);
    assert_int_equal(submit_two(256, 256, 1), 0);
    assert_int_equal(submit_two(512, 512, 2), 0);
    reap_all(2);
    assert_true(fake_disk_holds(bytes[0], 7, 2));
}

int main(void)
{
#define HIT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        HIT_TEST(hits_and_answers_are_reaped_in_the_order_of_their_ends),
        HIT_TEST(what_was_reaped_makes_room),
        HIT_TEST(hits_make_the_descriptor_readable),
        HIT_TEST(buffers_have_as_many_bytes_as_the_sectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
