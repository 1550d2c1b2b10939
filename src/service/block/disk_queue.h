/* SPDX-License-Identifier: MIT */
/*
 * disk_queue: from a valid read request to its data: cache, sharing of misses, turns, disk.
 *
 *     disk_queue_read --- all sectors cached? ----------------------------> copy out, done at once
 *           |----------- a read of them is in flight? ---> join it ------\
 *           '----------- else wait for a turn (sched) --> disk engine ----> copy out to all, cache
 *
 * The disk reads into Dom0's own buffers, never into a domain's memory: a page that a client can
 * write must not become the source of a cache entry, and a domain may die while its read is in
 * flight. Reads are answered through pending_done.
 *
 * A client's disk can be made slower (disk_client_set_scale): what the disk has done in r ns of
 * CLOCK_MONOTONIC is answered S * r after it was sent there. Until then it keeps its place: a
 * scaled client has at most `depth` reads at the disk, held back or queued for it; what is more
 * waits outside. So waiting for a place is scaled like the service. Nobody else waits for it: held
 * reads take no place of the device's.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_DISK_QUEUE_H
#define SPLITDOM_SERVICE_BLOCK_DISK_QUEUE_H

#include <stdint.h>

#include "service/block/cache/cache.h"
#include "service/block/engine/disk.h"
#include "service/block/image.h"
#include "service/block/pending.h"
#include "service/block/sched.h"
#include "splitdom/tdf.h"
#include "tdf/timer.h"

struct disk_queue;

/* A domain's place in the queue; embed it in whatever owns the requests. */
struct disk_client {
    struct sched_entity entity; /* first: sched_pick gives it back */
    struct pending_list queue;
    struct pending_list gated; /* scaled only: waiting for a place */
    uint32_t places;           /* reads queued, at the disk or held */
    struct tdf scale;
};

struct disk_queue_stats {
    uint64_t hits;       /* requests answered from the cache */
    uint64_t misses;     /* requests that needed the disk */
    uint64_t shared;     /* of the misses: joined a read that was in flight already */
    uint64_t disk_reads; /* reads sent to the engine */
    uint64_t disk_bytes;
    uint64_t disk_errors;
    uint32_t in_flight_peak;
};

struct disk_queue_config {
    struct poller *poller;
    const struct image *image; /* outlives the queue */
    const struct disk_ops *engine;
    const char *model; /* parameters of the model engine, else NULL */
    size_t cache_bytes;
    const struct cache_policy *policy;
    uint32_t depth; /* reads in flight at most */
    uint32_t depth_isolated;
    const struct disk_model_clock *model_clock; /* see disk_config.clock; NULL: real time */
    struct timer_clock *real_time; /* CLOCK_MONOTONIC (a clock of TDF 1), in a loop before the first
                                      read of a scaled client; NULL: no client is ever scaled */
};

/* Called once for each read that disk_queue_read took; status 0 or -errno; the data is in place. */
typedef void pending_done_fn(struct pending *p, int status);

/* Errors: -errno with a line for people in why. */
int disk_queue_create(const struct disk_queue_config *config, pending_done_fn *done,
                      struct disk_queue **out, char *why, size_t why_bytes);
/* No client may be attached any more. NULL allowed. */
void disk_queue_destroy(struct disk_queue *q);

void disk_client_init(struct disk_client *client);
int disk_client_set_weight(struct disk_client *client, uint32_t weight);
/*
 * The client's disk is `scale` times as slow as the disk is; 1 at the start. Counts for what ends
 * at the disk from now on. -ERANGE: below 1 (an answer can't come before its data) or above
 * TDF_LIMIT.
 */
int disk_client_set_scale(struct disk_queue *q, struct disk_client *client, struct tdf scale);
/* Whether a scale is one: 0 or -ERANGE. */
int disk_scale_check(struct tdf scale);
/* Forgets the client: its requests must all be cancelled. Reads in flight go on without it. */
void disk_client_detach(struct disk_queue *q, struct disk_client *client);

/* A hint: a request for this sector (any number) will be handed to disk_queue_read at once. */
void disk_queue_expect(const struct disk_queue *q, uint64_t sector);
/* Takes a request; done may be called from inside (a hit). */
void disk_queue_read(struct disk_queue *q, struct disk_client *client, struct pending *p,
                     uint64_t now_ns);
/* Takes a request back that is not done: done will not be called for it. */
void disk_queue_cancel(struct disk_queue *q, struct disk_client *client, struct pending *p);

/* Sends waiting reads to the disk as far as turns and depth allow. The last of them may reach it
 * only with the next poller_run. Returns how many. */
uint32_t disk_queue_dispatch(struct disk_queue *q, uint64_t now_ns);

/* The image changed: what was read before, or is being read now, answers nobody who asks later. */
void disk_queue_image_changed(struct disk_queue *q);

const struct disk_queue_stats *disk_queue_stats(const struct disk_queue *q);
const struct cache *disk_queue_cache(const struct disk_queue *q);
/* The engine's: for who owns its time (disk_model.h). */
struct disk *disk_queue_disk(const struct disk_queue *q);
uint32_t disk_queue_in_flight(const struct disk_queue *q);

#endif
