/* SPDX-License-Identifier: MIT */
/* vif_rx: frames that wait for pages: their order, their bounds, and when they are dropped. */
#include "unit/service/back/vif/vif_rx_fixture.h"

static void frames_wait_for_pages_in_their_order(void **state)
{
    (void)state;
    connect();
    for (uint32_t i = 0; i < 10; i++)
        deliver(60 + i, i);
    expect_none();
    post(4);
    for (uint32_t i = 0; i < 4; i++)
        expect_frame(60 + i, i);
    expect_none();
    post(20);
    for (uint32_t i = 4; i < 10; i++)
        expect_frame(60 + i, i);
    expect_none();
    assert_int_equal(fake_vif_drops(v), 0);
}

/* The front end rings when there are enough, not only with the first page. */
static void a_large_frame_waits_for_all_its_pages(void **state)
{
    (void)state;
    connect();
    deliver(9000, 1);
    for (uint32_t i = 0; i < 2; i++) {
        post(1);
        expect_none();
    }
    post(1);
    expect_frame(9000, 1);
}

static void beyond_the_bounds_frames_are_dropped(void **state)
{
    (void)state;
    connect();
    for (uint32_t i = 0; i < VIF_RX_QUEUE_FRAMES + 10; i++)
        deliver(60, i);
    assert_int_equal(v->port.drops[NET_DROP_NO_ROOM], 10);
    assert_int_equal(v->q->stats.rx_no_room, 10);
    assert_int_equal(v->port.out.frames, VIF_RX_QUEUE_FRAMES);
    for (uint32_t i = 0; i < VIF_RX_QUEUE_FRAMES; i++) {
        if (i % NETIF_RING_ENTRIES == 0)
            post(NETIF_RING_ENTRIES);
        expect_frame(60, i);
    }
    expect_none();
}

static void the_queue_is_bounded_in_bytes(void **state)
{
    (void)state;
    connect();
    uint32_t fit = VIF_RX_QUEUE_BYTES / 60000;
    for (uint32_t i = 0; i < fit + 3; i++)
        deliver(60000, i);
    assert_int_equal(v->q->waiting_count, fit);
    assert_int_equal(v->port.drops[NET_DROP_NO_ROOM], 3);
}

/* Who sends here has no turns from half of the queue on, until three quarters are empty. */
static void expect_pressure(uint32_t frames, uint32_t frame_bytes, uint32_t most)
{
    for (uint32_t i = 0; i < frames; i++) {
        assert_int_equal(v->port.full_queues, i > most / 2);
        deliver(frame_bytes, i);
    }
    for (uint32_t i = 0; i < frames; i++) {
        assert_int_equal(v->port.full_queues, frames - i > most / 4);
        post((frame_bytes + XEN_PAGE_SIZE - 1) / XEN_PAGE_SIZE);
        expect_frame(frame_bytes, i);
    }
    assert_int_equal(v->port.full_queues, 0);
}

static void a_half_full_queue_is_felt_until_it_is_nearly_empty(void **state)
{
    (void)state;
    connect();
    expect_pressure(VIF_RX_QUEUE_FRAMES / 2 + 50, 60, VIF_RX_QUEUE_FRAMES);
    expect_pressure(VIF_RX_QUEUE_BYTES / 60000, 60000, VIF_RX_QUEUE_BYTES / 60000);
}

static void a_queue_that_is_gone_is_felt_no_more(void **state)
{
    (void)state;
    connect();
    for (uint32_t i = 0; i < VIF_RX_QUEUE_FRAMES; i++)
        deliver(60, i);
    assert_int_equal(v->port.full_queues, 1);
    tdf_source_advance_ns(&v->time, VIF_STALL_NS);
    deliver(60, 0); /* stalled: all were dropped */
    assert_int_equal(v->port.full_queues, 0);
    post(8);
    for (uint32_t i = 0; i < VIF_RX_QUEUE_FRAMES; i++)
        deliver(60, i);
    assert_int_equal(v->port.full_queues, 1);
    fake_vif_disconnect(v, NULL);
    assert_int_equal(v->port.full_queues, 0);
}

