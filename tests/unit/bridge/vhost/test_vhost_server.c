/* SPDX-License-Identifier: MIT */
/* vhost_server: one front end after the other, and what ends it. */
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/vhost/vhost_server.h"
#include "fakes/fake_guest.h"
#include "fakes/memory_disk.c"
#include "faults/fault.h"

enum {
    HANG_S = 60,
    STOPS_AFTER = 100, /* requests */
    ENOUGH = 100000,   /* then the guest is idle, so that a test of who hears nothing ends */
};

static struct fake_guest guest;

static int listen_fd, stop_fd, failure_fd;

static uint32_t served;

static char told[256]; /* of front ends that were dropped */

/* For each answer there is another request. */
static void ask_again(void)
{
    if (++served == STOPS_AFTER)
        (void)eventfd_write(stop_fd, 1);
    if (served < ENOUGH)
        fake_guest_offer(&guest, 0);
}

/* At a name that the kernel chooses. */
static bool open_listener(void)
{
    const struct sockaddr_un name = {.sun_family = AF_UNIX};

    listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return bind(listen_fd, (const struct sockaddr *)&name, sizeof(name.sun_family)) == 0 &&
           listen(listen_fd, 1) == 0;
}

/* The guest's front end has connected. */
static bool connect_guest(void)
{
    struct sockaddr_un name;
    socklen_t bytes = sizeof(name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || getsockname(listen_fd, (struct sockaddr *)&name, &bytes) < 0 ||
        connect(fd, (struct sockaddr *)&name, bytes) < 0)
        return false;
    close(guest.peer);
    close(guest.socket);
    guest.socket = fd;
    return true;
}

static int setup(void **state)
{
    (void)state;
    alarm(HANG_S);
    memory_disk_reset();
    served = 0;
    stop_fd = eventfd(0, EFD_CLOEXEC);
    failure_fd = eventfd(0, EFD_CLOEXEC);
    memory_disk.fd = eventfd(0, EFD_CLOEXEC);
    memory_disk.geometry_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    memory_disk.answered = ask_again;
    told[0] = '\0';
    return open_listener() && fake_guest_open(&guest) && connect_guest() ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    fake_guest_close(&guest);
    close(listen_fd);
    close(stop_fd);
    close(failure_fd);
    close(memory_disk.fd);
    close(memory_disk.geometry_fd);
    alarm(0);
    return 0;
}

static void tell(const char *line)
{
    snprintf(told, sizeof(told), "%s", line);
}

static struct vhost_server_options usual_options(void)
{
    return (struct vhost_server_options){.listen_fd = listen_fd,
                                         .stop_fd = stop_fd,
                                         .failure_fd = failure_fd,
                                         .bf = &memory_disk,
                                         .tell = tell};
}

static void a_guest_that_is_never_idle_does_not_keep_the_server_from_its_end(void **state)
{
    const struct vhost_server_options options = usual_options();
    struct why why;

    (void)state;
    fake_guest_start(&guest, 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_BLK_F_FLUSH |
                                 1ULL << VHOST_USER_F_PROTOCOL_FEATURES);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 7, 512);
    assert_int_equal(vhost_server_run(&options, &why), 0);
    assert_in_range(served, STOPS_AFTER, ENOUGH / 100);
}

/* ---- a server in a thread of its own ------------------------------------------------------------
 */

struct running {
    struct vhost_server_options options;
    struct why why;
    pthread_t thread;
    int rc;
};

static void *serve(void *arg)
{
    struct running *running = arg;
    running->rc = vhost_server_run(&running->options, &running->why);
    return NULL;
}

static void start(struct running *running)
{
    memory_disk.answered = NULL;
    assert_int_equal(pthread_create(&running->thread, NULL, serve, running), 0);
}

static int stop(struct running *running)
{
    (void)eventfd_write(stop_fd, 1);
    pthread_join(running->thread, NULL);
    return running->rc;
}

static void await_call(void)
{
    struct pollfd call = {.fd = guest.call_fd, .events = POLLIN};
    eventfd_t value;

    assert_int_equal(poll(&call, 1, HANG_S * 1000), 1);
    assert_int_equal(eventfd_read(guest.call_fd, &value), 0);
}

