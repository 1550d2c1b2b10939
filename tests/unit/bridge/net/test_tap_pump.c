/* SPDX-License-Identifier: MIT */
/* tap_pump between an interface whose back end sends all back, and a socket in the place of a tap
 * device: one message a frame. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "bridge/net/tap_pump.h"
#include "bridge/net/vnet_header.h"
#include "fakes/netfront_rig.h"
#include "faults/fault_walk.h"

enum { HANG_MS = 30000, HEADER = sizeof(struct virtio_net_hdr) };

static struct netfront_rig rig;
static struct tap_pump *pump;
static struct tap tap;
static int kernel; /* the other end of the tap device */
static uint8_t message[HEADER + NETFRONT_FRAME_MAX];

static int setup(void **state)
{
    int fds[2];
    (void)state;
    pump = NULL;
    tap.is_socket = false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds) < 0)
        return -1;
    tap.fd[0] = fds[0];
    tap.queues = 1;
    kernel = fds[1];
    return rig_setup(&rig);
}

static int teardown(void **state)
{
    (void)state;
    tap_pump_stop(pump);
    tap_close(&tap);
    if (kernel >= 0)
        close(kernel);
    return rig_teardown(&rig);
}

static void start_with(bool reconnect)
{
    const struct netfront_options options = {.size = sizeof(options)};
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, reconnect), 0);
    assert_int_equal(tap_pump_start(rig.nf, &tap, &pump), 0);
}

static void start(void)
{
    start_with(false);
}

static bool is_readable(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    return poll(&ready, 1, HANG_MS) == 1;
}

static ssize_t echo(const struct virtio_net_hdr *header, uint32_t length_bytes, uint32_t seed)
{
    memcpy(message, header, HEADER);
    rig_fill(message + HEADER, length_bytes, seed);
    if (header->flags != 0) { /* IPv4, TCP */
        memcpy(message + HEADER + 12, "\x08\x00\x45", 3);
        message[HEADER + 14 + 9] = 6;
    }
    assert_int_equal(send(kernel, message, HEADER + length_bytes, 0), HEADER + length_bytes);
    memset(message, 0, sizeof(message));
    assert_true(is_readable(kernel));
    return recv(kernel, message, sizeof(message), 0);
}

static void frames_go_both_ways_as_they_are(void **state)
{
    const struct virtio_net_hdr plain = {.flags = 0};
    (void)state;
    start();
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(echo(&plain, 60 + 10 * i, i), HEADER + 60 + 10 * i);
        assert_true(rig_holds(message + HEADER, 60 + 10 * i, i));
    }
    struct tap_pump_counts counts;
    do
        tap_pump_counts(pump, &counts);
    while (counts.to_tap < 50 || counts.from_tap < 50); /* each direction counts when it has done */
    assert_int_equal(counts.from_tap, 50);
    assert_int_equal(counts.tap_refused + counts.not_understood + counts.vif_refused, 0);
}