/* While others wait for a queue, it is many pages at once that Dom0 wants to hear of. */
static void pages_are_asked_for_in_bulk_while_others_wait(void **state)
{
    (void)state;
    struct net_port other = {.owner = NULL};
    const uint32_t half = NETIF_RING_ENTRIES / 2;
    connect();
    deliver(60, 1);
    const struct back_ring *ring = &v->q->rx.half;
    assert_int_equal(ring->sring->req_event, (uint32_t)(ring->req_prod + 1));
    list_push_back(&v->port.waiters, &other.waiter);
    pollables_answered(&v->q->pollable);
    fake_vif_turn(v);
    assert_int_equal(ring->sring->req_event, (uint32_t)(ring->req_prod + 1)); /* another queue's */
    for (uint32_t i = 0; i < VIF_RX_QUEUE_FRAMES / 2; i++)
        deliver(60, i);
    assert_true(v->q->full);
    pollables_answered(&v->q->pollable);
    fake_vif_turn(v);
    assert_int_equal(ring->sring->req_event, (uint32_t)(ring->req_prod + half));
    list_remove(&other.waiter);
    pollables_answered(&v->q->pollable);
    fake_vif_turn(v);
    assert_int_equal(ring->sring->req_event, (uint32_t)(ring->req_prod + 1));
}

static void a_front_end_that_posts_nothing_is_stalled(void **state)
{
    (void)state;
    connect();
    deliver(60, 1);
    tdf_source_advance_ns(&v->time, VIF_STALL_NS - 1);
    deliver(60, 2);
    assert_false(v->q->stalled);
    assert_int_equal(v->q->waiting_count, 1); /* the other one was too old */
    tdf_source_advance_ns(&v->time, 1);
    deliver(60, 3);
    assert_true(v->q->stalled);
    assert_int_equal(v->q->waiting_count, 0);
    assert_int_equal(v->port.drops[NET_DROP_STALLED], 3);
    assert_int_equal(v->q->stats.rx_stalls, 1);
    deliver(60, 4);
    assert_int_equal(v->port.drops[NET_DROP_STALLED], 4);
    assert_int_equal(v->port.out.frames, 0);
}

static void a_stalled_front_end_recovers_when_it_posts(void **state)
{
    (void)state;
    connect();
    deliver(60, 1);
    tdf_source_advance_ns(&v->time, VIF_STALL_NS);
    deliver(60, 2);
    assert_true(v->q->stalled);
    post(8); /* it was asked to ring */
    assert_false(v->q->stalled);
    deliver(60, 3);
    expect_frame(60, 3);
    expect_none();
}

/* A minute of a domain at TDF 10 is ten of ours. */
static void a_stall_is_counted_in_the_domains_time(void **state)
{
    (void)state;
    v->tdf = (struct tdf){10, 1};
    connect();
    deliver(60, 1);
    tdf_source_advance_ns(&v->time, 10 * VIF_STALL_NS - 1);
    deliver(60, 2);
    assert_false(v->q->stalled);
    tdf_source_advance_ns(&v->time, 1);
    deliver(60, 3);
    assert_true(v->q->stalled);
}

/* Progress counts, however little: a slow front end is not a stalled one. */
static void a_slow_front_end_is_not_stalled(void **state)
{
    (void)state;
    connect();
    for (uint32_t i = 0; i < 10; i++) {
        deliver(60, i);
        deliver(60, i);
        tdf_source_advance_ns(&v->time, VIF_STALL_NS / 2);
        post(1);
    }
    assert_int_equal(v->q->stats.rx_stalls, 0);
}

static void a_frame_that_has_waited_for_too_long_is_not_delivered(void **state)
{
    (void)state;
    connect();
    deliver(60, 1);
    tdf_source_advance_ns(&v->time, VIF_EXPIRE_NS - 1);
    deliver(60, 2);
    tdf_source_advance_ns(&v->time, 1);
    post(8);
    expect_frame(60, 2);
    expect_none();
    assert_int_equal(v->q->stats.rx_expired, 1);
    assert_int_equal(v->port.drops[NET_DROP_STALLED], 1);
}

