/* SPDX-License-Identifier: MIT */
/* vif_rx: frames from the port to the rx ring of a front end: what arrives, and as what. */
#include "fakes/fake_ip.h"
#include "faults/fault_walk.h"
#include "unit/service/back/vif/vif_rx_fixture.h"

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

/* A frame that stands for several, of 9000 bytes. */
static void give_segments(void)
{
    struct net_frame *frame = fake_network_frame(9000, 1);
    frame->checksum_blank = true;
    frame->gso_type = NET_GSO_TCPV4;
    frame->gso_size_bytes = 1448;
    give(frame);
    expect_frame(9000, 1);
}

static void what_the_frame_says_goes_along(void **state)
{
    (void)state;
    connect();
    post(20);
    give_segments();
    assert_int_equal(got->flags & NETRXF_csum_blank, NETRXF_csum_blank);
    assert_int_equal(got->flags & NETRXF_data_validated, NETRXF_data_validated);
    assert_int_equal(got->gso_type, XEN_NETIF_GSO_TYPE_TCPV4);
    assert_int_equal(got->gso_size, 1448);
    assert_int_equal(got->slots, 4);
    struct net_frame *frame = fake_network_frame(60, 2);
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

/* Each of the two says whether another one follows. */
static void a_stamp_comes_behind_what_is_said_about_cutting(void **state)
{
    (void)state;
    v->config.features.stamps = true;
    connect();
    post(20);
    give_segments();
    assert_int_equal(got->gso_type, XEN_NETIF_GSO_TYPE_TCPV4);
    assert_int_equal(got->gso_size, 1448);
    assert_true(got->has_stamp);
    assert_int_equal(got->slots, 5);
    expect_none();
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

static struct net_frame *large_frame(void)
{
    const struct ip_frame ip = {.version = 4, .protocol = 6, .payload_bytes = 3000};
    struct net_frame *frame = ip_frame_make(&ip);
    assert_non_null(frame);
    frame->gso_type = NET_GSO_TCPV4;
    frame->gso_size_bytes = 1000;
    return frame;
}

static void connect_without_offloads(void)
{
    v->config.features = (struct vif_features){.sg = true};
    connect();
}

static void what_the_front_end_cannot_cut_is_cut_for_it(void **state)
{
    (void)state;
    connect_without_offloads();
    post(8);
    give(large_frame());
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fake_netfront_receive(&v->front, got), 1);
        assert_int_equal(got->length_bytes, 1054);
        assert_int_equal(got->gso_type, 0);
        assert_true(ip_frame_is_right(got->data, got->length_bytes, 14));
    }
    expect_none();
    assert_int_equal(v->q->stats.rx_parts, 3);
    assert_int_equal(v->q->stats.rx_segmented, 1);
    assert_int_equal(v->port.out.frames, 1);
}

/* The parts that are lost are no frames of their own: the one was delivered. */
static void parts_without_room_are_dropped(void **state)
{
    (void)state;
    connect_without_offloads();
    for (uint32_t i = 0; i + 1 < VIF_RX_QUEUE_FRAMES; i++)
        fake_vif_deliver(v, 60, i);
    give(large_frame());
    assert_int_equal(v->port.drops[NET_DROP_NO_ROOM], 2);
    assert_int_equal(v->q->stats.rx_no_room, 2);
    assert_int_equal(v->q->stats.rx_parts, 3);
    assert_int_equal(v->port.out.frames, VIF_RX_QUEUE_FRAMES);
}

static void what_cannot_be_cut_for_lack_of_memory_is_dropped(void **state)
{
    (void)state;
    connect_without_offloads();
    post(8);
    struct net_frame *frame = large_frame();
    fault_arm_call("malloc", 1, ENOMEM);
    give(frame);
    fault_disarm();
    expect_none();
    assert_int_equal(v->port.drops[NET_DROP_NO_MEMORY], 1);
    assert_int_equal(v->q->stats.rx_unfit, 1);
    assert_int_equal(v->q->stats.rx_segmented, 0);
    assert_int_equal(v->port.out.frames, 0);
}

static int create(void *config)
{
    struct vif_queue *q;
    int rc = vif_queue_create(config, &q);
    assert_true((rc < 0) == (q == NULL));
    if (rc == 0)
        vif_queue_destroy(q, NULL);
    return rc;
}

static void without_memory_there_is_no_queue(void **state)
{
    (void)state;
    connect();
    struct vif_queue_config config = v->q->config;
    fake_vif_disconnect(v, NULL);
    assert_true(fault_walk(create, &config) >= 4);
    connect();
}

static void frames_that_have_arrived_are_let_go(void **state)
{
    (void)state;
    connect();
    post(16);
    int64_t blocks = fault_live_blocks();
    for (uint32_t i = 0; i < 8; i++) {
        deliver(60 + 1000 * (i % 2), i);
        expect_frame(60 + 1000 * (i % 2), i);
    }
    assert_int_equal(fault_live_blocks(), blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_delivered_frame_lies_in_a_posted_page),
        TEST(frames_of_all_sizes_arrive_whole),
        TEST(what_the_frame_says_goes_along),
        TEST(a_stamp_says_when_it_was_due),
        TEST(a_stamp_comes_behind_what_is_said_about_cutting),
        TEST(a_stamp_behind_a_link_may_be_to_come),
        TEST(a_page_that_cannot_be_written_spoils_its_frame),
        TEST(a_wild_index_halts_the_queue),
        TEST(without_sg_a_frame_has_one_page),
        TEST(a_visit_delivers_a_bounded_number),
        TEST(what_the_front_end_cannot_cut_is_cut_for_it),
        TEST(parts_without_room_are_dropped),
        TEST(what_cannot_be_cut_for_lack_of_memory_is_dropped),
        TEST(without_memory_there_is_no_queue),
        TEST(frames_that_have_arrived_are_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
