/* SPDX-License-Identifier: MIT */
/*
 * receive: calls that receive are caught only in a process that has asked for what must be mediated
 * in them, by a second filter.
 */
#ifndef SPLITDOM_RUN_SHIM_CALL_RECEIVE_H
#define SPLITDOM_RUN_SHIM_CALL_RECEIVE_H

#include "run/shim/core/trap.h"

/* From now on, for ever, in all threads. */
void receive_catch(void);

/* The stamps in a message's control data (packet_times.c); the address of its struct msghdr. */
void packet_times_show(long message_address);
long packet_times_ask(struct trap *trap);
long packet_times_tcp_info(struct trap *trap);

#endif
