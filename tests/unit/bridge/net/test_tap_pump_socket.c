/* SPDX-License-Identifier: MIT */
/* tap_pump with a socket that somebody else has the other end of. */
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "ring/barrier.h"
#include "unit/bridge/net/tap_pump_fixture.h"

static void a_socket_carries_frames_alone(void **state)
{
    (void)state;
    tap.is_socket = true;
    start();
    for (uint32_t i = 0; i < 50; i++) {
        rig_fill(message, 60 + 100 * i, i);
        assert_int_equal(send(kernel, message, 60 + 100 * i, 0), 60 + 100 * i);
        memset(message, 0, sizeof(message));
        assert_true(is_readable(kernel));
        assert_int_equal(recv(kernel, message, sizeof(message), 0), 60 + 100 * i);
        assert_true(rig_holds(message, 60 + 100 * i, i));
    }
}

static void a_message_that_is_no_frame_is_left_out(void **state)
{
    (void)state;
    tap.is_socket = true;
    start();
    rig_fill(message, 100, 1);
    assert_int_equal(send(kernel, message, 13, 0), 13);
    assert_int_equal(send(kernel, message, NETFRONT_FRAME_MAX + 1, 0), NETFRONT_FRAME_MAX + 1);
    assert_int_equal(send(kernel, message, 100, 0), 100);
    assert_true(is_readable(kernel));
    assert_int_equal(recv(kernel, message, sizeof(message), 0), 100);
    struct tap_pump_counts counts;
    do
        tap_pump_counts(pump, &counts);
    while (counts.from_tap < 1);
    assert_int_equal(counts.not_understood, 2);
}

static uint32_t unread_bytes;

/* The pump has no room to send all that it has read, and waits for this answer. */
static void look_at_socket(struct fake_netback *vif, const struct fake_frame *frame)
{
    int bytes = 0;
    if (load_acquire_u32(&unread_bytes) == 0 && ioctl(kernel, SIOCOUTQ, &bytes) == 0)
        store_release_u32(&unread_bytes, (uint32_t)bytes + 1);
    fake_netback_answer(vif, frame, 0);
}

/* A batch is as many messages: else whoever sends nonsense without end would keep frames here, and
 * the pump from its end. */
static void messages_that_are_no_frames_count_for_a_batch(void **state)
{
    const struct netfront_options options = {.size = sizeof(options), .tx_slots = 32};
    struct tap_pump_counts counts;
    (void)state;
    tap.is_socket = true;
    rig.vif.frame = look_at_socket;
    unread_bytes = 0;
    rig_fill(message, 5000, 1); /* in two slots */
    for (int i = 0; i < 18; i++)
        assert_int_equal(send(kernel, message, 5000, 0), 5000);
    for (int i = 0; i < 40; i++)
        assert_int_equal(send(kernel, "no frame", 8, 0), 8);
    start_with_options(&options, false);
    do
        tap_pump_counts(pump, &counts);
    while (counts.from_tap < 18);
    assert_true(load_acquire_u32(&unread_bytes) > 1);
}

/* What is a frame comes through, though the other end has gone meanwhile. */
static void frames_behind_nonsense_are_not_lost_with_the_other_end(void **state)
{
    struct tap_pump_counts counts;
    bool of_tap;
    (void)state;
    tap.is_socket = true;
    rig_fill(message, 100, 1);
    for (int i = 0; i < 70; i++)
        assert_int_equal(send(kernel, "no frame", 8, 0), 8);
    assert_int_equal(send(kernel, message, 100, 0), 100);
    close(kernel);
    kernel = -1;
    start();
    assert_true(is_readable(tap_pump_fd(pump)));
    assert_true(tap_pump_error(pump, &of_tap) < 0);
    do
        tap_pump_counts(pump, &counts);
    while (counts.from_tap < 1);
    assert_int_equal(counts.not_understood, 70);
}

