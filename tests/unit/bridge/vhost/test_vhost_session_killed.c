/* SPDX-License-Identifier: MIT */
/*
 * vhost_session: a device that is killed with requests of a guest in flight, and the next one, to
 * which the front end connects again.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/unix_socket.h"
#include "bridge/vhost/vhost_session_private.h"
#include "unit/bridge/vhost/vhost_fixture.h"

enum { INFLIGHT_BYTES = sizeof(struct vhost_user_inflight), PACKED_BYTES = 20 };

static const struct vhost_user_inflight ask = {.queue_count = 1, .queue_size = FAKE_GUEST_QUEUE};

/* A read of one sector by descriptors of its own: 3 * number and the two behind that. */
static void offer_read(uint16_t number)
{
    const struct virtio_blk_outhdr header = {.type = VIRTIO_BLK_T_IN, .sector = 10 + number};
    const uint16_t head = (uint16_t)(3 * number);
    const uint64_t at = FAKE_GUEST_HEADER + number * sizeof(header), sector = number * 512u;

    memcpy(guest.memory + at, &header, sizeof(header));
    guest.memory[FAKE_GUEST_STATUS + number] = 0xff;
    fake_guest_desc(&guest, head, at, sizeof(header), VRING_DESC_F_NEXT, (uint16_t)(head + 1));
    fake_guest_desc(&guest, (uint16_t)(head + 1), FAKE_GUEST_DATA + sector, 512,
                    VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, (uint16_t)(head + 2));
    fake_guest_desc(&guest, (uint16_t)(head + 2), (uint64_t)FAKE_GUEST_STATUS + number, 1,
                    VRING_DESC_F_WRITE, 0);
    fake_guest_offer(&guest, head);
}

static void assert_read(uint16_t number)
{
    uint32_t head;

    assert_int_equal(fake_guest_take(&guest, &head), 513);
    assert_int_equal(head, 3 * number);
    assert_int_equal(guest.memory[FAKE_GUEST_STATUS + number], VIRTIO_BLK_S_OK);
    assert_memory_equal(guest.memory + FAKE_GUEST_DATA + number * 512,
                        memory_disk.bytes + (10 + number) * 512, 512);
}

static void hold_the_others(void)
{
    memory_disk.holds = true;
}

/* The last of three is answered, the others are not. */
static void have_two_in_flight(void)
{
    for (uint16_t number = 0; number < 3; number++)
        offer_read(number);
    memory_disk.answered = hold_the_others;
    assert_int_equal(move(), 0);
    assert_read(2);
    assert_int_equal(fake_guest_take(&guest, NULL), -1);
    memory_disk.answered = NULL;
}

/* The device is gone as by SIGKILL; the front end connects to the next one, which has no state. */
static void kill_and_connect(uint16_t base)
{
    struct vhost_user_vring_state state = {.value = base};
    int pair[2];

    memory_disk.count = 0;
    memory_disk.holds = false;
    device.in_flight = 0;
    vhost_session_close(&session);
    blk_device_close(&device);
    close(guest.socket);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    guest.socket = pair[0];
    guest.peer = pair[1];
    begin();
    fake_guest_send(&guest, VHOST_USER_SET_VRING_BASE, &state, sizeof(state), -1);
    assert_int_equal(hear(), 0);
}

/* The memory of the requests in flight, from the device. The question may be shorter than ours. */
static int ask_for_memory(uint32_t bytes, struct vhost_user_inflight *answer)
{
    struct vhost_user_header header;
    size_t count;
    int fd = -1;

    fake_guest_send(&guest, VHOST_USER_GET_INFLIGHT_FD, &ask, bytes, -1);
    assert_int_equal(hear(), 0);
    assert_int_equal(unix_socket_receive(guest.socket, &header, sizeof(header), &fd, 1, &count),
                     sizeof(header));
    assert_int_equal(count, 1);
    assert_int_equal(header.bytes, bytes);
    memset(answer, 0, sizeof(*answer));
    assert_int_equal(read(guest.socket, answer, header.bytes), bytes);
    return fd;
}

static void give_memory(const struct vhost_user_inflight *shape, int fd)
{
    fake_guest_send(&guest, VHOST_USER_SET_INFLIGHT_FD, shape, sizeof(*shape), fd);
    assert_int_equal(hear(), 0);
}

static void what_was_in_flight_is_asked_again(void **state)
{
    struct vhost_user_inflight shape;

    (void)state;
    assert_true((ask_u64(VHOST_USER_GET_PROTOCOL_FEATURES) &
                 1ULL << VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD) != 0);
    int fd = ask_for_memory(INFLIGHT_BYTES, &shape);
    give_memory(&shape, fd);
    start(negotiated);
    have_two_in_flight();
    kill_and_connect(guest.used->idx);
    give_memory(&shape, fd);
    start(negotiated);
    assert_int_equal(move(), 0);
    assert_read(1); /* the disk of the test ends the last one first */
    assert_read(0);
    assert_int_equal(fake_guest_take(&guest, NULL), -1); /* none twice */
    offer_read(3);
    assert_int_equal(move(), 0);
    assert_read(3);
    close(fd);
}

static void the_disk_dies(void)
{
    memory_disk.holds = false;
    memory_disk.failure = -ENOTCONN;
    assert_int_equal(move(), -ENOTCONN);
    assert_int_equal(device.in_flight, 0);
    memory_disk.failure = 0;
}

static void we_are_to_end(void)
{
    assert_int_equal(eventfd_write(stop_fd, 1), 0);
    vhost_session_drain(&session);
    assert_int_equal(device.in_flight, 0);
}

