/* SPDX-License-Identifier: MIT */
#include "domu/control_call.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/unix_socket.h"

enum { SLICES_MAX = 10, SLICE_MS = CONTROL_CALL_SLICE_S * 1000 };

bool control_call_goes_on(const struct patience *patience, int slices)
{
    return slices < SLICES_MAX && patience_left_ms(patience, 1) > 0;
}

/* Whether a reply may be waited for with the socket's own limit, or is there within what is left of
 * the caller's patience. */
static bool may_receive(int fd, const struct patience *patience)
{
    struct pollfd reply = {.fd = fd, .events = POLLIN};
    int left_ms = patience_left_ms(patience, SLICE_MS);
    return left_ms == SLICE_MS || poll(&reply, 1, left_ms) != 0;
}

/* Dom0 has ended the domain: an answer to whoever asks. */
static bool is_last_word(const struct control_reply *reply)
{
    return reply->magic == CONTROL_MAGIC && reply->status == -ESHUTDOWN;
}

/* Replies come in the order of the requests: those to calls that have given up come first, and are
 * nobody's any more. */
static ssize_t receive_reply(int fd, const struct patience *patience, uint32_t *replies_owed,
                             struct control_reply *reply, int *fds, size_t fd_max, size_t *fd_count)
{
    int slices = 0;
    for (;;) {
        if (!may_receive(fd, patience))
            return -ETIMEDOUT;
        ssize_t n = unix_socket_receive(fd, reply, sizeof(*reply), fds, fd_max, fd_count);
        if (n == -ETIMEDOUT && control_call_goes_on(patience, ++slices))
            continue;
        if (n <= 0 || *replies_owed == 0 || (n == (ssize_t)sizeof(*reply) && is_last_word(reply)))
            return n;
        --*replies_owed;
        while (*fd_count > 0)
            close(fds[--*fd_count]);
    }
}

int control_call(int fd, const struct patience *patience, uint32_t *replies_owed,
                 const void *packet, size_t bytes, struct control_reply *reply, int *fds,
                 size_t fd_count)
{
    size_t count;
    memset(reply, 0, sizeof(*reply));
    int rc = unix_socket_send(fd, packet, bytes, NULL, 0, patience_left_ms(patience, 1) > 0);
    if (rc < 0)
        return rc == -EAGAIN ? -ETIMEDOUT : rc; /* no room, and no patience to wait for some */
    ssize_t n = receive_reply(fd, patience, replies_owed, reply, fds, fd_count, &count);
    if (n == -ETIMEDOUT)
        ++*replies_owed;
    if (n <= 0)
        return n < 0 ? (int)n : -ENOTCONN;
    bool sound = n == (ssize_t)sizeof(*reply) && reply->magic == CONTROL_MAGIC &&
                 (reply->status < 0 ? count == 0 : count == fd_count) && reply->status <= 0;
    if (!sound) {
        while (count > 0)
            close(fds[--count]);
        return -EPROTO;
    }
    reply->reason[sizeof(reply->reason) - 1] = '\0';
    return reply->status;
}