static void the_other_end_of_a_socket_ends_it(void **state)
{
    bool of_tap;
    (void)state;
    tap.is_socket = true;
    start();
    close(kernel);
    kernel = -1;
    assert_true(is_readable(tap_pump_fd(pump)));
    assert_true(tap_pump_error(pump, &of_tap) < 0);
    assert_true(of_tap);
}

static void what_keeps_no_messages_apart_is_refused(void **state)
{
    int fds[2];
    struct tap other;
    struct why why;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(tap_adopt(&other, fds[0], &why), -EPROTOTYPE);
    assert_int_equal(other.queues, 0);
    close(fds[0]);
    assert_int_equal(tap_adopt(&other, fds[0], &why), -EBADF);
    close(fds[1]);
    assert_int_equal(tap_adopt(&other, tap.fd[0], &why), 0);
    assert_true(other.is_socket && other.fd[0] == tap.fd[0]);
}

/* Dom0 brings a frame without a checksum, one to be cut, and one that is whole. */
static void bring_three(struct fake_netback *vif, const struct fake_frame *frame)
{
    static struct fake_frame out;
    fake_netback_answer(vif, frame, 0);
    out = *frame;
    out.checksum_blank = true;
    assert_true(fake_netback_deliver(vif, &out));
    out.gso_type = NETFRONT_GSO_TCPV4;
    out.gso_size_bytes = 40;
    assert_true(fake_netback_deliver(vif, &out));
    assert_true(fake_netback_deliver(vif, frame));
}

/* Who reads a socket has no header that would tell what is missing. */
static void a_socket_gets_no_frame_that_is_unfinished(void **state)
{
    (void)state;
    tap.is_socket = true;
    rig.vif.frame = bring_three;
    start();
    rig_fill(message, 100, 1);
    assert_int_equal(send(kernel, message, 100, 0), 100);
    memset(message, 0, sizeof(message));
    assert_true(is_readable(kernel));
    assert_int_equal(recv(kernel, message, sizeof(message), 0), 100);
    assert_true(rig_holds(message, 100, 1));
    struct tap_pump_counts counts;
    do
        tap_pump_counts(pump, &counts);
    while (counts.to_tap + counts.not_understood < 3);
    assert_int_equal(counts.to_tap, 1);
    assert_int_equal(counts.not_understood, 2);
    assert_int_equal(recv(kernel, message, sizeof(message), 0), -1);
}

/* As a network card drops what it has no room for; and goes on when there is some again. */
static void a_socket_without_room_loses_frames_and_no_more(void **state)
{
    struct tap_pump_counts counts = {.tap_refused = 0};
    struct pollfd room = {.events = POLLOUT};
    bool of_tap;
    (void)state;
    tap.is_socket = true;
    start();
    room.fd = kernel;
    rig_fill(message, 60000, 1);
    while (counts.tap_refused == 0) {
        (void)poll(&room, 1, HANG_MS);
        (void)send(kernel, message, 60000, 0);
        tap_pump_counts(pump, &counts);
    }
    ssize_t n;
    do { /* one of these comes through, behind what there was room for */
        rig_fill(message, 77, 2);
        (void)send(kernel, message, 77, 0);
        assert_true(is_readable(kernel));
        while ((n = recv(kernel, message, sizeof(message), 0)) > 0 && n != 77)
            continue;
    } while (n != 77);
    assert_true(rig_holds(message, 77, 2));
    assert_int_equal(tap_pump_error(pump, &of_tap), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_socket_carries_frames_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_that_is_no_frame_is_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(messages_that_are_no_frames_count_for_a_batch, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(frames_behind_nonsense_are_not_lost_with_the_other_end,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(the_other_end_of_a_socket_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(what_keeps_no_messages_apart_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_socket_gets_no_frame_that_is_unfinished, setup, teardown),
        cmocka_unit_test_setup_teardown(a_socket_without_room_loses_frames_and_no_more, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
