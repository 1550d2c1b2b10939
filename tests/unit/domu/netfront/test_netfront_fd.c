/* SPDX-License-Identifier: MIT */
/* netfront_fd: readable while there is something to tell. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fakes/netfront_rig.h"
#include "faults/fault.h"

enum { SLOTS = 32, HANG_MS = 30000 };

static struct netfront_rig rig;
static struct netfront_options options;
static uint8_t bytes[100];
static int ready_fd;

static int setup(void **state)
{
    (void)state;
    options =
        (struct netfront_options){.size = sizeof(options), .tx_slots = SLOTS, .rx_slots = SLOTS};
    return rig_setup(&rig);
}

static int teardown(void **state)
{
    (void)state;
    return rig_teardown(&rig);
}

static void start(bool reconnect)
{
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, reconnect), 0);
    ready_fd = netfront_fd(rig.nf);
    assert_true(ready_fd >= 0);
    assert_int_equal(netfront_fd(rig.nf), ready_fd);
}

static bool is_readable(int timeout_ms)
{
    struct pollfd ready = {.fd = ready_fd, .events = POLLIN};
    return poll(&ready, 1, timeout_ms) == 1;
}

static int receive(int64_t timeout_ns)
{
    struct netfront_frame frame = {.data = bytes, .room_bytes = sizeof(bytes)};
    return netfront_receive(rig.nf, &frame, 1, timeout_ns);
}

static void send_out(uint64_t stamp_ns)
{
    const struct netfront_frame frame = {.data = bytes, .length_bytes = 60, .stamp_ns = stamp_ns};
    assert_int_equal(netfront_send(rig.nf, &frame, 1, 30 * RIG_S), 1);
}

static void frames_make_it_readable_until_they_are_received(void **state)
{
    (void)state;
    start(false);
    assert_false(is_readable(0));
    for (int round = 0; round < 20; round++) {
        send_out(0);
        send_out(0);
        assert_int_equal(netfront_drain(rig.nf, 30 * RIG_S), 0);
        assert_true(is_readable(HANG_MS));
        assert_int_equal(receive(0), 1);
        assert_true(is_readable(0));
        assert_int_equal(receive(0), 1);
        assert_false(is_readable(0));
        assert_int_equal(receive(0), -EAGAIN);
    }
}

static void a_frame_that_is_not_due_does_not(void **state)
{
    (void)state;
    rig.vif.stamps = true;
    start(false);
    uint64_t due_ns = domu_now_ns(rig.domu) + 40 * (uint64_t)RIG_MS;
    send_out(due_ns);
    assert_true(is_readable(HANG_MS));
    assert_true(domu_now_ns(rig.domu) >= due_ns);
    assert_int_equal(receive(0), 1);
}

static void who_has_it_can_wait_all_the_same(void **state)
{
    (void)state;
    start(false);
    assert_int_equal(receive(5 * RIG_MS), -EAGAIN);
    send_out(0);
    assert_int_equal(receive(-1), 1);
    assert_false(is_readable(0));
}

static void an_interruption_makes_it_readable_once(void **state)
{
    (void)state;
    start(false);
    netfront_interrupt(rig.nf);
    assert_true(is_readable(HANG_MS));
    assert_int_equal(receive(-1), -ECANCELED);
    assert_false(is_readable(0));
}

static void dom0s_death_makes_it_readable_for_ever(void **state)
{
    (void)state;
    start(false);
    rig_die(&rig);
    assert_true(is_readable(HANG_MS));
    assert_int_equal(receive(0), -ENOTCONN);
    assert_true(is_readable(0));
}

static void it_goes_on_with_the_next_dom0(void **state)
{
    (void)state;
    start(true);
    rig_die_noticed(&rig);
    rig_start(&rig);
    send_out(0); /* waits for that one */
    assert_true(is_readable(HANG_MS));
    assert_int_equal(receive(0), 1);
}

static void it_is_closed_with_the_interface(void **state)
{
    (void)state;
    start(false);
    netfront_close(rig.nf);
    rig.nf = NULL;
    assert_int_equal(fcntl(ready_fd, F_GETFD), -1);
}

static void without_a_descriptor_or_a_thread_there_is_none_yet(void **state)
{
    (void)state;
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, false), 0);
    const uint32_t descriptors = fault_open_descriptors();
    fault_arm_call("eventfd", 1, EMFILE);
    assert_int_equal(netfront_fd(rig.nf), -EMFILE);
    fault_disarm();
    fault_arm_call("pthread_create", 1, EAGAIN);
    assert_int_equal(netfront_fd(rig.nf), -EAGAIN);
    fault_disarm();
    assert_int_equal(fault_open_descriptors(), descriptors);
    ready_fd = netfront_fd(rig.nf);
    assert_true(ready_fd >= 0);
    send_out(0);
    assert_true(is_readable(30000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frames_make_it_readable_until_they_are_received, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_frame_that_is_not_due_does_not, setup, teardown),
        cmocka_unit_test_setup_teardown(who_has_it_can_wait_all_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(an_interruption_makes_it_readable_once, setup, teardown),
        cmocka_unit_test_setup_teardown(dom0s_death_makes_it_readable_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(it_goes_on_with_the_next_dom0, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_closed_with_the_interface, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_descriptor_or_a_thread_there_is_none_yet, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
