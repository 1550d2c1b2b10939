/* SPDX-License-Identifier: MIT */
/* Persistent grants: the first frames' pages stay in use, up to a bound, and the same for good. */
#include <errno.h>

#include "ring/gnttab.h"
#include "vif_tx_fixture.h"

enum { RINGS = 2, FIRST = 155 /* slot, see setup */ };

static struct grant_entry_v1 *table(void)
{
    return v->front.segment.gnttab;
}

static void connect_persistently(void)
{
    v->config.features.persistent = true;
    connect_with(false);
}

static void send_and_expect(uint32_t length_bytes, uint32_t seed)
{
    const uint32_t which = v->net.count;
    send_frame(length_bytes, seed, NULL);
    expect_status(NETIF_RSP_OKAY);
    assert_true(fake_network_is_frame(arrived(which)->data, length_bytes, seed));
}

static void receive(uint32_t length_bytes, uint32_t seed)
{
    static struct fake_rx got;
    bool notify;
    assert_int_equal(fake_netfront_post(&v->front, 1, &notify), 1);
    fake_vif_ring(v, notify);
    fake_vif_deliver(v, length_bytes, seed);
    fake_vif_turn(v);
    assert_int_equal(fake_netfront_receive(&v->front, &got), 1);
    assert_false(got.failed);
    assert_true(fake_network_is_frame(got.data, length_bytes, seed));
}

static void pages_stay_in_use_until_the_end(void **state)
{
    (void)state;
    connect_persistently();
    send_and_expect(60, 1);
    receive(60, 2);
    assert_int_equal(v->q->grants.mapped_count, RINGS + 2);
    const grant_ref_t tx = FAKE_NETFRONT_TX_REF + FIRST, rx = FAKE_NETFRONT_RX_REF + FIRST;
    assert_int_equal(table()[tx].flags & (GTF_reading | GTF_writing), GTF_reading);
    assert_true((table()[rx].flags & GTF_writing) != 0);
    assert_int_equal(gnttab_end_access(table(), rx), -EBUSY);
    fake_vif_disconnect(v, NULL);
    assert_int_equal(gnttab_end_access(table(), tx), 0);
    assert_int_equal(gnttab_end_access(table(), rx), 0);
}

static void each_page_counts_once(void **state)
{
    (void)state;
    connect_persistently();
    for (uint32_t i = 0; i < 3 * NETIF_RING_ENTRIES; i++) {
        send_and_expect(60, i);
        receive(60, i + 1);
    }
    assert_int_equal(v->q->grants.persistent_count, VIF_PERSISTENT_MAX);
    assert_int_equal(v->q->grants.mapped_count, RINGS + VIF_PERSISTENT_MAX);
}

static void beyond_the_bound_pages_are_in_use_for_a_copy_alone(void **state)
{
    (void)state;
    connect_persistently();
    v->q->grants.persistent_max = 3;
    for (uint32_t i = 0; i < 8; i++) {
        send_and_expect(60, i);
        receive(60, i);
    }
    assert_int_equal(v->q->grants.mapped_count, RINGS + 3);
}

/* What the entry says once a page is in use is not looked at again: as in Xen, where a page that is
 * mapped is. */
static void an_entry_that_changes_afterwards_means_the_same_page(void **state)
{
    (void)state;
    connect_persistently();
    send_and_expect(60, 1);
    const grant_ref_t ref = FAKE_NETFRONT_TX_REF + FIRST;
    table()[ref] = (struct grant_entry_v1){.frame = UINT32_MAX};
    for (uint32_t i = 1; i < NETIF_RING_ENTRIES; i++)
        send_and_expect(60, i);
    send_and_expect(60, 7); /* by that reference again */
    assert_null(v->q->fault);
}

/* One that ends access without asking gets no other domain's data: Dom0 goes on with that page. */
static void who_ends_access_all_the_same_keeps_its_frames(void **state)
{
    (void)state;
    connect_persistently();
    receive(60, 1);
    for (uint32_t i = 0; i < NETIF_RING_ENTRIES; i++)
        table()[FAKE_NETFRONT_RX_REF + i].flags = GTF_invalid;
    static struct fake_rx got;
    bool notify;
    for (uint32_t i = 1; i < NETIF_RING_ENTRIES; i++) {
        assert_int_equal(fake_netfront_post(&v->front, 1, &notify), 1);
        fake_vif_ring(v, notify);
        fake_vif_deliver(v, 60, i);
        fake_vif_turn(v);
        assert_int_equal(fake_netfront_receive(&v->front, &got), 1);
        assert_true(got.failed); /* these were not in use yet */
    }
    receive(60, 2);
    assert_int_equal(v->q->grants.persistent_count, 1);
}

static void without_it_nothing_stays_in_use(void **state)
{
    (void)state;
    connect_with(false);
    send_and_expect(60, 1);
    receive(60, 2);
    assert_int_equal(v->q->grants.mapped_count, RINGS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_stay_in_use_until_the_end),
        TEST(each_page_counts_once),
        TEST(beyond_the_bound_pages_are_in_use_for_a_copy_alone),
        TEST(an_entry_that_changes_afterwards_means_the_same_page),
        TEST(who_ends_access_all_the_same_keeps_its_frames),
        TEST(without_it_nothing_stays_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
