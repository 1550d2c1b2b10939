/* SPDX-License-Identifier: MIT */
/* netfront_receive: frames off the ring when they are due, and what ends a wait. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fakes/netfront_rig.h"
#include "ring/barrier.h"

enum { SLOTS = 32, BATCH = 8 };

static struct netfront_rig rig;
static struct netfront_options options;
static uint8_t sent[NETFRONT_FRAME_MAX], room[BATCH][NETFRONT_FRAME_MAX];

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

static void start(void)
{
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, false), 0);
}

/* To a back end that sends it back. */
static void send_out(uint32_t length_bytes, uint32_t seed, uint8_t gso_type, uint64_t stamp_ns)
{
    const struct netfront_frame frame = {.data = sent,
                                         .length_bytes = length_bytes,
                                         .checksum_blank = gso_type != 0,
                                         .gso_type = gso_type,
                                         .gso_size_bytes = gso_type != 0 ? 1400 : 0,
                                         .stamp_ns = stamp_ns};
    rig_fill(sent, length_bytes, seed);
    assert_int_equal(netfront_send(rig.nf, &frame, 1, 30 * RIG_S), 1);
}

static int receive(struct netfront_frame *frames, uint32_t count, int64_t timeout_ns)
{
    for (uint32_t i = 0; i < count; i++)
        frames[i] = (struct netfront_frame){.data = room[i], .room_bytes = sizeof(room[i])};
    return netfront_receive(rig.nf, frames, count, timeout_ns);
}

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
    uint64_t due_ns = domu_now_ns(rig.domu) + 40 * (uint64_t)RIG_MS;
    send_out(60, 4, 0, due_ns);
    assert_int_equal(netfront_drain(rig.nf, 30 * RIG_S), 0);
    assert_int_equal(receive(&frame, 1, 0), -EAGAIN);
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

static void *receive_for_ever(void *result)
{
    struct netfront_frame frame;
    *(int *)result = receive(&frame, 1, -1);
    return NULL;
}

static bool sleeps(void)
{
    pthread_mutex_lock(&rig.nf->queue[0].rx.lock);
    bool sleeping = rig.nf->queue[0].rx.sleeping;
    pthread_mutex_unlock(&rig.nf->queue[0].rx.lock);
    return sleeping;
}

static int end_of_wait(void (*cause)(void))
{
    pthread_t thread;
    int result = 0;
    assert_int_equal(pthread_create(&thread, NULL, receive_for_ever, &result), 0);
    while (!sleeps())
        sched_yield();
    cause();
    pthread_join(thread, NULL);
    return result;
}

static void interrupt(void)
{
    netfront_interrupt(rig.nf);
}

static void die(void)
{
    rig_die(&rig);
}

static void come(void)
{
    send_out(60, 1, 0, 0);
}

static void who_waits_can_be_interrupted(void **state)
{
    struct netfront_frame frame;
    (void)state;
    start();
    assert_int_equal(end_of_wait(interrupt), -ECANCELED);
    interrupt();
    assert_int_equal(receive(&frame, 1, -1), -ECANCELED);
    assert_int_equal(receive(&frame, 1, RIG_MS), -EAGAIN);
}

static void who_waits_is_woken_by_a_frame(void **state)
{
    (void)state;
    options.no_spin = true;
    start();
    for (int i = 0; i < 5; i++)
        assert_int_equal(end_of_wait(come), 1);
}

static void dom0s_death_ends_all_waits(void **state)
{
    struct netfront_frame frame;
    struct netfront_info info;
    (void)state;
    start();
    assert_int_equal(end_of_wait(die), -ENOTCONN);
    assert_int_equal(receive(&frame, 1, -1), -ENOTCONN);
    frame = (struct netfront_frame){.data = sent, .length_bytes = 60};
    assert_int_equal(netfront_send(rig.nf, &frame, 1, -1), -ENOTCONN);
    assert_int_equal(netfront_drain(rig.nf, -1), -ENOTCONN);
    assert_non_null(strstr(netfront_failure(rig.nf), "Dom0"));
    netfront_info(rig.nf, &info);
    assert_false(info.link_up);
}

/* A response that no frame is made of. */
static void lie(struct fake_netback *vif, const struct fake_frame *frame)
{
    struct netif_rx_request req;
    fake_netback_answer(vif, frame, NETIF_RSP_OKAY);
    (void)fake_netback_posted(vif);
    netif_rx_take_request(&vif->queue[0].rx, &req);
    netif_rx_put_response(&vif->queue[0].rx,
                          &(struct netif_rx_response){.id = req.id, .offset = 4000, .status = 200});
}

static void a_lie_disables_the_interface(void **state)
{
    (void)state;
    struct netfront_frame frame;
    rig.vif.frame = lie;
    start();
    assert_int_equal(end_of_wait(come), -EPROTO);
    assert_int_equal(receive(&frame, 1, -1), -EPROTO);
    frame = (struct netfront_frame){.data = sent, .length_bytes = 60};
    assert_int_equal(netfront_send(rig.nf, &frame, 1, -1), -EPROTO);
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

static uint32_t waiter; /* atomic: the thread that waits */

static void *receive_as_waiter(void *result)
{
    store_full_u32(&waiter, (uint32_t)gettid());
    return receive_for_ever(result);
}

static bool waiter_is_asleep(void)
{
    char path[64], state = '?';
    snprintf(path, sizeof(path), "/proc/self/task/%u/stat", load_full_u32(&waiter));
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    (void)!fscanf(file, "%*d %*s %c", &state);
    fclose(file);
    return state == 'S';
}

/* The descriptor's thread sleeps on the ring; who receives sleeps until that thread tells. */
static void who_has_the_descriptor_waits_asleep(void **state)
{
    pthread_t thread;
    int result = 0;
    (void)state;
    start();
    assert_true(netfront_fd(rig.nf) >= 0);
    for (int i = 0; i < 5; i++) {
        store_full_u32(&waiter, 0);
        assert_int_equal(pthread_create(&thread, NULL, receive_as_waiter, &result), 0);
        while (load_full_u32(&waiter) == 0 || !waiter_is_asleep())
            sched_yield();
        come();
        pthread_join(thread, NULL);
        assert_int_equal(result, 1);
    }
}

/* Frames come too seldom to be looked for: the processor is left to others. */
static void who_waits_in_vain_soon_sleeps_at_once(void **state)
{
    enum { WAITS = 100 };
    struct netfront_statistics statistics;
    struct netfront_frame frame;
    (void)state;
    start();
    for (int i = 0; i < WAITS; i++)
        assert_int_equal(receive(&frame, 1, RIG_MS / 10), -EAGAIN);
    netfront_statistics(rig.nf, &statistics);
    assert_true(statistics.spins_lost < WAITS / 2);
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
        cmocka_unit_test_setup_teardown(who_waits_can_be_interrupted, setup, teardown),
        cmocka_unit_test_setup_teardown(who_waits_is_woken_by_a_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(dom0s_death_ends_all_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lie_disables_the_interface, setup, teardown),
        cmocka_unit_test_setup_teardown(a_frame_that_was_damaged_is_counted_and_no_more, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_has_the_descriptor_waits_asleep, setup, teardown),
        cmocka_unit_test_setup_teardown(who_waits_in_vain_soon_sleeps_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_frame_that_was_held_is_lost_with_its_dom0, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
