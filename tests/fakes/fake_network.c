/* SPDX-License-Identifier: MIT */
#include "fakes/fake_network.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/container_of.h"

static void keep(struct net_sink *sink, struct net_port *port, struct net_frame *frame,
                 uint64_t at_ns)
{
    struct fake_network *net = container_of(sink, struct fake_network, sink);
    (void)port;
    (void)at_ns;
    assert(net->count < FAKE_NETWORK_FRAMES);
    net->frame[net->count++] = net_frame_get(frame);
}

void fake_network_open(struct fake_network *net)
{
    *net = (struct fake_network){.sink.put = keep};
}

void fake_network_clear(struct fake_network *net)
{
    while (net->count > 0)
        net_frame_put(net->frame[--net->count]);
}

void fake_network_close(struct fake_network *net)
{
    fake_network_clear(net);
}

void fake_network_join(struct fake_network *net, struct net_port *port)
{
    port->up = &net->sink;
    net_turns_add(&net->turns, port);
}

void fake_network_leave(struct net_port *port)
{
    net_turns_remove(port);
    port->up = NULL;
}

void fake_network_run(struct fake_network *net)
{
    while (net_turns_waits(&net->turns))
        (void)net_turns_run(&net->turns);
}

void fake_network_fill(uint8_t *data, uint32_t length_bytes, uint32_t seed)
{
    for (uint32_t i = 0; i < length_bytes; i++)
        data[i] = (uint8_t)((i * 2654435761u ^ seed * 40503u) >> 11);
    if (length_bytes >= NET_FRAME_HEADER_BYTES) {
        data[12] = 0x88; /* IEEE 802 - local experimental */
        data[13] = 0xb5;
    }
}

struct net_frame *fake_network_frame(uint32_t length_bytes, uint32_t seed)
{
    struct net_frame *frame = net_frame_new(length_bytes);
    if (frame != NULL)
        fake_network_fill(frame->data, length_bytes, seed);
    return frame;
}

bool fake_network_is_frame(const uint8_t *data, uint32_t length_bytes, uint32_t seed)
{
    uint8_t *expected = malloc(length_bytes > 0 ? length_bytes : 1);
    if (expected == NULL)
        abort();
    fake_network_fill(expected, length_bytes, seed);
    bool same = memcmp(data, expected, length_bytes) == 0;
    free(expected);
    return same;
}
