/* SPDX-License-Identifier: MIT */
/*
 * fake_network: a bridge of one port, in the thread of the test: it keeps what the port hands in,
 * and gives turns when it is told to.
 */
#ifndef SPLITDOM_TESTS_FAKE_NETWORK_H
#define SPLITDOM_TESTS_FAKE_NETWORK_H

#include <stdint.h>

#include "service/net/port.h"
#include "service/net/turns.h"

enum { FAKE_NETWORK_FRAMES = 1024 };

struct fake_network {
    struct net_sink sink;
    struct net_turns turns;
    struct net_frame *frame[FAKE_NETWORK_FRAMES]; /* in their order, one reference each */
    uint32_t count;
};

void fake_network_open(struct fake_network *net);
void fake_network_close(struct fake_network *net);
/* Puts the port on the network, and off again. */
void fake_network_join(struct fake_network *net, struct net_port *port);
void fake_network_leave(struct net_port *port);
/* Gives turns until nobody is ready. */
void fake_network_run(struct fake_network *net);
/* Forgets what was kept. */
void fake_network_clear(struct fake_network *net);

/* A frame of so many bytes, each its own by the seed; one reference. Its header is two addresses
 * and a type of nobody's. */
struct net_frame *fake_network_frame(uint32_t length_bytes, uint32_t seed);
/* Is data what that makes? */
bool fake_network_is_frame(const uint8_t *data, uint32_t length_bytes, uint32_t seed);
void fake_network_fill(uint8_t *data, uint32_t length_bytes, uint32_t seed);

#endif
