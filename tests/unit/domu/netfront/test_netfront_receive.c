/* SPDX-License-Identifier: MIT */
/* netfront_receive: frames off the ring when they are due. */
#include <errno.h>

#include "base/clock.h"
#include "unit/domu/netfront/receive_fixture.h"

static void frames_of_any_size_come_as_they_were_sent(void **state)
{
    static const uint32_t lengths[] = {14, 60, 1514, 4096, 4097, 9014, 65535};
    struct netfront_frame frame;
    (void)state;
    start();
    for (uint32_t round = 0; round < 12; round++) /* several times around the pages */
        for (uint32_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            send_out(lengths[i], i + round, i % 3 == 2 ? NETFRONT_GSO_TCPV4 : 0, 0);
            assert_int_equal(receive(&frame, 1, 30 * RIG_S), 1);
            assert_int_equal(frame.length_bytes, lengths[i]);
            assert_true(rig_holds(room[0], lengths[i], i + round));
            assert_false(frame.truncated);
            assert_int_equal(frame.gso_type, i % 3 == 2 ? NETFRONT_GSO_TCPV4 : 0);
            assert_int_equal(frame.gso_size_bytes, i % 3 == 2 ? 1400 : 0);
            assert_int_equal(frame.checksum_blank, i % 3 == 2);
            assert_true(frame.stamp_ns == NETFRONT_NO_STAMP);
        }
    struct netfront_statistics statistics;
    netfront_statistics(rig.nf, &statistics);
    assert_int_equal(statistics.rx_frames, 84);
}

static void many_small_pieces_are_one_frame(void **state)
{
    struct netfront_frame frame;
    (void)state;
    rig.vif.piece_bytes = 100;
    start();
    send_out(1514, 9, NETFRONT_GSO_TCPV6, 0);
    assert_int_equal(receive(&frame, 1, 30 * RIG_S), 1);
    assert_int_equal(frame.length_bytes, 1514);
    assert_true(rig_holds(room[0], 1514, 9));
}

static void all_that_is_there_comes_by_one_call(void **state)
{
    struct netfront_frame frames[BATCH];
    (void)state;
    start();
    for (uint32_t i = 0; i < 6; i++)
        send_out(100 + i, i, 0, 0);
    assert_int_equal(netfront_drain(rig.nf, 30 * RIG_S), 0); /* sent back, too */
    assert_int_equal(receive(frames, 4, 0), 4);
    assert_int_equal(receive(frames + 4, 4, 0), 2);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(frames[i].length_bytes, 100 + i);
    assert_int_equal(receive(frames, 1, 0), -EAGAIN);
}

static void what_does_not_fit_is_cut_off_and_told(void **state)
{
    struct netfront_frame frame = {.data = room[0], .room_bytes = 100};
    (void)state;
    start();
    send_out(9000, 2, 0, 0);
    memset(room[0], 0x77, sizeof(room[0]));
    assert_int_equal(netfront_receive(rig.nf, &frame, 1, 30 * RIG_S), 1);
    assert_true(frame.truncated);
    assert_int_equal(frame.length_bytes, 9000);
    assert_true(rig_holds(room[0], 100, 2));
    assert_int_equal(room[0][100], 0x77);
}

static void a_frame_without_room_is_refused(void **state)
{
    struct netfront_frame frame = {.data = room[0]};
    (void)state;
    start();
    assert_int_equal(netfront_receive(rig.nf, &frame, 1, 0), -EINVAL);
    frame = (struct netfront_frame){.room_bytes = 100};
    assert_int_equal(netfront_receive(rig.nf, &frame, 1, 0), -EINVAL);
    assert_int_equal(netfront_receive(rig.nf, &frame, 0, 0), -EINVAL);
}

static void a_wait_ends_when_its_time_is_over(void **state)
{
    struct netfront_frame frame;
    (void)state;
    start();
    uint64_t begin_ns = clock_monotonic_ns();
    assert_int_equal(receive(&frame, 1, 20 * RIG_MS), -EAGAIN);
    assert_true(clock_monotonic_ns() - begin_ns >= 20 * (uint64_t)RIG_MS);
}

