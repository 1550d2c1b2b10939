/* SPDX-License-Identifier: MIT */
/* vhost_session: requests of the guest, and what the disk makes of them. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/unix_socket.h"
#include "bridge/vhost/vhost_session_private.h"
#include "unit/bridge/vhost/vhost_fixture.h"

/* ---- requests -----------------------------------------------------------------------------------
 */

static void a_read_fills_the_guests_memory(void **state)
{
    (void)state;
    start(negotiated);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 7, 3 * 512);
    assert_answer(3 * 512 + 1, VIRTIO_BLK_S_OK);
    assert_memory_equal(guest.memory + FAKE_GUEST_DATA, memory_disk.bytes + 7 * 512, 3 * 512);
}

static void a_write_reaches_the_disk_and_a_flush_follows_when_asked_for(void **state)
{
    (void)state;
    start(negotiated);
    memset(guest.memory + FAKE_GUEST_DATA, 0x5a, 1024);
    fake_guest_request(&guest, VIRTIO_BLK_T_OUT, 100, 1024);
    assert_answer(1, VIRTIO_BLK_S_OK);
    assert_memory_equal(memory_disk.bytes + 100 * 512, guest.memory + FAKE_GUEST_DATA, 1024);
    assert_int_equal(memory_disk.flushes, 0);
    fake_guest_request(&guest, VIRTIO_BLK_T_FLUSH, 0, 0);
    assert_answer(1, VIRTIO_BLK_S_OK);
    assert_int_equal(memory_disk.flushes, 1);
}

static void a_device_without_writes_refuses_them(void **state)
{
    (void)state;
    blk_device_forbid_writes(&device);
    start(negotiated | 1ULL << VIRTIO_BLK_F_RO); /* refused unless the device offers it */
    fake_guest_request(&guest, VIRTIO_BLK_T_OUT, 100, 1024);
    assert_answer(1, VIRTIO_BLK_S_IOERR);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 100, 1024);
    assert_answer(1024 + 1, VIRTIO_BLK_S_OK);
}

/* Such a driver takes an answered write for durable. */
static void a_driver_without_flush_gets_one_after_each_write(void **state)
{
    (void)state;
    start(negotiated & ~(1ULL << VIRTIO_BLK_F_FLUSH));
    fake_guest_request(&guest, VIRTIO_BLK_T_OUT, 1, 512);
    assert_answer(1, VIRTIO_BLK_S_OK);
    assert_int_equal(memory_disk.flushes, 1);
}

static void the_flush_after_a_write_that_took_a_while_is_shown(void **state)
{
    (void)state;
    start(negotiated & ~(1ULL << VIRTIO_BLK_F_FLUSH));
    fake_guest_request(&guest, VIRTIO_BLK_T_OUT, 1, 512);
    memory_disk.holds = true;
    assert_int_equal(move(), 0);
    memory_disk.holds = false;
    assert_int_equal(move(), 0);
    assert_answer(1, VIRTIO_BLK_S_OK);
    assert_int_equal(memory_disk.flushes, 1);
}

static void ranges_are_discarded_or_zeroed(void **state)
{
    struct virtio_blk_discard_write_zeroes range = {.sector = 8, .num_sectors = 16};

    (void)state;
    start(negotiated);
    memcpy(guest.memory + FAKE_GUEST_DATA, &range, sizeof(range));
    fake_guest_request(&guest, VIRTIO_BLK_T_DISCARD, 0, sizeof(range));
    assert_answer(1, VIRTIO_BLK_S_OK);
    assert_int_equal(memory_disk.discards, 1);
    range.flags = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
    memcpy(guest.memory + FAKE_GUEST_DATA, &range, sizeof(range));
    fake_guest_request(&guest, VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(range));
    assert_answer(1, VIRTIO_BLK_S_OK);
    for (size_t i = 8 * 512; i < 24 * 512; i++)
        assert_int_equal(memory_disk.bytes[i], 0);
    assert_int_not_equal(memory_disk.bytes[24 * 512 + 1], 0);
    fake_guest_request(&guest, VIRTIO_BLK_T_DISCARD, 0, sizeof(range)); /* with that flag */
    assert_answer(1, VIRTIO_BLK_S_UNSUPP);
}

