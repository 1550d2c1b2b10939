/* SPDX-License-Identifier: MIT */
/* tx_chain: which slots make a frame, which are refused, and which end the ring: the verdicts of
 * Linux's back end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ring/netif_front_ring.h"
#include "service/back/vif/tx_chain.h"

struct fixture {
    struct sring *sring;
    struct netif_tx_front_ring front;
    struct netif_tx_back_ring back;
    struct tx_chain chain;
};

static struct fixture *f;

static int setup(void **state)
{
    (void)state;
    f = calloc(1, sizeof(*f));
    if (f == NULL || (f->sring = calloc(1, XEN_PAGE_SIZE)) == NULL)
        return -1;
    sring_init(f->sring, UINT32_MAX - 5);
    front_ring_init(&f->front.half, f->sring, NETIF_RING_ENTRIES, UINT32_MAX - 5);
    back_ring_init(&f->back.half, f->sring, NETIF_RING_ENTRIES, UINT32_MAX - 5);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(f->sring);
    free(f);
    return 0;
}

static void put(uint16_t id, uint32_t offset, uint32_t size, uint16_t flags)
{
    netif_tx_put_request(&f->front, &(struct netif_tx_request){.gref = 100u + id,
                                                               .offset = (uint16_t)offset,
                                                               .flags = flags,
                                                               .id = id,
                                                               .size = (uint16_t)size});
}

static void put_extra(uint8_t type, uint8_t flags)
{
    netif_tx_put_extra(&f->front, &(struct netif_extra_info){.type = type, .flags = flags});
}

static void put_gso(uint8_t type, uint16_t size, uint8_t flags)
{
    netif_tx_put_extra(&f->front,
                       &(struct netif_extra_info){.type = XEN_NETIF_EXTRA_TYPE_GSO,
                                                  .flags = flags,
                                                  .u.gso = {.type = type, .size = size}});
}

static enum tx_verdict take_with(bool stamps)
{
    (void)front_ring_push(&f->front.half);
    assert_true(back_ring_look(&f->back.half) > 0);
    return tx_chain_take(&f->chain, &f->back, stamps);
}

static enum tx_verdict take(void)
{
    return take_with(false);
}

static uint32_t left(void)
{
    return f->back.half.req_prod - f->back.half.req_cons;
}

static void one_request_is_a_frame(void **state)
{
    (void)state;
    put(7, 10, 60, NETTXF_csum_blank);
    put(8, 0, 60, 0);
    assert_int_equal(take(), TX_FRAME);
    assert_int_equal(f->chain.piece_count, 1);
    assert_int_equal(f->chain.length_bytes, 60);
    assert_int_equal(f->chain.flags, NETTXF_csum_blank);
    assert_int_equal(f->chain.piece[0].gref, 107);
    assert_int_equal(f->chain.piece[0].offset, 10);
    assert_int_equal(f->chain.piece[0].size, 60);
    assert_int_equal(f->chain.gso_type, 0);
    assert_int_equal(left(), 1);
}

/* The first request says the size of all, the others their own. */
static void the_first_piece_is_what_the_others_leave(void **state)
{
    (void)state;
    put(1, 0, 9000, NETTXF_more_data);
    put(2, 96, 4000, NETTXF_more_data);
    put(3, 0, 4096, 0);
    assert_int_equal(take(), TX_FRAME);
    assert_int_equal(f->chain.piece_count, 3);
    assert_int_equal(f->chain.length_bytes, 9000);
    assert_int_equal(f->chain.piece[0].size, 904);
    assert_int_equal(f->chain.piece[1].size, 4000);
    assert_int_equal(f->chain.piece[2].size, 4096);
}

static void empty_pieces_are_allowed(void **state)
{
    (void)state;
    put(1, 4096, 60, NETTXF_more_data);
    put(2, 4096, 0, NETTXF_more_data);
    put(3, 0, 60, 0);
    assert_int_equal(take(), TX_FRAME);
    assert_int_equal(f->chain.piece[0].size, 0);
    assert_int_equal(f->chain.piece[1].size, 0);
    assert_int_equal(f->chain.piece[2].size, 60);
}

