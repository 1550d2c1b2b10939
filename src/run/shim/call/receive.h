/* SPDX-License-Identifier: MIT */
/*
 * receive: calls that receive are caught only in a process that has asked for what must be mediated
 * in them, by a second filter.
 */
#ifndef SPLITDOM_RUN_SHIM_CALL_RECEIVE_H
#define SPLITDOM_RUN_SHIM_CALL_RECEIVE_H

#include <stdbool.h>

#include "run/shim/core/trap.h"

/* From now on, for ever, in all threads. */
void receive_catch(void);

/* Has that descriptor, a socket, a receive time-out? */
bool receive_is_timed(long fd);

/* read and readv of such a one. */
long receive_by_read(struct trap *trap);

/* recvmmsg: until the first message is there. 0, or -errno of what ended the wait. */
long receive_first(const struct trap *trap);

/* The stamps in a message's control data (packet_times.c); the address of its struct msghdr. */
void packet_times_show(long message_address);
long packet_times_ask(struct trap *trap);
long packet_times_tcp_info(struct trap *trap);

#endif
