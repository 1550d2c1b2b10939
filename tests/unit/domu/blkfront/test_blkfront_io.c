/* SPDX-License-Identifier: MIT */
/*
 * blkfront_io: asynchronous reads. Whatever ring the service grants, in whatever order reads are
 * submitted, answered and reaped, and however often Dom0 is replaced meanwhile: each one that was
 * taken comes back once, with its own data.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "fakes/fake_disk.h"
#include "ring/barrier.h"
#include "unit/domu/blkfront/scene.h"

enum { DEPTH_MAX = BLKIF_RING_ENTRIES_MAX, HANG_S = 120, FAILING = 17 };

/* A Dom0 that keeps requests back and answers them in random order. */
struct keeper {
    struct blkif_request kept[DEPTH_MAX];
    uint32_t count;
    uint32_t keep; /* atomic: so many may stay unanswered while the ring is empty */
    struct prng prng;
};

static struct keeper keeper; /* the thread of Dom0 outlives the test's function */
static uint8_t bytes[DEPTH_MAX][512];
static bool in_flight[DEPTH_MAX]; /* by buffer */
static bool cancelled[DEPTH_MAX]; /* of those */

static int setup(void **state)
{
    (void)state;
    return scene_open(HANG_S);
}

static void keep(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct keeper *k = fake_dom0_ctx(d);
    k->kept[k->count++] = *req;
}

static void answer_some(struct fake_dom0 *d)
{
    struct keeper *k = fake_dom0_ctx(d);
    while (k->count > load_full_u32(&k->keep)) {
        uint32_t i = (uint32_t)prng_below(&k->prng, k->count);
        struct blkif_request req = k->kept[i];
        bool fails = req.sector_number % FAILING == 0;
        k->kept[i] = k->kept[--k->count];
        fake_dom0_fill(d, &req);
        fake_dom0_respond(d, req.id, req.operation, fails ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY);
        if (prng_below(&k->prng, 3) == 0)
            fake_dom0_flush(d);
    }
    fake_dom0_flush(d);
}

static void start_dom0(uint32_t max_order)
{
    keeper.count = 0;
    dom0 = fake_dom0_start(
        base, &(struct fake_dom0_script){
                  .max_order = max_order, .request = keep, .idle = answer_some, .ctx = &keeper});
    assert_non_null(dom0);
}

static struct blkfront_stats meet(uint32_t max_order, uint32_t depth, bool reconnect)
{
    struct blkfront_error why;
    struct blkfront_stats stats;
    struct blkfront_options options = {.size = sizeof(options),
                                       .rundir = base,
                                       .name = "fake",
                                       .depth = depth,
                                       .sectors_per_request = 1,
                                       .reconnect = reconnect};
    keeper.keep = 0;
    prng_init(&keeper.prng, max_order, depth);
    memset(in_flight, 0, sizeof(in_flight));
    memset(cancelled, 0, sizeof(cancelled));
    start_dom0(max_order);
    if (blkfront_connect(&options, &bf, &why) < 0)
        fail_msg("%s", why.text);
    blkfront_stats(bf, &stats);
    return stats;
}

/* A read that was reaped: in flight until now, with its own data. */
static void check(const struct blkfront_completion *done)
{
    uint32_t slot = (uint32_t)((uint8_t(*)[512])done->cookie - bytes);
    assert_true(slot < DEPTH_MAX && in_flight[slot]);
    in_flight[slot] = false;
    assert_ptr_equal(done->buffer, bytes[slot]);
    if (cancelled[slot])
        assert_int_equal(done->status, -ECANCELED);
    else
        assert_int_equal(done->status, done->sector % FAILING == 0 ? -EIO : 0);
    cancelled[slot] = false;
    if (done->status == 0)
        assert_true(fake_disk_holds(bytes[slot], done->sector, 1));
}

/* Submits up to max reads, as long as they are taken. Returns how many were. */
static uint32_t fill(uint64_t sector, uint32_t max)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < DEPTH_MAX && count < max; i++) {
        if (in_flight[i])
            continue;
        int rc = blkfront_submit(bf, sector + i, 1, bytes[i], bytes[i]);
        if (rc == -EAGAIN)
            return count;
        assert_int_equal(rc, 0);
        in_flight[i] = true;
        count++;
    }
    return count;
}

/* Returns how many were taken. */
static uint32_t reap(uint32_t max, uint32_t min)
{
    struct blkfront_completion done[DEPTH_MAX];
    int count = blkfront_reap(bf, done, max, min);
    assert_true(count >= 0 && count <= (int)max);
    for (int i = 0; i < count; i++)
        check(&done[i]);
    return (uint32_t)count;
}

static void drain(uint32_t count)
{
    while (count > 0)
        count -= reap(3, 1);
    assert_int_equal(reap(DEPTH_MAX, 1), 0);
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Rings of every size, and depths around it. A read that is answered and not reaped counts. */
static void the_depth_is_what_the_granted_ring_holds(void **state)
{
    (void)state;
    for (uint32_t order = 0; order <= BLKIF_RING_PAGE_ORDER_MAX; order++) {
        uint32_t entries = blkif_ring_entries(order);
        const uint32_t depths[] = {1,
                                   entries - 1,
                                   entries,
                                   min_u32(entries + 1, DEPTH_MAX),
                                   min_u32(2 * entries, DEPTH_MAX),
                                   DEPTH_MAX};
        for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
            struct blkfront_stats stats = meet(order, depths[i], false);
            assert_true(stats.ring_entries <= entries);
            assert_int_equal(stats.depth, min_u32(depths[i], entries));
            assert_int_equal(fill(1000, DEPTH_MAX), stats.depth);
            for (uint32_t reaped = 1; reaped <= stats.depth; reaped *= 2) {
                assert_int_equal(reap(reaped, reaped), reaped);
                assert_int_equal(fill(1000 * reaped, DEPTH_MAX), reaped);
            }
            drain(stats.depth);
            part();
        }
    }
}

