/* SPDX-License-Identifier: MIT */
#include "service/cli/control_client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int open_socket(const char *path)
{
    const struct timeval limit = {.tv_sec = CONTROL_CLIENT_TIMEOUT_S};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer;
    socklen_t peer_bytes = sizeof(peer);
    int fd, rc;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_bytes) != 0) {
        rc = errno == EAGAIN ? -ETIMEDOUT : -errno;
        close(fd);
        return rc;
    }
    if (peer.uid != geteuid()) {
        close(fd);
        return -EPERM;
    }
    return fd;
}

/* Keeps the first descriptor of the message, closes any others. -1: there was none. */
static int take_descriptor(struct msghdr *message)
{
    int kept = -1;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (kept < 0)
                kept = fd;
            else
                close(fd);
        }
    }
    return kept;
}

/* Receives the reply and its descriptor, -1 if it has none. */
static int receive(int socket_fd, struct control_reply *reply, int *file_fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = reply, .iov_len = sizeof(*reply)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    ssize_t count;

    *file_fd = -1;
    do
        count = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    if (count == 0)
        return -ECONNRESET;
    *file_fd = take_descriptor(&message);
    if (count != (ssize_t)sizeof(*reply) || (message.msg_flags & MSG_TRUNC) != 0 ||
        reply->magic != CONTROL_MAGIC || reply->status > 0 ||
        memchr(reply->reason, '\0', sizeof(reply->reason)) == NULL)
        return -EPROTO;
    return 0;
}

static int read_file(int fd, char **text, size_t *text_bytes)
{
    struct stat st;
    size_t done = 0;
    char *bytes;

    if (fstat(fd, &st) != 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_size > CONTROL_CLIENT_TEXT_MAX_BYTES)
        return -EPROTO;
    bytes = calloc(1, (size_t)st.st_size + 1);
    if (bytes == NULL)
        return -ENOMEM;
    while (done < (size_t)st.st_size) {
        const ssize_t count = pread(fd, bytes + done, (size_t)st.st_size - done, (off_t)done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            free(bytes);
            return -EPROTO;
        }
        done += (size_t)count;
    }
    *text = bytes;
    *text_bytes = done;
    return 0;
}

static int ask(int socket_fd, enum control_op op, char **text, size_t *text_bytes, char *why,
               size_t why_bytes)
{
    const struct control_request request = {
        .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = (uint32_t)op};
    struct control_reply reply;
    int file_fd, rc;

    if (send(socket_fd, &request, sizeof(request), MSG_NOSIGNAL) != (ssize_t)sizeof(request))
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    rc = receive(socket_fd, &reply, &file_fd);
    if (rc == 0 && reply.status != 0) {
        snprintf(why, why_bytes, "Dom0 refused: %s",
                 reply.reason[0] != '\0' ? reply.reason : strerrordesc_np(-reply.status));
        rc = reply.status;
    } else if (rc == 0) {
        rc = file_fd >= 0 ? read_file(file_fd, text, text_bytes) : -EPROTO;
    }
    if (file_fd >= 0)
        close(file_fd);
    return rc;
}

int control_client_ask(const char *socket_path, enum control_op op, char **text, size_t *text_bytes,
                       char *why, size_t why_bytes)
{
    const int socket_fd = open_socket(socket_path);
    int rc;

    *text = NULL;
    *text_bytes = 0;
    why[0] = '\0';
    rc = socket_fd < 0 ? socket_fd : ask(socket_fd, op, text, text_bytes, why, why_bytes);
    if (socket_fd >= 0)
        close(socket_fd);
    if (rc != 0 && why[0] == '\0')
        snprintf(why, why_bytes, "no answer from Dom0 on %s: %s", socket_path,
                 strerrordesc_np(-rc));
    return rc;
}
