/* SPDX-License-Identifier: MIT */
/* tap_pump: frames, a back end that goes, and what is counted. */
#include "unit/bridge/net/tap_pump_fixture.h"

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
        cmocka_unit_test_setup_teardown(each_queue_has_its_own_way, setup, teardown),
        cmocka_unit_test_setup_teardown(dom0s_death_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(the_next_dom0s_address_becomes_the_tap_devices, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_pump_that_is_idle_can_be_stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_header_that_makes_no_sense_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(what_this_dom0_does_not_take_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory_or_threads_there_is_no_pump, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