static void extra_infos_stand_after_the_first_request(void **state)
{
    (void)state;
    put(1, 0, 5000, NETTXF_extra_info | NETTXF_more_data);
    put_extra(XEN_NETIF_EXTRA_TYPE_HASH, XEN_NETIF_EXTRA_FLAG_MORE);
    put_gso(XEN_NETIF_GSO_TYPE_TCPV6, 1440, 0);
    put(2, 0, 4000, 0);
    assert_int_equal(take(), TX_FRAME);
    assert_int_equal(f->chain.extra_count, 2);
    assert_int_equal(f->chain.piece_count, 2);
    assert_int_equal(f->chain.gso_type, XEN_NETIF_GSO_TYPE_TCPV6);
    assert_int_equal(f->chain.gso_size, 1440);
    assert_int_equal(f->chain.piece[0].size, 1000);
}

static void a_stamp_needs_an_agreement(void **state)
{
    (void)state;
    put(1, 0, 60, NETTXF_extra_info);
    struct netif_extra_info extra = {.type = SPLITDOM_NETIF_EXTRA_TYPE_STAMP};
    splitdom_netif_stamp_put(&extra, 12345);
    netif_tx_put_extra(&f->front, &extra);
    assert_int_equal(take_with(true), TX_FRAME);
    assert_true(f->chain.has_stamp);
    assert_int_equal(splitdom_netif_stamp_get(&f->chain.stamp, 0), 12345);
    put(1, 0, 60, NETTXF_extra_info);
    netif_tx_put_extra(&f->front, &extra);
    assert_int_equal(take_with(false), TX_BROKEN);
}

static void a_frame_without_a_whole_header_is_refused(void **state)
{
    (void)state;
    put(1, 0, 13, 0);
    assert_int_equal(take(), TX_REFUSED);
    put(1, 0, 0, 0);
    assert_int_equal(take(), TX_REFUSED);
    put(1, 0, 14, 0);
    assert_int_equal(take(), TX_FRAME);
}

static void put_pieces(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        put((uint16_t)i, 0, i == 0 ? 60 * count : 60, i + 1 < count ? NETTXF_more_data : 0);
}

static void nineteen_requests_are_taken_and_more_are_refused(void **state)
{
    (void)state;
    put_pieces(XEN_NETIF_NR_SLOTS_MIN + 1);
    assert_int_equal(take(), TX_FRAME);
    put_pieces(XEN_NETIF_NR_SLOTS_MIN + 2);
    assert_int_equal(take(), TX_REFUSED);
    put_pieces(TX_CHAIN_PIECES_MAX);
    assert_int_equal(take(), TX_REFUSED);
    assert_int_equal(f->chain.piece_count, TX_CHAIN_PIECES_MAX); /* all are to be answered */
    assert_int_equal(left(), 0);
    put_pieces(TX_CHAIN_PIECES_MAX + 1);
    assert_int_equal(take(), TX_BROKEN);
}

static void pieces_larger_than_the_frame_are_refused(void **state)
{
    (void)state;
    put(1, 0, 100, NETTXF_more_data);
    put(2, 0, 60, NETTXF_more_data);
    put(3, 0, 41, NETTXF_more_data);
    put(4, 0, 10, 0);
    assert_int_equal(take(), TX_REFUSED);
    assert_int_equal(f->chain.piece_count, 4);
    assert_int_equal(left(), 0);
}

static void a_piece_that_crosses_its_page_ends_the_ring(void **state)
{
    (void)state;
    put(1, 4037, 60, 0);
    assert_int_equal(take(), TX_BROKEN);
    put(1, 4036, 60, 0);
    assert_int_equal(take(), TX_FRAME);
    put(1, 0, 200, NETTXF_more_data);
    put(2, 0xffff, 0xffff, 0);
    assert_int_equal(take(), TX_BROKEN);
    put(1, 1, 8192, NETTXF_more_data); /* the first one's piece is a whole page, from 1 on */
    put(2, 0, 4096, 0);
    assert_int_equal(take(), TX_BROKEN);
}