static void a_frame_is_not_seen_before_it_is_due(void **state)
{
    struct netfront_frame frame;
    (void)state;
    rig.vif.stamps = true;
    start();
    uint64_t ahead_ns = 40 * (uint64_t)RIG_MS, due_ns;
    while (true) {
        due_ns = domu_now_ns(rig.domu) + ahead_ns;
        send_out(60, 4, 0, due_ns);
        assert_int_equal(netfront_drain(rig.nf, 30 * RIG_S), 0);
        int rc = receive(&frame, 1, 0);
        if (rc == -EAGAIN)
            break;
        assert_int_equal(rc, 1); /* on a busy machine it is due by now: once more, with more time */
        assert_true(domu_now_ns(rig.domu) >= due_ns);
        ahead_ns *= 4;
    }
    assert_int_equal(receive(&frame, 1, 30 * RIG_S), 1);
    assert_true(domu_now_ns(rig.domu) >= due_ns);
    assert_int_equal(frame.stamp_ns, due_ns);
    assert_int_equal(frame.length_bytes, 60);
}

static void frames_stay_in_their_order(void **state)
{
    struct netfront_frame frames[2];
    (void)state;
    rig.vif.stamps = true;
    start();
    send_out(60, 4, 0, domu_now_ns(rig.domu) + 20 * (uint64_t)RIG_MS);
    send_out(70, 4, 0, 1);
    assert_int_equal(netfront_drain(rig.nf, 30 * RIG_S), 0);
    assert_int_equal(receive(frames, 2, 30 * RIG_S), 2);
    assert_int_equal(frames[0].length_bytes, 60);
    assert_int_equal(frames[1].length_bytes, 70);
}

/* An error in the place of a frame, then a frame. */
static void fail_first(struct fake_netback *vif, const struct fake_frame *frame)
{
    struct netif_rx_request req;
    fake_netback_answer(vif, frame, NETIF_RSP_OKAY);
    (void)fake_netback_posted(vif);
    netif_rx_take_request(&vif->queue[0].rx, &req);
    netif_rx_put_response(&vif->queue[0].rx,
                          &(struct netif_rx_response){.id = req.id, .status = NETIF_RSP_ERROR});
    (void)fake_netback_deliver(vif, frame);
}

static void a_frame_that_was_damaged_is_counted_and_no_more(void **state)
{
    struct netfront_statistics statistics;
    struct netfront_frame frames[2];
    (void)state;
    rig.vif.frame = fail_first;
    start();
    for (uint32_t i = 0; i < SLOTS; i++) {
        send_out(60, i, 0, 0);
        assert_int_equal(receive(frames, 2, 30 * RIG_S), 1);
    }
    netfront_statistics(rig.nf, &statistics);
    assert_int_equal(statistics.rx_errors, SLOTS);
    assert_int_equal(statistics.rx_frames, SLOTS);
}

/* It lies in pages that the next Dom0 fills anew. */
static void a_frame_that_was_held_is_lost_with_its_dom0(void **state)
{
    struct netfront_frame frame;
    (void)state;
    rig.vif.stamps = true;
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, true), 0);
    send_out(60, 1, 0, domu_now_ns(rig.domu) + 20 * (uint64_t)RIG_S);
    while (rig.nf->queue[0].next.nr_slots == 0) /* this thread alone takes it */
        assert_int_equal(receive(&frame, 1, 0), -EAGAIN);
    rig_die_noticed(&rig);
    rig_start(&rig);
    for (uint32_t i = 0; i < 3 * SLOTS; i++) {
        send_out(100, i, 0, 0);
        assert_int_equal(receive(&frame, 1, -1), 1);
        assert_int_equal(frame.length_bytes, 100);
        assert_true(rig_holds(room[0], 100, i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frames_of_any_size_come_as_they_were_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(many_small_pieces_are_one_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(all_that_is_there_comes_by_one_call, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_cut_off_and_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_frame_without_room_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wait_ends_when_its_time_is_over, setup, teardown),
        cmocka_unit_test_setup_teardown(a_frame_is_not_seen_before_it_is_due, setup, teardown),
        cmocka_unit_test_setup_teardown(frames_stay_in_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_frame_that_was_damaged_is_counted_and_no_more, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_frame_that_was_held_is_lost_with_its_dom0, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
