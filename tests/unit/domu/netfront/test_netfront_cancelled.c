/* SPDX-License-Identifier: MIT */
/* Threads that are cancelled: no call of an interface is where they end. In each test the thread is
 * cancelled before it calls. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fakes/cancelled.h"
#include "fakes/netfront_rig.h"

enum { SLOTS = 32, FRAMES = 3 * SLOTS };

static const struct netfront_options options = {
    .size = sizeof(options), .tx_slots = SLOTS, .rx_slots = SLOTS};
static struct netfront_rig rig;
static uint8_t bytes[100];
static int rc;

static int setup(void **state)
{
    (void)state;
    return rig_setup(&rig);
}

static int teardown(void **state)
{
    (void)state;
    return rig_teardown(&rig);
}

static void send_one(void *ctx)
{
    const struct netfront_frame frame = {.data = ctx, .length_bytes = 60};
    rc = netfront_send(rig.nf, &frame, 1, 30 * RIG_S);
    if (rc == 1)
        rc = netfront_drain(rig.nf, 30 * RIG_S);
}

static void receive_one(void *ctx)
{
    struct netfront_frame frame = {.data = ctx, .room_bytes = sizeof(bytes)};
    rc = netfront_receive(rig.nf, &frame, 1, 30 * RIG_S);
}

static void frames_go_out_and_come_in(void **state)
{
    (void)state;
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, false), 0);
    for (int i = 0; i < FRAMES; i++) {
        assert_true(cancelled_returns(send_one, bytes));
        assert_int_equal(rc, 0);
        assert_true(cancelled_returns(receive_one, bytes));
        assert_int_equal(rc, 1);
    }
}

static void ask_for_the_descriptor(void *ctx)
{
    (void)ctx;
    rc = netfront_fd(rig.nf);
}

static void so_they_do_where_a_thread_of_the_library_waits(void **state)
{
    (void)state;
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, false), 0);
    assert_true(cancelled_returns(ask_for_the_descriptor, NULL));
    assert_true(rc >= 0);
    for (int i = 0; i < FRAMES; i++) {
        assert_true(cancelled_returns(send_one, bytes));
        assert_int_equal(rc, 0);
        assert_true(cancelled_returns(receive_one, bytes));
        assert_int_equal(rc, 1);
    }
}

static void wait_for_the_next_dom0(void *ctx)
{
    struct netfront_frame frame = {.data = ctx, .room_bytes = sizeof(bytes)};
    rc = netfront_receive(rig.nf, &frame, 1, RIG_MS);
}

static void waiting_for_a_dom0_ends_with_the_call(void **state)
{
    (void)state;
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, true), 0);
    rig_die_noticed(&rig);
    assert_true(cancelled_returns(wait_for_the_next_dom0, bytes));
    assert_int_equal(rc, -EAGAIN);
}

static void open_and_close(void *ctx)
{
    struct netfront *nf;
    (void)ctx;
    rc = netfront_open(rig.domu, &options, &nf, NULL);
    if (rc == 0)
        netfront_close(nf);
}

static void an_interface_is_opened_and_closed(void **state)
{
    (void)state;
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, false), 0);
    netfront_close(rig.nf);
    rig.nf = NULL;
    assert_true(cancelled_returns(open_and_close, NULL));
    assert_int_equal(rc, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frames_go_out_and_come_in, setup, teardown),
        cmocka_unit_test_setup_teardown(so_they_do_where_a_thread_of_the_library_waits, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(waiting_for_a_dom0_ends_with_the_call, setup, teardown),
        cmocka_unit_test_setup_teardown(an_interface_is_opened_and_closed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
