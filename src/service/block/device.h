/* SPDX-License-Identifier: MIT */
/*
 * device: one disk below any number of vdisks: the engine that reads and writes it, whose turn it
 * is there, and how many operations it has at once.
 *
 * Who creates a device per disk gives each disk its own turns: clients of vdisks on one device
 * share it by their weights, clients of different devices don't meet.
 *
 * All of it belongs to the poller's thread.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_DEVICE_H
#define SPLITDOM_SERVICE_BLOCK_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "base/why.h"
#include "service/block/engine/disk.h"
#include "tdf/timer.h"

struct device;
struct log;

struct device_stats {
    uint64_t reads; /* sent to the engine */
    uint64_t bytes; /* of them */
    uint64_t writes;
    uint64_t bytes_written;
    uint64_t flushes;
    uint64_t discards;
    uint64_t errors;
    uint32_t in_flight_peak;
};

struct device_config {
    struct poller *poller;
    const struct disk_ops *engine;
    const char *model;       /* parameters of the model engine, else NULL */
    uint32_t align_bytes;    /* a power of two: at least what any of its images wants of offsets,
                                lengths and memory */
    uint32_t depth;          /* operations in flight at most, of several clients */
    uint32_t depth_isolated; /* see sched.h */
    uint32_t depth_alone;    /* likewise; less than depth (0): depth */
    const struct disk_model_clock *model_clock; /* see disk_config.clock; NULL: real time */
    const struct disk_nbd_options *nbd;         /* see disk_config.nbd; NULL: all zero */
    struct log *log;               /* what the engine fails to do, and why; NULL: nobody is told */
    struct timer_clock *real_time; /* CLOCK_MONOTONIC (a clock of TDF 1), in a loop before the first
                                      read of a scaled client; NULL: no client is ever scaled */
};

/* Errors: -errno with a line for people in why. */
int device_create(const struct device_config *config, struct device **out, struct why *why);
/* No vdisk is on it any more. NULL allowed. */
void device_destroy(struct device *device);

const struct device_stats *device_stats(const struct device *device);
/* Operations at the engine now. */
uint32_t device_in_flight(const struct device *device);
/* For who owns the engine's time (disk_model.h). */
struct disk *device_engine(struct device *device);

#endif