static void segments_and_missing_checksums_stay_so(void **state)
{
    const struct virtio_net_hdr large = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                         .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                         .gso_size = 1448,
                                         .csum_start = 34,
                                         .csum_offset = 16};
    struct virtio_net_hdr header;
    (void)state;
    start();
    assert_int_equal(echo(&large, 40000, 1), HEADER + 40000);
    memcpy(&header, message, HEADER);
    assert_int_equal(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    assert_int_equal(header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
    assert_int_equal(header.gso_size, 1448);
    assert_int_equal(header.csum_start, 34);
    assert_int_equal(header.csum_offset, 16);
}

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

static void dom0s_death_ends_it(void **state)
{
    bool of_tap;
    (void)state;
    start();
    assert_int_equal(tap_pump_error(pump, &of_tap), 0);
    rig_die(&rig);
    assert_true(is_readable(tap_pump_fd(pump)));
    assert_int_equal(tap_pump_error(pump, &of_tap), -ENOTCONN);
    assert_false(of_tap);
}

/* By the pump's thread, with its lock. */
static int changed_fd;
static uint8_t changed_mac[6];

int __wrap_tap_change_mac(int fd, const uint8_t *mac);
int __wrap_tap_change_mac(int fd, const uint8_t *mac)
{
    changed_fd = fd;
    memcpy(changed_mac, mac, sizeof(changed_mac));
    return 0;
}

static void the_next_dom0s_address_becomes_the_tap_devices(void **state)
{
    const struct virtio_net_hdr plain = {.flags = 0};
    struct tap_pump_counts counts;
    (void)state;
    start_with(true);
    assert_true(echo(&plain, 60, 1) > 0);
    tap_pump_counts(pump, &counts);
    assert_int_equal(counts.addresses, 0);
    rig_die_noticed(&rig);
    rig.vif.mac = "00:16:3e:00:00:02";
    rig_start(&rig);
    assert_true(echo(&plain, 60, 2) > 0);
    tap_pump_counts(pump, &counts);
    assert_int_equal(counts.addresses, 1);
    assert_int_equal(changed_fd, tap.fd[0]);
    assert_memory_equal(changed_mac, "\0\x16\x3e\0\0\2", sizeof(changed_mac));
}

static void a_pump_that_is_idle_can_be_stopped(void **state)
{
    bool of_tap;
    (void)state;
    start();
    assert_int_equal(tap_pump_error(pump, &of_tap), 0);
    tap_pump_stop(pump);
    pump = NULL;
    assert_string_equal(netfront_failure(rig.nf), "");
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

/* What comes out of a queue of the kernel's goes by the interface's queue of that number, and back.
 */
static void each_queue_has_its_own_way(void **state)
{
    const struct netfront_options options = {.size = sizeof(options), .queues = 2};
    int fds[2];
    (void)state;
    rig.vif.queues = "2";
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
    tap.fd[tap.queues++] = fds[0];
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, false), 0);
    assert_int_equal(tap_pump_start(rig.nf, &tap, &pump), 0);
    for (int i = 0; i < 2; i++) {
        int own = i == 0 ? kernel : fds[1], other = i == 0 ? fds[1] : kernel;
        memset(message, 0, sizeof(message));
        rig_fill(message + HEADER, 60, 7);
        assert_int_equal(send(own, message, HEADER + 60, 0), HEADER + 60);
        assert_true(is_readable(own));
        assert_int_equal(recv(own, message, sizeof(message), 0), HEADER + 60);
        assert_true(rig_holds(message + HEADER, 60, 7));
        assert_int_equal(recv(other, message, sizeof(message), 0), -1);
    }
    close(fds[1]);
}

static void a_header_that_makes_no_sense_is_counted(void **state)
{
    const struct virtio_net_hdr plain = {.flags = 0};
    const struct virtio_net_hdr no_size = {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4};
    struct tap_pump_counts counts;
    (void)state;
    start();
    memcpy(message, &no_size, HEADER);
    assert_int_equal(send(kernel, message, HEADER + 100, 0), HEADER + 100);
    assert_true(echo(&plain, 60, 2) > 0);
    assert_true(rig_holds(message + HEADER, 60, 2));
    do
        tap_pump_counts(pump, &counts);
    while (counts.from_tap < 1);
    assert_int_equal(counts.from_tap, 1);
    assert_int_equal(counts.not_understood, 1);
}

/* Frames of several pages need a Dom0 that takes such. */
static void what_this_dom0_does_not_take_is_counted(void **state)
{
    const struct virtio_net_hdr plain = {.flags = 0};
    struct tap_pump_counts counts;
    (void)state;
    rig.vif.no_sg = true;
    start();
    memcpy(message, &plain, HEADER);
    assert_int_equal(send(kernel, message, HEADER + 5000, 0), HEADER + 5000);
    assert_true(echo(&plain, 60, 2) > 0);
    assert_true(rig_holds(message + HEADER, 60, 2));
    do
        tap_pump_counts(pump, &counts);
    while (counts.from_tap < 1);
    assert_int_equal(counts.from_tap, 1);
    assert_int_equal(counts.vif_refused, 1);
}

static int start_and_stop(void *arg)
{
    struct tap_pump *another = NULL;
    (void)arg;
    int rc = tap_pump_start(rig.nf, &tap, &another);
    assert_true((rc < 0) == (another == NULL));
    tap_pump_stop(another);
    return rc;
}

static void without_memory_or_threads_there_is_no_pump(void **state)
{
    (void)state;
    start();
    tap_pump_stop(pump);
    pump = NULL;
    assert_true(fault_walk(start_and_stop, NULL) >= 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frames_go_both_ways_as_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(segments_and_missing_checksums_stay_so, setup, teardown),
        cmocka_unit_test_setup_teardown(a_socket_carries_frames_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_that_is_no_frame_is_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(the_other_end_of_a_socket_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(what_keeps_no_messages_apart_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(each_queue_has_its_own_way, setup, teardown),
        cmocka_unit_test_setup_teardown(dom0s_death_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(the_next_dom0s_address_becomes_the_tap_devices, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_pump_that_is_idle_can_be_stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_socket_gets_no_frame_that_is_unfinished, setup, teardown),
        cmocka_unit_test_setup_teardown(a_socket_without_room_loses_frames_and_no_more, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_header_that_makes_no_sense_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(what_this_dom0_does_not_take_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory_or_threads_there_is_no_pump, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