static void read_a_sector(void)
{
    fake_guest_start(&guest, 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_BLK_F_FLUSH |
                                 1ULL << VHOST_USER_F_PROTOCOL_FEATURES);
    await_call(); /* the queue begins to run */
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 7, 512);
    assert_int_equal(eventfd_write(guest.kick_fd, 1), 0);
    await_call();
    assert_memory_equal(guest.memory + FAKE_GUEST_DATA, memory_disk.bytes + 7 * 512, 512);
}

static void connect_another_guest(void)
{
    fake_guest_close(&guest);
    assert_true(fake_guest_open(&guest) && connect_guest());
}

static void a_front_end_that_goes_away_makes_room_for_the_next(void **state)
{
    struct running running = {.options = usual_options()};

    (void)state;
    start(&running);
    read_a_sector();
    connect_another_guest();
    read_a_sector();
    assert_int_equal(stop(&running), 0);
    assert_string_equal(told, ""); /* that is nothing to tell of */
}

static void a_front_end_that_breaks_the_protocol_is_told_and_dropped(void **state)
{
    struct running running = {.options = usual_options()};
    char byte;

    (void)state;
    start(&running);
    read_a_sector();
    fake_guest_send(&guest, 9999, NULL, 0, -1);
    assert_true(recv(guest.socket, &byte, 1, 0) <= 0);
    connect_another_guest();
    read_a_sector();
    assert_int_equal(stop(&running), 0);
    assert_string_not_equal(told, "");
}

static bool offers_writes(bool read_only)
{
    struct running running = {.options = usual_options()};
    union vhost_user_payload features = {.u64 = 0};

    running.options.read_only = read_only;
    start(&running);
    fake_guest_send(&guest, VHOST_USER_GET_FEATURES, NULL, 0, -1);
    struct pollfd answer = {.fd = guest.socket, .events = POLLIN};
    assert_int_equal(poll(&answer, 1, HANG_S * 1000), 1);
    assert_int_equal(fake_guest_receive(&guest, &features), sizeof(features.u64));
    assert_int_equal(stop(&running), 0);
    return (features.u64 >> VIRTIO_BLK_F_RO & 1) == 0;
}

static void writes_are_offered(void **state)
{
    (void)state;
    assert_true(offers_writes(false));
}

static void writes_are_not_offered_where_they_are_forbidden(void **state)
{
    (void)state;
    assert_false(offers_writes(true));
}

/* The size of the disk as the guest's front end reads it. */
static uint64_t ask_size(void)
{
    struct vhost_user_config ask = {.bytes = sizeof(struct virtio_blk_config)};
    union vhost_user_payload answer;
    struct virtio_blk_config config;
    struct pollfd ready = {.fd = guest.socket, .events = POLLIN};

    fake_guest_send(&guest, VHOST_USER_GET_CONFIG, &ask,
                    (uint32_t)offsetof(struct vhost_user_config, region) + ask.bytes, -1);
    assert_int_equal(poll(&ready, 1, HANG_S * 1000), 1);
    assert_true(fake_guest_receive(&guest, &answer) > 0);
    memcpy(&config, answer.config.region, sizeof(config));
    return config.capacity;
}

static void a_front_end_is_told_of_another_size(void **state)
{
    struct running running = {.options = usual_options()};
    const uint64_t features =
        1ULL << VHOST_USER_PROTOCOL_F_CONFIG | 1ULL << VHOST_USER_PROTOCOL_F_BACKEND_REQ;
    struct vhost_user_header told_it;
    int line[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line), 0);
    start(&running);
    fake_guest_send(&guest, VHOST_USER_SET_PROTOCOL_FEATURES, &features, sizeof(features), -1);
    fake_guest_send(&guest, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, line[1]);
    assert_int_equal(ask_size(), MEMORY_DISK_SECTORS);
    read_a_sector();
    store_relaxed_u64(&memory_disk.sectors, 100);
    assert_int_equal(eventfd_write(memory_disk.geometry_fd, 1), 0);
    assert_int_equal(recv(line[0], &told_it, sizeof(told_it), MSG_WAITALL), sizeof(told_it));
    assert_int_equal(told_it.request, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG);
    assert_int_equal(ask_size(), 100);
    assert_int_equal(stop(&running), 0);
    close(line[0]);
    close(line[1]);
}

