/* SPDX-License-Identifier: MIT */
/*
 * device_private: struct device and its jobs, for the files that implement a request's way:
 *   device.c   the device itself
 *   queue.c    whose turn it is, and what it is for
 *   job.c      what ends, and who has waited for it
 *   read.c     reads that the cache and other requests can share
 *   piece.c    everything else: writes, flushes, discards, and large reads
 *   tail.c     of large ones, what does not fit one operation of the disk
 *   change.c   what a write or discard under way means for others
 *   vdisk.c    sectors: from a read's buffer to requests and the cache, and out of it
 *   client.c   weights, and clients that come and go
 *   scale.c    tokens of scaled clients, and answers that are held back
 */
#ifndef SPLITDOM_SERVICE_BLOCK_DEVICE_PRIVATE_H
#define SPLITDOM_SERVICE_BLOCK_DEVICE_PRIVATE_H

#include <assert.h>
#include <stdbool.h>

#include "base/container_of.h"
#include "base/log.h"
#include "service/block/queue.h"
#include "service/block/trace.h"

enum {
    /* Buffers beside those of the device's depth, for reads that have ended and are still copied.
     */
    DEVICE_JOBS_SPARE = 16,
    /* Cost of a read or write in turns: one, plus one for every further 16 KiB (the device's
     * transfer time). */
    COST_SECTORS = 32,
    /* Looks at sectors of the cache in a turn, for changes that went on, and again for those that
     * began. */
    CLEARING_LOOKS = 2048,
};

/* One operation at the engine, and every request that waits for it. */
struct device_job {
    struct disk_io io; /* first: the engine gives it back */
    struct inflight_read flight;
    struct device *device;
    struct vdisk *vdisk;
    struct block_client *client; /* whose turn it took; NULL when that one has left */
    struct list waiting;         /* requests: for its data, or for a change to end */
    uint32_t joined_sectors;     /* of those that joined */
    uint64_t kept_sector;        /* what is in the cache of it already */
    uint32_t kept_count;
    uint64_t first_sector; /* of io, at its aligned offset */
    uint8_t *buffer;
    bool under_way;
    bool stale; /* a read of what has changed since, or changes: to be neither joined nor kept */
    uint64_t ended_ns; /* while it is being copied: when it ended, CLOCK_MONOTONIC; else 0 */
    struct list_node copying;
    struct device_job *next_free;

    /* Of a piece of a request. */
    struct block_request *owner; /* NULL: it was taken back */
    uint64_t sector;             /* the piece */
    uint32_t sector_count;
    struct segment_place place;   /* where its data begins */
    uint8_t *tail;                /* within buffer: memory of a direct piece's last sectors */
    uint32_t tail_sectors;        /* so many; 0: none */
    struct list_node changing;    /* in vdisk.changes: it writes or discards io's span */
    struct cache_removal removal; /* then: how far its sectors have left the cache */
    struct list_node clearing;    /* in device.clearing: that goes on, and the engine waits */
    bool merges;                  /* reads the blocks around what it will write */
    bool fills_cache;             /* what it wrote may be kept */
};

struct device {
    struct disk *engine;
    struct sched sched;
    struct device_stats stats;
    struct device_job *free_jobs;
    struct list copying; /* reads that ended and have not reached all who wait for them */
    uint32_t copying_count;
    struct list clearing; /* changes whose sectors still leave the cache, in turn */
    uint32_t looks;       /* CLEARING_LOOKS; a test's own */
    uint32_t looks_left;  /* at sectors, for that, in this turn */
    uint32_t copies_left; /* sectors that may still be copied for joined requests in this turn */
    struct device_job *jobs;
    void *pool;
    uint32_t align_bytes;
    uint32_t job_count;
    uint32_t depth;
    uint32_t in_flight;
    uint32_t vdisk_count;
    uint32_t tracers; /* who may submit requests that are traced; 0: no request is */
    struct timer_clock *real_time;
    struct log *log;
    struct log_limit log_limit;
    uint64_t turn;     /* counts calls of dispatch */
    uint64_t freed_ns; /* when, by the model, the last operation made room */
    uint64_t now_ns;   /* of the present turn: completions are counted at it */
};

static inline struct block_request *request_of_link(struct list_node *link)
{
    return container_or_null(link, struct block_request, link);
}

/* A read that goes through one buffer, may be answered by the cache and may share its data. */
static inline bool is_shared_read(const struct block_request *request)
{
    return request->operation == BLOCK_READ &&
           request->sector_count - 1 < BLOCK_REQUEST_SECTORS_MAX; /* and not 0, either */
}

/* Of a shared read. */
static inline uint32_t sectors_of(const struct block_request *request)
{
    return (uint32_t)request->sector_count;
}

/* Requests are checked when they arrive, but the image may have shrunk while they waited. */
static inline bool still_on_disk(const struct vdisk *vdisk, const struct block_request *request)
{
    uint64_t sectors = vdisk->capabilities.sector_count;
    return request->sector_count <= sectors && request->sector <= sectors - request->sector_count;
}

/* There is one: in_flight is below depth, and copying_count at most what is beside it. */
static inline struct device_job *job_take(struct device *device)
{
    struct device_job *job = device->free_jobs;
    assert(job != NULL);
    device->free_jobs = job->next_free;
    return job;
}

static inline void job_release(struct device_job *job)
{
    struct device *device = job->device;
    assert(!job->under_way && list_is_empty(&job->waiting));
    job->next_free = device->free_jobs;
    device->free_jobs = job;
}

