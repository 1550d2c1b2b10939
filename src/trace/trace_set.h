/* SPDX-License-Identifier: MIT */
/*
 * trace_set: the lives of requests, put together of their halves, and the clocks of their domains.
 * What domains write is not believed: a life whose times make no sense is counted and left out.
 */
#ifndef SPLITDOM_TRACE_TRACE_SET_H
#define SPLITDOM_TRACE_TRACE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "splitdom/trace.h"

enum {
    TRACE_SET_LIVES_MAX =
        1 << 20, /* half a gigabyte or so; what comes later is counted, and left out */
    TRACE_SET_DOMAINS = 1 << 16,
};

enum trace_class {
    TRACE_CLASS_FOUND,  /* a hit that the domain found in the shared cache by itself */
    TRACE_CLASS_HIT,    /* answered out of Dom0's cache, at once or when its turn came */
    TRACE_CLASS_JOINED, /* a miss that waited for a read which somebody else had sent */
    TRACE_CLASS_MISS,   /* a read that went to the engine */
    TRACE_CLASS_WRITE,
    TRACE_CLASS_OTHER, /* flushes, discards; what was refused */
    TRACE_CLASSES,
};

extern const char *const trace_class_names[TRACE_CLASSES];
/* As the documents have them; and who: "DomU" or "Dom0". */
extern const char *const trace_stage_names[TRACE_STAGES];
bool trace_stage_is_front(enum trace_stage stage);

enum trace_state {
    TRACE_HALF,  /* the other half is not there: lost, or not over when the trace ended */
    TRACE_WHOLE, /* both; of a domain that writes down nothing, Dom0's */
    TRACE_CUT,   /* it began before the trace */
    TRACE_WRONG, /* its times make no sense */
};

struct trace_life {
    uint64_t id, sector, thread;
    uint32_t sector_count, devid;
    uint16_t domid;
    uint8_t operation;
    uint8_t halves;      /* bits 1 front, 2 back; of a hit in the shared cache: both */
    int32_t status;      /* 0 or -errno, as the domain saw it */
    uint32_t weight;     /* requests that it stands for, itself included */
    uint32_t noticed_ns; /* of trace_record */
    bool is_alone;       /* Dom0's half is all: the front end writes none down */
    uint8_t class;       /* these two after trace_set_end */
    uint8_t state;
    uint64_t at_ns[TRACE_STAGES];
};

struct trace_clock_point {
    uint32_t domid;
    uint64_t real_ns, domain_ns;
    uint64_t num, den; /* of the TDF from here on; num 0: it stands still */
};

struct trace_set {
    uint32_t domid, threshold; /* what is taken: of which domain (0: all), which sample */
    uint64_t begin_ns, end_ns;
    struct trace_life *lives;
    size_t count, room;
    uint32_t *index; /* hash table: numbers of lives, from 1 on */
    size_t index_size;
    struct trace_clock_point *clocks;
    size_t clock_count, clock_room;
    bool *writes;              /* by domid: the domain writes its halves down */
    uint64_t nonsense, beyond; /* records: that are none; for which there was no room */
    uint64_t lost;             /* by whoever reads: records */
    /* Requests on rings that domains have told of; and those that they stand for: all that there
     * were until then. */
    uint64_t told, asked;
    uint64_t found; /* hits in the shared cache that domains have told of, looked at or not */
    size_t by_state[4];
};

/* Of one of sample requests (1: of all). begin_ns: CLOCK_MONOTONIC. Errors: -ENOMEM. */
int trace_set_init(struct trace_set *set, uint32_t domid, uint32_t sample, uint64_t begin_ns);
void trace_set_fini(struct trace_set *set);

/* domid writes down its halves. */
void trace_set_expect(struct trace_set *set, uint32_t domid);
/* A record out of the memory of domain `source`; 0: out of Dom0's. */
void trace_set_add(struct trace_set *set, uint32_t source, const struct trace_record *record);
/* No more come: judges all lives, and puts them in the order of their begins. */
void trace_set_end(struct trace_set *set, uint64_t end_ns);

/* The first and the last stage of a life that has one. */
enum trace_stage trace_life_first(const struct trace_life *life);
enum trace_stage trace_life_last(const struct trace_life *life);
/* The stage before that one; TRACE_STAGES: there is none. */
enum trace_stage trace_life_before(const struct trace_life *life, enum trace_stage stage);

/* After trace_set_end: what the domain's clock showed at a real time; a domain whose clock is not
 * known: the real time. */
uint64_t trace_set_domain_ns(const struct trace_set *set, uint32_t domid, uint64_t real_ns);
/* How long the life was in the domain's eyes: until it was complete, as it measures latencies. */
uint64_t trace_set_latency_ns(const struct trace_set *set, const struct trace_life *life);

#endif
