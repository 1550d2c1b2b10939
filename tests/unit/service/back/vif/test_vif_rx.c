/* SPDX-License-Identifier: MIT */
/* vif_rx: frames from the port to a front end's rx ring: what arrives, what waits, what is dropped
 * and when. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fakes/fake_vif.h"

static struct fake_vif *v;
static struct fake_rx *got;

static int setup(void **state)
{
    (void)state;
    v = calloc(1, sizeof(*v));
    got = malloc(sizeof(*got));
    return v == NULL || got == NULL ? -1 : fake_vif_open(v, UINT32_MAX - 100);
}

static int teardown(void **state)
{
    (void)state;
    fake_vif_close(v);
    free(got);
    free(v);
    return 0;
}

static void connect(void)
{
    assert_int_equal(fake_vif_connect(v), 0);
    fake_vif_turn(v);
}

static void post(uint32_t count)
{
    bool notify;
    assert_int_equal(fake_netfront_post(&v->front, count, &notify), count);
    fake_vif_ring(v, notify);
}

static void deliver(uint32_t length_bytes, uint32_t seed)
{
    fake_vif_deliver(v, length_bytes, seed);
    fake_vif_turn(v);
}

static void expect_frame(uint32_t length_bytes, uint32_t seed)
{
    assert_int_equal(fake_netfront_receive(&v->front, got), 1);
    assert_false(got->failed);
    assert_int_equal(got->length_bytes, length_bytes);
    assert_true(fake_network_is_frame(got->data, length_bytes, seed));
}

static void expect_none(void)
{
    assert_int_equal(fake_netfront_receive(&v->front, got), 0);
}

static void a_delivered_frame_lies_in_a_posted_page(void **state)
{
    (void)state;
    connect();
    post(4);
    deliver(60, 1);
    expect_frame(60, 1);
    assert_int_equal(got->slots, 1);
    assert_int_equal(got->flags, 0);
    expect_none();
    assert_int_equal(v->port.out.frames, 1);
    assert_int_equal(v->q->stats.rx_frames, 1);
    assert_int_equal(v->q->stats.rx_slots, 1);
    assert_int_equal(v->q->grants.mapped_count, 2);
    const struct shared_info *si = v->front.segment.shared_info;
    assert_int_equal(si->evtchn_pending[0], 1ull << (FAKE_VIF_PORT + 1));
}

static void frames_of_all_sizes_arrive_whole(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {14, 1500, 4096, 4097, 8192, 8193, 40000, 65535};
    connect();
    post(100);
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        deliver(sizes[i], i);
        expect_frame(sizes[i], i);
        assert_int_equal(got->slots, (sizes[i] + XEN_PAGE_SIZE - 1) / XEN_PAGE_SIZE);
        post(got->slots);
    }
}

static void give(struct net_frame *frame)
{
    net_port_output(&v->port, frame, fake_vif_now_ns(v));
    net_frame_put(frame);
    fake_vif_turn(v);
}

static void what_the_frame_says_goes_along(void **state)
{
    (void)state;
    connect();
    post(20);
    struct net_frame *frame = fake_network_frame(9000, 1);
    frame->checksum_blank = true;
    frame->gso_type = NET_GSO_TCPV4;
    frame->gso_size_bytes = 1448;
    give(frame);
    expect_frame(9000, 1);
    assert_int_equal(got->flags & NETRXF_csum_blank, NETRXF_csum_blank);
    assert_int_equal(got->flags & NETRXF_data_validated, NETRXF_data_validated);
    assert_int_equal(got->gso_type, XEN_NETIF_GSO_TYPE_TCPV4);
    assert_int_equal(got->gso_size, 1448);
    assert_int_equal(got->slots, 4);
    frame = fake_network_frame(60, 2);
    frame->data_validated = true;
    give(frame);
    expect_frame(60, 2);
    assert_int_equal(got->flags, NETRXF_data_validated);
}

/* Never later than the clock shows: who reads the stamp has the frame. */
static void a_stamp_says_when_it_was_due(void **state)
{
    (void)state;
    v->config.features.stamps = true;
    connect();
    post(20);
    tdf_source_advance_ns(&v->time, 1000000);
    uint64_t virtual_ns = tdf_clock_now_ns(&v->clock);
    struct net_frame *frame = fake_network_frame(60, 1);
    net_port_output(&v->port, frame, fake_vif_now_ns(v) - 2000);
    net_port_output(&v->port, frame, fake_vif_now_ns(v) + 2000);
    net_frame_put(frame);
    fake_vif_turn(v);
    expect_frame(60, 1);
    assert_true(got->has_stamp);
    assert_int_equal(splitdom_netif_stamp_get(&got->stamp, virtual_ns), virtual_ns - 2000);
    assert_int_equal(got->slots, 2);
    expect_frame(60, 1);
    assert_int_equal(splitdom_netif_stamp_get(&got->stamp, virtual_ns), virtual_ns);
}