/* The engine has it to do. Its io is filled but for arrival_ns. */
static inline void job_begin(struct device_job *job, const struct block_request *request)
{
    struct device *device = job->device;
    bool waited = request->turn + 1 != device->turn;
    /* When the model is to see a request arrive: when it was asked for, or, if it had to wait for
     * its turn, when there was room; whatever the delays with which all this was noticed here. 0:
     * now. */
    job->io.arrival_ns = request->asked_ns != 0 && waited && device->freed_ns > request->asked_ns
                             ? device->freed_ns
                             : request->asked_ns;
    job->under_way = true;
    if (++device->in_flight > device->stats.in_flight_peak)
        device->stats.in_flight_peak = device->in_flight;
}

/* The engine gets it for the first time. */
static inline void job_submit(struct device_job *job)
{
    struct device *device = job->device;
    device->engine->ops->submit(device->engine, &job->io);
}

static inline void job_send(struct device_job *job, const struct block_request *request)
{
    job_begin(job, request);
    job_submit(job);
}

/* device.c: counts it, and tells the log. */
void device_note_failure(struct device *device, const struct disk_io *io);

/* The engine has ended with it for good. */
static inline void job_ended(struct device_job *job)
{
    struct device *device = job->device;
    assert(job->under_way && device->in_flight > 0);
    device->freed_ns = job->io.due_ns;
    job->under_way = false;
    device->in_flight--;
    if (job->io.status < 0)
        device_note_failure(device, &job->io);
    if (job->client != NULL)
        sched_complete(&device->sched, &job->client->entity, device->now_ns);
    job->client = NULL;
}

/* When the device begins with a request: also where it is not scaled, for it can be by the time
 * that the answer is there. */
static inline void job_note_sent(const struct device *device, struct block_request *request)
{
    request->sent_ns = device->real_time != NULL ? tdf_clock_now_ns(device->real_time->clock) : 0;
}

/* The request waits for the job, for which it took its client's turn (READING), or which it has
 * met (JOINED, BLOCKED). */
static inline void job_wait(struct block_request *request, struct device_job *job,
                            enum block_request_state state)
{
    assert(request->job == NULL);
    request->state = state;
    request->job = job;
    list_push_back(&job->waiting, &request->link);
}

/* The request, which is off the list, waits for its job no longer. */
static inline void job_leave(struct block_request *request)
{
    if (request->state != BLOCK_REQUEST_READING)
        sched_leave(&request->client->entity);
    request->job = NULL;
}

/* job.c */
/* Those who wait get turns of their own, before what their clients asked for later. */
void job_put_back(struct device_job *job);

/* read.c */
/* Hangs the request onto a read in flight that covers its sectors, if that has room. */
bool read_join(struct block_client *client, struct block_request *request, uint64_t now_ns);
void read_send(struct device *device, struct block_client *client, struct block_request *request);
/* Goes on with the reads that ended and have not reached all, oldest first. Returns how many
 * requests were answered. */
uint32_t read_copy_on(struct device *device);
/* The request waits for its read no longer, and will not be answered. */
void read_drop(struct block_request *request);

/* piece.c */
/* Whether a request that is no shared read can be carried out at all: 0, or what to answer. */
int piece_check(const struct block_client *client, struct block_request *request);
uint32_t piece_cost(const struct block_request *request);
/* The request, which is off its client's queue, has its turn. True: something was sent. */
bool piece_take_turn(struct device *device, struct block_client *client,
                     struct block_request *request);
/* The request, whose state is QUEUED, BLOCKED or WORKING, is taken back: true. False: see
 * block_cancel. */
bool piece_cancel(struct block_request *request);

/* change.c */
/* A write or discard under way of sectors in this span, or NULL. */
struct device_job *change_find(const struct vdisk *vdisk, uint64_t offset_bytes,
                               uint64_t length_bytes);
/* The job, whose io and sectors are set, is to change them: change_find has found no other. */
void change_begin(struct device_job *job);
/* To the engine, as soon as its sectors have left the cache. */
void change_send(struct device_job *job, const struct block_request *request);
/* Goes on with those whose sectors have not, a bounded part. Returns whether there were any. */
bool change_clear_on(struct device *device);
/* It has, or has failed. */
void change_end(struct device_job *job);

/* vdisk.c */
/* Answers the request from the cache if all of its sectors are there. */
bool vdisk_serve(struct vdisk *vdisk, const struct block_request *request);
/* What is read of this span now answers nobody who asks later. */
void vdisk_outdate(struct vdisk *vdisk, uint64_t offset_bytes, uint64_t length_bytes);
/* A finished read, before anything is done with it. */
void device_read_prefetch(const struct device_job *read);
/* Its sectors into the segments of a request that waits for it, and into the cache. */
void device_read_copy(const struct device_job *read, const struct block_request *request);
void device_read_keep(struct device_job *read, const struct block_request *request);

/* client.c */
/* The disk below can't do something: what says so is one of the vdisk's capabilities. */
void vdisk_cannot(struct vdisk *vdisk, bool *capability);

/* scale.c */
/* Whether one more request of the client may be queued. */
bool scale_has_token(const struct block_client *client);
/* Queues those that wait for a token as far as there are tokens. */
void scale_admit(struct block_client *client);
/* Answers a request that has a token and is on no list: the last use of it. */
void scale_answer(struct block_request *request, int status);
/* The same, not before its client's scale says. ended_ns: when its job ended; 0: now. */
void scale_answer_late(struct block_request *request, int status, uint64_t ended_ns);

#endif
