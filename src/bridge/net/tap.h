/* SPDX-License-Identifier: MIT */
/*
 * tap: a network interface of the kernel whose other end is a descriptor, in the present network
 * namespace. Each message on the descriptor is a struct virtio_net_hdr and a frame. Or a socket in
 * its place, whose messages are frames alone.
 */
#ifndef SPLITDOM_BRIDGE_NET_TAP_H
#define SPLITDOM_BRIDGE_NET_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"
#include "splitdom/netfront.h"

enum { TAP_NAME_SIZE = 16 };

struct tap {
    int fd[NETFRONT_QUEUES_MAX]; /* of each queue, non-blocking; -1: closed */
    uint32_t queues;
    char name[TAP_NAME_SIZE];
    bool is_socket; /* blocking or not; messages are frames alone */
};

/*
 * Makes or takes over the interface called name, with so many queues (1 to NETFRONT_QUEUES_MAX),
 * the address, the MTU and the abilities of info, and sets it up. With several queues the kernel
 * spreads what it sends over them by flows, and sends each where that flow's frames came from, if
 * some have. It goes when it is closed, unless somebody had made it persistent. Errors, with the
 * line in why: -EINVAL that is no name; -EPERM, -EACCES not allowed here; -ENOENT the system has no
 * tap devices; -EBUSY it is in use; others from the system.
 */
int tap_open(struct tap *tap, const char *name, uint32_t queues, const struct netfront_info *info,
             struct why *why);

/* Takes over a socket that the caller was given, of a kind that keeps messages apart; one queue.
 * Errors, with the line in why: -EBADF, -ENOTSOCK; -EPROTOTYPE a stream. */
int tap_adopt(struct tap *tap, int fd, struct why *why);

/* Sets a line of the form A.B.C.D/PREFIX as its IPv4 address. Errors: -EINVAL it is none. */
int tap_set_address(const struct tap *tap, const char *address, struct why *why);

/* Gives it another Ethernet address (NETFRONT_MAC_BYTES), as it is, up or down, and in whatever
 * namespace: by its descriptor alone. Errors: from the system. */
int tap_change_mac(int fd, const uint8_t *mac);

/* Sets the loopback interface of the present namespace up. */
int tap_set_loopback_up(struct why *why);

/* Closed, or zeroed: allowed. */
void tap_close(struct tap *tap);

#endif
