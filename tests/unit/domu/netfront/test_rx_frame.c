/* SPDX-License-Identifier: MIT */
/* rx_frame against a ring in which the test writes whatever a back end may. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "domu/netfront/rx_frame.h"

enum { NR_PAGES = 64 };

static union {
    struct sring sring;
    uint8_t bytes[XEN_PAGE_SIZE];
} page __attribute__((aligned(4096)));
static struct netif_rx_front_ring ring;
static struct rx_frame frame;
static uint32_t at;

static int setup(void **state)
{
    (void)state;
    sring_init(&page.sring, 0);
    front_ring_init(&ring.half, &page.sring, NETIF_RING_ENTRIES, 0);
    for (uint16_t i = 0; i < NR_PAGES; i++)
        netif_rx_put_request(&ring, i, 100u + i);
    (void)front_ring_push(&ring.half);
    at = 0;
    return 0;
}

static void *slot(void)
{
    return sring_slot(&page.sring, NETIF_RING_ENTRIES, at++, sizeof(union netif_rx_sring_entry));
}

static void show(void)
{
    page.sring.rsp_prod = at;
}

static void piece(uint16_t offset, int16_t bytes, uint16_t flags)
{
    const struct netif_rx_response rsp = {
        .id = (uint16_t)(at % NR_PAGES), .offset = offset, .flags = flags, .status = bytes};
    memcpy(slot(), &rsp, sizeof(rsp));
}

static void gso(uint8_t type, uint16_t size, uint8_t flags)
{
    const struct netif_extra_info extra = {
        .type = XEN_NETIF_EXTRA_TYPE_GSO, .flags = flags, .u.gso = {.size = size, .type = type}};
    memcpy(slot(), &extra, sizeof(extra));
}

static void stamp(uint64_t ns, uint8_t flags)
{
    struct netif_extra_info extra = {.type = SPLITDOM_NETIF_EXTRA_TYPE_STAMP, .flags = flags};
    splitdom_netif_stamp_put(&extra, ns);
    memcpy(slot(), &extra, sizeof(extra));
}

static int take(void)
{
    show();
    return rx_frame_take(&ring, NR_PAGES, true, &frame);
}

static void nothing_is_no_frame(void **state)
{
    (void)state;
    assert_int_equal(take(), 0);
    assert_int_equal(frame.nr_slots, 0);
}

static void one_piece_is_taken_as_told(void **state)
{
    (void)state;
    piece(100, 60, NETRXF_csum_blank | NETRXF_data_validated);
    assert_int_equal(take(), 1);
    assert_int_equal(frame.nr_slots, 1);
    assert_int_equal(frame.nr_pieces, 1);
    assert_int_equal(frame.length_bytes, 60);
    assert_int_equal(frame.piece[0].offset, 100);
    assert_int_equal(frame.piece[0].page, 0);
    assert_true(frame.checksum_blank);
    assert_true(frame.data_validated);
    assert_false(frame.has_stamp);
    assert_int_equal(frame.gso_type, 0);
    assert_int_equal(take(), 0);
}

static void extra_infos_use_up_pages_of_their_own(void **state)
{
    (void)state;
    piece(0, 4096, NETRXF_more_data | NETRXF_extra_info);
    gso(XEN_NETIF_GSO_TYPE_TCPV6, 1440, XEN_NETIF_EXTRA_FLAG_MORE);
    stamp(0x123456789abc, 0);
    piece(16, 4000, 0);
    assert_int_equal(take(), 1);
    assert_int_equal(frame.nr_slots, 4);
    assert_int_equal(frame.nr_pieces, 2);
    assert_int_equal(frame.piece[1].page, 3);
    assert_int_equal(frame.length_bytes, 8096);
    assert_int_equal(frame.gso_type, XEN_NETIF_GSO_TYPE_TCPV6);
    assert_int_equal(frame.gso_size_bytes, 1440);
    assert_true(frame.has_stamp);
    assert_int_equal(splitdom_netif_stamp_get(&frame.stamp, 0x123456789000), 0x123456789abc);
}

static void a_damaged_frame_is_one_all_the_same(void **state)
{
    (void)state;
    piece(0, NETIF_RSP_ERROR, 0);
    assert_int_equal(take(), 1);
    assert_true(frame.damaged);
    assert_int_equal(frame.nr_slots, 1);
}

static void data_are_copied_piece_by_piece(void **state)
{
    static uint8_t pages[NR_PAGES * XEN_PAGE_SIZE], out[32];
    (void)state;
    memset(pages + 4, 'a', 20);
    memset(pages + XEN_PAGE_SIZE + 8, 'b', 5);
    piece(4, 20, NETRXF_more_data);
    piece(8, 5, 0);
    assert_int_equal(take(), 1);
    rx_frame_copy(&frame, pages, out, sizeof(out));
    assert_memory_equal(out, "aaaaaaaaaaaaaaaaaaaabbbbb\0", 26);
    memset(out, 0, sizeof(out));
    rx_frame_copy(&frame, pages, out, 22); /* no more than there is room for */
    assert_memory_equal(out, "aaaaaaaaaaaaaaaaaaaabb\0\0", 24);
}

