/* SPDX-License-Identifier: MIT */
/* vhost_server: what it hears while a guest is never idle. */
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/vhost/vhost_server.h"
#include "fakes/fake_guest.h"
#include "fakes/memory_disk.c"

enum {
    HANG_S = 60,
    STOPS_AFTER = 100, /* requests */
    ENOUGH = 100000,   /* then the guest is idle, so that a test of who hears nothing ends */
};

static struct fake_guest guest;

static int listen_fd, stop_fd, failure_fd;

static uint32_t served;

/* For each answer there is another request. */
static void ask_again(void)
{
    if (++served == STOPS_AFTER)
        (void)eventfd_write(stop_fd, 1);
    if (served < ENOUGH)
        fake_guest_offer(&guest, 0);
}

/* The guest's front end has connected, at a name that the kernel has chosen. */
static bool connect_guest(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t bytes = sizeof(name.sun_family);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(listen_fd, (struct sockaddr *)&name, bytes) < 0 || listen(listen_fd, 1) < 0)
        return false;
    bytes = sizeof(name);
    if (getsockname(listen_fd, (struct sockaddr *)&name, &bytes) < 0 ||
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
    memory_disk.answered = ask_again;
    return fake_guest_open(&guest) && connect_guest() ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    fake_guest_close(&guest);
    close(listen_fd);
    close(stop_fd);
    close(failure_fd);
    close(memory_disk.fd);
    alarm(0);
    return 0;
}

static void tell(const char *line)
{
    print_message("%s\n", line);
}

static void a_guest_that_is_never_idle_does_not_keep_the_server_from_its_end(void **state)
{
    const struct vhost_server_options options = {.listen_fd = listen_fd,
                                                 .stop_fd = stop_fd,
                                                 .failure_fd = failure_fd,
                                                 .bf = &memory_disk,
                                                 .tell = tell};
    struct why why;

    (void)state;
    fake_guest_start(&guest, 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_BLK_F_FLUSH |
                                 1ULL << VHOST_USER_F_PROTOCOL_FEATURES);
    fake_guest_request(&guest, VIRTIO_BLK_T_IN, 7, 512);
    assert_int_equal(vhost_server_run(&options, &why), 0);
    assert_in_range(served, STOPS_AFTER, ENOUGH / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_guest_that_is_never_idle_does_not_keep_the_server_from_its_end, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