/* ---- its end ------------------------------------------------------------------------------------
 */

static void a_domain_that_is_of_no_use_ends_it(void **state)
{
    const struct vhost_server_options options = usual_options();
    struct why why;

    (void)state;
    assert_int_equal(eventfd_write(failure_fd, 1), 0);
    assert_int_equal(vhost_server_run(&options, &why), -ENOTCONN);
}

/* Nobody uses it, so nobody is told at a request. */
static void a_disk_that_was_taken_away_ends_it(void **state)
{
    struct vhost_server_options options;
    struct why why;

    (void)state;
    close(listen_fd); /* with the front end that waits there */
    assert_true(open_listener());
    options = usual_options();
    memory_disk.failure = -ENOTCONN;
    assert_int_equal(eventfd_write(memory_disk.fd, 1), 0);
    assert_int_equal(vhost_server_run(&options, &why), -ENOTCONN);
    assert_string_equal(why.text, "the disk: the disk is dead");
}

static void a_disk_that_cannot_be_waited_for_ends_it(void **state)
{
    const struct vhost_server_options options = usual_options();
    struct why why;

    (void)state;
    close(memory_disk.fd);
    memory_disk.fd = -EMFILE;
    assert_int_equal(vhost_server_run(&options, &why), -EMFILE);
    assert_non_null(strstr(why.text, "the disk"));
}

/* What the call of that name says once, where the server is to end at its next look. */
static int run_where(const char *name, int error, struct why *why)
{
    const struct vhost_server_options options = usual_options();

    *why = (struct why){.text = ""};
    assert_int_equal(eventfd_write(stop_fd, 1), 0);
    fault_arm_call(name, 1, error);
    int rc = vhost_server_run(&options, why);
    assert_string_equal(fault_disarm(), name);
    return rc;
}

static void a_signal_does_not_end_it(void **state)
{
    struct why why;
    (void)state;
    assert_int_equal(run_where("poll", EINTR, &why), 0);
}

static void a_wait_that_fails_ends_it(void **state)
{
    struct why why;
    (void)state;
    assert_int_equal(run_where("poll", ENOMEM, &why), -ENOMEM);
    assert_non_null(strstr(why.text, "poll"));
}

static void a_front_end_that_is_gone_again_does_not_end_it(void **state)
{
    struct why why;
    (void)state;
    assert_int_equal(run_where("accept4", ECONNABORTED, &why), 0);
    assert_string_equal(why.text, "");
}

static void a_front_end_that_cannot_be_accepted_ends_it(void **state)
{
    struct why why;
    const struct vhost_server_options options = usual_options();
    (void)state;
    fault_arm_call("accept4", 1, EMFILE);
    assert_int_equal(vhost_server_run(&options, &why), -EMFILE);
    fault_disarm();
    assert_non_null(strstr(why.text, "front end"));
}

int main(void)
{
#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        SERVER_TEST(a_guest_that_is_never_idle_does_not_keep_the_server_from_its_end),
        SERVER_TEST(a_front_end_that_goes_away_makes_room_for_the_next),
        SERVER_TEST(a_front_end_that_breaks_the_protocol_is_told_and_dropped),
        SERVER_TEST(writes_are_offered),
        SERVER_TEST(writes_are_not_offered_where_they_are_forbidden),
        SERVER_TEST(a_front_end_is_told_of_another_size),
        SERVER_TEST(a_domain_that_is_of_no_use_ends_it),
        SERVER_TEST(a_disk_that_was_taken_away_ends_it),
        SERVER_TEST(a_disk_that_cannot_be_waited_for_ends_it),
        SERVER_TEST(a_signal_does_not_end_it),
        SERVER_TEST(a_wait_that_fails_ends_it),
        SERVER_TEST(a_front_end_that_is_gone_again_does_not_end_it),
        SERVER_TEST(a_front_end_that_cannot_be_accepted_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
