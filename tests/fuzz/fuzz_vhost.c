/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer harness for a vhost-user-blk device: a front end sends anything, and its guest writes
 * anything into the rings. The input is a row of steps: byte 0 says what, the others are its
 * operand.
 *
 *   0..99     message of that number: 1 byte length (mod 64) and so many bytes; the memory's
 *             descriptor with SET_MEM_TABLE, an eventfd with KICK and CALL; SET_INFLIGHT_FD: 16
 *             more bytes, of which its memory is full
 *   100..149  all that makes a queue run
 *   150..219  2 bytes offset (in 16s), 1 byte length (mod 32), so many bytes: into the memory
 *   220..239  an ordinary request: 1 byte type, 1 byte sector, 2 bytes length
 *   240..253  let requests move
 *   254       1 byte: bit 0: the disk answers nothing until it is told otherwise or requests are
 *             cancelled; bits 1..3: how many more requests it has room for, 7: any number; bit 4:
 *             it has half its size, until it is told otherwise; bit 7: it is dead from now on
 *   255       the memory shrinks
 *
 * The device may drop the front end, and no more: it must touch nothing outside the guest's memory
 * (the address sanitizer sees that), and end with nothing in flight.
 */
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory_file.h"
#include "bridge/vhost/vhost_session.h"
#include "fakes/fake_guest.h"
#include "fakes/memory_disk.c"
#include "fuzz/input.h"
#include "ring/fault_guard.h"

enum { PATTERN_BYTES = 16, INFLIGHT_BYTES = 4096 };

static int fd_for(const struct fake_guest *guest, uint8_t request)
{
    if (request == VHOST_USER_SET_MEM_TABLE)
        return guest->memory_fd;
    if (request == VHOST_USER_SET_VRING_KICK)
        return guest->kick_fd;
    return request == VHOST_USER_SET_VRING_CALL ? guest->call_fd : -1;
}

/* What an earlier device may have left, or a front end invented. */
static int make_inflight_memory(struct input *input)
{
    uint8_t bytes[INFLIGHT_BYTES];
    int fd = memory_file_create("fuzz");

    take_bytes(input, bytes, PATTERN_BYTES);
    for (size_t i = PATTERN_BYTES; i < sizeof(bytes); i++)
        bytes[i] = bytes[i - PATTERN_BYTES];
    if (fd < 0 || write(fd, bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes) ||
        memory_file_seal(fd, F_SEAL_SHRINK) < 0)
        abort();
    return fd;
}

static void send_message(struct fake_guest *guest, struct input *input, uint8_t request)
{
    uint8_t payload[64] = {0};
    size_t bytes = take(input) % sizeof(payload);

    take_bytes(input, payload, bytes);
    if (request != VHOST_USER_SET_INFLIGHT_FD) {
        fake_guest_send(guest, request, payload, (uint32_t)bytes, fd_for(guest, request));
        return;
    }
    int fd = make_inflight_memory(input);
    fake_guest_send(guest, request, payload, (uint32_t)bytes, fd);
    close(fd);
}

static void scribble(struct fake_guest *guest, struct input *input)
{
    size_t offset = (size_t)(take(input) | take(input) << 8) * 16;
    size_t bytes = take(input) % 32;

    take_bytes(input, guest->memory + offset, bytes);
}

static void request(struct fake_guest *guest, struct input *input)
{
    uint8_t type = take(input), sector = take(input);
    uint32_t bytes = (uint32_t)(take(input) | take(input) << 8);

    fake_guest_request(guest, type, sector, bytes);
}

/* As the library's: there is room for one whenever nothing is in flight; one that is dead stays so,
 * and what was in flight comes back at once. */
static void change_disk(struct vhost_session *session, struct input *input)
{
    struct blkfront_geometry geometry;
    uint8_t how = take(input);
    uint32_t room = how >> 1 & 7;

    if ((how & 0x80) != 0)
        memory_disk.failure = -ENOTCONN;
    memory_disk.holds = (how & 1) != 0 && memory_disk.failure == 0;
    memory_disk.room = room == 7 ? UINT32_MAX : 1 + room;
    memory_disk.sectors = (how & 0x10) != 0 ? MEMORY_DISK_SECTORS / 2 : MEMORY_DISK_SECTORS;
    (void)blkfront_geometry(&memory_disk, &geometry);
    vhost_session_resize(session, &geometry);
}

/* Returns less than 0 when the front end is dropped. */
static int step(struct vhost_session *session, struct fake_guest *guest, struct input *input,
                bool *shrunk)
{
    struct why why;
    uint8_t what = take(input);

    if (what < 100)
        send_message(guest, input, what);
    else if (what < 150)
        fake_guest_start(guest, 1ULL << VIRTIO_F_VERSION_1 | 1ULL << 30 |
                                    (uint64_t)(what & 1) << VIRTIO_RING_F_EVENT_IDX |
                                    (uint64_t)(what >> 1 & 1) << VIRTIO_BLK_F_FLUSH);
    else if (what < 220 && !*shrunk)
        scribble(guest, input);
    else if (what < 240 && !*shrunk)
        request(guest, input);
    else if (what < 254)
        return vhost_session_move(session, &why);
    else if (what == 254)
        change_disk(session, input);
    else
        *shrunk = ftruncate(guest->memory_fd, 0) == 0;
    return what < 150 ? vhost_session_hear(session, &why) : 0;
}

static void drain_answers(struct fake_guest *guest)
{
    char bytes[1024];

    while (recv(guest->socket, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        continue;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {.data = data, .left = size};
    struct fake_guest guest;
    struct blk_device device;
    struct vhost_session session;
    bool shrunk = false;
    int stop_fd = eventfd(1, EFD_CLOEXEC), rc = 0; /* nothing is waited for */

    memory_disk_reset();
    if (stop_fd < 0 || !fake_guest_open(&guest) || blk_device_open(&device, &memory_disk) < 0 ||
        fault_guard_install(VHOST_USER_REGIONS_MAX) < 0)
        abort();
    vhost_session_open(&session, guest.peer, &device, stop_fd);
    while (input.left > 0 && rc >= 0) {
        rc = step(&session, &guest, &input, &shrunk);
        drain_answers(&guest);
    }
    vhost_session_close(&session);
    if (device.in_flight != 0)
        abort();
    blk_device_close(&device);
    fault_guard_remove();
    fake_guest_close(&guest);
    close(stop_fd);
    return 0;
}
