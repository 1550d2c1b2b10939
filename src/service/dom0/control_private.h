/* SPDX-License-Identifier: MIT */
/*
 * control_private: what control.c (connections, whose turn it is), control_room.c (who gives way)
 * and control_serve.c (requests) share.
 */
#ifndef SPLITDOM_SERVICE_DOM0_CONTROL_PRIVATE_H
#define SPLITDOM_SERVICE_DOM0_CONTROL_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/unix_socket.h"
#include "service/dom0/control.h"
#include "service/loop/listener.h"

struct control_peer {
    struct control *owner;
    int fd;
    struct poller_watch *watch;
    struct domain *domain;
    bool wants_farewell;
    bool waits; /* for control_answer */
    bool traces;
    bool failed; /* its connection had an error: no edge tells of anything any more */
    bool had_answer;
    uint64_t since_ns;      /* CLOCK_MONOTONIC, when it was accepted */
    struct list_node link;  /* of the owner */
    struct list_node ready; /* likewise, while something may have come from it */
};

struct control {
    struct poller *poller;
    struct log *log;
    const struct control_ops *ops;
    void *ctx;
    struct listener listener;
    struct list peers;
    struct list ready; /* peers that something may have come from, in turn */
    bool is_full; /* who knocks must wait, until somebody is served or gone, or the timer fires */
    int timer_fd; /* see control_room.c */
    struct poller_watch *timer_watch;
    uint32_t peer_count;
    uint32_t peers_max;
    struct log_limit log_limit;
};

/* control.c: all connections, the oldest first; NULL: there is no more. */
struct control_peer *control_first_peer(struct control *control);
struct control_peer *control_next_peer(struct control_peer *peer);
/* Ends a connection, and its domain with it. */
void control_close_peer(struct control_peer *peer);

/* control_serve.c */
/* A request as it arrives, with the text that some have. */
struct control_packet {
    struct control_request request;
    char text[CONTROL_TEXT_MAX];
};

/* Serves one packet of so many bytes. Returns 0, or -errno: the connection is to be closed. */
int control_serve(struct control_peer *peer, const struct control_packet *packet, size_t bytes);
/* 0, or -errno with a reason of any length. Errors: as control_send_reply. */
int control_reply_text(struct control_peer *peer, int status, const char *reason);
/* Never blocks. Errors: -errno, the peer does not read its replies or is gone: drop it. */
int control_send_reply(int fd, const struct control_reply *reply, const int *fds, size_t fd_count);

#endif