static void the_disk_has_a_name(void **state)
{
    (void)state;
    start(negotiated);
    fake_guest_request(&guest, VIRTIO_BLK_T_GET_ID, 0, 20);
    assert_answer(21, VIRTIO_BLK_S_OK);
    assert_string_equal((char *)guest.memory + FAKE_GUEST_DATA, "splitdom");
}

/* Header, data and status cut where nobody would, and in a table of their own. */
static void pieces_may_be_cut_anywhere(void **state)
{
    struct virtio_blk_outhdr header = {.type = VIRTIO_BLK_T_IN, .sector = 3};
    struct vring_desc *table = (struct vring_desc *)(guest.memory + FAKE_GUEST_INDIRECT);

    (void)state;
    start(negotiated);
    memcpy(guest.memory + FAKE_GUEST_HEADER, &header, sizeof(header));
    fake_guest_desc(&guest, 0, FAKE_GUEST_HEADER, 5, VRING_DESC_F_NEXT, 1);
    fake_guest_desc(&guest, 1, FAKE_GUEST_HEADER + 5, 11, VRING_DESC_F_NEXT, 2);
    fake_guest_desc(&guest, 2, FAKE_GUEST_DATA, 100, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 3);
    fake_guest_desc(&guest, 3, FAKE_GUEST_DATA + 100, 413, VRING_DESC_F_WRITE, 0);
    memcpy(table, guest.desc, 4 * sizeof(*table));
    fake_guest_desc(&guest, 5, FAKE_GUEST_INDIRECT, 4 * sizeof(*table), VRING_DESC_F_INDIRECT, 0);
    fake_guest_offer(&guest, 5);
    guest.memory[FAKE_GUEST_DATA + 512] = 0xff;
    assert_int_equal(move(), 0);
    uint32_t id;
    assert_int_equal(fake_guest_take(&guest, &id), 513);
    assert_int_equal(id, 5);
    assert_int_equal(guest.memory[FAKE_GUEST_DATA + 512], VIRTIO_BLK_S_OK);
    assert_memory_equal(guest.memory + FAKE_GUEST_DATA, memory_disk.bytes + 3 * 512, 512);
}

/* As the memory of a machine that got more while it ran: one behind the other for the guest, and
 * anywhere else. */
static void give_two_regions(uint64_t first_bytes)
{
    const struct vhost_user_message message = {
        .header = {.request = VHOST_USER_SET_MEM_TABLE,
                   .flags = VHOST_USER_VERSION,
                   .bytes = offsetof(struct vhost_user_memory, regions[2])},
        .payload.memory = {.region_count = 2,
                           .regions = {{.guest_address = FAKE_GUEST_ADDRESS,
                                        .bytes = first_bytes,
                                        .user_address = FAKE_GUEST_USER},
                                       {.guest_address = FAKE_GUEST_ADDRESS + first_bytes,
                                        .bytes = FAKE_GUEST_BYTES - first_bytes,
                                        .user_address = FAKE_GUEST_USER + first_bytes,
                                        .mmap_offset = first_bytes}}}};
    const int fds[] = {guest.memory_fd, guest.memory_fd};

    assert_int_equal(unix_socket_send(guest.socket, &message,
                                      sizeof(message.header) + message.header.bytes, fds, 2, true),
                     0);
    assert_int_equal(hear(), 0);
}

static void data_may_go_on_in_the_next_region(void **state)
{
    (void)state;
    start(negotiated);
    give_two_regions(FAKE_GUEST_DATA + 700);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 8, 1024);
    assert_answer(1025, VIRTIO_BLK_S_OK);
    assert_memory_equal(guest.memory + FAKE_GUEST_DATA, memory_disk.bytes + 8 * 512, 1024);
    memset(guest.memory + FAKE_GUEST_DATA, 0x5a, 1024);
    fake_guest_request(&guest, VIRTIO_BLK_T_OUT, 8, 1024);
    assert_answer(1, VIRTIO_BLK_S_OK);
    assert_memory_equal(guest.memory + FAKE_GUEST_DATA, memory_disk.bytes + 8 * 512, 1024);
    give_two_regions(FAKE_GUEST_HEADER + 5); /* and so may a header */
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 9, 512);
    assert_answer(513, VIRTIO_BLK_S_OK);
}

