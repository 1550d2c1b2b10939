/* SPDX-License-Identifier: MIT */
/*
 * sched: whose turn it is at the disk. Pure policy: no ring, no disk, no clock of its own.
 *
 * Every domain (an "entity" here) queues its misses itself and tells sched of each one that waits.
 * sched_pick names the domain that may send its oldest waiting read to the disk.
 *
 * Turns: weighted round robin by virtual time (start-time fair queueing, Goyal, Vin and Cheng,
 * SIGCOMM 1996; Xen's credit scheduler has the same weights). Each entity carries a virtual time
 * that advances by cost / weight with each read; the smallest one that is backlogged goes next,
 * ties in the order of their last turn. An entity that comes back from idleness starts at the
 * present virtual time: it gets no credit for its absence. With equal weights and costs this is
 * exactly round robin, one read each. Work-conserving up to the depth below.
 *
 * A request that joins another's read takes no turn, but has its share of it: its entity is charged
 * as if it had read itself (sched_charge), and the request counts as demand until it is answered
 * (sched_join, sched_leave).
 *
 * Isolation: what makes a quiet domain wait beside a greedy one is the device's own queue, not the
 * turn-taking, so the depth is bounded while it matters:
 *   - time goes in windows of SCHED_WINDOW_NS; an entity's peak is the largest number of reads that
 *     it had queued, in flight and joined at once in the present and the previous window;
 *   - an entity is active while its peak is not 0, "light" up to SCHED_LIGHT_DEMAND (one or two
 *     blocking threads) and "busy" above that. A domain with three to depth_isolated - 1 reads is
 *     called busy too, which costs it nothing: the bounds below do not bind for so few;
 *   - while a light entity is active beside a busy one the scheduler is isolated: at most
 *     depth_isolated reads are in flight, at most depth_isolated - 1 of them (but at least one)
 *     busy entities' together. The last place is kept free, so that a light entity's read goes to
 *     the disk at once, whatever the others have queued;
 *   - otherwise, also among any number of greedy domains alone, the depth is depth_max;
 *   - an entity that has been the only active one for SCHED_ALONE_NS may have depth_alone: nobody's
 *     turns have to wait at the device, and a device with a long queue does more.
 *
 * The kept place is no debt: an entity that is served out of turn through it is charged as if its
 * turn had come. Nobody starves: the light ones wait for the busy ones' turns as usual when the
 * kept place is taken, and the busy ones keep all places but one.
 *
 * Cost: sched_pick, sched_charge and the calls that begin or end a backlog take O(log backlogged),
 * everything else O(1); once per window O(active). Nothing is allocated. Single-threaded. Times are
 * those of one monotone clock; a time that lies before the present window counts as within it.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_SCHED_H
#define SPLITDOM_SERVICE_BLOCK_SCHED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"

enum {
    SCHED_WEIGHT_DEFAULT = 256, /* as Xen's credit scheduler */
    SCHED_WEIGHT_MAX = 65535,
    SCHED_COST_MAX = 65535, /* larger costs are charged as this, 0 as 1 */
    SCHED_LIGHT_DEMAND = 2, /* reads at once, up to which an entity is light */
    SCHED_WINDOW_NS = 20000000,
    SCHED_WAITED_NS = 1000000000,
    /* Longer than windows: who reads now and then does not find the long queue of a busy one each
     * time. */
    SCHED_ALONE_NS = 200000000,
};

/* Embed in the domain. Zeroed, then sched_entity_init. Fields are sched's own. */
struct sched_entity {
    struct heap_node turn; /* by vtime; in a heap while queued > 0 */
    uint64_t vtime;        /* its virtual time */
    uint32_t weight;
    uint32_t in_flight;     /* reads at the disk */
    uint32_t queued;        /* reads waiting for a turn */
    uint32_t joined;        /* requests waiting for somebody's read */
    uint32_t demand_peak;   /* largest in_flight + queued + joined in the present window */
    uint32_t demand_before; /* the same, window before */
    bool busy;              /* its class; false while not active */
    uint64_t overs_seen;    /* sched.overs when its backlog began, or at its last turn */
    uint64_t waited_ns;     /* when it last had a turn for which it had to wait; 0: never */
    struct list_node active;
};

struct sched {
    struct heap light_turns; /* backlogged entities by class */
    struct heap busy_turns;
    struct list active;   /* entities with demand in the present or the previous window */
    uint32_t light_count; /* of them */
    uint32_t busy_count;
    uint64_t vtime;      /* of the last turn; unit: a read at weight 1 is 2^32. Wraps. */
    uint64_t order_next; /* for ties */
    uint64_t overs;      /* calls of sched_turns_over that left somebody waiting */
    uint64_t window_start_ns;
    uint32_t in_flight;
    uint32_t busy_in_flight; /* of them, busy entities' */
    uint32_t depth_max;      /* device depth when nobody needs protection */
    uint32_t depth_isolated; /* device depth while a light domain is active beside a busy one */
    uint32_t depth_alone;    /* device depth of an entity that is alone; >= depth_max */
    uint64_t together_ns;    /* when entities were last seen active beside each other */
};

/* Both depths >= 1; a depth_isolated above depth_max counts as depth_max. depth_alone is depth_max,
 * too. */
void sched_init(struct sched *s, uint32_t depth_max, uint32_t depth_isolated);
/* What an entity that is alone may have in flight; less than depth_max counts as depth_max. */
void sched_set_depth_alone(struct sched *s, uint32_t depth_alone);
/* Errors: -EINVAL weight not in 1..SCHED_WEIGHT_MAX. */
int sched_entity_init(struct sched_entity *e, uint32_t weight);
/* Counts from the entity's next turn on. Errors: as above; then nothing has changed. */
int sched_set_weight(struct sched_entity *e, uint32_t weight);

/* One more read of e waits for its turn. */
void sched_enqueue(struct sched *s, struct sched_entity *e, uint64_t now_ns);
/*
 * The entity whose oldest waiting read goes to the disk now, or NULL: nobody waits, or the disk has
 * its fill. Counts the read as in flight and charges cost (units: one small read = 1).
 * cost_of tells the cost of an entity's oldest waiting read.
 */
struct sched_entity *sched_pick(struct sched *s, uint64_t now_ns,
                                uint32_t (*cost_of)(const struct sched_entity *e));
/* A read of e came back from the disk. */
void sched_complete(struct sched *s, struct sched_entity *e, uint64_t now_ns);
/* A request of e joins a read that is in flight, and waits for it no longer. */
void sched_join(struct sched *s, struct sched_entity *e, uint64_t now_ns);
void sched_leave(struct sched_entity *e);
/* e, which is active, pays for a request that took no turn. Units as for sched_pick. */
void sched_charge(struct sched *s, struct sched_entity *e, uint32_t cost);
/* All turns that there are now have been taken: whoever still has reads waiting must wait, and its
 * weight decides about its share. */
void sched_turns_over(struct sched *s);
/* Has e had to wait for turns within the last SCHED_WAITED_NS, or does it now? */
bool sched_has_waited(const struct sched *s, const struct sched_entity *e, uint64_t now_ns);
/* A waiting read of e was taken back without going to the disk (served otherwise, or e died). */
void sched_cancel(struct sched *s, struct sched_entity *e);
/* e goes. Its waiting reads were cancelled, its reads in flight completed, its joins left before.
 */
void sched_entity_remove(struct sched *s, struct sched_entity *e);
/* Reads in flight that are allowed at present. */
uint32_t sched_depth(struct sched *s, uint64_t now_ns);

#endif
