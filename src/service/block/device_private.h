/* SPDX-License-Identifier: MIT */
/*
 * device_private: struct device and its reads, for the files that implement a request's way:
 *   device.c   the device itself
 *   queue.c    cache, sharing of misses, turns, engine
 *   vdisk.c    sectors: from a read's buffer to requests and the cache, and out of it
 *   client.c   weights, and clients that come and go
 *   scale.c    tokens of scaled clients, and answers that are held back
 */
#ifndef SPLITDOM_SERVICE_BLOCK_DEVICE_PRIVATE_H
#define SPLITDOM_SERVICE_BLOCK_DEVICE_PRIVATE_H

#include <stdbool.h>

#include "base/container_of.h"
#include "service/block/queue.h"

enum {
    /* Buffers beside those of the device's depth, for reads that have ended and are still copied.
     */
    DEVICE_READS_SPARE = 16,
};

/* One read at the engine, and every request that waits for it. */
struct device_read {
    struct disk_io io; /* first: the engine gives it back */
    struct inflight_read flight;
    struct device *device;
    struct vdisk *vdisk;
    struct block_client *client; /* whose turn it took; NULL when that one has left */
    struct list waiting;         /* requests */
    uint32_t joined_sectors;     /* of those that joined */
    uint64_t kept_sector;        /* what is in the cache of it already */
    uint32_t kept_count;
    uint64_t first_sector; /* of io, at its aligned offset */
    uint8_t *buffer;
    bool under_way;
    bool stale;        /* began before the image changed: to be neither joined nor kept */
    uint64_t ended_ns; /* while it is being copied: when it ended, CLOCK_MONOTONIC; else 0 */
    struct list_node copying;
    struct device_read *next_free;
};

struct device {
    struct disk *engine;
    struct sched sched;
    struct device_stats stats;
    struct device_read *free_reads;
    struct list copying; /* reads that ended and have not reached all who wait for them */
    uint32_t copying_count;
    uint32_t copies_left; /* sectors that may still be copied for joined requests in this turn */
    struct device_read *reads;
    void *pool;
    uint32_t align_bytes;
    uint32_t read_count;
    uint32_t depth;
    uint32_t in_flight;
    uint32_t vdisk_count;
    struct timer_clock *real_time;
    uint64_t turn;     /* counts calls of dispatch */
    uint64_t freed_ns; /* when, by the model, the last read made room */
    uint64_t now_ns;   /* of the present turn: completions are counted at it */
};

static inline struct block_request *request_of_link(struct list_node *link)
{
    return container_or_null(link, struct block_request, link);
}

/* Of a read or write that goes through a buffer. */
static inline uint32_t sectors_of(const struct block_request *request)
{
    return (uint32_t)request->sector_count;
}

/* vdisk.c */
/* Answers the request from the cache if all of its sectors are there. */
bool vdisk_serve(struct vdisk *vdisk, const struct block_request *request);
/* A finished read, before anything is done with it. */
void device_read_prefetch(const struct device_read *read);
/* Its sectors into the segments of a request that waits for it, and into the cache. */
void device_read_copy(const struct device_read *read, const struct block_request *request);
void device_read_keep(struct device_read *read, const struct block_request *request);

/* scale.c */
/* Whether one more request of the client may be queued. */
bool scale_has_token(const struct block_client *client);
/* Queues those that wait for a token as far as there are tokens. */
void scale_admit(struct block_client *client);
/* Answers a request that has a token and is on no list: the last use of it. */
void scale_answer(struct block_request *request, int status);
/* The same, not before its client's scale says. ended_ns: when its read ended; 0: now. */
void scale_answer_late(struct block_request *request, int status, uint64_t ended_ns);

#endif
