/* SPDX-License-Identifier: MIT */
/*
 * strand: threads of a simulated machine: fibers (sim/time/fiber.h) that go on one at a time, for
 * as many steps as whoever runs the machine gives them. Locks, conditions and futexes of the
 * product's sources, which vif_steps.h leads here, let others go on instead of blocking.
 *
 * There is one machine in a process, and its time is strand_now_ns.
 */
#ifndef SPLITDOM_TESTS_SIM_NET_STRAND_H
#define SPLITDOM_TESTS_SIM_NET_STRAND_H

#include <stdbool.h>
#include <stdint.h>

#include "fiber.h"

struct strand {
    struct fiber fiber;
    bool is_there;
    /* While it waits. */
    bool waits, timed_out;
    const void *on;    /* a futex's word, a lock, a condition; NULL: for ready alone */
    uint64_t until_ns; /* 0: for as long as it takes */
    bool (*ready)(void *ctx);
    void *ctx;
};

/* run(arg) never returns. */
void strand_start(struct strand *strand, void (*run)(void *arg), void *arg);
/* As if the process were killed: at the step where it is. Nothing if it is not there. */
void strand_kill(struct strand *strand);

bool strand_is_ready(const struct strand *strand);
/* Lets it go on for so many steps, or until it waits. It is ready. */
void strand_go_on(struct strand *strand, uint32_t steps);

/* ---- for who runs on a strand ---- */

/* Waits until ready(ctx), or until_ns if that is not 0. Returns whether it is ready. */
bool strand_await(bool (*ready)(void *ctx), void *ctx, uint64_t until_ns);
/* A step: others may go on. */
void strand_step(void);
/* No other strand goes on until that ends. */
void strand_mute(bool muted);

/* The machine's time. */
uint64_t strand_now_ns(void);
void strand_set_now_ns(uint64_t now_ns);
/* Steps of all strands so far. */
uint64_t strand_steps(void);

#endif