/* The guest hears of no error that the next device can spare it. */
static void assert_left_to_the_next_device(void (*end)(void))
{
    struct vhost_user_inflight shape;

    int fd = ask_for_memory(INFLIGHT_BYTES, &shape);
    give_memory(&shape, fd);
    start(negotiated);
    have_two_in_flight();
    end();
    assert_int_equal(fake_guest_take(&guest, NULL), -1);
    kill_and_connect(guest.used->idx);
    give_memory(&shape, fd);
    start(negotiated);
    assert_int_equal(move(), 0);
    assert_read(1);
    assert_read(0);
    assert_int_equal(fake_guest_take(&guest, NULL), -1);
    close(fd);
}

static void what_is_cancelled_is_left_to_the_next_device(void **state)
{
    (void)state;
    assert_left_to_the_next_device(we_are_to_end);
}

static void what_a_dead_disk_had_is_left_to_the_next_device(void **state)
{
    (void)state;
    assert_left_to_the_next_device(the_disk_dies);
}

/* There will be nobody who knows of it. */
static void what_nobody_keeps_has_failed(void **state)
{
    (void)state;
    start(negotiated);
    have_two_in_flight();
    we_are_to_end();
    for (uint16_t number = 0; number < 2; number++) {
        assert_int_not_equal(fake_guest_take(&guest, NULL), -1);
        assert_int_equal(guest.memory[FAKE_GUEST_STATUS + number], VIRTIO_BLK_S_IOERR);
    }
}

/* An error of the disk is an answer. */
static void what_the_disk_has_refused_is_not_asked_again(void **state)
{
    struct vhost_user_inflight shape;

    (void)state;
    int fd = ask_for_memory(INFLIGHT_BYTES, &shape);
    give_memory(&shape, fd);
    start(negotiated);
    memory_disk.holds = true;
    offer_read(0);
    assert_int_equal(move(), 0);
    memory_disk.holds = false;
    memory_disk.failure = -EIO;
    vhost_session_drain(&session);
    memory_disk.failure = 0;
    assert_int_not_equal(fake_guest_take(&guest, NULL), -1);
    assert_int_equal(guest.memory[FAKE_GUEST_STATUS], VIRTIO_BLK_S_IOERR);
    close(fd);
}

/* After a stop in order nothing is in flight, for the next device neither. */
static void what_was_given_back_is_not_asked_again(void **state)
{
    struct vhost_user_inflight shape;

    (void)state;
    int fd = ask_for_memory(PACKED_BYTES, &shape);
    assert_true(shape.mmap_bytes > 0);
    assert_int_equal(shape.queue_size, FAKE_GUEST_QUEUE);
    give_memory(&shape, fd);
    start(negotiated);
    offer_read(0);
    assert_int_equal(move(), 0);
    assert_read(0);
    kill_and_connect(guest.used->idx);
    give_memory(&shape, fd);
    start(negotiated);
    offer_read(1);
    assert_int_equal(move(), 0);
    assert_read(1);
    assert_int_equal(fake_guest_take(&guest, NULL), -1);
    close(fd);
}

/* It was killed between the used ring and the call: the driver sleeps, and needs no other request.
 */
static void who_was_not_called_is_called_by_the_next_device(void **state)
{
    const uint64_t features = negotiated | 1ULL << VIRTIO_RING_F_EVENT_IDX;

    (void)state;
    start(features);
    offer_read(0);
    assert_int_equal(move(), 0);
    assert_true(was_called());
    kill_and_connect(guest.used->idx);
    assert_false(was_called());
    start(features);
    assert_int_equal(move(), 0);
    assert_true(was_called());
    assert_read(0);
}

/* Some front ends say where the available ring was, where nobody tracks what is in flight. */
static void the_used_ring_goes_on_where_it_is(void **state)
{
    (void)state;
    start(negotiated);
    have_two_in_flight();
    kill_and_connect(guest.avail->idx);
    start(negotiated);
    offer_read(3);
    assert_int_equal(move(), 0);
    assert_int_equal(guest.used->idx, 2);
    assert_read(3);
}

static void a_memory_that_is_none_is_refused(void **state)
{
    struct vhost_user_inflight none = {0};

    (void)state;
    fake_guest_send(&guest, VHOST_USER_SET_INFLIGHT_FD, &ask, sizeof(ask), -1);
    assert_int_equal(hear(), -EPROTO);
    fake_guest_send(&guest, VHOST_USER_SET_INFLIGHT_FD, &ask, sizeof(ask), guest.memory_fd);
    assert_int_equal(hear(), -EBADFD); /* it may shrink */
    fake_guest_send(&guest, VHOST_USER_GET_INFLIGHT_FD, &none, sizeof(none), -1);
    assert_int_equal(hear(), -EINVAL);
    fake_guest_send(&guest, VHOST_USER_GET_INFLIGHT_FD, &ask, PACKED_BYTES - 1, -1);
    assert_int_equal(hear(), -EPROTO);
}

int main(void)
{
#define SESSION_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        SESSION_TEST(what_was_in_flight_is_asked_again),
        SESSION_TEST(what_is_cancelled_is_left_to_the_next_device),
        SESSION_TEST(what_a_dead_disk_had_is_left_to_the_next_device),
        SESSION_TEST(what_nobody_keeps_has_failed),
        SESSION_TEST(what_the_disk_has_refused_is_not_asked_again),
        SESSION_TEST(what_was_given_back_is_not_asked_again),
        SESSION_TEST(who_was_not_called_is_called_by_the_next_device),
        SESSION_TEST(the_used_ring_goes_on_where_it_is),
        SESSION_TEST(a_memory_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
