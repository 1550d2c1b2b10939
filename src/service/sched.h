/* SPDX-License-Identifier: MIT */
/*
 * sched: whose turn it is at the disk. Pure policy: no ring, no disk, no clock of its own.
 *
 * Every domain (an "entity" here) queues its misses itself and tells sched when its queue turns
 * non-empty or empty. sched_pick names the domain that may send its next read to the disk.
 *
 * Policy: weighted round robin by virtual time (start-time fair queueing, Goyal et al. 1996; Xen's
 * credit scheduler has the same weights). Each entity carries a virtual time that advances by
 * cost / weight with each read; the smallest one that is backlogged goes next, ties in round-robin
 * order. An entity that comes back from idleness starts at the present virtual time: it gets no
 * credit for its absence. With equal weights and costs this is round robin with a quantum of one
 * read. Work-conserving.
 *
 * Isolation: what makes a quiet domain wait beside a greedy one is the device's own queue, not the
 * turn-taking. sched_depth bounds the reads in flight as long as a light domain is active next to a
 * busy one.
 */
#ifndef SPLITDOM_SERVICE_SCHED_H
#define SPLITDOM_SERVICE_SCHED_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SCHED_WEIGHT_DEFAULT = 256, /* as Xen's credit scheduler */
    SCHED_WEIGHT_MAX = 65535,
};

/* Embed in the domain. Zeroed, then sched_entity_init. Fields are sched's own. */
struct sched_entity {
    struct sched_entity *next, *prev; /* backlogged entities, round-robin order */
    uint64_t vtime;                   /* scaled by 2^16: wraps after centuries of full load */
    uint32_t weight;
    uint32_t in_flight;     /* reads at the disk */
    uint32_t queued;        /* reads waiting for a turn */
    uint32_t demand_peak;   /* largest in_flight + queued in the present window */
    uint32_t demand_before; /* the same, window before */
    uint64_t active_ns;     /* last time it had demand */
    bool known;             /* counted among the active */
    struct sched_entity *active_next, *active_prev;
};

struct sched {
    struct sched_entity *backlog; /* head of the circular list of backlogged entities */
    struct sched_entity *active;  /* entities with demand in the last SCHED_WINDOW_NS */
    uint32_t active_count;
    uint64_t vtime;
    uint64_t window_start_ns;
    uint32_t in_flight;
    uint32_t depth_max;      /* device depth when nobody needs protection */
    uint32_t depth_isolated; /* device depth while a light domain is active beside a busy one */
};

enum { SCHED_WINDOW_NS = 20000000 };

void sched_init(struct sched *s, uint32_t depth_max, uint32_t depth_isolated);
/* Errors: -EINVAL weight not in 1..SCHED_WEIGHT_MAX. */
int sched_entity_init(struct sched_entity *e, uint32_t weight);
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
/* A waiting read of e was taken back without going to the disk (served otherwise, or e died). */
void sched_cancel(struct sched *s, struct sched_entity *e);
/* e leaves: nothing queued, nothing in flight any more. */
void sched_entity_remove(struct sched *s, struct sched_entity *e);
/* Reads in flight that are allowed at present. */
uint32_t sched_depth(struct sched *s, uint64_t now_ns);

#endif
