/* SPDX-License-Identifier: MIT */
/* receive_fixture: an interface whose back end sends back what it gets. */
#ifndef SPLITDOM_TESTS_UNIT_DOMU_NETFRONT_RECEIVE_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_DOMU_NETFRONT_RECEIVE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fakes/netfront_rig.h"
#include "ring/barrier.h"

enum { SLOTS = 32, BATCH = 8 };

static struct netfront_rig rig;
static struct netfront_options options;
static uint8_t sent[NETFRONT_FRAME_MAX], room[BATCH][NETFRONT_FRAME_MAX];

static inline int setup(void **state)
{
    (void)state;
    options =
        (struct netfront_options){.size = sizeof(options), .tx_slots = SLOTS, .rx_slots = SLOTS};
    return rig_setup(&rig);
}

static inline int teardown(void **state)
{
    (void)state;
    return rig_teardown(&rig);
}

static inline void start(void)
{
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, false), 0);
}

/* To a back end that sends it back. */
static inline void send_out(uint32_t length_bytes, uint32_t seed, uint8_t gso_type,
                            uint64_t stamp_ns)
{
    const struct netfront_frame frame = {.data = sent,
                                         .length_bytes = length_bytes,
                                         .checksum_blank = gso_type != 0,
                                         .gso_type = gso_type,
                                         .gso_size_bytes = gso_type != 0 ? 1400 : 0,
                                         .stamp_ns = stamp_ns};
    rig_fill(sent, length_bytes, seed);
    assert_int_equal(netfront_send(rig.nf, &frame, 1, 30 * RIG_S), 1);
}

static inline int receive(struct netfront_frame *frames, uint32_t count, int64_t timeout_ns)
{
    for (uint32_t i = 0; i < count; i++)
        frames[i] = (struct netfront_frame){.data = room[i], .room_bytes = sizeof(room[i])};
    return netfront_receive(rig.nf, frames, count, timeout_ns);
}

#endif
