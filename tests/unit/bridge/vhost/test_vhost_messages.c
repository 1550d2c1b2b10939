/* SPDX-License-Identifier: MIT */
/* vhost_messages: what a front end asks of the session, and what it sends with it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/unix_socket.h"
#include "unit/bridge/vhost/vhost_fixture.h"

static const uint64_t plain = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_BLK_F_FLUSH;

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
    assert_int_equal(fake_guest_take(&guest, NULL), 1); /* it has failed */
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

static void ask_config(uint32_t offset, uint32_t bytes, union vhost_user_payload *answer)
{
    struct vhost_user_config ask = {.offset = offset, .bytes = bytes};
    uint32_t head = (uint32_t)offsetof(struct vhost_user_config, region);

    fake_guest_send(&guest, VHOST_USER_GET_CONFIG, &ask, head, -1);
    assert_int_equal(hear(), 0);
    memset(answer, 0x55, sizeof(*answer));
    assert_int_equal(fake_guest_receive(&guest, answer), head + bytes);
    assert_int_equal(answer->config.offset, offset);
    assert_int_equal(answer->config.bytes, bytes);
}

static void any_part_of_the_configuration_can_be_read(void **state)
{
    const uint32_t all = (uint32_t)sizeof(struct virtio_blk_config),
                   most = VHOST_USER_CONFIG_BYTES_MAX;
    static const uint8_t none[VHOST_USER_CONFIG_BYTES_MAX];
    static union vhost_user_payload whole, part;

    (void)state;
    ask_config(0, most, &whole);
    assert_memory_equal(whole.config.region + all, none, most - all); /* what nobody knows */
    ask_config(4, 8, &part);
    assert_memory_equal(part.config.region, whole.config.region + 4, 8);
    ask_config(all - 4, 8, &part);
    assert_memory_equal(part.config.region, whole.config.region + all - 4, 8);
    ask_config(all, 4, &part);
    assert_memory_equal(part.config.region, none, 4);
    ask_config(most, 0, &part);
    struct vhost_user_config beyond = {.bytes = most + 1};
    fake_guest_send(&guest, VHOST_USER_GET_CONFIG, &beyond, sizeof(beyond), -1);
    assert_int_equal(hear(), -EPROTO);
    beyond = (struct vhost_user_config){.offset = most + 1};
    fake_guest_send(&guest, VHOST_USER_GET_CONFIG, &beyond, sizeof(beyond), -1);
    assert_int_equal(hear(), -EPROTO);
}

/* Who knows of no flush gets each write flushed. */
static void without_flushes_writes_go_through(void **state)
{
    uint64_t features = 1ULL << VIRTIO_F_VERSION_1;

    (void)state;
    fake_guest_send(&guest, VHOST_USER_SET_FEATURES, &features, sizeof(features), -1);
    assert_int_equal(hear(), 0);
    assert_true(device.write_through);
    features |= 1ULL << VIRTIO_BLK_F_FLUSH;
    fake_guest_send(&guest, VHOST_USER_SET_FEATURES, &features, sizeof(features), -1);
    assert_int_equal(hear(), 0);
    assert_false(device.write_through);
}

static void only_features_that_were_offered_can_be_chosen(void **state)
{
    uint64_t offered = ask_u64(VHOST_USER_GET_PROTOCOL_FEATURES), more = 1ULL << 62;

    (void)state;
    fake_guest_send(&guest, VHOST_USER_SET_PROTOCOL_FEATURES, &offered, sizeof(offered), -1);
    assert_int_equal(hear(), 0);
    fake_guest_send(&guest, VHOST_USER_SET_PROTOCOL_FEATURES, &more, sizeof(more), -1);
    assert_int_equal(hear(), -EPROTO);
}

static void an_answer_is_given_where_one_is_asked_for(void **state)
{
    struct {
        struct vhost_user_header header;
        uint64_t features;
    } __attribute__((packed)) message = {
        {VHOST_USER_SET_FEATURES, VHOST_USER_VERSION | VHOST_USER_NEED_REPLY, sizeof(uint64_t)},
        1ULL << VIRTIO_F_VERSION_1};
    union vhost_user_payload answer;

    (void)state;
    assert_int_equal(write(guest.socket, &message, sizeof(message)), sizeof(message));
    assert_int_equal(hear(), 0);
    assert_int_equal(fake_guest_receive(&guest, &answer), sizeof(uint64_t));
    assert_int_equal(answer.u64, 0);
    message.header.request = VHOST_USER_GET_FEATURES; /* its answer is the answer */
    message.header.bytes = 0;
    assert_int_equal(write(guest.socket, &message, sizeof(message.header)), sizeof(message.header));
    assert_int_equal(hear(), 0);
    assert_int_equal(fake_guest_receive(&guest, &answer), sizeof(uint64_t));
    assert_int_equal(fake_guest_receive(&guest, &answer), -1);
    message.header.flags = VHOST_USER_VERSION; /* nor is there one for who did not ask */
    message.header.request = VHOST_USER_SET_OWNER;
    assert_int_equal(write(guest.socket, &message, sizeof(message.header)), sizeof(message.header));
    assert_int_equal(hear(), 0);
    assert_int_equal(fake_guest_receive(&guest, &answer), -1);
}

/* It comes from the device, and may be given at any time. */
static void a_queue_goes_on_with_other_memory_for_what_is_in_flight(void **state)
{
    struct vhost_user_inflight shape = {.queue_count = 1, .queue_size = FAKE_GUEST_QUEUE};
    struct vhost_user_header header;
    size_t count;
    int fd = -1;

    (void)state;
    start(negotiated);
    fake_guest_send(&guest, VHOST_USER_GET_INFLIGHT_FD, &shape, sizeof(shape), -1);
    assert_int_equal(hear(), 0);
    assert_int_equal(unix_socket_receive(guest.socket, &header, sizeof(header), &fd, 1, &count),
                     sizeof(header));
    assert_int_equal(read(guest.socket, &shape, header.bytes), header.bytes);
    for (int i = 0; i < 2; i++) {
        fake_guest_send(&guest, VHOST_USER_SET_INFLIGHT_FD, &shape, sizeof(shape), fd);
        assert_int_equal(hear(), 0);
        fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
        assert_answer(513, VIRTIO_BLK_S_OK);
    }
    close(fd);
}

int main(void)
{
#define SESSION_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        SESSION_TEST(the_configuration_tells_of_the_disk),
        SESSION_TEST(features_are_those_of_the_disk),
        SESSION_TEST(a_queue_that_is_stopped_tells_where_it_was),
        SESSION_TEST(a_stop_waits_for_what_is_in_flight),
        SESSION_TEST(without_protocol_features_a_queue_runs_from_its_kick_on),
        SESSION_TEST(a_line_for_requests_of_ours_is_taken),
        SESSION_TEST(a_message_may_come_in_pieces),
        SESSION_TEST(the_end_of_the_front_end_is_noticed),
        SESSION_TEST(memory_that_is_not_there_is_refused),
        SESSION_TEST(a_memory_table_needs_its_descriptors),
        SESSION_TEST(rings_outside_memory_are_refused),
        SESSION_TEST(the_descriptors_of_a_session_end_with_it),
        SESSION_TEST(messages_without_sense_are_refused),
        SESSION_TEST(any_part_of_the_configuration_can_be_read),
        SESSION_TEST(without_flushes_writes_go_through),
        SESSION_TEST(only_features_that_were_offered_can_be_chosen),
        SESSION_TEST(an_answer_is_given_where_one_is_asked_for),
        SESSION_TEST(a_queue_goes_on_with_other_memory_for_what_is_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
