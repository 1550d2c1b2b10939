/* SPDX-License-Identifier: MIT */
/*
 * net_link: a pair of pipes (pipe.h) on a clock: between a vif and its bridge, or between two
 * bridges.
 *
 * All of a link's numbers are of one time frame: the clock that it counts in. On the clock of a
 * domain at TDF k a link of 10 ms and 1 Gbit/s is one of k * 10 ms and 1/k Gbit/s by the wall, and
 * the domain sees what was asked for; while the domain is paused, its link stands still. The
 * clock's timers are watched shortly before they are due. A vif that can hold a frame until it is
 * there (net_port.holds) gets it NET_LINK_EARLY_NS before, so that its domain is awake by then.
 *
 * Dom0's loop thread; nothing here blocks.
 */
#ifndef SPLITDOM_SERVICE_NET_LINK_H
#define SPLITDOM_SERVICE_NET_LINK_H

#include <stdbool.h>

#include "service/net/bridge.h"
#include "service/net/lateness.h"
#include "service/net/pipe.h"
#include "tdf/timer.h"

enum net_way {
    NET_WAY_UP,   /* from the vif to the bridge; from the first bridge to the second */
    NET_WAY_DOWN, /* the other one */
    NET_WAYS
};

enum {
    NET_LINK_FRAMES_AT_ONCE = 256, /* of one timer */
    NET_LINK_EARLY_NS = 50000,     /* real: what a sleeping process may take to wake up */
};

struct net_link;

/* One direction. */
struct net_link_way {
    struct net_pipe pipe;
    struct net_sink sink; /* where frames enter */
    struct net_link *link;
    struct timer timer;
    struct net_lateness late; /* of frames that were handed out, in the link's time */
    uint64_t looked_ns;       /* private: when it was looked for what is due, by the link's clock */
};

/* Only read by others. Stays where it is while it is in use. */
struct net_link {
    struct net_link_way way[NET_WAYS];
    struct timer_clock *time; /* NULL: it is in no use */
    /* Of a link of a vif. */
    struct net_port *port;
    struct net_sink *bridge; /* the vif's */
    /* Of a link between bridges: its end in each, in the order of ways. */
    bool is_trunk;
    struct net_port ends[NET_WAYS];
};

/* A link that is in no use. */
void net_link_init(struct net_link *link, const struct net_pipe_config config[NET_WAYS]);
/* From now on, for one way. */
void net_link_configure(struct net_link *link, enum net_way way,
                        const struct net_pipe_config *config);

/* Puts the link between a port and the bridge that it is on. time outlives that. */
void net_link_insert(struct net_link *link, struct net_port *port, struct timer_clock *time);
/* Joins two bridges, in no circle. Errors: those of net_bridge_connect; the link is in no use then.
 */
int net_link_join(struct net_link *link, struct net_bridge *first, struct net_bridge *second,
                  struct timer_clock *time);
/* Takes the link out: what is under way is dropped, and counted. Allowed if it is in no use. */
void net_link_take_out(struct net_link *link);

/* The bridge at the other end of a trunk's port. NULL: the port is none. */
struct net_bridge *net_link_beyond(const struct net_port *port);

#endif
