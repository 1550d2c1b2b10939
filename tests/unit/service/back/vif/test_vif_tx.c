/* SPDX-License-Identifier: MIT */
/* vif_tx: what arrives at the port, is answered, is bounded. Which slots make a frame: tx_chain. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "faults/fault.h"
#include "ring/evtchn.h"
#include "ring/gnttab.h"
#include "unit/service/back/vif/vif_tx_fixture.h"

static void a_frame_arrives_and_is_answered(void **state)
{
    (void)state;
    connect_with(false);
    send_frame(60, 1, NULL);
    assert_int_equal(v->net.count, 1);
    assert_int_equal(arrived(0)->length_bytes, 60);
    assert_true(fake_network_is_frame(arrived(0)->data, 60, 1));
    assert_int_equal(arrived(0)->arrived_ns, fake_vif_now_ns(v));
    assert_int_equal(arrived(0)->stamp_ns, -1);
    assert_false(arrived(0)->checksum_blank);
    assert_false(arrived(0)->data_validated);
    expect_status(NETIF_RSP_OKAY);
    expect_no_answer();
    assert_int_equal(v->port.in.frames, 1);
    assert_int_equal(v->q->stats.tx_frames, 1);
    assert_int_equal(v->q->stats.tx_bytes, 60);
    assert_int_equal(v->q->grants.mapped_count, 2); /* the rings alone */
}

static void frames_of_all_sizes_arrive_whole(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {14,   60,   1500,  4095,  4096,  4097,
                                     8192, 9000, 16384, 40000, 65535, 65534};
    connect_with(false);
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        send_frame(sizes[i], i, NULL);
        assert_int_equal(v->net.count, i + 1);
        assert_int_equal(arrived(i)->length_bytes, sizes[i]);
        assert_true(fake_network_is_frame(arrived(i)->data, sizes[i], i));
        for (uint32_t slot = 0; slot < (sizes[i] + XEN_PAGE_SIZE - 1) / XEN_PAGE_SIZE; slot++)
            expect_status(NETIF_RSP_OKAY);
        expect_no_answer();
    }
    send_frame(18 * 1000, 99, &(struct fake_tx){.piece_bytes = 1000});
    assert_true(fake_network_is_frame(arrived(12)->data, 18000, 99));
}

static void a_page_may_have_one_byte_of_a_frame(void **state)
{
    (void)state;
    connect_with(false);
    for (uint32_t i = 0; i < 8; i++) {
        send_frame(XEN_PAGE_SIZE + 1, i, NULL);
        assert_true(fake_network_is_frame(arrived(i)->data, XEN_PAGE_SIZE + 1, i));
        expect_status(NETIF_RSP_OKAY);
        expect_status(NETIF_RSP_OKAY);
    }
}

static void what_the_slots_say_of_a_frame_comes_along(void **state)
{
    (void)state;
    connect_with(false);
    send_frame(5000, 1,
               &(struct fake_tx){.flags = NETTXF_csum_blank | NETTXF_data_validated,
                                 .gso_type = XEN_NETIF_GSO_TYPE_TCPV4,
                                 .gso_size = 1448});
    assert_true(arrived(0)->checksum_blank);
    assert_true(arrived(0)->data_validated);
    assert_int_equal(arrived(0)->gso_type, NET_GSO_TCPV4);
    assert_int_equal(arrived(0)->gso_size_bytes, 1448);
    expect_status(NETIF_RSP_OKAY);
    expect_status(NETIF_RSP_NULL);
    expect_status(NETIF_RSP_OKAY);
    send_frame(60, 2, &(struct fake_tx){.flags = NETTXF_data_validated});
    assert_false(arrived(1)->checksum_blank);
    assert_true(arrived(1)->data_validated);
    send_frame(60, 3, &(struct fake_tx){.flags = NETTXF_csum_blank});
    assert_true(arrived(2)->checksum_blank);
}

static void the_front_end_is_told_by_an_event(void **state)
{
    (void)state;
    connect_with(false);
    send_frame(60, 1, NULL);
    const struct shared_info *si = v->front.segment.shared_info;
    assert_int_equal(si->evtchn_pending[0], 1ull << FAKE_VIF_PORT);
    assert_int_equal(v->q->stats.notifies, 1);
    send_frame(60, 2, NULL); /* it has not asked for another one */
    assert_int_equal(v->q->stats.notifies, 1);
}