static void what_is_wrong_with_a_request_is_answered(void **state)
{
    (void)state;
    start(negotiated);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, MEMORY_DISK_SECTORS, 512);
    assert_answer(1, VIRTIO_BLK_S_IOERR);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, UINT64_MAX, 1024); /* the end wraps around */
    assert_answer(1, VIRTIO_BLK_S_IOERR);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 511);
    assert_answer(1, VIRTIO_BLK_S_IOERR);
    fake_guest_request(&guest, VIRTIO_BLK_T_OUT, 0, 0);
    assert_answer(1, VIRTIO_BLK_S_IOERR);
    fake_guest_request(&guest, 77, 0, 512);
    assert_answer(1, VIRTIO_BLK_S_UNSUPP);
}

static void a_failure_of_the_disk_is_answered(void **state)
{
    (void)state;
    start(negotiated);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
    memory_disk.holds = true;
    assert_int_equal(move(), 0);
    memory_disk.holds = false;
    memory_disk.failure = -ENOTCONN;
    assert_int_equal(move(), -ENOTCONN);
    assert_int_equal(fake_guest_take(&guest, NULL), 1);
    assert_int_equal(guest.memory[FAKE_GUEST_STATUS], VIRTIO_BLK_S_IOERR);
}

static void requests_wait_for_room_in_the_ring(void **state)
{
    (void)state;
    start(negotiated);
    memory_disk.holds = true;
    memory_disk.room = 1;
    for (int i = 0; i < 3; i++)
        fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
    assert_int_equal(move(), 0);
    assert_int_equal(memory_disk.count, 1);
    assert_int_equal(device.in_flight, 3);
    memory_disk.holds = false;
    assert_int_equal(move(), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fake_guest_take(&guest, NULL), 513);
}

/* ---- notifications ------------------------------------------------------------------------------
 */

static void the_driver_is_called_when_it_asks_for_that(void **state)
{
    (void)state;
    start(negotiated);
    assert_true(was_called()); /* as each queue that begins to run */
    assert_int_equal(move(), 0);
    assert_false(was_called());
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
    assert_int_equal(move(), 0);
    assert_true(was_called());
    guest.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
    assert_int_equal(move(), 0);
    assert_false(was_called());
}

static void an_event_index_says_when_to_call_and_to_kick(void **state)
{
    (void)state;
    start(negotiated | 1ULL << VIRTIO_RING_F_EVENT_IDX);
    assert_true(was_called());
    guest.avail->ring[FAKE_GUEST_QUEUE] = 1; /* not for the first, but the second */
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
    assert_int_equal(move(), 0);
    assert_false(was_called());
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
    assert_int_equal(move(), 0);
    assert_true(was_called());
    uint16_t kick_at;
    memcpy(&kick_at, &guest.used->ring[FAKE_GUEST_QUEUE], sizeof(kick_at));
    assert_int_equal(kick_at, 2);
}

static void a_read_only_disk_takes_no_writes(void **state)
{
    (void)state;
    vhost_session_close(&session);
    blk_device_close(&device);
    fake_guest_close(&guest);
    assert_true(fake_guest_open(&guest));
    memory_disk.read_only = true;
    begin();
    assert_true((ask_u64(VHOST_USER_GET_FEATURES) & 1ULL << VIRTIO_BLK_F_RO) != 0);
    start(negotiated);
    fake_guest_request(&guest, VIRTIO_BLK_T_OUT, 0, 512);
    assert_answer(1, VIRTIO_BLK_S_IOERR);
}

/* A second queue: the first one's descriptors, rings of its own. */
static struct vring_avail *start_second_queue(void)
{
    enum { AVAIL = 0x6000, USED = 0x7000 };
    const struct vhost_user_vring_addr addr = {.index = 1,
                                               .descriptors = FAKE_GUEST_USER + FAKE_GUEST_DESC,
                                               .available = FAKE_GUEST_USER + AVAIL,
                                               .used = FAKE_GUEST_USER + USED};
    const struct vhost_user_vring_state size = {.index = 1, .value = FAKE_GUEST_QUEUE},
                                        enable = {.index = 1, .value = 1};
    uint64_t queue = 1;

    fake_guest_send(&guest, VHOST_USER_SET_VRING_NUM, &size, sizeof(size), -1);
    fake_guest_send(&guest, VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr), -1);
    fake_guest_send(&guest, VHOST_USER_SET_VRING_KICK, &queue, sizeof(queue), guest.kick_fd);
    fake_guest_send(&guest, VHOST_USER_SET_VRING_ENABLE, &enable, sizeof(enable), -1);
    assert_int_equal(hear(), 0);
    return (struct vring_avail *)(guest.memory + AVAIL);
}

