/* SPDX-License-Identifier: MIT */
/*
 * net_credit: so many bytes in each interval: the `rate` of a vif, as xl gives it.
 *
 * Intervals lie on a fixed grid, and nothing is rounded: over any time the bytes are those of its
 * whole intervals, and one interval's at most beyond. A frame may overdraw what is left, the next
 * intervals pay for it. Unused credit is kept for one interval. (Linux's netback starts its
 * interval anew when it looks, which is late, and so gives less than the rate.)
 *
 * Times are of one clock, whichever the owner takes: the rate is of that clock's seconds.
 */
#ifndef SPLITDOM_SERVICE_NET_CREDIT_H
#define SPLITDOM_SERVICE_NET_CREDIT_H

#include <stdbool.h>
#include <stdint.h>

struct net_credit {
    uint64_t bytes;       /* 0: no limit */
    uint64_t interval_ns; /* > 0 with a limit */
    /* Private. */
    int64_t left_bytes;
    uint64_t window_ns; /* when the present interval began */
};

/* Full from the beginning. */
void net_credit_init(struct net_credit *credit, uint64_t bytes, uint64_t interval_ns,
                     uint64_t now_ns);

/* So many bytes in each interval from now on, on the grid of the one before. What is left stays, up
 * to one interval's bytes, and so does what is owed: whoever changes a limit gives nothing away.
 * One that had no limit is full. bytes > 0. */
void net_credit_change(struct net_credit *credit, uint64_t bytes, uint64_t interval_ns,
                       uint64_t now_ns);

/* What may be sent now; 0: nothing. UINT32_MAX at most. */
uint32_t net_credit_left(struct net_credit *credit, uint64_t now_ns);
/* So much was sent. */
void net_credit_pay(struct net_credit *credit, uint32_t bytes);
/* There is nothing left: when there will be something. */
uint64_t net_credit_when_ns(const struct net_credit *credit);

#endif