/* Each frame's error is its own, and the ring goes on. */
static void a_page_that_is_not_granted_spoils_its_frame(void **state)
{
    (void)state;
    connect_with(false);
    struct grant_entry_v1 *table = v->front.segment.gnttab;
    uint32_t slot = v->front.tx.half.req_prod_pvt % NETIF_RING_ENTRIES;
    table[FAKE_NETFRONT_TX_REF + slot + 1].flags = GTF_invalid;
    send_frame(9000, 1, NULL);
    for (int i = 0; i < 3; i++)
        expect_status(NETIF_RSP_ERROR);
    assert_int_equal(v->net.count, 0);
    assert_int_equal(v->q->stats.tx_errors, 1);
    assert_int_equal(v->port.drops[NET_DROP_MALFORMED], 1);
    assert_int_equal(v->q->grants.mapped_count, 2);
    send_frame(60, 2, NULL);
    expect_status(NETIF_RSP_OKAY);
}

static void a_short_frame_is_an_error(void **state)
{
    (void)state;
    connect_with(false);
    send_frame(13, 1, NULL);
    expect_status(NETIF_RSP_ERROR);
    assert_int_equal(v->net.count, 0);
    assert_int_equal(fake_vif_drops(v), 1);
}

static void a_broken_chain_halts_the_queue(void **state)
{
    (void)state;
    connect_with(false);
    netif_tx_put_request(&v->front.tx, &(struct netif_tx_request){.size = 100, .offset = 4095});
    (void)front_ring_push(&v->front.tx.half);
    fake_vif_ring(v, true);
    assert_non_null(v->broken);
    send_frame(60, 1, NULL);
    fake_vif_ring(v, true);
    expect_no_answer();
    assert_int_equal(v->net.count, 0);
    fake_vif_deliver(v, 60, 1);
    assert_int_equal(v->port.drops[NET_DROP_DISCONNECTED], 1);
}

static void wild_indices_halt_the_queue(void **state)
{
    (void)state;
    static const uint32_t wild[] = {UINT32_MAX - 100 + 257, 0x7fffffff, UINT32_MAX - 101};
    for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
        connect_with(false);
        v->broken = NULL;
        v->front.tx.half.sring->req_prod = wild[i];
        fake_vif_ring(v, true);
        assert_non_null(v->broken);
        fake_vif_disconnect(v, NULL);
        v->front.tx.half.sring->req_prod = UINT32_MAX - 100;
    }
}

/* The last frame may go beyond. */
static void a_turn_is_bounded_in_bytes(void **state)
{
    (void)state;
    connect_with(false);
    fake_network_fill(bytes, 1000, 0);
    for (int i = 0; i < 200; i++)
        assert_int_equal(fake_netfront_send(&v->front, bytes, i < 10 ? 1000 : 14, NULL, NULL), 1);
    assert_int_equal(vif_queue_take(v->q, 2500), 3000);
    assert_int_equal(v->net.count, 3);
    assert_int_equal(vif_queue_take(v->q, 1), 1000);
    assert_int_equal(vif_queue_take(v->q, UINT32_MAX), 6 * 1000 + 190 * 14);
    assert_int_equal(v->net.count, 200);
    assert_int_equal(vif_queue_take(v->q, UINT32_MAX), 0);
}

/* A bridge with eleven ports: ten copies beyond the frame itself. */
static void copy_to_all(struct net_sink *sink, struct net_port *port, struct net_frame *frame,
                        uint64_t at_ns)
{
    (void)sink;
    (void)at_ns;
    port->copied_bytes += 10 * frame->length_bytes;
}

