/* SPDX-License-Identifier: MIT */
/* vhost_session: the disk gets another size while a front end is there. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "unit/bridge/vhost/vhost_fixture.h"

enum { SMALLER = 100 }; /* sectors */

static int line[2]; /* the front end's end, and the device's */

static int setup_line(void **state)
{
    int rc = setup(state);

    return rc < 0 ? rc : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line);
}

static int teardown_line(void **state)
{
    close(line[0]);
    close(line[1]);
    return teardown(state);
}

static void resize(uint64_t sectors)
{
    struct blkfront_geometry geometry;

    memory_disk.sectors = sectors;
    assert_int_equal(blkfront_geometry(&memory_disk, &geometry), 0);
    vhost_session_resize(&session, &geometry);
}

static void take_protocol_features(uint64_t features)
{
    fake_guest_send(&guest, VHOST_USER_SET_PROTOCOL_FEATURES, &features, sizeof(features), -1);
    assert_int_equal(hear(), 0);
}

static void give_line(void)
{
    take_protocol_features(1ULL << VHOST_USER_PROTOCOL_F_CONFIG |
                           1ULL << VHOST_USER_PROTOCOL_F_BACKEND_REQ);
    fake_guest_send(&guest, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, line[1]);
    assert_int_equal(hear(), 0);
}

static uint64_t ask_size(void)
{
    struct vhost_user_config ask = {.bytes = sizeof(struct virtio_blk_config)};
    union vhost_user_payload answer;
    struct virtio_blk_config config;

    fake_guest_send(&guest, VHOST_USER_GET_CONFIG, &ask,
                    (uint32_t)offsetof(struct vhost_user_config, region) + ask.bytes, -1);
    assert_int_equal(hear(), 0);
    assert_true(fake_guest_receive(&guest, &answer) > 0);
    memcpy(&config, answer.config.region, sizeof(config));
    return config.capacity;
}

static bool is_told(void)
{
    struct vhost_user_header message;
    ssize_t got = recv(line[0], &message, sizeof(message), MSG_DONTWAIT);

    if (got < 0)
        return false;
    assert_int_equal(got, sizeof(message));
    assert_int_equal(message.request, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG);
    assert_int_equal(message.flags, VHOST_USER_VERSION);
    assert_int_equal(message.bytes, 0);
    return true;
}

static void requests_are_judged_by_the_new_size(void **state)
{
    (void)state;
    start(negotiated);
    resize(SMALLER);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, SMALLER, 512);
    assert_answer(1, VIRTIO_BLK_S_IOERR);
    resize(MEMORY_DISK_SECTORS);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, SMALLER, 512);
    assert_answer(513, VIRTIO_BLK_S_OK);
}

static void a_front_end_with_a_line_is_told_once(void **state)
{
    (void)state;
    give_line();
    assert_int_equal(ask_size(), MEMORY_DISK_SECTORS);
    start(negotiated);
    assert_false(is_told());
    resize(SMALLER);
    assert_true(is_told());
    assert_int_equal(ask_size(), SMALLER);
    resize(SMALLER);
    assert_false(is_told());
}

static void a_driver_that_is_not_at_work_yet_is_told_when_it_is(void **state)
{
    (void)state;
    give_line();
    assert_int_equal(ask_size(), MEMORY_DISK_SECTORS);
    resize(SMALLER);
    assert_false(is_told());
    start(negotiated);
    assert_true(is_told());
}

/* The next device knows not what the one before has told. */
static void a_front_end_that_has_not_asked_is_told(void **state)
{
    (void)state;
    give_line();
    start(negotiated);
    assert_true(is_told());
}

static void a_front_end_that_takes_no_such_message_is_not_told(void **state)
{
    (void)state;
    give_line();
    take_protocol_features(1ULL << VHOST_USER_PROTOCOL_F_BACKEND_REQ);
    start(negotiated);
    resize(SMALLER);
    assert_false(is_told());
}

static void a_line_that_leads_nowhere_harms_nobody(void **state)
{
    (void)state;
    give_line();
    close(line[0]);
    line[0] = -1;
    start(negotiated);
    resize(SMALLER);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
    assert_answer(513, VIRTIO_BLK_S_OK);
}

/* It waited for room, and is outside by now; the others and the session go on. */
static void a_request_that_is_outside_when_its_turn_comes_is_answered(void **state)
{
    struct blk_slot *done[MEMORY_DISK_DEPTH];

    (void)state;
    start(negotiated);
    memory_disk.room = 0;
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, SMALLER, 512);
    assert_int_equal(vhost_session_move(&session, &why), 1);
    assert_int_equal(device.in_flight, 1);
    resize(SMALLER);
    memory_disk.room = UINT32_MAX;
    assert_int_equal(blk_device_reap(&device, done, MEMORY_DISK_DEPTH), 1);
    assert_false(done[0]->undone);
    assert_int_equal(guest.memory[FAKE_GUEST_STATUS], VIRTIO_BLK_S_IOERR);
    assert_int_equal(device.in_flight, 0);
    blk_device_put(&device, done[0]);
}

int main(void)
{
#define RESIZE_TEST(name) cmocka_unit_test_setup_teardown(name, setup_line, teardown_line)
    const struct CMUnitTest tests[] = {
        RESIZE_TEST(requests_are_judged_by_the_new_size),
        RESIZE_TEST(a_front_end_with_a_line_is_told_once),
        RESIZE_TEST(a_driver_that_is_not_at_work_yet_is_told_when_it_is),
        RESIZE_TEST(a_front_end_that_has_not_asked_is_told),
        RESIZE_TEST(a_front_end_that_takes_no_such_message_is_not_told),
        RESIZE_TEST(a_line_that_leads_nowhere_harms_nobody),
        RESIZE_TEST(a_request_that_is_outside_when_its_turn_comes_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
