/* SPDX-License-Identifier: MIT */
/*
 * net_frame: one Ethernet frame on its way through Dom0, in memory of Dom0's own.
 *
 * Who makes a frame fills it in and hands it to net_port_input (port.h). From then on nobody
 * changes it: a bridge that floods, a rule that mirrors and a link that duplicates all share it.
 * Who keeps a frame beyond a call takes a reference, and gives back each one.
 *
 * Dom0's loop thread; nothing here blocks.
 */
#ifndef SPLITDOM_SERVICE_NET_FRAME_H
#define SPLITDOM_SERVICE_NET_FRAME_H

#include <stdbool.h>
#include <stdint.h>

enum {
    NET_FRAME_MAX_BYTES = 65535,
    NET_FRAME_HEADER_BYTES = 14, /* two addresses and a type: what is shorter is no frame */
    NET_MAC_BYTES = 6,
};

enum net_gso_type {
    NET_GSO_NONE = 0, /* as XEN_NETIF_GSO_TYPE_NONE and the next two */
    NET_GSO_TCPV4 = 1,
    NET_GSO_TCPV6 = 2,
};

struct net_frame_pool;

struct net_frame {
    uint32_t references;         /* private */
    struct net_frame_pool *pool; /* private: whose memory it is; NULL: its own */
    uint32_t length_bytes;
    bool checksum_blank; /* the checksum of TCP or UDP is the pseudo header's alone */
    bool data_validated; /* the payload is known to be whole, whatever its checksum says */
    uint8_t gso_type;    /* enum net_gso_type; else one segment of any size */
    uint16_t gso_size_bytes;
    int64_t stamp_ns; /* when the sender sent the frame, by the sender's own clock; -1: unknown */
    uint64_t arrived_ns;        /* the same, or else when Dom0 took the frame: CLOCK_MONOTONIC */
    uint32_t source;            /* net_port.id of the port that the frame came in by */
    _Alignas(8) uint8_t data[]; /* while nobody has the frame, a pointer of its pool's */
};

/* A frame of so many bytes, 0..NET_FRAME_MAX_BYTES, all of which the caller writes. One reference,
 * the caller's; no flags, no stamp, time 0. NULL: no memory. */
struct net_frame *net_frame_new(uint32_t length_bytes);

/*
 * Memory of frames that were given back, for the next ones of the same owner: the last one first,
 * whose lines are still in a cache. Who makes many frames has one. (malloc takes a long way for
 * sizes above a KiB, and gives memory back to the kernel that it asks for again at once.)
 */
enum {
    NET_FRAME_POOL_KEPT = 128,      /* of each size: frames of a ring, with their stamps; */
    NET_FRAME_POOL_KEPT_LARGE = 16, /* of each size above 2,000 bytes */
};

/* NULL: no memory. */
struct net_frame_pool *net_frame_pool_create(void);
/* The owner needs no more frames; those that somebody still has stay sound. NULL allowed. */
void net_frame_pool_close(struct net_frame_pool *pool);

/* As net_frame_new. pool may be closed, if one of its frames is held, and NULL: there is none. */
struct net_frame *net_frame_new_in(struct net_frame_pool *pool, uint32_t length_bytes);

/* Takes another reference; returns frame. */
static inline struct net_frame *net_frame_get(struct net_frame *frame)
{
    frame->references++;
    return frame;
}

/* Gives one reference back; the last one frees the frame, or gives it back to its pool. */
void net_frame_put(struct net_frame *frame);

/* A frame with the same bytes and properties that nobody shares, so that it may be changed; of the
 * same pool. NULL: no memory. */
struct net_frame *net_frame_copy(const struct net_frame *frame);

#endif
