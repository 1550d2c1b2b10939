/* SPDX-License-Identifier: MIT */
/*
 * net_turns: whose turn it is to send into the network: weighted fair queueing by turns.
 *
 * A port whose owner has frames waiting is ready. The next turn is of the ready port that has
 * handed in the least for its weight; a turn is of the same size for all, so a heavy port has more
 * turns and not larger ones, and its ring can fill again between them. So over time the bytes of
 * ports that always have something behave as their weights do, whatever the sizes of their frames.
 * Who had nothing begins where the others are: nothing is saved up, and a port with one frame is
 * among the next. What a turn exceeded its bytes by, and copies of flooded frames, count as well.
 *
 * A port that is alone has nobody to share with: its turns are longer, and count as one of the
 * others' size, so that it owes nothing to who comes next.
 *
 * A port that has sent to a full one waits for that (pressure.h). One with a rate has no turn while
 * its credit is used up (credit.h): its frames wait on the owner's ring, and the owner need not
 * look after them.
 *
 * Dom0's loop thread; nothing here blocks.
 */
#ifndef SPLITDOM_SERVICE_NET_TURNS_H
#define SPLITDOM_SERVICE_NET_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "service/net/port.h"

enum {
    NET_TURNS_BYTES = 2048, /* a quarter of a ring of the shortest frames with stamps, 7.5 KiB */
    NET_TURNS_ALONE_BYTES = 65536, /* when no other port is ready */
    NET_TURNS_MAX_BYTES = 262144,  /* of one net_turns_run, copies of flooded frames included */
    /* The same two while others need this thread soon: a dozen frames, two dozen. */
    NET_TURNS_BRIEF_ALONE_BYTES = 16384,
    NET_TURNS_BRIEF_MAX_BYTES = 32768,
    NET_TURNS_MAX_VISITS = 4096, /* also if ports hand in the shortest frames one by one */
};

struct net_turns {
    struct heap ready;        /* of net_port.turn, by what was handed in for the weight */
    uint64_t now;             /* the key of the last turn */
    uint64_t front;           /* the last one of all: now goes back for who has waited */
    struct net_port *taking;  /* whose turn it is just now; NULL: nobody's */
    bool is_brief;            /* set by the caller of net_turns_run: others need this thread soon */
    struct timer_clock *time; /* how long who sends to a full port waits; NULL: nobody waits */
};

/* The port takes part from now on; it has no turn until it is ready. */
void net_turns_add(struct net_turns *turns, struct net_port *port);
/* From now on the port hands in so many bytes in each interval of that clock; 0: as many as it
 * likes. time outlives the port's part in turns. A limit goes on where the one before it stood
 * (net_credit_change), though the port was removed in between: who connects anew has no credit
 * more. */
void net_turns_limit(struct net_port *port, uint64_t bytes, uint64_t interval_ns,
                     struct timer_clock *time);
/* It doesn't any more. Allowed on a port that takes no part. */
void net_turns_remove(struct net_port *port);

/* The owner has frames to hand in: its tx ring has work. Nothing happens if the port is ready
 * already, waits for credit or for a full port, or takes no part. */
void net_turns_ready(struct net_port *port);

/* The port, which was ready and then waited for a full one, waits no more (pressure.h). That may
 * happen within the turn in which it began. */
void net_turns_go_on(struct net_port *port);

/* Gives turns until nothing is ready or its bounds are reached. Returns the bytes taken;
 * with net_turns_waits true, there is more. Once a round of the loop. */
uint32_t net_turns_run(struct net_turns *turns);
bool net_turns_waits(const struct net_turns *turns);

#endif
