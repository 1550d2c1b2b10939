/* SPDX-License-Identifier: MIT */
/*
 * blkfront_view: reads that a shared cache serves beside those that a Dom0 answers: each comes back
 * once, with its own data, in order, and is told of by the descriptor.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/prng.h"
#include "domu/blkfront/blkfront_private.h"
#include "fakes/fake_disk.h"
#include "fakes/fake_dom0.h"
#include "fakes/valgrind.h"
#include "ring/barrier.h"
#include "service/block/cache/shared_cache.h"

enum { DEPTH = 16, HANG_S = 60, CACHED = 8, FIRST = 1000, FAR = 2000 };

static char base[64];
static struct fake_dom0 *dom0;
static struct blkfront *bf;
static struct shared_cache *shared;
static struct shared_cache_claims claims;
static uint8_t bytes[DEPTH][512];

/* A Dom0 of whose cache the domain has a view: sectors FIRST.. are there, with other data than the
 * disk's, so that one can see where they came from. */
static int setup(void **state)
{
    (void)state;
    struct cache_view *view;
    struct blkfront_error why;
    struct blkfront_options options = {.size = sizeof(options),
                                       .rundir = base,
                                       .name = "fake",
                                       .depth = DEPTH,
                                       .sectors_per_request = 1};
    alarm(HANG_S); /* a read that is lost ends the test */
    snprintf(base, sizeof(base), "/tmp/splitdom-view-XXXXXX");
    if (mkdtemp(base) == NULL)
        return -1;
    dom0 = fake_dom0_start(base, &(struct fake_dom0_script){0});
    memset(&claims, 0, sizeof(claims));
    if (dom0 == NULL || shared_cache_create(CACHED, &shared) < 0)
        return -1;
    for (uint32_t i = 0; i < CACHED; i++) {
        uint8_t data[512];
        memset(data, (int)(0x50 + i), sizeof(data));
        shared_cache_fill(shared, i, FIRST + i, data);
        shared_cache_show(shared, i, FIRST + i);
    }
    if (blkfront_connect(&options, &bf, &why) < 0 ||
        cache_view_open(shared_cache_fd(shared), &claims, &view) < 0)
        return -1;
    (void)exchange_full_ptr(&bf->view, view);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    blkfront_close(bf);
    fake_dom0_stop(dom0);
    shared_cache_destroy(shared);
    bf = NULL;
    alarm(0);
    return rmdir(base);
}

static bool is_cached(uint64_t sector)
{
    return sector >= FIRST && sector < FIRST + CACHED;
}

static void check(const struct blkfront_completion *done, uint64_t not_before_ns)
{
    const uint8_t *data = done->cookie;
    assert_int_equal(done->status, 0);
    assert_ptr_equal(done->buffer, done->cookie);
    assert_true(done->submitted_ns >= not_before_ns);
    assert_true(done->completed_ns >= done->submitted_ns);
    assert_true(done->completed_ns <= blkfront_now_ns(bf));
    if (is_cached(done->sector))
        assert_int_equal(data[511], 0x50 + (done->sector - FIRST));
    else
        assert_true(fake_disk_holds(data, done->sector, 1));
}

static uint64_t claimed_reads(void)
{
    uint64_t reads = 0;
    for (int i = 0; i < SHARED_CACHE_SHARDS; i++)
        reads += claims.shard[i].reads;
    return reads;
}

static void hits_are_reaped_in_the_order_of_their_submission(void **state)
{
    (void)state;
    struct blkfront_completion done[DEPTH];
    struct blkfront_stats stats;
    uint64_t began_ns = blkfront_now_ns(bf);
    for (uint32_t i = 0; i < DEPTH; i++)
        assert_int_equal(blkfront_submit(bf, FIRST + i % CACHED, 1, bytes[i], bytes[i]), 0);
    assert_int_equal(blkfront_submit(bf, FIRST, 1, bytes[0], NULL), -EAGAIN);
    assert_int_equal(blkfront_reap(bf, done, 3, 1), 3);
    assert_int_equal(blkfront_reap(bf, &done[3], DEPTH, DEPTH), DEPTH - 3); /* there are no more */
    for (uint32_t i = 0; i < DEPTH; i++) {
        assert_ptr_equal(done[i].cookie, bytes[i]);
        check(&done[i], began_ns);
        if (i > 0)
            assert_int_equal(done[i - 1].completed_ns <= done[i].completed_ns, 1);
    }
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 1), 0);
    blkfront_stats(bf, &stats);
    assert_int_equal(stats.requests, 0);
}

/* Hits and misses, submitted and reaped by chance. */
static void each_read_comes_back_once(void **state)
{
    (void)state;
    if (under_qemu()) /* whose LDAR may pass an STLR, so one of so many doorbells is not rung */
        skip();
    struct blkfront_completion done[DEPTH];
    struct prng prng;
    bool in_flight[DEPTH] = {false};
    uint32_t count = 0;
    uint64_t last_ns = 0;
    prng_init(&prng, 20261130, 0);
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t slot = (uint32_t)prng_below(&prng, DEPTH);
        if (!in_flight[slot] && prng_below(&prng, 3) > 0) {
            uint64_t sector = prng_below(&prng, 2) == 0 ? FAR + step % 100 : FIRST + step % CACHED;
            assert_int_equal(blkfront_submit(bf, sector, 1, bytes[slot], bytes[slot]), 0);
            in_flight[slot] = true;
            count++;
        } else if (prng_below(&prng, 4) == 0) {
            uint32_t max = 1 + (uint32_t)prng_below(&prng, DEPTH);
            uint32_t min = (uint32_t)prng_below(&prng, 1 + (max < count ? max : count));
            int got = blkfront_reap(bf, done, max, min);
            assert_true(got >= (int)min && got <= (int)max);
            for (int i = 0; i < got; i++) {
                uint32_t which = (uint32_t)((uint8_t(*)[512])done[i].cookie - bytes);
                assert_true(in_flight[which]);
                in_flight[which] = false;
                check(&done[i], 0);
                if (i > 0)
                    assert_true(last_ns <= done[i].completed_ns);
                last_ns = done[i].completed_ns;
            }
            count -= (uint32_t)got;
        }
    }
    while (count > 0)
        count -= (uint32_t)blkfront_reap(bf, done, DEPTH, 1);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 0), 0);
}

