/* SPDX-License-Identifier: MIT */
#include "bridge/vhost/vhost_link.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void vhost_link_open(struct vhost_link *link, int fd)
{
    *link = (struct vhost_link){.fd = fd};
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
}

void vhost_link_close(struct vhost_link *link)
{
    vhost_link_next(link);
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
}

void vhost_link_next(struct vhost_link *link)
{
    int fd;

    while ((fd = vhost_link_take_fd(link)) >= 0)
        close(fd);
    link->have = 0;
    link->fd_count = 0;
}

int vhost_link_take_fd(struct vhost_link *link)
{
    for (size_t i = 0; i < link->fd_count; i++) {
        int fd = link->fds[i];
        link->fds[i] = -1;
        if (fd >= 0)
            return fd;
    }
    return -1;
}

/* Receives `bytes` bytes that begin at the message's byte `from`. Returns 1 when they are there. */
static int receive_part(struct vhost_link *link, void *part, size_t from, size_t bytes)
{
    size_t count;

    while (link->have < from + bytes) {
        size_t done = link->have - from;
        ssize_t got = unix_socket_receive(link->fd, (char *)part + done, bytes - done,
                                          link->fds + link->fd_count,
                                          UNIX_SOCKET_FDS_MAX - link->fd_count, &count);
        link->fd_count += got > 0 ? count : 0;
        if (got == -ETIMEDOUT) /* nothing more is there now */
            return 0;
        if (got <= 0)
            return got == 0 || got == -ECONNRESET ? -ENOTCONN : (int)got;
        link->have += (size_t)got;
    }
    return 1;
}

int vhost_link_receive(struct vhost_link *link)
{
    const struct vhost_user_header *header = &link->header;
    int rc = receive_part(link, &link->header, 0, sizeof(link->header));

    if (rc <= 0)
        return rc;
    if (header->bytes > sizeof(link->payload) ||
        (header->flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION)
        return -EPROTO;
    return receive_part(link, &link->payload, sizeof(link->header), header->bytes);
}

int vhost_link_answer(struct vhost_link *link, const void *payload, uint32_t bytes)
{
    return vhost_link_answer_fd(link, payload, bytes, -1);
}

int vhost_link_answer_fd(struct vhost_link *link, const void *payload, uint32_t bytes, int fd)
{
    struct vhost_user_message answer = {.header = {.request = link->header.request,
                                                   .flags = VHOST_USER_VERSION | VHOST_USER_REPLY,
                                                   .bytes = bytes}};

    assert(bytes <= sizeof(answer.payload));
    memcpy((char *)&answer + sizeof(answer.header), payload, bytes);
    int rc =
        unix_socket_send(link->fd, &answer, sizeof(answer.header) + bytes, &fd, fd >= 0, false);
    return rc == -EPIPE || rc == -ECONNRESET ? -ENOTCONN : rc;
}
