/* SPDX-License-Identifier: MIT */
/* A tap_pump between an interface whose back end sends all back, and a socket in the place of a tap
 * device: one message a frame. */
#ifndef SPLITDOM_TESTS_UNIT_BRIDGE_NET_TAP_PUMP_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_BRIDGE_NET_TAP_PUMP_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "bridge/net/tap_pump.h"
#include "bridge/net/vnet_header.h"
#include "fakes/netfront_rig.h"
#include "faults/fault_walk.h"

enum { HANG_MS = 30000, HEADER = sizeof(struct virtio_net_hdr) };

static struct netfront_rig rig;
static struct tap_pump *pump;
static struct tap tap;
static int kernel; /* the other end of the tap device */
static uint8_t message[HEADER + NETFRONT_FRAME_MAX];

static inline int setup(void **state)
{
    int fds[2];
    (void)state;
    pump = NULL;
    tap.is_socket = false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds) < 0)
        return -1;
    tap.fd[0] = fds[0];
    tap.queues = 1;
    kernel = fds[1];
    return rig_setup(&rig);
}

static inline int teardown(void **state)
{
    (void)state;
    tap_pump_stop(pump);
    tap_close(&tap);
    if (kernel >= 0)
        close(kernel);
    return rig_teardown(&rig);
}

static inline void start_with_options(const struct netfront_options *options, bool reconnect)
{
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, options, reconnect), 0);
    assert_int_equal(tap_pump_start(rig.nf, &tap, &pump), 0);
}

static inline void start_with(bool reconnect)
{
    const struct netfront_options options = {.size = sizeof(options)};
    start_with_options(&options, reconnect);
}

static inline void start(void)
{
    start_with(false);
}

static inline bool is_readable(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    return poll(&ready, 1, HANG_MS) == 1;
}

static inline ssize_t echo(const struct virtio_net_hdr *header, uint32_t length_bytes,
                           uint32_t seed)
{
    memcpy(message, header, HEADER);
    rig_fill(message + HEADER, length_bytes, seed);
    if (header->flags != 0) { /* IPv4, TCP */
        memcpy(message + HEADER + 12, "\x08\x00\x45", 3);
        message[HEADER + 14 + 9] = 6;
    }
    assert_int_equal(send(kernel, message, HEADER + length_bytes, 0), HEADER + length_bytes);
    memset(message, 0, sizeof(message));
    assert_true(is_readable(kernel));
    return recv(kernel, message, sizeof(message), 0);
}

#endif