static void a_queue_that_never_ends_leaves_slots_to_the_others(void **state)
{
    (void)state;
    start(negotiated);
    struct vring_avail *second = start_second_queue();
    for (int i = 0; i < FAKE_GUEST_QUEUE; i++) /* more than there are slots */
        fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
    second->idx = 1; /* of the same descriptors: its ring is full of zeros */
    memory_disk.holds = true;
    assert_int_equal(move(), 0); /* the first queue has them all */
    assert_int_equal(session.queues[1].ring.avail_cons, 0);
    memory_disk.holds = false;
    assert_true(vhost_session_move(&session, &why) > 0); /* answers, which make slots free */
    assert_true(vhost_session_move(&session, &why) > 0);
    assert_int_equal(session.queues[1].ring.avail_cons, 1);
    assert_int_equal(move(), 0);
}

/* ---- what is waited for -------------------------------------------------------------------------
 */

static void a_queue_that_runs_is_waited_for_by_its_kick(void **state)
{
    int kicks[VHOST_QUEUES_MAX];
    (void)state;
    assert_int_equal(vhost_session_kicks(&session, kicks), 0);
    start(negotiated);
    assert_int_equal(vhost_session_kicks(&session, kicks), 1);
    struct pollfd kick = {.fd = kicks[0], .events = POLLIN};
    assert_int_equal(eventfd_write(guest.kick_fd, 1), 0);
    assert_int_equal(poll(&kick, 1, 0), 1);
}

/* Who takes no more requests is not to be woken for them. */
static void a_device_that_is_full_waits_for_no_kick(void **state)
{
    int kicks[VHOST_QUEUES_MAX];
    (void)state;
    start(negotiated);
    struct blk_slot *const free_slots = device.free;
    device.free = NULL;
    assert_int_equal(vhost_session_kicks(&session, kicks), 0);
    device.free = free_slots;
    assert_int_equal(vhost_session_kicks(&session, kicks), 1);
}

static void a_drain_waits_for_all_answers(void **state)
{
    (void)state;
    start(negotiated);
    memory_disk.holds = true;
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 7, 512);
    assert_int_equal(move(), 0);
    assert_int_equal(device.in_flight, 1);
    memory_disk.holds = false;
    vhost_session_drain(&session);
    assert_int_equal(device.in_flight, 0);
    assert_int_equal(fake_guest_take(&guest, NULL), 512 + 1);
}

/* Who is to end does not wait for a disk that never answers. */
static void a_drain_cancels_what_is_in_flight_when_all_ends(void **state)
{
    (void)state;
    start(negotiated);
    memory_disk.holds = true;
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 7, 512);
    assert_int_equal(move(), 0);
    assert_int_equal(eventfd_write(stop_fd, 1), 0);
    vhost_session_drain(&session);
    assert_int_equal(device.in_flight, 0);
}

int main(void)
{
#define SESSION_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        SESSION_TEST(a_read_fills_the_guests_memory),
        SESSION_TEST(a_write_reaches_the_disk_and_a_flush_follows_when_asked_for),
        SESSION_TEST(a_device_without_writes_refuses_them),
        SESSION_TEST(a_driver_without_flush_gets_one_after_each_write),
        SESSION_TEST(the_flush_after_a_write_that_took_a_while_is_shown),
        SESSION_TEST(ranges_are_discarded_or_zeroed),
        SESSION_TEST(the_disk_has_a_name),
        SESSION_TEST(pieces_may_be_cut_anywhere),
        SESSION_TEST(data_may_go_on_in_the_next_region),
        SESSION_TEST(what_is_wrong_with_a_request_is_answered),
        SESSION_TEST(a_failure_of_the_disk_is_answered),
        SESSION_TEST(requests_wait_for_room_in_the_ring),
        SESSION_TEST(the_driver_is_called_when_it_asks_for_that),
        SESSION_TEST(an_event_index_says_when_to_call_and_to_kick),
        SESSION_TEST(a_read_only_disk_takes_no_writes),
        SESSION_TEST(a_queue_that_never_ends_leaves_slots_to_the_others),
        cmocka_unit_test_setup_teardown(a_queue_that_runs_is_waited_for_by_its_kick, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_device_that_is_full_waits_for_no_kick, setup, teardown),
        cmocka_unit_test_setup_teardown(a_drain_waits_for_all_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_drain_cancels_what_is_in_flight_when_all_ends, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