static void copies_use_up_a_turn(void **state)
{
    (void)state;
    struct net_sink all = {.put = copy_to_all};
    connect_with(false);
    v->port.up = &all;
    v->port.copied_bytes = 1000000; /* of frames that came off a link: no matter of this turn */
    fake_network_fill(bytes, 100, 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(fake_netfront_send(&v->front, bytes, 100, NULL, NULL), 1);
    assert_int_equal(vif_queue_take(v->q, 3000), 300);
    assert_int_equal(vif_queue_take(v->q, 1), 100);
    assert_int_equal(vif_queue_take(v->q, UINT32_MAX), 1600);
}

/* Where a network is so quick that the front end sends again at once. */
static void send_again(struct net_sink *sink, struct net_port *port, struct net_frame *frame,
                       uint64_t at_ns)
{
    (void)sink;
    (void)port;
    (void)at_ns;
    (void)fake_netfront_send(&v->front, frame->data, frame->length_bytes, NULL, NULL);
}

static void a_turn_ends_with_what_was_there_at_its_begin(void **state)
{
    (void)state;
    struct net_sink again = {.put = send_again};
    connect_with(false);
    v->port.up = &again;
    fake_network_fill(bytes, 60, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fake_netfront_send(&v->front, bytes, 60, NULL, NULL), 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(vif_queue_take(v->q, UINT32_MAX), 180);
}

/* Frames that are refused cost turns, too. */
static void refused_frames_use_up_the_budget(void **state)
{
    (void)state;
    connect_with(false);
    for (int i = 0; i < 5; i++)
        netif_tx_put_request(&v->front.tx, &(struct netif_tx_request){.size = 0});
    (void)front_ring_push(&v->front.tx.half);
    assert_int_equal(vif_queue_take(v->q, 129), 3 * 64);
    assert_int_equal(vif_queue_take(v->q, 129), 2 * 64);
    assert_int_equal(vif_queue_take(v->q, 129), 0);
}

/* The last take has asked for the doorbell. */
static void the_doorbell_is_asked_for_when_the_ring_is_empty(void **state)
{
    (void)state;
    connect_with(false);
    bool notify;
    fake_network_fill(bytes, 60, 0);
    (void)fake_netfront_send(&v->front, bytes, 60, NULL, &notify);
    assert_true(notify);
    assert_int_equal(vif_queue_take(v->q, 1), 60);
    (void)fake_netfront_send(&v->front, bytes, 60, NULL, &notify);
    assert_false(notify); /* it is the port's turn still */
    assert_int_equal(vif_queue_take(v->q, 1), 60);
    assert_int_equal(vif_queue_take(v->q, 1), 0);
    (void)fake_netfront_send(&v->front, bytes, 60, NULL, &notify);
    assert_true(notify);
}

static void without_a_network_frames_are_dropped(void **state)
{
    (void)state;
    connect_with(false);
    fake_network_leave(&v->port);
    send_frame(60, 1, NULL);
    expect_status(NETIF_RSP_OKAY);
    assert_int_equal(v->port.drops[NET_DROP_DISCONNECTED], 1);
}

/* A ring that is never empty rings no doorbell, so nobody looked for hours. */
static void slots_without_number_are_no_error(void **state)
{
    (void)state;
    connect_with(false);
    v->q->taken = UINT32_MAX;
    send_frame(60, 1, NULL);
    fake_vif_turn(v);
    v->q->taken = (uint32_t)INT32_MAX + 1;
    pollables_answered(&v->q->pollable);
    fake_vif_turn(v);
    assert_null(v->q->fault);
    assert_int_equal(v->q->taken, 0);
}

static void a_frame_that_there_is_no_memory_for_is_dropped(void **state)
{
    (void)state;
    connect_with(false);
    bool notify;
    assert_true(fake_netfront_send(&v->front, bytes, 60, NULL, &notify) > 0);
    fault_arm_call("malloc", 1, ENOMEM);
    fake_vif_ring(v, notify);
    fault_disarm();
    expect_status(NETIF_RSP_DROPPED);
    assert_int_equal(v->q->stats.tx_dropped, 1);
    assert_int_equal(v->port.drops[NET_DROP_NO_MEMORY], 1);
    assert_int_equal(v->net.count, 0);
    send_frame(60, 2, NULL);
    expect_status(NETIF_RSP_OKAY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_frame_arrives_and_is_answered),
        TEST(frames_of_all_sizes_arrive_whole),
        TEST(a_page_may_have_one_byte_of_a_frame),
        TEST(what_the_slots_say_of_a_frame_comes_along),
        TEST(the_front_end_is_told_by_an_event),
        TEST(a_page_that_is_not_granted_spoils_its_frame),
        TEST(a_short_frame_is_an_error),
        TEST(a_broken_chain_halts_the_queue),
        TEST(wild_indices_halt_the_queue),
        TEST(a_turn_is_bounded_in_bytes),
        TEST(copies_use_up_a_turn),
        TEST(a_turn_ends_with_what_was_there_at_its_begin),
        TEST(refused_frames_use_up_the_budget),
        TEST(the_doorbell_is_asked_for_when_the_ring_is_empty),
        TEST(without_a_network_frames_are_dropped),
        TEST(slots_without_number_are_no_error),
        TEST(a_frame_that_there_is_no_memory_for_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