/* A link hands out what is to arrive soon: the front end holds the frame until then. */
static void a_stamp_behind_a_link_may_be_to_come(void **state)
{
    (void)state;
    struct net_sink link = {.put = NULL};
    v->config.features.stamps = true;
    connect();
    post(20);
    struct net_frame *frame = fake_network_frame(60, 1);
    uint64_t virtual_ns = tdf_clock_now_ns(&v->clock);
    net_port_deliver(&v->port, frame, fake_vif_now_ns(v) + 2000);
    net_frame_put(frame);
    v->port.down = &link;
    fake_vif_turn(v);
    v->port.down = NULL;
    expect_frame(60, 1);
    assert_int_equal(splitdom_netif_stamp_get(&got->stamp, virtual_ns), virtual_ns + 2000);
}

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

/* While others wait, it is many pages at once that Dom0 wants to hear of. */
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
    assert_int_equal(v->q->waiting_count, 2);
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

/* The front end sees which page it was, and the next frame is whole. */
static void a_page_that_cannot_be_written_spoils_its_frame(void **state)
{
    (void)state;
    connect();
    v->front.segment.gnttab[FAKE_NETFRONT_RX_REF + 156].flags |= GTF_readonly; /* the second slot */
    post(6);
    deliver(9000, 1);
    assert_int_equal(fake_netfront_receive(&v->front, got), 1);
    assert_true(got->failed);
    assert_int_equal(got->slots, 3);
    deliver(9000, 2);
    expect_frame(9000, 2);
    assert_int_equal(v->q->stats.rx_errors, 1);
    assert_int_equal(v->q->stats.rx_frames, 1);
    assert_int_equal(v->port.drops[NET_DROP_MALFORMED], 1);
    assert_int_equal(v->port.out.frames, 1);
}

static void a_wild_index_halts_the_queue(void **state)
{
    (void)state;
    connect();
    deliver(60, 1);
    v->front.rx.half.sring->req_prod += NETIF_RING_ENTRIES + 1;
    fake_vif_ring(v, true);
    assert_non_null(v->broken);
    deliver(60, 2);
    assert_int_equal(v->port.drops[NET_DROP_DISCONNECTED], 1);
    struct vif_stats stats = {0};
    fake_vif_disconnect(v, &stats);
    assert_int_equal(stats.rx_left, 2);
    assert_int_equal(v->port.drops[NET_DROP_DISCONNECTED], 2);
    assert_int_equal(v->port.out.frames, 0);
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

static void without_sg_a_frame_has_one_page(void **state)
{
    (void)state;
    v->config.features.sg = false;
    connect();
    post(8);
    deliver(4097, 1);
    deliver(4096, 2);
    expect_frame(4096, 2);
    expect_none();
    assert_int_equal(v->q->stats.rx_unfit, 1);
    assert_int_equal(v->port.drops[NET_DROP_NO_ROOM], 1);
}

/* A visit is bounded: the loop comes again. */
static void a_visit_delivers_a_bounded_number(void **state)
{
    (void)state;
    connect();
    assert_int_equal(fake_netfront_post(&v->front, NETIF_RING_ENTRIES, NULL), NETIF_RING_ENTRIES);
    for (uint32_t i = 0; i < VIF_RX_FRAMES_MAX + 5; i++)
        fake_vif_deliver(v, 60, i);
    assert_int_equal(pollables_turn(&v->loop, fake_vif_now_ns(v)), VIF_RX_FRAMES_MAX);
    assert_int_equal(pollables_turn(&v->loop, fake_vif_now_ns(v)), 5);
    assert_int_equal(v->q->stats.notifies, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_delivered_frame_lies_in_a_posted_page),
        TEST(frames_of_all_sizes_arrive_whole),
        TEST(what_the_frame_says_goes_along),
        TEST(a_stamp_says_when_it_was_due),
        TEST(a_stamp_behind_a_link_may_be_to_come),
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
        TEST(a_page_that_cannot_be_written_spoils_its_frame),
        TEST(a_wild_index_halts_the_queue),
        TEST(what_still_waits_at_the_end_is_counted),
        TEST(without_sg_a_frame_has_one_page),
        TEST(a_visit_delivers_a_bounded_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
