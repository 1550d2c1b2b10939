/* SPDX-License-Identifier: MIT */
/*
 * vhost_user: the front end's side of the vhost-user protocol, as much of it as reading a block
 * device needs. The back end (qemu-storage-daemon, say) listens on a Unix socket.
 *
 * Source: "Vhost-user Protocol" of QEMU's documentation (docs/interop/vhost-user.rst): sections
 * "Message Specification", "Front-end message types", "Ring states". All numbers are native-endian.
 *
 * Calls block until the back end has answered where the protocol has an answer. They return 0 or
 * -errno; -EPROTO for an answer that doesn't fit the question. One thread at a time.
 */
#ifndef SPLITDOM_BENCH_VHOST_USER_H
#define SPLITDOM_BENCH_VHOST_USER_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unix_socket.h"

enum {
    VHOST_USER_GET_FEATURES = 1,
    VHOST_USER_SET_FEATURES = 2,
    VHOST_USER_SET_OWNER = 3,
    VHOST_USER_SET_MEM_TABLE = 5,
    VHOST_USER_SET_VRING_NUM = 8,
    VHOST_USER_SET_VRING_ADDR = 9,
    VHOST_USER_SET_VRING_BASE = 10,
    VHOST_USER_SET_VRING_KICK = 12,
    VHOST_USER_SET_VRING_CALL = 13,
    VHOST_USER_GET_PROTOCOL_FEATURES = 15,
    VHOST_USER_SET_PROTOCOL_FEATURES = 16,
    VHOST_USER_SET_VRING_ENABLE = 18,
    VHOST_USER_GET_CONFIG = 24,
};

enum {
    VHOST_USER_VERSION = 1,
    VHOST_USER_REPLY = 1 << 2, /* flag of an answer */
    VHOST_USER_HEADER_BYTES = 12,
    VHOST_USER_F_PROTOCOL_FEATURES = 30, /* a feature bit */
    VHOST_USER_PROTOCOL_F_MQ = 0,
    VHOST_USER_PROTOCOL_F_CONFIG = 9,
};

struct vhost_user_vring_state {
    uint32_t index, value;
};

/* Addresses of the front end's own mapping, which SET_MEM_TABLE lets the back end translate. */
struct vhost_user_vring_addr {
    uint32_t index, flags;
    uint64_t descriptors, used, available, log;
};

struct vhost_user_memory {
    uint32_t region_count, padding;
    uint64_t guest_address, bytes, user_address, mmap_offset;
};

struct vhost_user_config {
    uint32_t offset, bytes, flags;
    unsigned char region[60];
};

struct vhost_user_message {
    uint32_t request, flags, bytes;
    union {
        uint64_t u64;
        struct vhost_user_vring_state state;
        struct vhost_user_vring_addr addr;
        struct vhost_user_memory memory;
        struct vhost_user_config config;
    } payload;
} __attribute__((packed));

static inline int vhost_user_connect(const char *path)
{
    return unix_socket_connect(path, SOCK_STREAM, 0);
}

/* Sends a payload of bytes bytes from payload, and the descriptor fd with it unless it is -1. */
static inline int vhost_user_send(int socket_fd, uint32_t request, const void *payload,
                                  uint32_t bytes, int fd)
{
    struct vhost_user_message message = {
        .request = request, .flags = VHOST_USER_VERSION, .bytes = bytes};

    if (bytes > 0)
        memcpy(&message.payload, payload, bytes);
    return unix_socket_send(socket_fd, &message, VHOST_USER_HEADER_BYTES + (size_t)bytes, &fd,
                            fd >= 0, true);
}

static inline int vhost_user_receive_bytes(int socket_fd, void *to, size_t bytes)
{
    const ssize_t got = recv(socket_fd, to, bytes, MSG_WAITALL);

    if (got < 0)
        return -errno;
    return (size_t)got == bytes ? 0 : -EPROTO;
}

/* Waits for the answer to request, whose payload must have bytes bytes. */
static inline int vhost_user_receive(int socket_fd, uint32_t request, void *payload, uint32_t bytes)
{
    struct vhost_user_message message;
    int rc = vhost_user_receive_bytes(socket_fd, &message, VHOST_USER_HEADER_BYTES);

    if (rc < 0)
        return rc;
    if (message.request != request || (message.flags & VHOST_USER_REPLY) == 0 ||
        message.bytes != bytes)
        return -EPROTO;
    return vhost_user_receive_bytes(socket_fd, payload, bytes);
}

static inline int vhost_user_get_u64(int socket_fd, uint32_t request, uint64_t *out)
{
    const int rc = vhost_user_send(socket_fd, request, NULL, 0, -1);

    return rc < 0 ? rc : vhost_user_receive(socket_fd, request, out, sizeof(*out));
}

static inline int vhost_user_set_u64(int socket_fd, uint32_t request, uint64_t value, int fd)
{
    return vhost_user_send(socket_fd, request, &value, sizeof(value), fd);
}

static inline int vhost_user_set_state(int socket_fd, uint32_t request, uint32_t index,
                                       uint32_t value)
{
    const struct vhost_user_vring_state state = {index, value};

    return vhost_user_send(socket_fd, request, &state, sizeof(state), -1);
}

/* The first bytes of the device's configuration space, at most sizeof region of them. */
static inline int vhost_user_get_config(int socket_fd, void *to, uint32_t bytes)
{
    struct vhost_user_config config = {.bytes = bytes};
    const uint32_t payload_bytes = (uint32_t)offsetof(struct vhost_user_config, region) + bytes;
    int rc;

    if (bytes > sizeof(config.region))
        return -EINVAL;
    rc = vhost_user_send(socket_fd, VHOST_USER_GET_CONFIG, &config, payload_bytes, -1);
    if (rc == 0)
        rc = vhost_user_receive(socket_fd, VHOST_USER_GET_CONFIG, &config, payload_bytes);
    if (rc == 0)
        memcpy(to, config.region, bytes);
    return rc;
}

#endif
