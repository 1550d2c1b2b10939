/* SPDX-License-Identifier: MIT */
/* Frames, and ports that keep what they get, for the tests of service/net. */
#ifndef SPLITDOM_TESTS_NET_FIXTURE_H
#define SPLITDOM_TESTS_NET_FIXTURE_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "service/net/frame.h"
#include "service/net/packet.h"
#include "service/net/port.h"

enum { FIXTURE_KEPT_MAX = 4096 };

/* Takes everything, and keeps the first frames. */
struct fixture_port {
    struct net_port port;
    struct net_frame *kept[FIXTURE_KEPT_MAX];
    uint64_t at_ns[FIXTURE_KEPT_MAX];
    uint32_t count;       /* delivered */
    uint32_t frame_bytes; /* of each frame that take hands in; 0: it has none */
    uint64_t left;        /* frames that it still has */
    uint64_t taken;       /* bytes */
};

static inline struct net_frame *fixture_frame(uint64_t to, uint64_t from, uint16_t type,
                                              uint32_t length_bytes)
{
    struct net_frame *frame = net_frame_new(length_bytes);

    if (frame == NULL)
        return NULL;
    memset(frame->data, 0, length_bytes);
    for (int i = 0; i < 6; i++) {
        frame->data[i] = (uint8_t)(to >> (40 - 8 * i));
        frame->data[6 + i] = (uint8_t)(from >> (40 - 8 * i));
    }
    frame->data[12] = (uint8_t)(type >> 8);
    frame->data[13] = (uint8_t)type;
    return frame;
}

static inline void fixture_deliver(struct net_port *port, struct net_frame *frame, uint64_t at_ns)
{
    struct fixture_port *f = (struct fixture_port *)port;

    if (f->count < FIXTURE_KEPT_MAX) {
        f->kept[f->count] = net_frame_get(frame);
        f->at_ns[f->count] = at_ns;
    }
    f->count++;
}

static inline uint32_t fixture_take(struct net_port *port, uint32_t budget_bytes)
{
    struct fixture_port *f = (struct fixture_port *)port;
    uint32_t taken = 0;

    while (taken < budget_bytes && f->left > 0 && f->frame_bytes > 0) {
        f->left--;
        taken += f->frame_bytes;
    }
    f->taken += taken;
    return taken;
}

static const struct net_port_ops fixture_ops = {.deliver = fixture_deliver, .take = fixture_take};

static inline void fixture_init(struct fixture_port *f, const char *name, uint32_t weight)
{
    memset(f, 0, sizeof(*f));
    net_port_init(&f->port, &fixture_ops, name, weight);
}

/* Forgets what was delivered. */
static inline void fixture_clear(struct fixture_port *f)
{
    for (uint32_t i = 0; i < f->count && i < FIXTURE_KEPT_MAX; i++)
        net_frame_put(f->kept[i]);
    f->count = 0;
}

/* A frame of 64 bytes comes in at now_ns, and is given back. */
static inline void fixture_send(struct fixture_port *f, uint64_t to, uint64_t from, uint64_t now_ns)
{
    struct net_frame *frame = fixture_frame(to, from, 0x88b5, 64);

    frame->arrived_ns = now_ns;
    net_port_input(&f->port, frame);
    net_frame_put(frame);
}

static inline struct net_packet read_bytes(const uint8_t *bytes, uint32_t length)
{
    struct net_packet packet;
    struct net_frame *frame = net_frame_new(length);
    memcpy(frame->data, bytes, length);
    net_packet_read(frame, &packet);
    net_frame_put(frame);
    return packet;
}

#endif
