/* SPDX-License-Identifier: MIT */
/*
 * net_ecn: tells both ends of a connection that a queue is full, without a loss (RFC 3168).
 */
#ifndef SPLITDOM_SERVICE_NET_ECN_H
#define SPLITDOM_SERVICE_NET_ECN_H

struct net_frame;

/* What takes the frame's place, with the mark "congestion experienced": the frame itself if it has
 * the mark already, else a copy (the frame may be shared). The caller has a reference to what is
 * returned, beside the one to frame. NULL: its ends don't take such marks, or there is no memory.
 */
struct net_frame *net_ecn_mark(struct net_frame *frame);

#endif