static void a_missing_slot_ends_the_ring(void **state)
{
    (void)state;
    put(1, 0, 100, NETTXF_more_data);
    assert_int_equal(take(), TX_BROKEN);
    put(1, 0, 100, NETTXF_extra_info);
    assert_int_equal(take(), TX_BROKEN);
    put(1, 0, 100, NETTXF_extra_info);
    put_gso(XEN_NETIF_GSO_TYPE_TCPV4, 1448, XEN_NETIF_EXTRA_FLAG_MORE);
    assert_int_equal(take(), TX_BROKEN);
}

static void wrong_extra_infos_end_the_ring(void **state)
{
    (void)state;
    static const uint8_t types[] = {0, XEN_NETIF_EXTRA_TYPE_MAX, 0x7f, 0xff};
    for (size_t i = 0; i < sizeof(types); i++) {
        put(1, 0, 100, NETTXF_extra_info);
        put_extra(types[i], 0);
        assert_int_equal(take(), TX_BROKEN);
    }
    put(1, 0, 100, NETTXF_extra_info);
    put_gso(XEN_NETIF_GSO_TYPE_TCPV4, 0, 0);
    assert_int_equal(take(), TX_BROKEN);
    put(1, 0, 100, NETTXF_extra_info);
    put_gso(3, 1448, 0);
    assert_int_equal(take(), TX_BROKEN);
    put(1, 0, 100, NETTXF_extra_info);
    put_gso(XEN_NETIF_GSO_TYPE_NONE, 1448, 0);
    assert_int_equal(take(), TX_BROKEN);
}

/* A ring full of extra infos that all say that there is one more. */
static void a_chain_of_extra_infos_ends_with_the_ring(void **state)
{
    (void)state;
    put(1, 0, 100, NETTXF_extra_info);
    for (int i = 1; i < NETIF_RING_ENTRIES; i++)
        put_gso(XEN_NETIF_GSO_TYPE_TCPV4, 1448, XEN_NETIF_EXTRA_FLAG_MORE);
    assert_int_equal(take(), TX_BROKEN);
    assert_int_equal(left(), 0);
}

static void multicast_control_is_refused(void **state)
{
    (void)state;
    put(1, 0, 100, NETTXF_extra_info);
    put_extra(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, XEN_NETIF_EXTRA_FLAG_MORE);
    put_extra(XEN_NETIF_EXTRA_TYPE_MCAST_DEL, 0);
    assert_int_equal(take(), TX_REFUSED);
    assert_int_equal(f->chain.extra_count, 2);
}

static void each_slot_gets_its_answer_in_order(void **state)
{
    (void)state;
    put(11, 0, 200, NETTXF_extra_info | NETTXF_more_data);
    put_gso(XEN_NETIF_GSO_TYPE_TCPV4, 1448, 0);
    put(12, 0, 60, 0);
    assert_int_equal(take(), TX_FRAME);
    tx_chain_answer(&f->chain, &f->back, NETIF_RSP_DROPPED);
    assert_int_equal(back_ring_in_flight(&f->back.half), 0);
    (void)back_ring_push(&f->back.half);
    static const struct netif_tx_response expected[] = {
        {11, NETIF_RSP_DROPPED}, {0, NETIF_RSP_NULL}, {12, NETIF_RSP_DROPPED}};
    for (size_t i = 0; i < 3; i++) {
        struct netif_tx_response rsp;
        assert_int_equal(netif_tx_take_response(&f->front, &rsp), 1);
        assert_int_equal(rsp.id, expected[i].id);
        assert_int_equal(rsp.status, expected[i].status);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_request_is_a_frame),
        TEST(the_first_piece_is_what_the_others_leave),
        TEST(empty_pieces_are_allowed),
        TEST(extra_infos_stand_after_the_first_request),
        TEST(a_stamp_needs_an_agreement),
        TEST(a_frame_without_a_whole_header_is_refused),
        TEST(nineteen_requests_are_taken_and_more_are_refused),
        TEST(pieces_larger_than_the_frame_are_refused),
        TEST(a_piece_that_crosses_its_page_ends_the_ring),
        TEST(a_missing_slot_ends_the_ring),
        TEST(wrong_extra_infos_end_the_ring),
        TEST(a_chain_of_extra_infos_ends_with_the_ring),
        TEST(multicast_control_is_refused),
        TEST(each_slot_gets_its_answer_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
