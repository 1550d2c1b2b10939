/* SPDX-License-Identifier: MIT */
/* vhost_fixture: a front end and its guest in the thread of the test, a disk in memory. */
#ifndef SPLITDOM_TESTS_UNIT_BRIDGE_VHOST_VHOST_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_BRIDGE_VHOST_VHOST_FIXTURE_H

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/vhost/vhost_session.h"
#include "fakes/fake_guest.h"
#include "fakes/memory_disk.c"
#include "ring/fault_guard.h"

enum { HANG_S = 60 };

static const uint64_t negotiated = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_BLK_F_FLUSH |
                                   1ULL << VHOST_USER_F_PROTOCOL_FEATURES |
                                   1ULL << VIRTIO_RING_F_INDIRECT_DESC;

static struct fake_guest guest;

static struct blk_device device;

static struct vhost_session session;

static struct why why;

static int stop_fd;

static inline void begin(void)
{
    assert_int_equal(blk_device_open(&device, &memory_disk), 0);
    vhost_session_open(&session, guest.peer, &device, stop_fd);
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
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

static inline bool was_called(void)
{
    eventfd_t value;
    return eventfd_read(guest.call_fd, &value) == 0;
}

static inline int hear(void)
{
    return vhost_session_hear(&session, &why);
}

static inline void start(uint64_t features)
{
    fake_guest_start(&guest, features);
    assert_int_equal(hear(), 0);
}

/* Until nothing moves. Whoever sleeps then waits for what Dom0 has been shown. */
static inline int move(void)
{
    int rc;

    while ((rc = vhost_session_move(&session, &why)) > 0)
        continue;
    assert_int_equal(memory_disk.unshown, 0);
    return rc;
}

static inline void assert_answer(int64_t written, uint8_t status)
{
    assert_int_equal(move(), 0);
    assert_int_equal(fake_guest_take(&guest, NULL), written);
    assert_int_equal(guest.memory[FAKE_GUEST_STATUS], status);
    assert_int_equal(fake_guest_take(&guest, NULL), -1);
}

static inline uint64_t ask_u64(uint32_t request)
{
    union vhost_user_payload answer;

    fake_guest_send(&guest, request, NULL, 0, -1);
    assert_int_equal(hear(), 0);
    assert_int_equal(fake_guest_receive(&guest, &answer), sizeof(uint64_t));
    return answer.u64;
}

#endif
