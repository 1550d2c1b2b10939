/* SPDX-License-Identifier: MIT */
/* vhost_session: a front end and its guest in this thread, a disk in memory. */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/vhost/vhost_session.h"
#include "fakes/fake_guest.h"
#include "fakes/memory_disk.c"
#include "ring/fault_guard.h"

enum { HANG_S = 60 };

static const uint64_t plain = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_BLK_F_FLUSH;
static const uint64_t negotiated = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_BLK_F_FLUSH |
                                   1ULL << VHOST_USER_F_PROTOCOL_FEATURES |
                                   1ULL << VIRTIO_RING_F_INDIRECT_DESC;

static struct fake_guest guest;
static struct blk_device device;
static struct vhost_session session;
static struct why why;
static int stop_fd;

static void begin(void)
{
    assert_int_equal(blk_device_open(&device, &memory_disk), 0);
    vhost_session_open(&session, guest.peer, &device, stop_fd);
}

static int setup(void **state)
{
    (void)state;
    alarm(HANG_S);
    memory_disk_reset();
    stop_fd = eventfd(0, EFD_CLOEXEC);
    if (fault_guard_install(VHOST_USER_REGIONS_MAX) < 0 || !fake_guest_open(&guest) || stop_fd < 0)
        return -1;
    begin();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    vhost_session_close(&session);
    blk_device_close(&device);
    fake_guest_close(&guest);
    fault_guard_remove();
    close(stop_fd);
    alarm(0);
    return 0;
}

static int hear(void)
{
    return vhost_session_hear(&session, &why);
}

static void start(uint64_t features)
{
    fake_guest_start(&guest, features);
    assert_int_equal(hear(), 0);
}

/* Until nothing moves. Whoever sleeps then waits for what Dom0 has been shown. */
static int move(void)
{
    int rc;

    while ((rc = vhost_session_move(&session, &why)) > 0)
        continue;
    assert_int_equal(memory_disk.unshown, 0);
    return rc;
}

static void assert_answer(int64_t written, uint8_t status)
{
    assert_int_equal(move(), 0);
    assert_int_equal(fake_guest_take(&guest, NULL), written);
    assert_int_equal(guest.memory[FAKE_GUEST_STATUS], status);
    assert_int_equal(fake_guest_take(&guest, NULL), -1);
}

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

static bool was_called(void)
{
    eventfd_t value;
    return eventfd_read(guest.call_fd, &value) == 0;
}

