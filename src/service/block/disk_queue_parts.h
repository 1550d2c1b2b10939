/* SPDX-License-Identifier: MIT */
/*
 * disk_queue_parts: struct disk_queue, for the files that implement disk_queue.h:
 *   disk_queue.c   cache, sharing of misses, turns, disk
 *   disk_data.c    sectors: from a read's buffer to domains and the cache, and out of it
 *   disk_place.c   clients: their weight, their scale, and the places that a scale is about
 */
#ifndef SPLITDOM_SERVICE_BLOCK_DISK_QUEUE_PARTS_H
#define SPLITDOM_SERVICE_BLOCK_DISK_QUEUE_PARTS_H

#include <stdbool.h>

#include "service/block/disk_queue.h"
#include "service/block/inflight.h"

/* One read at the disk, and everybody who waits for it. */
struct disk_read {
    struct disk_io io; /* first: the engine gives it back */
    struct inflight_read flight;
    struct disk_queue *queue;
    struct disk_client *client; /* whose turn it took; NULL when that one has left */
    struct pending_list waiting;
    uint64_t first_sector; /* of io, at its aligned offset */
    uint8_t *buffer;
    bool under_way;
    bool stale; /* began before the image changed: to be neither joined nor kept */
    struct disk_read *next_free;
};

struct disk_queue {
    const struct image *image;
    struct disk *disk;
    struct cache *cache;
    struct sched sched;
    struct inflight inflight;
    pending_done_fn *done;
    struct disk_queue_stats stats;
    struct disk_read *free_reads;
    uint32_t cache_state; /* changes when something is put into the cache */
    struct disk_read *reads;
    void *pool;
    uint32_t depth; /* how many reads there are */
    uint32_t in_flight;
    struct timer_clock *real_time;
    uint64_t turn;     /* counts calls of dispatch */
    uint64_t freed_ns; /* when, by the model, the last read made room */
    uint64_t now_ns;   /* of the present turn: completions are counted at it */
};

/* disk_data.c */
/* Answers p from the cache if all of its sectors are there. */
bool disk_queue_serve(struct disk_queue *q, struct pending *p);
/* A finished read, before anything is done with it. */
void disk_read_prefetch(const struct disk_read *read);
/* Its sectors into the pages of p, one of those that wait for it, and into the cache. */
void disk_read_copy(const struct disk_read *read, const struct pending *p);
void disk_read_keep(const struct disk_read *read, const struct pending *p);

/* disk_place.c */
/* Whether one more read of the client may be queued. */
bool disk_queue_has_place(const struct disk_queue *q, const struct disk_client *client);
/* Queues those that wait for a place as far as there are places. */
void disk_queue_admit(struct disk_queue *q, struct disk_client *client);
/* Answers p, which has a place and is on no list: the last use of p. */
void disk_queue_answer(struct disk_queue *q, struct pending *p, int status);
/* The same, not before its client's scale says. */
void disk_queue_answer_scaled(struct disk_queue *q, struct pending *p, int status);

#endif
