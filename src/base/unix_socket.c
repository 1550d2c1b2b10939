/* SPDX-License-Identifier: MIT */
#include "base/unix_socket.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* Room for the descriptors of one packet, aligned as a control message must be. */
union rights {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(UNIX_SOCKET_FDS_MAX * sizeof(int))];
};
_Static_assert(CMSG_SPACE(UNIX_SOCKET_FDS_MAX * sizeof(int)) ==
                   CMSG_LEN(UNIX_SOCKET_FDS_MAX * sizeof(int)),
               "no padding into which the kernel could put one more");

static int set_address(struct sockaddr_un *address, const char *path)
{
    size_t length = strlen(path);

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (length >= sizeof(address->sun_path))
        return -ENAMETOOLONG;
    memcpy(address->sun_path, path, length);
    return 0;
}

static int bind_and_listen(struct unix_listener *listener, const struct sockaddr_un *address,
                           int backlog)
{
    if (unlink(listener->path) < 0 && errno != ENOENT)
        return -errno;
    if (bind(listener->fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        return -errno;
    int rc = owned_path_note(&listener->owned, listener->path);
    if (rc < 0)
        return rc;
    return listen(listener->fd, backlog) < 0 ? -errno : 0;
}

int unix_listener_open(struct unix_listener *listener, const char *path, int type, int backlog)
{
    struct sockaddr_un address;
    int rc = set_address(&address, path);

    *listener = UNIX_LISTENER_CLOSED;
    if (rc < 0)
        return rc;
    memcpy(listener->path, address.sun_path, sizeof(listener->path));
    listener->fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    rc = listener->fd < 0 ? -errno : bind_and_listen(listener, &address, backlog);
    if (rc < 0)
        unix_listener_close(listener);
    return rc;
}

void unix_listener_close(struct unix_listener *listener)
{
    if (listener->fd < 0)
        return;
    close(listener->fd);
    owned_path_remove(&listener->owned, listener->path);
    *listener = UNIX_LISTENER_CLOSED;
}

static int connect_within(int fd, const struct sockaddr_un *address, unsigned limit_s)
{
    const struct timeval limit = {.tv_sec = (time_t)limit_s};
    int rc;

    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
        return -errno;
    do
        rc = connect(fd, (const struct sockaddr *)address, sizeof(*address));
    while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    return 0;
}

int unix_socket_connect(const char *path, int type, unsigned limit_s)
{
    struct sockaddr_un address;
    int rc = set_address(&address, path);

    if (rc < 0)
        return rc;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    rc = connect_within(fd, &address, limit_s);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    return fd;
}

static int peer_of(int fd, struct ucred *peer)
{
    socklen_t size = sizeof(*peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &size) < 0 ? -errno : 0;
}

int unix_socket_peer_uid(int fd, uid_t *uid)
{
    struct ucred peer;
    int rc = peer_of(fd, &peer);

    if (rc == 0)
        *uid = peer.uid;
    return rc;
}

int unix_socket_peer_pid(int fd, pid_t *pid)
{
    struct ucred peer;
    int rc = peer_of(fd, &peer);

    if (rc == 0)
        *pid = peer.pid;
    return rc;
}

int unix_socket_send(int fd, const void *bytes, size_t byte_count, const int *fds, size_t fd_count,
                     bool wait)
{
    union rights rights = {0};
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = byte_count};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t sent;

    assert(fd_count <= UNIX_SOCKET_FDS_MAX);
    if (fd_count > 0) {
        message.msg_control = rights.bytes;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
    }
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN && wait ? -ETIMEDOUT : -errno;
    return (size_t)sent == byte_count ? 0 : -EMSGSIZE;
}

/*
 * Copies the packet's descriptors to got, which has room for all that fit into union rights. The
 * kernel drops what does not fit, or what this process may not have any more, and sets MSG_CTRUNC.
 * Errors: -EPROTO there is another control message, or too much of them; -EMFILE.
 */
static int take_rights(struct msghdr *message, int got[UNIX_SOCKET_FDS_MAX], size_t *count)
{
    int rc = 0;

    *count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            rc = -EPROTO;
            continue;
        }
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        assert(*count + n <= UNIX_SOCKET_FDS_MAX);
        memcpy(got + *count, CMSG_DATA(c), n * sizeof(int));
        *count += n;
    }
    if (rc == 0 && (message->msg_flags & MSG_CTRUNC) != 0)
        rc = *count < UNIX_SOCKET_FDS_MAX ? -EMFILE : -EPROTO;
    return rc;
}

ssize_t unix_socket_receive(int fd, void *bytes, size_t size, int *fds, size_t fd_max,
                            size_t *fd_count)
{
    union rights rights;
    struct iovec part = {.iov_base = bytes, .iov_len = size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = rights.bytes,
                             .msg_controllen = sizeof(rights.bytes)};
    int got[UNIX_SOCKET_FDS_MAX];
    ssize_t received;

    assert(fd_max <= UNIX_SOCKET_FDS_MAX);
    *fd_count = 0;
    for (size_t i = 0; i < fd_max; i++)
        fds[i] = -1;
    do
        received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (received < 0 && errno == EINTR);
    if (received < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;

    size_t count;
    int rc = take_rights(&message, got, &count);
    /* A packet of descriptors alone: neither the peer's end nor a packet of our protocol. */
    if (rc == 0 &&
        ((message.msg_flags & MSG_TRUNC) != 0 || count > fd_max || (received == 0 && count > 0)))
        rc = -EPROTO;
    if (rc < 0) {
        while (count > 0)
            close(got[--count]);
        return rc;
    }
    if (count > 0)
        memcpy(fds, got, count * sizeof(int));
    *fd_count = count;
    return received;
}