static void the_driver_is_called_when_it_asks_for_that(void **state)
{
    (void)state;
    start(negotiated);
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

/* ---- messages -----------------------------------------------------------------------------------
 */

static void the_configuration_tells_of_the_disk(void **state)
{
    struct vhost_user_config ask = {.bytes = sizeof(struct virtio_blk_config)};
    union vhost_user_payload answer;
    struct virtio_blk_config config;

    (void)state;
    fake_guest_send(&guest, VHOST_USER_GET_CONFIG, &ask,
                    (uint32_t)offsetof(struct vhost_user_config, region) + ask.bytes, -1);
    assert_int_equal(hear(), 0);
    assert_true(fake_guest_receive(&guest, &answer) > 0);
    memcpy(&config, answer.config.region, sizeof(config));
    assert_int_equal(config.capacity, MEMORY_DISK_SECTORS);
    assert_int_equal(config.blk_size, 512);
    assert_int_equal(config.physical_block_exp, 3);
    assert_int_equal(config.num_queues, VHOST_QUEUES_MAX);
    assert_int_equal(config.discard_sector_alignment, 8);
}

static uint64_t ask_u64(uint32_t request)
{
    union vhost_user_payload answer;

    fake_guest_send(&guest, request, NULL, 0, -1);
    assert_int_equal(hear(), 0);
    assert_int_equal(fake_guest_receive(&guest, &answer), sizeof(uint64_t));
    return answer.u64;
}

static void features_are_those_of_the_disk(void **state)
{
    (void)state;
    uint64_t features = ask_u64(VHOST_USER_GET_FEATURES);
    assert_true((features & 1ULL << VIRTIO_BLK_F_FLUSH) != 0);
    assert_true((features & 1ULL << VIRTIO_BLK_F_DISCARD) != 0);
    assert_true((features & 1ULL << VIRTIO_BLK_F_RO) == 0);
    assert_int_equal(ask_u64(VHOST_USER_GET_QUEUE_NUM), VHOST_QUEUES_MAX);
    features = 1ULL << 63;
    fake_guest_send(&guest, VHOST_USER_SET_FEATURES, &features, sizeof(features), -1);
    assert_int_equal(hear(), -EPROTO);
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

static void a_queue_that_is_stopped_tells_where_it_was(void **state)
{
    struct vhost_user_vring_state ask = {0};
    union vhost_user_payload answer;

    (void)state;
    start(negotiated);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
    assert_int_equal(move(), 0);
    fake_guest_send(&guest, VHOST_USER_GET_VRING_BASE, &ask, sizeof(ask), -1);
    assert_int_equal(hear(), 0);
    assert_int_equal(fake_guest_receive(&guest, &answer), sizeof(ask));
    assert_int_equal(answer.state.value, 1);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
    assert_int_equal(move(), 0);
    assert_int_equal(fake_guest_take(&guest, NULL), 513); /* the first, and no more */
    assert_int_equal(fake_guest_take(&guest, NULL), -1);
}

/* What is in flight is answered before the memory goes. */
static void a_stop_waits_for_what_is_in_flight(void **state)
{
    struct vhost_user_vring_state ask = {0};

    (void)state;
    start(negotiated);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
    memory_disk.holds = true;
    assert_int_equal(move(), 0);
    assert_int_equal(fake_guest_take(&guest, NULL), -1);
    assert_int_equal(eventfd_write(stop_fd, 1), 0); /* the disk would hold it for ever */
    fake_guest_send(&guest, VHOST_USER_GET_VRING_BASE, &ask, sizeof(ask), -1);
    assert_int_equal(hear(), 0);
    assert_int_equal(fake_guest_take(&guest, NULL), 513);
    assert_int_equal(device.in_flight, 0);
}

static void without_protocol_features_a_queue_runs_from_its_kick_on(void **state)
{
    struct vhost_user_vring_state disable = {0};

    (void)state;
    start(plain);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
    assert_answer(513, VIRTIO_BLK_S_OK);
    fake_guest_send(&guest, VHOST_USER_SET_VRING_ENABLE, &disable, sizeof(disable), -1);
    assert_int_equal(hear(), 0);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
    assert_int_equal(move(), 0);
    assert_int_equal(fake_guest_take(&guest, NULL), -1);
}

/* User Mode Linux does not come up without it. */
static void a_line_for_requests_of_ours_is_taken(void **state)
{
    (void)state;
    assert_true((ask_u64(VHOST_USER_GET_PROTOCOL_FEATURES) &
                 1ULL << VHOST_USER_PROTOCOL_F_BACKEND_REQ) != 0);
    fake_guest_send(&guest, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, guest.call_fd);
    assert_int_equal(hear(), 0);
    assert_true(session.back_fd >= 0);
    fake_guest_send(&guest, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, -1);
    assert_int_equal(hear(), -EPROTO);
}

static void a_message_may_come_in_pieces(void **state)
{
    const struct vhost_user_header header = {.request = VHOST_USER_GET_FEATURES, .flags = 1};
    union vhost_user_payload answer;

    (void)state;
    for (size_t i = 0; i < sizeof(header); i++) {
        assert_int_equal(fake_guest_receive(&guest, &answer), -1);
        assert_int_equal(write(guest.socket, (const char *)&header + i, 1), 1);
        assert_int_equal(hear(), 0);
    }
    assert_int_equal(fake_guest_receive(&guest, &answer), sizeof(uint64_t));
}

static void the_end_of_the_front_end_is_noticed(void **state)
{
    (void)state;
    start(negotiated);
    close(guest.socket);
    guest.socket = -1;
    assert_int_equal(hear(), -ENOTCONN);
}

/* ---- a hostile front end ------------------------------------------------------------------------
 */

static void memory_that_is_not_there_is_refused(void **state)
{
    static const struct vhost_user_region wrong[] = {
        {.bytes = 0},
        {.bytes = FAKE_GUEST_BYTES + 1},
        {.bytes = FAKE_GUEST_BYTES, .mmap_offset = 4096},
        {.bytes = 4096, .mmap_offset = UINT64_MAX - 4095},
        {.bytes = UINT64_MAX},
        {.bytes = 4096, .guest_address = UINT64_MAX - 4095},
        {.bytes = 4096, .user_address = UINT64_MAX - 4095},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        fake_guest_set_memory(&guest, &wrong[i]);
        assert_int_equal(hear(), -EINVAL);
    }
}

static void a_memory_table_needs_its_descriptors(void **state)
{
    struct vhost_user_memory table = {.region_count = 1, .regions = {{.bytes = 4096}}};

    (void)state;
    fake_guest_send(&guest, VHOST_USER_SET_MEM_TABLE, &table,
                    (uint32_t)offsetof(struct vhost_user_memory, regions[1]), -1);
    assert_int_equal(hear(), -EBADF);
    fake_guest_send(&guest, VHOST_USER_SET_MEM_TABLE, &table, 8, -1); /* a region that isn't sent */
    assert_int_equal(hear(), -EPROTO);
    table.region_count = UINT32_MAX;
    fake_guest_send(&guest, VHOST_USER_SET_MEM_TABLE, &table, sizeof(table), -1);
    assert_int_equal(hear(), -EPROTO);
}

static void rings_outside_memory_are_refused(void **state)
{
    struct vhost_user_vring_addr addr = {.descriptors = FAKE_GUEST_USER,
                                         .available = FAKE_GUEST_USER + FAKE_GUEST_AVAIL,
                                         .used = FAKE_GUEST_USER + FAKE_GUEST_BYTES - 64};

    (void)state;
    start(negotiated);
    fake_guest_send(&guest, VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr), -1);
    assert_int_equal(hear(), -EFAULT);
    addr.used = FAKE_GUEST_USER + FAKE_GUEST_USED + 1;
    fake_guest_send(&guest, VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr), -1);
    assert_int_equal(hear(), -EFAULT);
}

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

