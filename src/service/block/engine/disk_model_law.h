/* SPDX-License-Identifier: MIT */
/*
 * disk_model_law: the model disk without a disk, a clock or a loop: arrival in, completion out.
 *
 * The device has `channels` servers and one queue, first come first served. A request begins when
 * it is its turn, a server is free and the caps allow it: with a cap of R requests per second two
 * beginnings are at least 1/R apart (no bursts), with a cap of B bytes per second a request of n
 * bytes keeps the next one from beginning for n/B. Then it takes its service time, drawn from the
 * configured law, plus, if it is a slow one, slow_ns.
 *
 * With drive= a request takes what the drive takes for its sectors from its beginning on, discards
 * and nothing else that moves no data the controller's time; the law is that of flushes alone.
 *
 * Times are whatever the caller takes them to be (a real or a virtual clock's nanoseconds): a law
 * knows no other time than the arrivals it is told. Same configuration and same arrivals give the
 * same completions, bit for bit. Service times and faults come from separate streams, and a request
 * takes the same number of draws whatever its fate, so that turning a fault on or the mean up
 * changes nothing else: with the mean times k, all service times are times k.
 *
 * Random numbers: xoshiro256** 1.0 seeded by splitmix64 (Blackman and Vigna, public domain, 2018;
 * https://prng.di.unimi.it/). Normal deviates: Box and Muller (1958), the cosine half.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_MODEL_LAW_H
#define SPLITDOM_SERVICE_BLOCK_ENGINE_DISK_MODEL_LAW_H

#include <stdint.h>

#include "service/block/engine/disk_model_config.h"
#include "service/block/engine/disk_operation.h"

enum disk_model_fate {
    DISK_MODEL_SERVED,
    DISK_MODEL_ERROR, /* fails when it is due */
    DISK_MODEL_SHORT, /* delivers, or takes, half of its bytes when it is due */
    DISK_MODEL_STUCK, /* is never answered; its server is free again when it would have been due */
};

struct disk_model_outcome {
    uint64_t begin_ns; /* when its service began */
    uint64_t due_ns;   /* when it is over */
    enum disk_model_fate fate;
};

struct disk_model_law;

/* Errors: -ENOMEM. */
int disk_model_law_create(const struct disk_model_config *config, struct disk_model_law **out);
void disk_model_law_destroy(struct disk_model_law *law); /* NULL allowed */

/* A request that moves length_bytes (0: none), which lie at offset_bytes, arrives at now_ns, which
 * never decreases from call to call. */
struct disk_model_outcome disk_model_law_arrive(struct disk_model_law *law, uint64_t now_ns,
                                                enum disk_operation operation,
                                                uint64_t offset_bytes, uint32_t length_bytes);

#endif
