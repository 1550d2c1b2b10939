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
#include "bridge/vhost/vhost_user.h"

static inline int vhost_user_connect(const char *path)
{
    return unix_socket_connect(path, SOCK_STREAM, 0);
}

/* Sends a payload of bytes bytes from payload, and the descriptor fd with it unless it is -1. */
static inline int vhost_user_send(int socket_fd, uint32_t request, const void *payload,
                                  uint32_t bytes, int fd)
{
    struct vhost_user_message message = {
        .header = {.request = request, .flags = VHOST_USER_VERSION, .bytes = bytes}};

    if (bytes > 0)
        memcpy((char *)&message + sizeof(message.header), payload, bytes);
    return unix_socket_send(socket_fd, &message, sizeof(message.header) + bytes, &fd, fd >= 0,
                            true);
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
    struct vhost_user_header header;
    int rc = vhost_user_receive_bytes(socket_fd, &header, sizeof(header));

    if (rc < 0)
        return rc;
    if (header.request != request || (header.flags & VHOST_USER_REPLY) == 0 ||
        header.bytes != bytes)
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