static void the_descriptors_of_a_session_end_with_it(void **state)
{
    (void)state;
    start(negotiated);
    int kick_fd = session.queues[0].kick_fd, call_fd = session.queues[0].call_fd;
    assert_true(fcntl(kick_fd, F_GETFD) >= 0 && fcntl(call_fd, F_GETFD) >= 0);
    vhost_session_close(&session);
    assert_int_equal(fcntl(kick_fd, F_GETFD), -1);
    assert_int_equal(fcntl(call_fd, F_GETFD), -1);
    assert_true(fcntl(0, F_GETFD) >= 0); /* no other one */
    blk_device_close(&device);
    fake_guest_close(&guest);
    assert_true(fake_guest_open(&guest));
    begin();
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

static void messages_without_sense_are_refused(void **state)
{
    uint64_t value = 0;
    struct vhost_user_vring_state wild = {.index = VHOST_QUEUES_MAX, .value = 1};

    (void)state;
    fake_guest_send(&guest, 4242, NULL, 0, -1);
    assert_int_equal(hear(), -EPROTO);
    fake_guest_send(&guest, VHOST_USER_SET_FEATURES, NULL, 0, -1);
    assert_int_equal(hear(), -EPROTO);
    fake_guest_send(&guest, VHOST_USER_SET_VRING_NUM, &wild, sizeof(wild), -1);
    assert_int_equal(hear(), -EPROTO);
    fake_guest_send(&guest, VHOST_USER_SET_VRING_ENABLE, &wild, sizeof(wild), -1);
    assert_int_equal(hear(), -EPROTO);
    fake_guest_send(&guest, VHOST_USER_SET_VRING_KICK, &value, sizeof(value), -1); /* no eventfd */
    assert_int_equal(hear(), -EPROTO);
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
        SESSION_TEST(what_is_wrong_with_a_request_is_answered),
        SESSION_TEST(a_failure_of_the_disk_is_answered),
        SESSION_TEST(requests_wait_for_room_in_the_ring),
        SESSION_TEST(the_driver_is_called_when_it_asks_for_that),
        SESSION_TEST(an_event_index_says_when_to_call_and_to_kick),
        SESSION_TEST(the_configuration_tells_of_the_disk),
        SESSION_TEST(features_are_those_of_the_disk),
        SESSION_TEST(a_read_only_disk_takes_no_writes),
        SESSION_TEST(a_queue_that_is_stopped_tells_where_it_was),
        SESSION_TEST(a_stop_waits_for_what_is_in_flight),
        SESSION_TEST(without_protocol_features_a_queue_runs_from_its_kick_on),
        SESSION_TEST(a_line_for_requests_of_ours_is_taken),
        SESSION_TEST(a_message_may_come_in_pieces),
        SESSION_TEST(the_end_of_the_front_end_is_noticed),
        SESSION_TEST(memory_that_is_not_there_is_refused),
        SESSION_TEST(a_memory_table_needs_its_descriptors),
        SESSION_TEST(rings_outside_memory_are_refused),
        SESSION_TEST(a_chain_that_never_ends_breaks_the_queue),
        SESSION_TEST(an_address_outside_memory_breaks_the_queue),
        SESSION_TEST(a_length_that_wraps_breaks_the_queue),
        SESSION_TEST(an_index_that_runs_ahead_breaks_the_queue),
        SESSION_TEST(a_head_that_is_no_descriptor_breaks_the_queue),
        SESSION_TEST(a_chain_without_status_breaks_the_queue),
        SESSION_TEST(data_to_read_behind_data_to_write_breaks_the_queue),
        SESSION_TEST(a_table_within_a_table_breaks_the_queue),
        SESSION_TEST(the_descriptors_of_a_session_end_with_it),
        SESSION_TEST(memory_that_shrinks_ends_the_session),
        SESSION_TEST(messages_without_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
