/* SPDX-License-Identifier: MIT */
/*
 * pollable: what the loop looks at instead of sleeping: a ring of a back end, whatever its class.
 *
 * Embedded in its owner, which knows the ring; the loop (pollables.h) knows only these operations,
 * and calls each at most once a visit: what they cost is shared by a batch of requests.
 */
#ifndef SPLITDOM_SERVICE_LOOP_POLLABLE_H
#define SPLITDOM_SERVICE_LOOP_POLLABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "ring/spin_budget.h"
#include "service/loop/rate_meter.h"

struct pollable;
struct pollables;

/* All of them are required. None may remove a pollable from the loop. */
struct pollable_ops {
    /* Shows the domain what is answered, then takes a bounded batch of requests. Returns how many,
     * or -errno: the domain broke the ring's protocol, just now; broken is called next. */
    int (*consume)(struct pollable *p, uint64_t now_ns);
    /* Shows the domain what is answered. */
    void (*flush)(struct pollable *p);
    /* Shows what is answered, then asks for the doorbell. True: there is work already, go on. */
    bool (*arm)(struct pollable *p);
    /* What consume returned. It will return 0 from now on. */
    void (*broken)(struct pollable *p, int error);
};

/*
 * The domain behind some pollables. The words are hints in its memory (splitdom/hints.h): a
 * wrong one costs time, nothing else.
 */
struct poll_peer {
    const uint32_t *spin_cpu; /* the domain writes: where one of its threads spins, else NONE */
    uint32_t *loop_cpu;       /* we write: where we run */
    uint32_t *busy_peers;     /* we write: how many domains have requests, this one included */
    struct list pollables;    /* private, like the next */
    uint32_t window;          /* the last one in which it had requests */
    uint64_t requests;        /* taken off all its rings so far */
    struct rate_meter rate;   /* of requests */
};

/* Zeroed but for ops: on no loop. The owner sets ops, the rest is the loop's. */
struct pollable {
    const struct pollable_ops *ops;
    struct pollables *loop; /* NULL: on none */
    struct poll_peer *peer;
    struct list_node of_peer; /* in peer->pollables */
    struct list_node active;  /* in loop->active, or armed */
    bool answered;            /* the last thing that happened was a response */
    uint32_t limit_ns;        /* of the present spin */
    uint64_t idle_since_ns;   /* 0: the last visit found work */
    struct spin_budget budget;
};

/* The owner has shown the domain a response: its next request may follow at once. */
static inline void pollable_showed(struct pollable *p)
{
    p->answered = true;
}

#endif
