/* SPDX-License-Identifier: MIT */
/*
 * unix_socket: local sockets by path, and packets that carry descriptors. Every descriptor made or
 * received here is close-on-exec. No call raises SIGPIPE; no call ends early because of a signal.
 */
#ifndef SPLITDOM_BASE_UNIX_SOCKET_H
#define SPLITDOM_BASE_UNIX_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/owned_path.h"

enum {
    UNIX_SOCKET_PATH_SIZE = sizeof(((struct sockaddr_un *)0)->sun_path), /* with its NUL */
    UNIX_SOCKET_FDS_MAX = 8,                                             /* in a packet */
};

/* A socket that listens, and its name in the file system. */
struct unix_listener {
    int fd; /* -1: closed */
    struct owned_path owned;
    char path[UNIX_SOCKET_PATH_SIZE];
};

#define UNIX_LISTENER_CLOSED ((struct unix_listener){.fd = -1})

/*
 * Listens at path. type is SOCK_STREAM or SOCK_SEQPACKET, possibly with SOCK_NONBLOCK. An existing
 * file of that name is removed. Errors: -ENAMETOOLONG, or -errno of the call that failed; then the
 * listener is closed.
 */
int unix_listener_open(struct unix_listener *listener, const char *path, int type, int backlog);

/* Stops listening, and removes the name if it is still this socket's. A closed listener is allowed.
 */
void unix_listener_close(struct unix_listener *listener);

/*
 * Connects to path; blocks while the listener's queue is full. limit_s: how long that and every
 * later send and receive may take, in seconds; 0: for ever.
 * Returns a blocking socket. Errors: -ENAMETOOLONG; -ENOENT, -ECONNREFUSED: nobody listens;
 * -ETIMEDOUT; -errno of the call that failed.
 */
int unix_socket_connect(const char *path, int type, unsigned limit_s);

/* The user at the other end, at the time of its connect or listen. Errors: getsockopt's -errno. */
int unix_socket_peer_uid(int fd, uid_t *uid);
/* The process there, likewise, as our PID namespace numbers it; 0: it is in none that we see. */
int unix_socket_peer_pid(int fd, pid_t *pid);

/*
 * Sends one packet with copies of fd_count (0..UNIX_SOCKET_FDS_MAX) descriptors. wait: waits for
 * room, at most as long as the socket's limit allows.
 * Errors: -EAGAIN: no room, and wait is false; -ETIMEDOUT: no room within the limit; -EPIPE: the
 * peer is gone; -EMSGSIZE: only a part was sent (never of a packet); other -errno.
 */
int unix_socket_send(int fd, const void *bytes, size_t byte_count, const int *fds, size_t fd_count,
                     bool wait);

/*
 * Waits for a packet, at most as long as the socket's limit allows. Receives up to `size` bytes and
 * up to fd_max (0..UNIX_SOCKET_FDS_MAX) descriptors; *fd_count says how many. The caller closes
 * the descriptors. Slots of fds without a descriptor are -1.
 * Returns the number of bytes. 0, without descriptors: the peer has closed (or has sent an empty
 * packet, which nobody does here). Errors, none of which leaves a descriptor open: -ETIMEDOUT;
 * -EPROTO: the packet is longer than size, has more than fd_max descriptors, has descriptors but
 * no bytes, or has another control message; -EMFILE: it has descriptors that this process can't
 * have; other -errno.
 */
ssize_t unix_socket_receive(int fd, void *bytes, size_t size, int *fds, size_t fd_max,
                            size_t *fd_count);

#endif
