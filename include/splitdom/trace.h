/* SPDX-License-Identifier: MIT */
/*
 * trace: the life of requests, written down by both sides of a ring while somebody traces.
 *
 * Each side writes a record for a request when its half of the life is over, with a time
 * (CLOCK_MONOTONIC) for each stage that the request came through. The halves are joined by domain,
 * device and request id by whoever reads. Nobody waits for a reader: a lane is a ring that goes
 * round and round, and what has been written over before it was read is lost, and counted.
 *
 * Two kinds of memory, both made by Dom0 (memfd_create, sealed at their size), both for readers to
 * be mapped read-only: Dom0's own, which only Dom0 can write to, and one for each domain that is
 * traced, which that domain writes to. A reader takes a domain's bytes for what they are: anything.
 * Nothing but the reader's picture depends on them.
 *
 *     memory   struct trace_head, lanes, records of lane 0, records of lane 1, ...
 *              (struct trace_packed; programs have them as struct trace_record)
 *
 * A domain is traced while the node splitdom/trace of its home is a number above 0: the threshold
 * of trace_wants. It fetches its memory by CONTROL_TRACE_MEMORY (splitdom/control.h).
 *
 * A front end that has the node feature-trace-rank decides about a request before it looks at any
 * clock, and puts the decision into the id: its rank, bits 16 to 31. TRACE_RANK_NEVER: nobody looks
 * at it, nor at one without a decision (0). Otherwise the lower, the smaller the samples that have
 * it, from 1 on. Dom0 and readers go by the rank. The ids of any other front end mean nothing to
 * them: Dom0 alone decides, and writes down its own half, which is all that there is.
 */
#ifndef SPLITDOM_TRACE_H
#define SPLITDOM_TRACE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TRACE_DOM0_LANES = 1, /* Dom0's loop is one thread */
    TRACE_DOM0_RECORDS = 1 << 17,
    TRACE_DOMAIN_LANES = 8,
    TRACE_DOMAIN_RECORDS = 1 << 15, /* of each lane; powers of two */
    TRACE_RANK_SHIFT = 16,
    TRACE_RANK_NEVER = 0xffff,
};

/* Of a sample: all requests up to some ten thousand a second, and of more one of as many as makes
 * that. A record's weight says of how many. */
#define TRACE_SAMPLE_AUTO    UINT32_MAX
#define TRACE_THRESHOLD_AUTO (UINT32_MAX - 1)

/* In the order of a life. Each time is taken before the others can see what it tells of, or after
 * the side has seen what it tells of: so they never decrease along a life. */
enum trace_stage {
    TRACE_SUBMITTED, /* DomU: the program has called */
    TRACE_ON_RING,   /* DomU: about to be shown to Dom0 */
    TRACE_DOORBELL,  /* DomU: Dom0's doorbell is about to be rung for it; only if Dom0 asked */
    TRACE_TAKEN,     /* Dom0: copied off the ring, with others */
    TRACE_JUDGED,    /* Dom0: found valid, its pages are mapped */
    TRACE_QUEUED,    /* Dom0: not in the cache; waits for its domain's turn */
    TRACE_PICKED,    /* Dom0: has its turn */
    TRACE_SENT,      /* Dom0: handed to the engine */
    TRACE_COMPLETED, /* Dom0: the engine has given it back */
    TRACE_ANSWERED,  /* Dom0: the response is written */
    TRACE_PUBLISHED, /* Dom0: about to be shown to the domain, with others */
    TRACE_WOKEN,     /* DomU: a thread that slept for the ring is awake; only if one slept */
    TRACE_TAKEN_OFF, /* DomU: the response is taken, the data is copied next */
    TRACE_RETURNED,  /* DomU: the call returns; asynchronous: ready to be reaped */
    TRACE_STAGES,
};

enum trace_kind {
    TRACE_NOTHING, /* no record */
    TRACE_FRONT,   /* the domain's half of a life */
    TRACE_BACK,    /* Dom0's half */
    /* The domain's half of a life that has no other: a hit in the shared cache. id: its rank. */
    TRACE_FOUND,
    /* Dom0: a domain's clock. at_ns[0] real time, at_ns[1] the domain's, and from there on at_ns[2]
     * / at_ns[3] real nanoseconds a nanosecond of the domain's; at_ns[2] 0: it stands still. */
    TRACE_CLOCK,
    /* Dom0's half of a life that has no other: the front end writes none down. id: its rank. */
    TRACE_ALONE,
};