static struct blkfront_io read_of(uint64_t sector, uint8_t *data)
{
    return (struct blkfront_io){.operation = BLKFRONT_READ,
                                .sector = sector,
                                .sector_count = 1,
                                .buffer = data,
                                .cookie = data};
}

/* Hits and misses that are submitted together begin at one time; hits end together, too. */
static void several_are_submitted_at_once(void **state)
{
    (void)state;
    struct blkfront_io io[DEPTH + 1];
    struct blkfront_completion done[DEPTH];
    for (uint32_t i = 0; i <= DEPTH; i++)
        io[i] = read_of(i % 4 == 3 ? FAR + i : FIRST + i % CACHED, bytes[i % DEPTH]);
    uint64_t began_ns = blkfront_now_ns(bf);
    assert_int_equal(blkfront_submit_many(bf, io, 0), 0);
    assert_int_equal(blkfront_submit_many(bf, io, DEPTH + 1), DEPTH); /* no more fit */
    assert_int_equal(blkfront_submit_many(bf, &io[DEPTH], 1), -EAGAIN);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, DEPTH), DEPTH);
    uint64_t hits_end_ns = 0;
    for (uint32_t i = 0; i < DEPTH; i++) {
        check(&done[i], began_ns);
        assert_int_equal(done[i].submitted_ns, done[0].submitted_ns);
        if (!is_cached(done[i].sector))
            continue;
        assert_true(hits_end_ns == 0 || hits_end_ns == done[i].completed_ns);
        hits_end_ns = done[i].completed_ns;
    }
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 0), 0);
}

static void one_that_cannot_be_ends_the_batch(void **state)
{
    (void)state;
    struct blkfront_io io[4] = {read_of(FIRST, bytes[0]), read_of(FAR, bytes[1]),
                                read_of(UINT64_MAX, bytes[2]), read_of(FIRST, bytes[3])};
    struct blkfront_completion done[DEPTH];
    assert_int_equal(blkfront_submit_many(bf, io, 4), 2);
    assert_int_equal(blkfront_submit_many(bf, &io[2], 2), -EINVAL);
    assert_int_equal(blkfront_submit_many(bf, &io[3], 1), 1);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 3), 3);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 0), 0);
}

/* A hit of before the descriptor was asked for, and one of after that. */
static void the_descriptor_tells_of_hits(void **state)
{
    (void)state;
    struct blkfront_completion done[DEPTH];
    assert_int_equal(blkfront_submit(bf, FIRST, 1, bytes[0], bytes[0]), 0);
    struct pollfd ready = {.fd = blkfront_fd(bf), .events = POLLIN};
    assert_true(ready.fd >= 0);
    assert_int_equal(poll(&ready, 1, 0), 1);
    assert_int_equal(blkfront_submit(bf, FIRST + 1, 1, bytes[1], bytes[1]), 0);
    assert_int_equal(blkfront_reap(bf, done, 1, 0), 1);
    check(&done[0], 0);
    assert_ptr_equal(done[0].cookie, bytes[0]);
    assert_int_equal(poll(&ready, 1, 0), 1);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 0), 1);
    check(&done[0], 0);
    assert_int_equal(poll(&ready, 1, 0), 0);
    for (uint32_t i = 0; i < DEPTH; i++)
        assert_int_equal(blkfront_submit(bf, FIRST, 1, bytes[i], bytes[i]), 0);
    assert_int_equal(blkfront_submit(bf, FIRST, 1, bytes[0], NULL), -EAGAIN);
    assert_int_equal(poll(&ready, 1, 0), 1);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 0), DEPTH);
    assert_int_equal(poll(&ready, 1, 0), 0);
    const struct blkfront_io io[2] = {read_of(FIRST, bytes[0]), read_of(FIRST + 1, bytes[1])};
    assert_int_equal(blkfront_submit_many(bf, io, 2), 2);
    assert_int_equal(poll(&ready, 1, 0), 1);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 0), 2);
    assert_int_equal(poll(&ready, 1, 0), 0);
}

/* Dom0 hears of each hit, in the end; before it is asked for another sector it hears of all that
 * this thread has hit. */
static void dom0_hears_of_every_hit(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 101; i++)
        assert_int_equal(blkfront_read(bf, FIRST + i % CACHED, 1, bytes[0]), 0);
    assert_int_equal(blkfront_read(bf, FAR, 1, bytes[0]), 0);
    assert_int_equal(claimed_reads(), 101);
    assert_int_equal(blkfront_read(bf, FIRST, 1, bytes[0]), 0);
    blkfront_close(bf);
    bf = NULL;
    assert_int_equal(claimed_reads(), 102);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hits_are_reaped_in_the_order_of_their_submission, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(each_read_comes_back_once, setup, teardown),
        cmocka_unit_test_setup_teardown(several_are_submitted_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_cannot_be_ends_the_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(the_descriptor_tells_of_hits, setup, teardown),
        cmocka_unit_test_setup_teardown(dom0_hears_of_every_hit, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
