/* SPDX-License-Identifier: MIT */
/*
 * control_call: a packet to Dom0 over the domain's control socket, and its reply.
 *
 * One thread at a time. A wait is made of slices of a second, ten at most, so that patience can be
 * cut meanwhile. It takes no longer than what is left of that when a slice begins.
 */
#ifndef SPLITDOM_DOMU_CONTROL_CALL_H
#define SPLITDOM_DOMU_CONTROL_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "domu/patience.h"
#include "splitdom/control.h"

enum { CONTROL_CALL_SLICE_S = 1 }; /* the limit that the socket was connected with */

/* After so many waits of one slice: another one? */
bool control_call_goes_on(const struct patience *patience, int slices);

/*
 * Sends one packet and takes its reply with fd_count descriptors, or none if it is refused. Returns
 * the reply's status, 0 or -errno, with its reason NUL-terminated; or -ENOTCONN: the line has
 * ended; -EPROTO: the reply makes no sense; -ETIMEDOUT; others from the system.
 */
int control_call(int fd, const struct patience *patience, uint32_t *replies_owed,
                 const void *packet, size_t bytes, struct control_reply *reply, int *fds,
                 size_t fd_count);

#endif
