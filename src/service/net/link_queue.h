/* SPDX-License-Identifier: MIT */
/*
 * net_queue: what waits for a link's transmitter, and who is dropped: those at the end when it is
 * full, or some before that, by RED (Floyd and Jacobson 1993; Linux: red.h) or CoDel (RFC 8289;
 * Linux: codel.h), or these are marked instead (ecn.h).
 *
 * Integers alone: a seed and the times of the frames give the same drops on every machine, and at
 * every scale of the times. Times are the link's, in nanoseconds.
 */
#ifndef SPLITDOM_SERVICE_NET_LINK_QUEUE_H
#define SPLITDOM_SERVICE_NET_LINK_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/prng.h"

struct net_frame;
struct net_port;

enum net_aqm { NET_AQM_DROPTAIL, NET_AQM_RED, NET_AQM_CODEL };

struct net_queue_config {
    uint32_t limit_frames; /* 0: no such limit; one of the two is there */
    uint64_t limit_bytes;
    enum net_aqm aqm;
    bool ecn; /* marks, where RED or CoDel would drop and both ends understand that */
    struct {
        uint64_t min_bytes, max_bytes; /* of the average; min < max < 2^31 */
        uint32_t probability;          /* at max, of 2^32 */
        uint32_t weight_log;           /* the average's: 2^-weight_log, 1..31 */
        uint64_t idle_frame_ns;        /* > 0: how long a frame takes, for an idle link's average */
    } red;
    struct {
        uint64_t target_ns, interval_ns;
    } codel;
};

/* One frame on its way through a link. */
struct net_item {
    struct list_node link; /* while it waits for the transmitter */
    struct heap_node due;  /* while it is under way */
    struct net_port *port; /* whose frame it is */
    struct net_frame *frame;
    uint64_t enqueued_ns;
};

enum net_queue_verdict {
    NET_QUEUE_TAKE,
    NET_QUEUE_MARK, /* to be marked, or dropped as EARLY, by the caller */
    NET_QUEUE_FULL,
    NET_QUEUE_EARLY, /* RED's */
};

/* What CoDel has decided about a frame that was taken off: it is not sent. mark: it is, if it can
 * be marked: then the caller does that and returns true. */
typedef bool net_queue_drop_fn(void *ctx, struct net_item *item, bool mark);

struct net_queue {
    struct list items;
    uint32_t frames;
    uint64_t bytes;
    /* Private. */
    struct prng prng;
    uint64_t red_average; /* of the bytes, shifted by weight_log */
    uint64_t red_idle_ns; /* since when the queue is empty; UINT64_MAX: it isn't */
    int64_t red_count;    /* frames since the last drop; -1: the average is below min */
    uint64_t codel_above_ns, codel_drop_ns; /* 0: not above */
    uint32_t codel_count, codel_last_count;
    uint32_t codel_inverse_root; /* 1 / sqrt(count), of 2^32 */
    bool codel_drops;
};

void net_queue_init(struct net_queue *queue, uint64_t seed);

/* A frame of so many bytes comes at now_ns. */
enum net_queue_verdict net_queue_judge(struct net_queue *queue,
                                       const struct net_queue_config *config, uint32_t bytes,
                                       uint64_t now_ns);
/* It was taken. */
void net_queue_push(struct net_queue *queue, struct net_item *item, uint64_t now_ns);
/* The next one to send at now_ns, after those that drop has been told of. NULL: there is none. */
struct net_item *net_queue_pop(struct net_queue *queue, const struct net_queue_config *config,
                               uint64_t now_ns, net_queue_drop_fn *drop, void *ctx);
/* The first one; NULL: the queue is empty. */
struct net_item *net_queue_first(const struct net_queue *queue);

#endif
