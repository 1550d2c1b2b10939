/* SPDX-License-Identifier: MIT */
/*
 * vhost_link: the connection to a vhost-user front end: one message after the other, with
 * descriptors. Never waits: a front end that sends half a message costs a descriptor. One thread.
 */
#ifndef SPLITDOM_BRIDGE_VHOST_VHOST_LINK_H
#define SPLITDOM_BRIDGE_VHOST_VHOST_LINK_H

#include <stddef.h>

#include "base/unix_socket.h"
#include "bridge/vhost/vhost_user.h"

struct vhost_link {
    int fd;                          /* -1: closed */
    size_t have;                     /* bytes of the message */
    struct vhost_user_header header; /* the message, complete when vhost_link_receive says so */
    union vhost_user_payload payload;
    int fds[UNIX_SOCKET_FDS_MAX]; /* that came with it; -1: taken */
    size_t fd_count;
};

/* Takes over a connected socket, without blocking. */
void vhost_link_open(struct vhost_link *link, int fd);
void vhost_link_close(struct vhost_link *link);

/*
 * Takes what has arrived. Returns 1: header and payload are complete, until vhost_link_next; 0: it
 * is not yet. Errors: -ENOTCONN the front end has closed; -EPROTO it is too long, of another
 * version, or comes with too many descriptors; others of recvmsg.
 */
int vhost_link_receive(struct vhost_link *link);
/* Drops the message and the descriptors that nobody has taken. */
void vhost_link_next(struct vhost_link *link);

/* The next descriptor that came with the message, the caller's from now on, or -1. */
int vhost_link_take_fd(struct vhost_link *link);

/* Answers the message with the first `bytes` bytes of payload. Errors: -ENOTCONN; -EAGAIN it does
 * not read; others of sendmsg. */
int vhost_link_answer(struct vhost_link *link, const void *payload, uint32_t bytes);
/* With a descriptor, which stays the caller's. */
int vhost_link_answer_fd(struct vhost_link *link, const void *payload, uint32_t bytes, int fd);

#endif
