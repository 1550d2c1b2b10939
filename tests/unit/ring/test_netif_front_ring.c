/* SPDX-License-Identifier: MIT */
/* netif_front_ring: what is in the slots of a network front end's rings. The ring itself:
 * test_front_ring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ring/netif_back_ring.h"
#include "ring/netif_front_ring.h"

struct fixture {
    struct sring *tx_sring, *rx_sring;
    struct netif_tx_front_ring tx;
    struct netif_rx_front_ring rx;
    struct netif_tx_back_ring back_tx;
    struct netif_rx_back_ring back_rx;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL || (f->tx_sring = calloc(1, XEN_PAGE_SIZE)) == NULL ||
        (f->rx_sring = calloc(1, XEN_PAGE_SIZE)) == NULL)
        return -1;
    sring_init(f->tx_sring, UINT32_MAX);
    sring_init(f->rx_sring, UINT32_MAX);
    front_ring_init(&f->tx.half, f->tx_sring, NETIF_RING_ENTRIES, UINT32_MAX);
    front_ring_init(&f->rx.half, f->rx_sring, NETIF_RING_ENTRIES, UINT32_MAX);
    back_ring_init(&f->back_tx.half, f->tx_sring, NETIF_RING_ENTRIES, UINT32_MAX);
    back_ring_init(&f->back_rx.half, f->rx_sring, NETIF_RING_ENTRIES, UINT32_MAX);
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

static void a_frame_of_request_and_extra_reaches_the_back_end(void **state)
{
    struct fixture *f = *state;
    memset(f->tx_sring->slots, 0xa5, XEN_PAGE_SIZE - sizeof(struct sring));
    const struct netif_tx_request req = {
        .gref = 8, .offset = 2, .flags = NETTXF_extra_info, .id = 3, .size = 60};
    netif_tx_put_request(&f->tx, &req);
    netif_tx_put_extra(
        &f->tx, &(struct netif_extra_info){.type = XEN_NETIF_EXTRA_TYPE_GSO, .u.gso.size = 1448});
    (void)front_ring_push(&f->tx.half);
    union netif_tx_sring_entry copy;
    assert_int_equal(back_ring_look(&f->back_tx.half), 2);
    netif_tx_take(&f->back_tx, &copy);
    assert_memory_equal(&copy.req, &req, sizeof(req));
    netif_tx_take(&f->back_tx, &copy);
    assert_int_equal(copy.extra.u.gso.size, 1448);
    assert_int_equal(copy.req.id | copy.req.size << 16, 0); /* the rest of the slot is clear */
}

static void tx_responses_come_back(void **state)
{
    struct fixture *f = *state;
    struct netif_tx_response rsp;
    union netif_tx_sring_entry copy;
    assert_int_equal(netif_tx_take_response(&f->tx, &rsp), 0);
    netif_tx_put_request(&f->tx, &(struct netif_tx_request){.id = 3});
    (void)front_ring_push(&f->tx.half);
    assert_int_equal(back_ring_look(&f->back_tx.half), 1);
    netif_tx_take(&f->back_tx, &copy);
    netif_tx_put_response(&f->back_tx, 3, NETIF_RSP_ERROR);
    (void)back_ring_push(&f->back_tx.half);
    assert_int_equal(netif_tx_take_response(&f->tx, &rsp), 1);
    assert_int_equal(rsp.id, 3);
    assert_int_equal(rsp.status, NETIF_RSP_ERROR);
    f->tx_sring->rsp_prod += 5;
    assert_int_equal(netif_tx_take_response(&f->tx, &rsp), -EPROTO);
}

/* An extra info has no id: its slot says whose page it used up. */
static void a_received_slot_says_its_number(void **state)
{
    struct fixture *f = *state;
    for (uint16_t id = 0; id < 2; id++)
        netif_rx_put_request(&f->rx, id, 40u + id);
    (void)front_ring_push(&f->rx.half);
    assert_int_equal(back_ring_look(&f->back_rx.half), 2);
    struct netif_rx_request req;
    netif_rx_take_request(&f->back_rx, &req);
    assert_int_equal(req.gref, 40);
    assert_int_equal(req.pad, 0);
    netif_rx_put_response(&f->back_rx,
                          &(struct netif_rx_response){.flags = NETRXF_extra_info, .status = 60});
    netif_rx_take_request(&f->back_rx, &req);
    netif_rx_put_extra(&f->back_rx, &(struct netif_extra_info){.type = XEN_NETIF_EXTRA_TYPE_GSO});
    (void)back_ring_push(&f->back_rx.half);
    union netif_rx_sring_entry copy;
    uint32_t slot_number;
    assert_int_equal(netif_rx_take(&f->rx, &copy, &slot_number), 1);
    assert_int_equal(slot_number, NETIF_RING_ENTRIES - 1);
    assert_int_equal(copy.rsp.status, 60);
    assert_int_equal(netif_rx_take(&f->rx, &copy, &slot_number), 1);
    assert_int_equal(slot_number, 0);
    assert_int_equal(copy.extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
    assert_int_equal(netif_rx_take(&f->rx, &copy, &slot_number), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_frame_of_request_and_extra_reaches_the_back_end, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(tx_responses_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_received_slot_says_its_number, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
