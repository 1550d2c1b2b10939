/* SPDX-License-Identifier: MIT */
/*
 * net_port: where frames enter and leave the network inside Dom0: one end of a vif.
 *
 *     vif ---take/input---> port ---up---> [link] ---> bridge ---> [link] ---> port ---deliver--->
 * vif
 *
 * Embedded in its owner, who finds itself by container_of. The port is on no network until a bridge
 * connects it (bridge.h); what comes in before is dropped and counted. "in" is what came from the
 * owner, "out" what went to it.
 *
 * Times named at_ns are CLOCK_MONOTONIC: when the frame is there as far as the network is
 * concerned. That may be a little past when the call comes.
 *
 * Dom0's loop thread; nothing here blocks.
 */
#ifndef SPLITDOM_SERVICE_NET_PORT_H
#define SPLITDOM_SERVICE_NET_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "service/net/credit.h"
#include "service/net/frame.h"
#include "tdf/timer.h"

struct net_member;
struct net_port;
struct net_turns;

enum {
    NET_PORT_NAME_SIZE = 32,
    NET_PORT_WEIGHT_DEFAULT = 256,
};

/* Why a frame went no further. */
enum net_drop {
    NET_DROP_MALFORMED,    /* the owner's frame breaks the rules of its ring, or is no frame */
    NET_DROP_DISCONNECTED, /* the port is on no bridge */
    NET_DROP_SPOOFED,      /* the source address is not the port's */
    NET_DROP_LOCAL,        /* for the very port that the frame came from, or for no other bridge */
    NET_DROP_FLOOD,        /* to unknown ones or to all, and too often */
    NET_DROP_RULE,         /* a rule said so */
    NET_DROP_NO_ROOM,      /* the queue towards the owner was full */
    NET_DROP_STALLED,      /* the owner takes nothing off its full queue */
    NET_DROP_LINK_LOSS,    /* a link lost the frame, as it was told to */
    NET_DROP_LINK_QUEUE,   /* a link's queue was full */
    NET_DROP_LINK_EARLY,   /* a link's queue management dropped the frame before that */
    NET_DROP_NO_MEMORY,
    NET_DROPS
};

struct net_count {
    uint64_t frames, bytes;
};

struct net_port_ops {
    /* A frame for the owner, due there at at_ns. The owner takes its own reference if it keeps the
     * frame, queues a bounded number, and else counts a drop (net_port_drop). Must not call
     * net_port_input. */
    void (*deliver)(struct net_port *port, struct net_frame *frame, uint64_t at_ns);
    /* Lets the owner hand in frames (net_port_input) of up to budget_bytes > 0 in all: it goes on
     * while less than that is taken, copies that the bridge makes of them (copied_bytes) included,
     * so the last frame may exceed the budget; the next turn gets that much less. A bounded number.
     * Returns the bytes taken (a frame that is dropped counts, at least 1 byte each), 0: there is
     * nothing, so the port's turns are over until the next net_turns_ready. Must not disconnect any
     * port. */
    uint32_t (*take)(struct net_port *port, uint32_t budget_bytes);
    /* Nobody waits any more for the owner to take frames (pressure.h). NULL: no matter. Must not
     * call net_port_input, nor disconnect any port. */
    void (*released)(struct net_port *port);
};

/* Something that takes frames on: a bridge or a link. Embedded in its owner. */
struct net_sink {
    /* A frame that belongs to this port: on its way up it came from there, on its way down it goes
     * there. The sink takes its own reference if it keeps the frame. */
    void (*put)(struct net_sink *sink, struct net_port *port, struct net_frame *frame,
                uint64_t at_ns);
};

struct net_port {
    /* Set by the owner before net_port_init's first use, then only read. */
    const struct net_port_ops *ops;
    char name[NET_PORT_NAME_SIZE]; /* "vif1.0" */
    uint32_t weight;               /* share of the turns, 1..65535 */
    void *owner;                   /* for the owner alone */
    bool holds; /* the owner keeps a frame until at_ns: it may be delivered before */
    /* Read by anyone. */
    uint32_t id; /* of this port alone as long as Dom0 runs; 0 before it is connected */
    struct net_count in, out; /* what passed net_port_input, and what was delivered */
    uint64_t drops[NET_DROPS];
    /* Private: of the bridge and of links. */
    struct net_sink *up;       /* NULL: on no network */
    struct net_sink *down;     /* NULL: frames for the owner go straight to deliver */
    struct net_member *member; /* the bridge's record of this port */
    /* Private: of the turns (turns.h). */
    struct net_turns *turns;
    struct heap_node turn; /* in turns->ready, while is_ready */
    bool is_ready;
    uint64_t debt;      /* not ready: how much later than now its next turn is */
    uint64_t resume_at; /* by the turns' keys: when its next turn is, if it waits for a full port */
    uint64_t copied_bytes;    /* of flooded frames, beyond what was handed in: the next turn's */
    struct net_credit credit; /* stays over connections, as what is owed does */
    struct timer_clock *credit_time; /* NULL: no limit */
    struct timer refill;             /* set: the port waits for credit */
    /* Private: of its bridge, and of the next one: copies that it has had made, less those that
     * time has given back until then. */
    uint64_t flood_spent, flood_at_ns;
    /* Private: of the pressure (pressure.h). */
    uint32_t full_queues;       /* of the owner */
    struct list waiters;        /* of net_port.waiter: who waits for the owner */
    uint64_t felt_since_ns;     /* when the first of these began, by turns->time */
    struct timer patience;      /* at least while anybody waits */
    bool is_ignored;            /* others have waited for long enough */
    struct net_port *waits_for; /* NULL: nobody */
    struct list_node waiter;    /* while the port waits */
    uint32_t last_to;           /* id of the port that had its last frame to one alone; 0: none */
    uint64_t several_until_ns;  /* until then it counts as sending to several */
};

/* A port on no network. port is zeroed memory of the owner. */
void net_port_init(struct net_port *port, const struct net_port_ops *ops, const char *name,
                   uint32_t weight);

/* The owner's frame enters the network, at frame->arrived_ns; its source is set here. The caller
 * keeps its reference, and must not change the frame any more. */
void net_port_input(struct net_port *port, struct net_frame *frame);

/* The same for a port that joins two networks: the frame has a source already, and is there at
 * at_ns. Does not change the frame. */
void net_port_input_at(struct net_port *port, struct net_frame *frame, uint64_t at_ns);

/* A frame goes to the owner: through what is down, or straight to it. */
void net_port_output(struct net_port *port, struct net_frame *frame, uint64_t at_ns);

/* The end of the way down: counts, and has ops->deliver take the frame. For net_port_output and
 * links. */
void net_port_deliver(struct net_port *port, struct net_frame *frame, uint64_t at_ns);

/* Counts a frame that went no further. A frame that deliver drops was counted in out: the drop
 * takes that back. */
void net_port_drop(struct net_port *port, enum net_drop why);
void net_port_drop_delivered(struct net_port *port, const struct net_frame *frame,
                             enum net_drop why);

/* "spoofed", "link-loss"...: as status and JSON name it. */
const char *net_drop_name(enum net_drop why);

#endif
