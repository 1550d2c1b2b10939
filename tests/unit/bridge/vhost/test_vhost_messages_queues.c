/* SPDX-License-Identifier: MIT */
/* vhost_messages: what is said of queues. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "unit/bridge/vhost/vhost_fixture.h"

static void queues_that_there_are_not_are_refused_in_each_message(void **state)
{
    static const uint32_t requests[] = {VHOST_USER_SET_VRING_NUM,    VHOST_USER_SET_VRING_BASE,
                                        VHOST_USER_GET_VRING_BASE,   VHOST_USER_SET_VRING_ADDR,
                                        VHOST_USER_SET_VRING_ENABLE, VHOST_USER_SET_VRING_KICK,
                                        VHOST_USER_SET_VRING_CALL};
    union vhost_user_payload payload, answer;

    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        bool has_fd = i >= 5;
        memset(&payload, 0, sizeof(payload));
        payload.state.index = VHOST_QUEUES_MAX; /* all of them begin with it, or are it */
        fake_guest_send(&guest, requests[i], &payload, sizeof(payload.addr),
                        has_fd ? guest.call_fd : -1);
        assert_int_equal(hear(), -EPROTO);
        assert_int_equal(fake_guest_receive(&guest, &answer), -1);
        payload.state.index = VHOST_QUEUES_MAX - 1;
        fake_guest_send(&guest, requests[i], &payload, sizeof(payload.addr),
                        has_fd ? guest.call_fd : -1);
        assert_int_equal(hear(), 0);
        (void)fake_guest_receive(&guest, &answer);
    }
}

static void a_queue_is_no_longer_than_it_can_be(void **state)
{
    struct vhost_user_vring_state size = {.value = SPLIT_QUEUE_SIZE_MAX + 1};

    (void)state;
    fake_guest_send(&guest, VHOST_USER_SET_VRING_NUM, &size, sizeof(size), -1);
    assert_int_equal(hear(), -EPROTO);
    size.value--;
    fake_guest_send(&guest, VHOST_USER_SET_VRING_NUM, &size, sizeof(size), -1);
    assert_int_equal(hear(), 0);
    assert_int_equal(session.queues[0].size, SPLIT_QUEUE_SIZE_MAX);
}

static void a_queue_that_runs_keeps_its_size_and_its_place(void **state)
{
    struct vhost_user_vring_state value = {.value = 8};

    (void)state;
    start(negotiated);
    fake_guest_send(&guest, VHOST_USER_SET_VRING_NUM, &value, sizeof(value), -1);
    assert_int_equal(hear(), -EPROTO);
    fake_guest_send(&guest, VHOST_USER_SET_VRING_BASE, &value, sizeof(value), -1);
    assert_int_equal(hear(), -EPROTO);
    assert_int_equal(session.queues[0].size, FAKE_GUEST_QUEUE);
    assert_true(session.queues[0].runs);
}

static void a_queue_goes_on_where_it_is_told_to(void **state)
{
    struct vhost_user_vring_state base = {.value = 3}, ask = {0};
    union vhost_user_payload answer;

    (void)state;
    fake_guest_send(&guest, VHOST_USER_SET_VRING_BASE, &base, sizeof(base), -1);
    assert_int_equal(hear(), 0);
    start(negotiated);
    assert_int_equal(session.queues[0].ring.avail_cons, 3);
    fake_guest_send(&guest, VHOST_USER_GET_VRING_BASE, &ask, sizeof(ask), -1);
    assert_int_equal(hear(), 0);
    assert_int_equal(fake_guest_receive(&guest, &answer), sizeof(ask));
    assert_int_equal(answer.state.value, 3);
    assert_int_equal(session.queues[0].kick_fd, -1); /* it stands until it gets another */
    assert_false(session.queues[0].runs);
}

static void a_newer_descriptor_takes_the_place_of_the_last(void **state)
{
    uint64_t queue = 0, without = VHOST_USER_NO_FD;

    (void)state;
    start(negotiated);
    int kick_fd = session.queues[0].kick_fd, call_fd = session.queues[0].call_fd;
    fake_guest_send(&guest, VHOST_USER_SET_VRING_KICK, &queue, sizeof(queue), guest.kick_fd);
    assert_int_equal(hear(), 0);
    assert_true(session.queues[0].runs);
    assert_int_not_equal(session.queues[0].kick_fd, kick_fd);
    assert_int_equal(fcntl(kick_fd, F_GETFD), -1);
    assert_true((fcntl(session.queues[0].kick_fd, F_GETFL) & O_NONBLOCK) != 0);
    fake_guest_send(&guest, VHOST_USER_SET_VRING_CALL, &queue, sizeof(queue), guest.call_fd);
    assert_int_equal(hear(), 0);
    assert_int_not_equal(session.queues[0].call_fd, call_fd);
    assert_int_equal(fcntl(call_fd, F_GETFD), -1);
    fake_guest_send(&guest, VHOST_USER_SET_VRING_CALL, &without, sizeof(without), -1);
    assert_int_equal(hear(), 0);
    assert_int_equal(session.queues[0].call_fd, -1); /* the guest polls */
}

static void who_says_late_how_to_call_is_called(void **state)
{
    uint64_t queue = 0, without = VHOST_USER_NO_FD;

    (void)state;
    start(negotiated);
    fake_guest_send(&guest, VHOST_USER_SET_VRING_CALL, &without, sizeof(without), -1);
    assert_int_equal(hear(), 0);
    (void)was_called();
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
    assert_answer(513, VIRTIO_BLK_S_OK);
    assert_false(was_called());
    fake_guest_send(&guest, VHOST_USER_SET_VRING_CALL, &queue, sizeof(queue), guest.call_fd);
    assert_int_equal(hear(), 0);
    assert_true(was_called());
}

static void the_size_may_come_last(void **state)
{
    struct vhost_user_vring_state size = {.value = 0};

    (void)state;
    start(negotiated);
    session.queues[0].runs = false; /* as it is before a size is known */
    session.queues[0].size = 0;
    size.value = FAKE_GUEST_QUEUE;
    fake_guest_send(&guest, VHOST_USER_SET_VRING_NUM, &size, sizeof(size), -1);
    assert_int_equal(hear(), 0);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 0, 512);
    assert_answer(513, VIRTIO_BLK_S_OK);
}

int main(void)
{
#define SESSION_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        SESSION_TEST(queues_that_there_are_not_are_refused_in_each_message),
        SESSION_TEST(a_queue_is_no_longer_than_it_can_be),
        SESSION_TEST(a_queue_that_runs_keeps_its_size_and_its_place),
        SESSION_TEST(a_queue_goes_on_where_it_is_told_to),
        SESSION_TEST(a_newer_descriptor_takes_the_place_of_the_last),
        SESSION_TEST(who_says_late_how_to_call_is_called),
        SESSION_TEST(the_size_may_come_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