static void pieces_outside_their_page_are_refused(void **state)
{
    const struct {
        uint16_t offset;
        int16_t bytes;
    } wrong[] = {{4095, 14}, {0, 4097}, {UINT16_MAX, 60}, {4096, 60}, {UINT16_MAX, INT16_MAX}};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        setup(NULL);
        piece(wrong[i].offset, wrong[i].bytes, 0);
        assert_int_equal(take(), -EPROTO);
    }
}

static void a_page_that_was_posted_elsewhere_is_refused(void **state)
{
    const struct netif_rx_response rsp = {.id = 1, .status = 60};
    (void)state;
    memcpy(slot(), &rsp, sizeof(rsp)); /* at 0 page 0 was posted */
    assert_int_equal(take(), -EPROTO);
}

static void frames_that_are_not_whole_are_refused(void **state)
{
    (void)state;
    piece(0, 60, NETRXF_more_data);
    assert_int_equal(take(), -EPROTO);
    setup(NULL);
    piece(0, 60, NETRXF_extra_info);
    assert_int_equal(take(), -EPROTO);
    setup(NULL);
    piece(0, 13, 0); /* shorter than a header */
    assert_int_equal(take(), -EPROTO);
    setup(NULL);
    piece(0, 0, 0);
    assert_int_equal(take(), -EPROTO);
}

static void chains_without_an_end_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < NR_PAGES; i++)
        piece(0, 60, NETRXF_more_data);
    assert_int_equal(take(), -EPROTO);
    setup(NULL);
    for (int i = 0; i < NR_PAGES; i++) /* damaged, all of them: no data to count */
        piece(0, NETIF_RSP_ERROR, NETRXF_more_data);
    assert_int_equal(take(), -EPROTO);
    assert_true(at > frame.nr_slots);
    setup(NULL);
    piece(0, 60, NETRXF_extra_info);
    for (int i = 1; i < NR_PAGES; i++)
        stamp(1, XEN_NETIF_EXTRA_FLAG_MORE);
    assert_int_equal(take(), -EPROTO);
}

static void more_than_any_frame_has_is_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 16; i++)
        piece(0, 4096, i < 15 ? NETRXF_more_data : 0);
    assert_int_equal(take(), -EPROTO); /* 65536 */
    setup(NULL);
    for (int i = 0; i < 16; i++)
        piece(0, i < 15 ? 4096 : 4095, i < 15 ? NETRXF_more_data : 0);
    assert_int_equal(take(), 1);
}

static void extra_infos_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    for (uint8_t type = 0; type < 4; type += 3) {
        setup(NULL);
        piece(0, 60, NETRXF_extra_info);
        gso(type, 1440, 0);
        assert_int_equal(take(), -EPROTO);
    }
    setup(NULL);
    piece(0, 60, NETRXF_extra_info);
    gso(XEN_NETIF_GSO_TYPE_TCPV4, 0, 0);
    assert_int_equal(take(), -EPROTO);
    setup(NULL);
    piece(0, 60, NETRXF_extra_info);
    stamp(1, 0); /* where no stamps were agreed on */
    show();
    assert_int_equal(rx_frame_take(&ring, NR_PAGES, false, &frame), -EPROTO);
}

static void an_index_beyond_what_was_posted_is_refused(void **state)
{
    (void)state;
    piece(0, 60, 0);
    at = NR_PAGES + 1;
    assert_int_equal(take(), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_no_frame, setup),
        cmocka_unit_test_setup(one_piece_is_taken_as_told, setup),
        cmocka_unit_test_setup(extra_infos_use_up_pages_of_their_own, setup),
        cmocka_unit_test_setup(a_damaged_frame_is_one_all_the_same, setup),
        cmocka_unit_test_setup(data_are_copied_piece_by_piece, setup),
        cmocka_unit_test_setup(pieces_outside_their_page_are_refused, setup),
        cmocka_unit_test_setup(a_page_that_was_posted_elsewhere_is_refused, setup),
        cmocka_unit_test_setup(frames_that_are_not_whole_are_refused, setup),
        cmocka_unit_test_setup(chains_without_an_end_are_refused, setup),
        cmocka_unit_test_setup(more_than_any_frame_has_is_refused, setup),
        cmocka_unit_test_setup(extra_infos_that_make_no_sense_are_refused, setup),
        cmocka_unit_test_setup(an_index_beyond_what_was_posted_is_refused, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
