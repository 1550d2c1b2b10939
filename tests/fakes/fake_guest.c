/* SPDX-License-Identifier: MIT */
#include "fakes/fake_guest.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unix_socket.h"

bool fake_guest_open(struct fake_guest *guest)
{
    int pair[2];

    *guest = (struct fake_guest){.memory_fd = memfd_create("guest", MFD_CLOEXEC),
                                 .kick_fd = eventfd(0, EFD_CLOEXEC),
                                 .call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (guest->memory_fd < 0 || guest->kick_fd < 0 || guest->call_fd < 0 ||
        ftruncate(guest->memory_fd, FAKE_GUEST_BYTES) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return false;
    guest->socket = pair[0];
    guest->peer = pair[1];
    guest->memory =
        mmap(NULL, FAKE_GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, guest->memory_fd, 0);
    if (guest->memory == MAP_FAILED)
        return false;
    guest->desc = (struct vring_desc *)(guest->memory + FAKE_GUEST_DESC);
    guest->avail = (struct vring_avail *)(guest->memory + FAKE_GUEST_AVAIL);
    guest->used = (struct vring_used *)(guest->memory + FAKE_GUEST_USED);
    return true;
}

void fake_guest_close(struct fake_guest *guest)
{
    munmap(guest->memory, FAKE_GUEST_BYTES);
    close(guest->memory_fd);
    close(guest->kick_fd);
    close(guest->call_fd);
    if (guest->socket >= 0)
        close(guest->socket);
}

void fake_guest_send(struct fake_guest *guest, uint32_t request, const void *payload,
                     uint32_t bytes, int fd)
{
    struct vhost_user_message message = {
        .header = {.request = request, .flags = VHOST_USER_VERSION, .bytes = bytes}};

    if (bytes > 0)
        memcpy((char *)&message + sizeof(message.header), payload, bytes);
    (void)unix_socket_send(guest->socket, &message, sizeof(message.header) + bytes, &fd, fd >= 0,
                           false);
}

int fake_guest_receive(struct fake_guest *guest, union vhost_user_payload *payload)
{
    struct vhost_user_header header;

    if (recv(guest->socket, &header, sizeof(header), MSG_DONTWAIT) != (ssize_t)sizeof(header) ||
        (header.flags & VHOST_USER_REPLY) == 0 || header.bytes > sizeof(*payload))
        return -1;
    return (int)recv(guest->socket, payload, header.bytes, MSG_DONTWAIT);
}

void fake_guest_set_memory(struct fake_guest *guest, const struct vhost_user_region *region)
{
    const struct vhost_user_memory table = {.region_count = 1, .regions = {*region}};

    fake_guest_send(guest, VHOST_USER_SET_MEM_TABLE, &table,
                    (uint32_t)offsetof(struct vhost_user_memory, regions[1]), guest->memory_fd);
}

void fake_guest_start(struct fake_guest *guest, uint64_t features)
{
    const struct vhost_user_region region = {.guest_address = FAKE_GUEST_ADDRESS,
                                             .bytes = FAKE_GUEST_BYTES,
                                             .user_address = FAKE_GUEST_USER};
    const struct vhost_user_vring_addr addr = {.descriptors = FAKE_GUEST_USER + FAKE_GUEST_DESC,
                                               .available = FAKE_GUEST_USER + FAKE_GUEST_AVAIL,
                                               .used = FAKE_GUEST_USER + FAKE_GUEST_USED};
    const struct vhost_user_vring_state size = {.value = FAKE_GUEST_QUEUE}, enable = {.value = 1};
    uint64_t queue = 0;

    fake_guest_send(guest, VHOST_USER_SET_OWNER, NULL, 0, -1);
    fake_guest_send(guest, VHOST_USER_SET_FEATURES, &features, sizeof(features), -1);
    fake_guest_set_memory(guest, &region);
    fake_guest_send(guest, VHOST_USER_SET_VRING_NUM, &size, sizeof(size), -1);
    fake_guest_send(guest, VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr), -1);
    fake_guest_send(guest, VHOST_USER_SET_VRING_CALL, &queue, sizeof(queue), guest->call_fd);
    fake_guest_send(guest, VHOST_USER_SET_VRING_KICK, &queue, sizeof(queue), guest->kick_fd);
    fake_guest_send(guest, VHOST_USER_SET_VRING_ENABLE, &enable, sizeof(enable), -1);
}

void fake_guest_desc(struct fake_guest *guest, uint16_t index, uint64_t offset, uint32_t bytes,
                     uint16_t flags, uint16_t next)
{
    guest->desc[index] = (struct vring_desc){
        .addr = FAKE_GUEST_ADDRESS + offset, .len = bytes, .flags = flags, .next = next};
}

void fake_guest_offer(struct fake_guest *guest, uint16_t head)
{
    guest->avail->ring[guest->avail->idx % FAKE_GUEST_QUEUE] = head;
    guest->avail->idx++;
}

static bool device_writes(uint32_t type)
{
    return type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
}

void fake_guest_request(struct fake_guest *guest, uint32_t type, uint64_t sector, uint32_t bytes)
{
    const struct virtio_blk_outhdr header = {.type = type, .sector = sector};
    const uint16_t writes = device_writes(type) ? VRING_DESC_F_WRITE : 0;

    memcpy(guest->memory + FAKE_GUEST_HEADER, &header, sizeof(header));
    guest->memory[FAKE_GUEST_STATUS] = 0xff;
    fake_guest_desc(guest, 0, FAKE_GUEST_HEADER, sizeof(header), VRING_DESC_F_NEXT,
                    bytes > 0 ? 1 : 2);
    fake_guest_desc(guest, 1, FAKE_GUEST_DATA, bytes, (uint16_t)(VRING_DESC_F_NEXT | writes), 2);
    fake_guest_desc(guest, 2, FAKE_GUEST_STATUS, 1, VRING_DESC_F_WRITE, 0);
    fake_guest_offer(guest, 0);
}

int64_t fake_guest_take(struct fake_guest *guest, uint32_t *id)
{
    const struct vring_used_elem *slot = &guest->used->ring[guest->used_cons % FAKE_GUEST_QUEUE];

    if (guest->used->idx == guest->used_cons)
        return -1;
    guest->used_cons++;
    if (id != NULL)
        *id = slot->id;
    return slot->len;
}