/* Cancels one, if it is not finished already. */
static void cancel(uint32_t slot)
{
    int rc = blkfront_cancel(bf, bytes[slot]);
    assert_true(rc == 0 || (rc == 1 && in_flight[slot] && !cancelled[slot]));
    cancelled[slot] = cancelled[slot] || rc == 1;
}

/* One step of a random life, with count reads in flight. Returns how many there are afterwards. */
static uint32_t step(struct prng *prng, uint32_t depth, uint32_t count, bool cancels)
{
    uint32_t max = (uint32_t)prng_below(prng, depth + 1);
    uint32_t min = (uint32_t)prng_below(prng, max + 1), taken;
    if (prng_below(prng, 500) == 0) { /* another one, with a ring of any size */
        fake_dom0_stop(dom0);
        start_dom0((uint32_t)prng_below(prng, BLKIF_RING_PAGE_ORDER_MAX + 1));
    }
    for (uint32_t i = 0; cancels && i < depth / 16; i++)
        cancel((uint32_t)prng_below(prng, depth));
    switch (prng_below(prng, 5)) {
    case 0:
        assert_int_equal(blkfront_kick(bf), 0);
        return count;
    case 1: /* some are answered, and not reaped */
        store_full_u32(&keeper.keep, (uint32_t)prng_below(prng, depth));
        fake_dom0_wake(dom0);
        return count;
    case 2:
        store_full_u32(&keeper.keep, 0); /* nothing is kept from one who waits */
        fake_dom0_wake(dom0);
        taken = reap(max, min);
        assert_true(taken >= min_u32(min, count));
        return count - taken;
    default:
        taken = fill(prng_below(prng, 1000000), max);
        assert_int_equal(taken, min_u32(max, depth - count));
        return count + taken;
    }
}

/* READ_SEED=N repeats a run. */
static void each_read_comes_back_once_in_any_order_of_calls(void **state)
{
    enum { LIVES = 30, STEPS = 3000 };
    (void)state;
    const char *given = getenv("READ_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : 20261107;
    print_message("READ_SEED=%llu\n", (unsigned long long)seed);
    for (uint64_t life = 0; life < LIVES; life++) {
        struct prng prng;
        prng_init(&prng, seed, life);
        uint32_t order = (uint32_t)prng_below(&prng, BLKIF_RING_PAGE_ORDER_MAX + 1);
        uint32_t depth = meet(order, 1 + (uint32_t)prng_below(&prng, DEPTH_MAX), true).depth;
        uint32_t count = 0;
        for (uint32_t i = 0; i < STEPS; i++)
            count = step(&prng, depth, count, life % 2 == 1);
        store_full_u32(&keeper.keep, 0);
        fake_dom0_wake(dom0);
        drain(count);
        part();
    }
}

/* ---- the end of the device ---- */

/* Six answered, four of them reaped; four on the ring, three that Dom0 was never shown. */
static void reads_in_flight_when_dom0_dies_come_back_with_the_error(void **state)
{
    enum { ANSWERED = 6, SHOWN = 4, HIDDEN = 3, LOST = SHOWN + HIDDEN };
    (void)state;
    struct blkfront_completion done[DEPTH_MAX];
    (void)meet(0, 32, false);
    assert_int_equal(fill(1000, ANSWERED), ANSWERED);
    assert_int_equal(reap(4, 4), 4);
    store_full_u32(&keeper.keep, DEPTH_MAX);
    assert_int_equal(fill(2000, SHOWN), SHOWN);
    assert_int_equal(blkfront_kick(bf), 0);
    assert_int_equal(fill(3000, HIDDEN), HIDDEN);
    fake_dom0_stop(dom0);
    dom0 = NULL;
    for (uint32_t left = 2 + LOST; left > 0;) {
        int n = blkfront_reap(bf, done, 4, 1);
        assert_true(n > 0);
        for (int i = 0; i < n; i++, left--) {
            uint32_t slot = (uint32_t)((uint8_t(*)[512])done[i].cookie - bytes);
            assert_true(in_flight[slot]);
            in_flight[slot] = false;
            assert_ptr_equal(done[i].buffer, bytes[slot]);
            if (done[i].sector >= 2000)
                assert_int_equal(done[i].status, -ENOTCONN);
        }
    }
    assert_int_equal(blkfront_reap(bf, done, 4, 1), -ENOTCONN);
    assert_int_equal(blkfront_reap(bf, done, 4, 0), -ENOTCONN);
    assert_int_equal(blkfront_submit(bf, 1, 1, bytes[0], NULL), -ENOTCONN);
}

int main(void)
{
#define READ_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        READ_TEST(the_depth_is_what_the_granted_ring_holds),
        READ_TEST(each_read_comes_back_once_in_any_order_of_calls),
        READ_TEST(reads_in_flight_when_dom0_dies_come_back_with_the_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
