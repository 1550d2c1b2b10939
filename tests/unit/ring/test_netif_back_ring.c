/* SPDX-License-Identifier: MIT */
/* netif_back_ring: what is in the slots of a network back end's rings. The ring itself:
 * test_back_ring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ring/netif_back_ring.h"

struct fixture {
    struct sring *tx_sring, *rx_sring;
    struct netif_tx_back_ring tx;
    struct netif_rx_back_ring rx;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL || (f->tx_sring = calloc(1, XEN_PAGE_SIZE)) == NULL ||
        (f->rx_sring = calloc(1, XEN_PAGE_SIZE)) == NULL)
        return -1;
    sring_init(f->tx_sring, UINT32_MAX - 1);
    sring_init(f->rx_sring, UINT32_MAX - 1);
    back_ring_init(&f->tx.half, f->tx_sring, NETIF_RING_ENTRIES, UINT32_MAX - 1);
    back_ring_init(&f->rx.half, f->rx_sring, NETIF_RING_ENTRIES, UINT32_MAX - 1);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    free(f->tx_sring);
    free(f->rx_sring);
    free(f);
    return 0;
}

static union netif_tx_sring_entry *tx_slot(struct fixture *f, uint32_t index)
{
    return sring_slot(f->tx_sring, NETIF_RING_ENTRIES, index, sizeof(union netif_tx_sring_entry));
}

static union netif_rx_sring_entry *rx_slot(struct fixture *f, uint32_t index)
{
    return sring_slot(f->rx_sring, NETIF_RING_ENTRIES, index, sizeof(union netif_rx_sring_entry));
}

static void a_tx_slot_is_taken_as_what_it_is(void **state)
{
    struct fixture *f = *state;
    tx_slot(f, UINT32_MAX - 1)->req = (struct netif_tx_request){
        .gref = 0x12345678, .offset = 7, .flags = NETTXF_extra_info, .id = 9, .size = 1500};
    tx_slot(f, UINT32_MAX)->extra = (struct netif_extra_info){
        .type = XEN_NETIF_EXTRA_TYPE_GSO, .flags = XEN_NETIF_EXTRA_FLAG_MORE, .u.gso.size = 1448};
    f->tx_sring->req_prod += 2;
    assert_int_equal(back_ring_look(&f->tx.half), 2);
    union netif_tx_sring_entry copy;
    netif_tx_take(&f->tx, &copy);
    assert_int_equal(copy.req.gref, 0x12345678);
    assert_int_equal(copy.req.offset, 7);
    assert_int_equal(copy.req.flags, NETTXF_extra_info);
    assert_int_equal(copy.req.id, 9);
    assert_int_equal(copy.req.size, 1500);
    netif_tx_take(&f->tx, &copy);
    assert_int_equal(copy.extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
    assert_int_equal(copy.extra.flags, XEN_NETIF_EXTRA_FLAG_MORE);
    assert_int_equal(copy.extra.u.gso.size, 1448);
}

/* Nothing of the request, and nothing of our stack, is left in what the front end sees. */
static void a_tx_response_clears_its_slot(void **state)
{
    struct fixture *f = *state;
    memset(tx_slot(f, UINT32_MAX - 1), 0xa5, sizeof(union netif_tx_sring_entry));
    f->tx_sring->req_prod++;
    assert_int_equal(back_ring_look(&f->tx.half), 1);
    union netif_tx_sring_entry copy;
    netif_tx_take(&f->tx, &copy);
    netif_tx_put_response(&f->tx, 77, NETIF_RSP_DROPPED);
    const uint8_t expected[sizeof(copy)] = {77, 0, 0xfe, 0xff};
    assert_memory_equal(tx_slot(f, UINT32_MAX - 1), expected, sizeof(expected));
    assert_int_equal(f->tx_sring->rsp_prod, UINT32_MAX - 1);
    (void)back_ring_push(&f->tx.half);
    assert_int_equal(f->tx_sring->rsp_prod, UINT32_MAX);
}

/* Linux's front end knows by the slot alone which page a response is about. */
static void an_rx_response_lies_where_its_request_did(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < 4; i++)
        rx_slot(f, UINT32_MAX - 1 + i)->req =
            (struct netif_rx_request){.id = (uint16_t)(20 + i), .gref = 100 + i};
    f->rx_sring->req_prod += 4;
    assert_int_equal(back_ring_look(&f->rx.half), 4);
    struct netif_rx_request req;
    netif_rx_take_request(&f->rx, &req);
    netif_rx_put_response(&f->rx, &(struct netif_rx_response){
                                      .id = req.id, .flags = NETRXF_extra_info, .status = 60});
    netif_rx_take_request(&f->rx, &req);
    netif_rx_put_extra(&f->rx, &(struct netif_extra_info){.type = XEN_NETIF_EXTRA_TYPE_GSO});
    netif_rx_take_request(&f->rx, &req);
    assert_int_equal(req.gref, 102);
    netif_rx_put_response(&f->rx, &(struct netif_rx_response){.id = req.id, .status = 61});
    assert_int_equal(rx_slot(f, UINT32_MAX - 1)->rsp.id, 20);
    assert_int_equal(rx_slot(f, UINT32_MAX)->extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
    assert_int_equal(rx_slot(f, 0)->rsp.id, 22);
    assert_int_equal(rx_slot(f, 0)->rsp.status, 61);
    assert_int_equal(rx_slot(f, 1)->req.gref, 103);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_tx_slot_is_taken_as_what_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tx_response_clears_its_slot, setup, teardown),
        cmocka_unit_test_setup_teardown(an_rx_response_lies_where_its_request_did, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
