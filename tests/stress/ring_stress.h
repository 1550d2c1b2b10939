/* SPDX-License-Identifier: MIT */
/*
 * ring_stress: two ring halves that work against each other at full speed, with the sleep protocol
 * of the product, and count wake-ups that got lost.
 *
 * A side that finds nothing to do arms its event, looks once more and sleeps: the front end on its
 * upcall, the back end on the doorbell. If it then sleeps for the whole patience although work lies
 * on the ring, the peer failed to notify: a lost wake-up. The run goes on after one.
 *
 * Batch sizes and think times change at random, so that sleeping, polling and full rings all occur.
 */
#ifndef SPLITDOM_TESTS_STRESS_RING_STRESS_H
#define SPLITDOM_TESTS_STRESS_RING_STRESS_H

#include <stdint.h>

struct ring_stress {
    /* what to do */
    uint64_t requests; /* at most */
    uint32_t seconds;  /* at most */
    uint32_t page_order;
    uint32_t index; /* where both directions start */
    uint32_t patience_ms;
    uint64_t seed;
    /* shared by both sides: made by ring_stress_open, outlives a fork */
    void *shared;
    int doorbell; /* eventfd */
};

struct ring_stress_report {
    uint64_t requests;      /* completed */
    uint64_t notifications; /* sent to the peer */
    uint64_t sleeps;
    uint64_t lost;
    const char *broken; /* NULL, or what went wrong besides */
};

/* Reads the options of both programs; exits with usage on wrong ones. */
void ring_stress_options(struct ring_stress *stress, int argc, char **argv);

/* 0 or -errno. */
int ring_stress_open(struct ring_stress *stress);
void ring_stress_close(struct ring_stress *stress);

/* Each side in a thread or process of its own. They return when the front end has made all its
 * requests, or its time is over, and all are answered. */
void ring_stress_front(const struct ring_stress *stress, struct ring_stress_report *report);
void ring_stress_back(const struct ring_stress *stress, struct ring_stress_report *report);

/* After the run: prints a line; 0 if the side did its job, 1 if not. */
int ring_stress_judge(const struct ring_stress *stress, const char *side,
                      const struct ring_stress_report *report);

#endif