/* There are pages, but never enough for the large one: it goes, and what is behind it comes. */
static void a_frame_too_large_for_the_pages_does_not_hold_up_others_for_ever(void **state)
{
    (void)state;
    connect();
    post(2);
    deliver(9000, 1);
    tdf_source_advance_ns(&v->time, VIF_EXPIRE_NS);
    deliver(60, 2);
    expect_frame(60, 2);
    assert_int_equal(v->q->stats.rx_expired, 1);
    assert_int_equal(v->port.drops[NET_DROP_STALLED], 1);
}

/* Frames that come so rarely that all of them are too old hide no stall. */
static void a_stall_is_seen_though_the_queue_was_empty_meanwhile(void **state)
{
    (void)state;
    connect();
    for (uint64_t ns = 0; ns < VIF_STALL_NS; ns += VIF_EXPIRE_NS) {
        deliver(60, 1);
        assert_false(v->q->stalled);
        tdf_source_advance_ns(&v->time, VIF_EXPIRE_NS);
        fake_vif_ring(v, true);
        assert_int_equal(v->q->waiting_count, 0);
    }
    deliver(60, 2);
    deliver(60, 3);
    assert_true(v->q->stalled);
    post(8);
    assert_false(v->q->stalled);
    deliver(60, 4);
    expect_frame(60, 4);
}

/* All frames were too old, and then nothing was to be sent for long: nobody asked to hear of pages.
 * Several frames come before Dom0 looks. */
static void who_has_posted_while_nothing_waited_is_not_stalled(void **state)
{
    (void)state;
    connect();
    deliver(60, 1);
    tdf_source_advance_ns(&v->time, VIF_EXPIRE_NS);
    fake_vif_ring(v, true);
    assert_int_equal(v->q->waiting_count, 0);
    post_silently(8);
    tdf_source_advance_ns(&v->time, VIF_STALL_NS);
    fake_vif_deliver(v, 60, 2);
    fake_vif_deliver(v, 60, 3);
    assert_false(v->q->stalled);
    fake_vif_turn(v);
    expect_frame(60, 2);
    expect_frame(60, 3);
    assert_int_equal(v->q->stats.rx_stalls, 0);
}

/* Who lies about pages then is found out at once, and nothing more waits for pages. */
static void a_lie_that_is_seen_when_a_frame_comes_halts_the_queue(void **state)
{
    (void)state;
    connect();
    deliver(60, 1);
    tdf_source_advance_ns(&v->time, VIF_STALL_NS);
    v->front.rx.half.sring->req_prod += 2 * NETIF_RING_ENTRIES;
    fake_vif_deliver(v, 60, 2);
    assert_false(v->q->stalled);
    assert_int_equal(v->q->waiting_count, 1);
    assert_int_equal(v->port.drops[NET_DROP_DISCONNECTED], 1);
    fake_vif_turn(v);
    assert_non_null(v->broken);
}

static void what_still_waits_at_the_end_is_counted(void **state)
{
    (void)state;
    struct vif_stats stats = {0};
    connect();
    for (uint32_t i = 0; i < 7; i++)
        deliver(60, i);
    fake_vif_disconnect(v, &stats);
    assert_int_equal(stats.rx_left, 7);
    assert_int_equal(v->port.drops[NET_DROP_DISCONNECTED], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_wait_for_pages_in_their_order),
        TEST(a_large_frame_waits_for_all_its_pages),
        TEST(beyond_the_bounds_frames_are_dropped),
        TEST(the_queue_is_bounded_in_bytes),
        TEST(a_half_full_queue_is_felt_until_it_is_nearly_empty),
        TEST(a_queue_that_is_gone_is_felt_no_more),
        TEST(pages_are_asked_for_in_bulk_while_others_wait),
        TEST(a_front_end_that_posts_nothing_is_stalled),
        TEST(a_stalled_front_end_recovers_when_it_posts),
        TEST(a_stall_is_counted_in_the_domains_time),
        TEST(a_slow_front_end_is_not_stalled),
        TEST(a_frame_that_has_waited_for_too_long_is_not_delivered),
        TEST(a_frame_too_large_for_the_pages_does_not_hold_up_others_for_ever),
        TEST(a_stall_is_seen_though_the_queue_was_empty_meanwhile),
        TEST(who_has_posted_while_nothing_waited_is_not_stalled),
        TEST(a_lie_that_is_seen_when_a_frame_comes_halts_the_queue),
        TEST(what_still_waits_at_the_end_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
