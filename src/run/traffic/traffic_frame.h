/* SPDX-License-Identifier: MIT */
/*
 * traffic_frame: the frames that `domu traffic` sends: who sent which one when, and a checksum over
 * all of that and the payload.
 *
 *     14  Ethernet, type 0x88b5 (for local experiments)
 *     40  with segments or several queues alone: IPv4 and TCP, type 0x0800
 *     32  struct traffic_header
 *      n  payload: pseudo-random bytes of the stream
 */
#ifndef SPLITDOM_RUN_TRAFFIC_TRAFFIC_FRAME_H
#define SPLITDOM_RUN_TRAFFIC_TRAFFIC_FRAME_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TRAFFIC_MAC_BYTES = 6,
    TRAFFIC_FRAME_MIN = 60,
    TRAFFIC_FRAME_MAX = 65535,
    TRAFFIC_TCP_MIN = 88,       /* a frame with IPv4 and TCP headers */
    TRAFFIC_SEGMENTS_MIN = 200, /* one that stands for segments */
};

enum traffic_flag {
    TRAFFIC_RETURNED = 1, /* on its way back to who sent it; not in the checksum */
    TRAFFIC_END = 2,      /* no more of this stream: number says how many there were */
};

struct traffic_header {
    uint32_t magic;
    uint8_t flags; /* enum traffic_flag */
    uint8_t pad[3];
    uint32_t stream;
    uint32_t checksum;
    uint64_t number;  /* from 0 on; of the end: how many frames were sent before */
    uint64_t sent_ns; /* the sender's domain clock */
};

struct traffic_address {
    uint8_t to[TRAFFIC_MAC_BYTES], from[TRAFFIC_MAC_BYTES];
    uint16_t tcp_port; /* of the sender: tells flows apart; 0: neither IP nor TCP */
};

/* Writes all but the traffic header: length_bytes, at least TRAFFIC_FRAME_MIN or _TCP_MIN. */
void traffic_frame_prepare(uint8_t *frame, uint32_t length_bytes,
                           const struct traffic_address *address, uint32_t stream);
/* Writes the header, and its checksum. */
void traffic_frame_set(uint8_t *frame, uint32_t length_bytes, const struct traffic_header *header);

enum traffic_verdict { TRAFFIC_SOUND, TRAFFIC_CORRUPT, TRAFFIC_FOREIGN };
/* Reads a frame that came: foreign if none of ours, corrupt if the checksum is wrong. */
enum traffic_verdict traffic_frame_judge(const uint8_t *frame, uint32_t length_bytes,
                                         struct traffic_header *header);

/* Turns a sound frame around. */
void traffic_frame_return(uint8_t *frame, const uint8_t own[TRAFFIC_MAC_BYTES]);

#endif
