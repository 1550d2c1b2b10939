/* SPDX-License-Identifier: MIT */
/*
 * net_pressure: who sends to a full port waits, for a while.
 *
 * A frame that finds its receiver's queue full was copied and judged in vain. So a port whose queue
 * is half full says so, and a port that has just sent a frame to it, and to it alone, has no more
 * turns: its frames wait on its own ring, and its domain sleeps. All of them go on when the
 * receiver has taken what was there, down to a quarter of its queue. (In Xen a request on the tx
 * ring is answered when the receiver has the frame, which comes to the same for one sender.)
 *
 * What nobody can do with that:
 * - take nothing, and so stop others: after NET_PRESSURE_NS they go on, and frames are dropped as
 *   ever, until the queue was once empty enough;
 * - stop who floods a bridge or sends through a link: only frames to one known port without a link
 *   count;
 * - stop, by taking just enough just in time, what others have for somebody else: who has sent to
 *   another known port a short while ago does not wait;
 * - have more room by not waiting: with each frame of one that does not, who waits has a turn;
 * - wait for each other in a circle: who waits itself stops nobody.
 *
 * Dom0's loop thread; nothing here blocks.
 */
#ifndef SPLITDOM_SERVICE_NET_PRESSURE_H
#define SPLITDOM_SERVICE_NET_PRESSURE_H

#include <stdbool.h>

#include "service/net/port.h"

/* For how long one port lets others wait on end, real time. A receiver that is ready to run gets
 * the CPU sooner than that on a busy machine. */
#define NET_PRESSURE_NS UINT64_C(10000000)

/* For how long who has sent to one port and then to another does not wait, real time: who sends one
 * frame to somebody else after that has it wait for at most a tenth as long. */
#define NET_PRESSURE_SEVERAL_NS (10 * NET_PRESSURE_NS)

/* One of the owner's queues is half full, which it was not before. */
void net_pressure_begin(struct net_port *port);
/* That queue is three quarters empty again, or gone. Who waits goes on after the last one. */
void net_pressure_end(struct net_port *port);

/* A frame of `from` that had come at at_ns went to the owner of `to`, and to nobody else. Whoever
 * does not have its turn just now does not wait. */
void net_pressure_sent(struct net_port *from, struct net_port *to, uint64_t at_ns);

/* The port takes no part in turns any more: it waits for nobody, nor does anybody for it. */
void net_pressure_leave(struct net_port *port);

static inline bool net_pressure_waits(const struct net_port *port)
{
    return port->waits_for != NULL;
}

/* Does anybody wait for the port's owner to take frames? */
static inline bool net_pressure_is_felt(const struct net_port *port)
{
    return !list_is_empty(&port->waiters);
}

#endif
