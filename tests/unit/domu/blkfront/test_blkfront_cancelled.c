/* SPDX-License-Identifier: MIT */
/*
 * Threads that are cancelled: no call of a disk or of its domain is where they end, so that none
 * leaves a lock behind. In each test the thread is cancelled before it calls.
 */
#include <errno.h>

#include "fakes/cancelled.h"
#include "splitdom/domu.h"
#include "unit/domu/blkfront/blkfront_call_fixture.h"

enum { ROUNDS = 3 };

static int rc, clock_fd;

static void read_one(void *ctx)
{
    rc = blkfront_read(bf, 5, 1, ctx);
}

static void write_many(void *ctx)
{
    rc = blkfront_write(bf, 0, SECTORS, ctx);
}

static void flush(void *ctx)
{
    (void)ctx;
    rc = blkfront_flush(bf);
}

static void calls_that_block_return(void **state)
{
    (void)state;
    meet_disk();
    for (int round = 0; round < ROUNDS; round++) {
        assert_true(cancelled_returns(write_many, data));
        assert_int_equal(rc, 0);
        assert_true(cancelled_returns(read_one, back));
        assert_int_equal(rc, 0);
        assert_memory_equal(back, data + 5 * 512, 512);
        assert_true(cancelled_returns(flush, NULL));
        assert_int_equal(rc, 0);
    }
    assert_int_equal(blkfront_read(bf, 7, 1, back), 0); /* no lock was left behind */
}

static void submit_and_reap(void *ctx)
{
    struct blkfront_completion done[4];
    rc = 0;
    for (uint32_t i = 0; i < 4 && rc == 0; i++)
        rc = blkfront_submit(bf, i, 1, ctx, NULL);
    if (rc == 0)
        rc = blkfront_kick(bf);
    if (rc == 0)
        rc = blkfront_reap(bf, done, 4, 4);
}

static void poll_and_cancel(void *ctx)
{
    struct blkfront_completion done[4];
    rc = blkfront_fd(bf);
    if (rc >= 0)
        rc = blkfront_submit(bf, 0, 1, ctx, ctx);
    if (rc == 0)
        (void)blkfront_cancel(bf, ctx);
    if (rc == 0)
        rc = blkfront_reap(bf, done, 4, 1);
}

static void asynchronous_calls_return(void **state)
{
    (void)state;
    meet_disk();
    for (int round = 0; round < ROUNDS; round++) {
        assert_true(cancelled_returns(submit_and_reap, back));
        assert_int_equal(rc, 4);
    }
    assert_true(cancelled_returns(poll_and_cancel, back));
    assert_int_equal(rc, 1);
    assert_int_equal(blkfront_read(bf, 7, 1, back), 0);
}

static void look_at_the_disk(void *ctx)
{
    struct blkfront_geometry geometry;
    (void)ctx;
    rc = blkfront_geometry_fd(bf);
    if (rc >= 0)
        rc = blkfront_geometry(bf, &geometry);
}

static void the_disk_is_looked_at(void **state)
{
    (void)state;
    meet_disk();
    assert_true(cancelled_returns(look_at_the_disk, NULL));
    assert_int_equal(rc, 0);
    assert_true(cancelled_returns(look_at_the_disk, NULL));
    assert_int_equal(rc, 0);
}

static void open_and_close(void *ctx)
{
    const struct blkfront_options options = {
        .size = sizeof(options), .rundir = base, .name = "fake", .depth = 8};
    struct blkfront *own;
    (void)ctx;
    rc = blkfront_connect(&options, &own, NULL);
    if (rc == 0)
        blkfront_close(own);
}

static void a_disk_is_opened_and_closed(void **state)
{
    (void)state;
    dom0 = fake_dom0_start(base, &(struct fake_dom0_script){.disk = disk, .sectors = SECTORS});
    assert_non_null(dom0);
    assert_true(cancelled_returns(open_and_close, NULL));
    assert_int_equal(rc, 0);
}

static void ask_the_domain(void *ctx)
{
    struct domu *domu = ctx;
    struct domu_events events = {.size = sizeof(events)};
    uint64_t offset;
    domu_clock_ready(domu, 2);
    rc = domu_fd(domu) >= 0 ? 0 : -1;
    if (rc == 0)
        rc = domu_take_events(domu, &events);
    if (rc == 0)
        rc = domu_clock_memory(domu, &clock_fd, &offset);
}

static void a_domain_is_asked(void **state)
{
    (void)state;
    const struct domu_options options = {
        .size = sizeof(options), .rundir = base, .name = "fake", .events = true};
    struct domu *domu;
    dom0 = fake_dom0_start(base, &(struct fake_dom0_script){.disk = disk, .sectors = SECTORS});
    assert_non_null(dom0);
    assert_int_equal(domu_open(&options, &domu, NULL), 0);
    assert_true(cancelled_returns(ask_the_domain, domu));
    assert_int_equal(rc, 0);
    close(clock_fd);
    domu_close(domu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_that_block_return, setup, teardown),
        cmocka_unit_test_setup_teardown(asynchronous_calls_return, setup, teardown),
        cmocka_unit_test_setup_teardown(the_disk_is_looked_at, setup, teardown),
        cmocka_unit_test_setup_teardown(a_disk_is_opened_and_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_domain_is_asked, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