struct trace_record {
    uint8_t kind;
    uint8_t operation; /* BLKIF_OP_* */
    uint16_t domid;
    uint32_t devid;
    uint64_t id; /* of the request, as on the ring */
    uint64_t sector;
    uint32_t sector_count;
    int32_t status;  /* 0 or -errno; Dom0's half: a BLKIF_RSP_* */
    uint64_t thread; /* tells the threads of a domain apart */
    uint32_t weight; /* requests that this one stands for: itself, and those before it that were
                      * not looked at; 0: as 1 */
    /* DomU: for how long the request had been complete when it returned, in nanoseconds of the
     * domain's clock, UINT32_MAX: or longer. Asynchronous requests with completion in virtual time
     * (splitdom/xen/blkif.h) are complete at their stamp, and noticed later; else 0. */
    uint32_t noticed_ns;
    uint64_t at_ns[TRACE_STAGES]; /* CLOCK_MONOTONIC; 0: it did not come through this stage */
};

/*
 * A record as it stands in memory: half as long, since what a traced request costs is mostly new
 * pages and lines. A half has its own stages only: Dom0's are those from TRACE_TAKEN to
 * TRACE_PUBLISHED, a domain's the six others, in order. slot: 0 it did not come through this stage;
 * else 1 and the time since base_ns in units of 2^(kind / TRACE_KINDS_MAX) ns: that is 1 for all
 * that takes less than four seconds.
 */
enum { TRACE_SLOTS = 8, TRACE_KINDS_MAX = 8 };

struct trace_packed {
    uint8_t kind; /* modulo TRACE_KINDS_MAX an enum trace_kind */
    uint8_t operation;
    uint16_t domid;
    uint32_t devid;
    uint64_t id, sector;
    uint32_t sector_count;
    int32_t status;
    uint32_t weight, noticed_ns;
    uint64_t base_ns; /* CLOCK_MONOTONIC */
    /* A domain's: the last two are its thread. TRACE_CLOCK: at_ns[0] to at_ns[3] are base_ns and
     * three pairs of slots. The lower half is the first of a pair. */
    uint32_t slot[TRACE_SLOTS];
};

struct trace_head {
    uint32_t active; /* its writer: records are being written */
    uint32_t pad0;
    uint64_t lost; /* its writer: records for which no lane was free */
    uint8_t pad1[48];
};

/* A lane has one writer at a time: a thread claims it by exchanging 1 into busy. */
struct trace_lane {
    uint64_t head; /* records written so far */
    uint32_t busy;
    uint32_t pad0;
    uint8_t pad[48];
};

_Static_assert(sizeof(struct trace_packed) == 80, "a record is 10 words");
_Static_assert(sizeof(struct trace_head) == 64 && sizeof(struct trace_lane) == 64,
               "head and lanes have cache lines of their own");

static inline uint64_t trace_memory_bytes(uint32_t lanes, uint32_t records)
{
    return sizeof(struct trace_head) +
           (uint64_t)lanes * (sizeof(struct trace_lane) + records * sizeof(struct trace_packed));
}

/* For one of `sample` requests: 0 for none, UINT32_MAX for all. */
static inline uint32_t trace_threshold(uint32_t sample)
{
    return sample == TRACE_SAMPLE_AUTO ? TRACE_THRESHOLD_AUTO
           : sample == 0               ? 0
                                       : UINT32_MAX / sample;
}

/* What was decided about a request is a part of its id: 0 nothing. */
static inline uint32_t trace_rank(uint64_t id)
{
    return (uint32_t)(id >> TRACE_RANK_SHIFT) & TRACE_RANK_NEVER;
}

/* Both sides and every reader choose the same requests, by their ids alone. */
static inline bool trace_wants(uint32_t threshold, uint64_t id)
{
    uint32_t rank = trace_rank(id);
    return rank != 0 && rank != TRACE_RANK_NEVER && (rank - 1) << 16 <= threshold;
}

#endif
