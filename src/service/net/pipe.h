/* SPDX-License-Identifier: MIT */
/*
 * net_pipe: one direction of a link, without a clock or a loop: frames in, frames out when they are
 * due, by times that the caller takes from wherever it likes.
 *
 *     put -> loss, duplicates -> queue -> transmitter (rate) -> delay, jitter, reorder -> out
 *
 * Frames wait in the queue while the transmitter is busy with those before them; from its end on
 * each is under way for its own delay, so jitter and reorder let it overtake others, as in
 * tc-netem(8). The order of chances is netem's: loss and duplication first.
 *
 * Exact: the transmitter's times have 64 bits behind the point of a nanosecond, so a day of a
 * million frames a second is off by less than a nanosecond. What happens depends on the arrivals
 * and the seed alone, not on when anybody looks: with all times multiplied, all results are.
 *
 * Bounded: by the queue's limits, and under way by NET_PIPE_FLIGHT_FRAMES and _BYTES.
 */
#ifndef SPLITDOM_SERVICE_NET_PIPE_H
#define SPLITDOM_SERVICE_NET_PIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/prng.h"
#include "service/net/chance.h"
#include "service/net/jitter.h"
#include "service/net/link_queue.h"
#include "service/net/loss.h"
#include "service/net/port.h"
#include "tdf/rational.h"

enum {
    NET_PIPE_FLIGHT_FRAMES = 262144,
    NET_PIPE_FLIGHT_BYTES = 256 << 20,
};

struct net_pipe_config {
    uint64_t rate_bps;       /* bits a second; 0: no limit, and no queue */
    uint32_t overhead_bytes; /* that a frame takes on the wire beside its own */
    uint64_t delay_ns;
    uint64_t jitter_ns; /* <= NET_JITTER_MAX_NS */
    enum net_jitter_law law;
    struct net_loss_config loss;
    struct net_chance duplicate;
    struct net_chance reorder; /* to be sent without the delay */
    uint32_t reorder_gap;      /* that chance comes each so many frames; 0 is 1 */
    struct net_queue_config queue;
    uint64_t seed;
};

struct net_pipe_stats {
    struct net_count in, out;
    uint64_t lost, duplicated, reordered;
    uint64_t full, early, marked;
};

struct net_pipe;

/* A frame is through, at due_ns. */
typedef void net_pipe_out_fn(struct net_pipe *pipe, struct net_port *port, struct net_frame *frame,
                             uint64_t due_ns);

/* Only read by others. */
struct net_pipe {
    struct net_pipe_config config;
    struct net_pipe_stats stats;
    struct net_queue queue;
    uint32_t flight_frames;
    uint64_t flight_bytes;
    /* Private. */
    net_pipe_out_fn *out;
    struct heap flight;
    u128 free_fp;         /* when the transmitter is free */
    uint64_t last_ns;     /* the last arrival */
    uint32_t gap_counter; /* frames since the last reordered one */
    struct net_loss loss;
    struct prng jitter, duplicate, reorder;
};

/* Without a limit of the queue there is one of 1000 frames, as netem's. */
void net_pipe_init(struct net_pipe *pipe, const struct net_pipe_config *config,
                   net_pipe_out_fn *out);
/* From now on; what is under way stays so. Another seed begins anew. */
void net_pipe_configure(struct net_pipe *pipe, const struct net_pipe_config *config);
/* Drops all that is there, and counts that at its port. */
void net_pipe_clear(struct net_pipe *pipe, enum net_drop why);

/* A frame of the port's comes at now_ns, or with the last one if that was later. Nothing goes out
 * from here. Drops are counted at the port. */
void net_pipe_put(struct net_pipe *pipe, struct net_port *port, struct net_frame *frame,
                  uint64_t now_ns);
/* It is now_ns: what is due goes out, in the order of due times, at most so many frames. Returns
 * how many. */
uint32_t net_pipe_advance(struct net_pipe *pipe, uint64_t now_ns, uint32_t frames_most);
/* The same for what is on its way and due by until_ns, although that is to come: for who can hold a
 * frame until then. Nothing goes that a later frame might overtake, with jitter or reordering. */
uint32_t net_pipe_advance_early(struct net_pipe *pipe, uint64_t until_ns, uint32_t frames_most);
/* When the first frame that could go early is due; UINT64_MAX: there is none. */
uint64_t net_pipe_early_ns(const struct net_pipe *pipe);
/* When to call net_pipe_advance next; UINT64_MAX: never, as far as is known. */
uint64_t net_pipe_next_ns(const struct net_pipe *pipe);

#endif
