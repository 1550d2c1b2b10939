/* SPDX-License-Identifier: MIT */
/*
 * vhost_session: a guest whose rings and chains lie breaks its queue, and a front end its
 * session, and nothing else.
 */
#include <errno.h>
#include <string.h>

#include "unit/bridge/vhost/vhost_fixture.h"

static void assert_broken(void)
{
    assert_int_equal(move(), -EPROTO);
    assert_int_equal(device.in_flight, 0);
}

static void a_chain_that_never_ends_breaks_the_queue(void **state)
{
    (void)state;
    start(negotiated);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
    guest.desc[2].flags |= VRING_DESC_F_NEXT;
    guest.desc[2].next = 1;
    assert_broken();
}

static void an_address_outside_memory_breaks_the_queue(void **state)
{
    (void)state;
    start(negotiated);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
    guest.desc[1].addr = FAKE_GUEST_ADDRESS + FAKE_GUEST_BYTES - 511;
    assert_broken();
}

static void a_length_that_wraps_breaks_the_queue(void **state)
{
    (void)state;
    start(negotiated);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
    guest.desc[1].addr = UINT64_MAX - 100;
    assert_broken();
}

static void an_index_that_runs_ahead_breaks_the_queue(void **state)
{
    (void)state;
    start(negotiated);
    guest.avail->idx = FAKE_GUEST_QUEUE + 1;
    assert_broken();
}

static void a_head_that_is_no_descriptor_breaks_the_queue(void **state)
{
    (void)state;
    start(negotiated);
    fake_guest_offer(&guest, FAKE_GUEST_QUEUE);
    assert_broken();
}

static void a_chain_without_status_breaks_the_queue(void **state)
{
    (void)state;
    start(negotiated);
    fake_guest_request(&guest, VIRTIO_BLK_T_FLUSH, 0, 0);
    guest.desc[0].flags = 0;
    assert_broken();
}

static void data_to_read_behind_data_to_write_breaks_the_queue(void **state)
{
    (void)state;
    start(negotiated);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
    guest.desc[2].flags = 0;
    assert_broken();
}

static void a_table_within_a_table_breaks_the_queue(void **state)
{
    struct vring_desc *table = (struct vring_desc *)(guest.memory + FAKE_GUEST_INDIRECT);

    (void)state;
    start(negotiated);
    fake_guest_desc(&guest, 0, FAKE_GUEST_INDIRECT, sizeof(*table), VRING_DESC_F_INDIRECT, 0);
    memcpy(table, guest.desc, sizeof(*table));
    fake_guest_offer(&guest, 0);
    assert_broken();
}

static void memory_that_shrinks_ends_the_session(void **state)
{
    (void)state;
    fault_guard_remove(); /* cmocka has taken the signal between setup and test */
    assert_int_equal(fault_guard_install(VHOST_USER_REGIONS_MAX), 0);
    start(negotiated);
    assert_int_equal(ftruncate(guest.memory_fd, 0), 0);
    assert_int_equal(move(), -EFAULT);
    assert_int_equal(ftruncate(guest.memory_fd, FAKE_GUEST_BYTES), 0);
}

int main(void)
{
#define SESSION_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        SESSION_TEST(a_chain_that_never_ends_breaks_the_queue),
        SESSION_TEST(an_address_outside_memory_breaks_the_queue),
        SESSION_TEST(a_length_that_wraps_breaks_the_queue),
        SESSION_TEST(an_index_that_runs_ahead_breaks_the_queue),
        SESSION_TEST(a_head_that_is_no_descriptor_breaks_the_queue),
        SESSION_TEST(a_chain_without_status_breaks_the_queue),
        SESSION_TEST(data_to_read_behind_data_to_write_breaks_the_queue),
        SESSION_TEST(a_table_within_a_table_breaks_the_queue),
        SESSION_TEST(memory_that_shrinks_ends_the_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
