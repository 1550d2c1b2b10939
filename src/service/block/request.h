/* SPDX-License-Identifier: MIT */
/*
 * request: one request to a vdisk, from block_submit (queue.h) to its done.
 *
 * What a kind of front end needs beside (an id, grants, a ring) embeds the request and finds itself
 * by container_of. Nothing is allocated or copied for a request: its owner keeps it in memory, and
 * leaves it alone, until done is called or block_cancel returns. (Linux: struct bio.)
 */
#ifndef SPLITDOM_SERVICE_BLOCK_REQUEST_H
#define SPLITDOM_SERVICE_BLOCK_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "service/block/engine/sector.h"
#include "tdf/timer.h"

enum {
    /* Of one read or write that goes through a device's buffers, which are made for so many. */
    BLOCK_REQUEST_SECTORS_MAX = 88,
    /* Of one read or write at all. A larger one than the above goes straight between the device and
     * the segments' memory, where alignment allows that. */
    BLOCK_REQUEST_SECTORS_LIMIT = 32768,
    BLOCK_REQUEST_SEGMENTS_LIMIT = 4096,
};

/*
 *   READ, WRITE  sector_count sectors from sector on; the segments' sectors sum up to them
 *   FLUSH        all writes and discards of the vdisk that were answered before it was submitted
 *                are on stable storage when it is answered; sector_count and segment_count are 0
 *   DISCARD      the contents of sector_count sectors from sector on are not needed any more; no
 *                segments; any count within the disk. What of it makes whole blocks may read as
 *                zeros from then on; the rest stays.
 *
 * A write is answered when the device has it, which may still hold it in a volatile cache of its
 * own. Whoever reads after a write was answered reads what was written. Of writes, discards and
 * reads that are under way at the same time each sector of the later ones' is as it was before or
 * after any of the others; of overlapping writes each sector ends as one of them.
 */
enum block_operation { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD };

enum block_request_state {
    BLOCK_REQUEST_IDLE,    /* its owner's */
    BLOCK_REQUEST_GATED,   /* its client's disk is scaled and has no token left */
    BLOCK_REQUEST_QUEUED,  /* waits for its client's turn at the device */
    BLOCK_REQUEST_READING, /* waits for a read of the device's, for which it took its client's turn
                            */
    BLOCK_REQUEST_JOINED,  /* waits for one that somebody else's turn brought */
    BLOCK_REQUEST_BLOCKED, /* waits for a write or discard of the same blocks to end */
    BLOCK_REQUEST_WORKING, /* all of it is at the engine, or no more of it will be */
    BLOCK_REQUEST_HELD,    /* done, and held back until hold fires */
};

struct block_segment {
    /* May be another process's memory, that it changes at any time. READ: written, never read; of a
     * WRITE that goes through the device's buffers each byte is read once. */
    uint8_t *address;
    uint32_t sector_count;
};

/* A place in the segments of a request. */
struct segment_place {
    uint32_t segment;
    uint32_t skipped_sectors; /* of it */
};

/* In the order of use: what every request needs lies together. */
struct block_request {
    /* The owner's, to be set before block_submit. */
    /* status: 0, or -EIO, -ENOSPC, -EOPNOTSUPP the vdisk or what is below can't do that, -EROFS a
     * write or discard of a vdisk that is read-only, -EINVAL the disk has shrunk. After a
     * block_cancel that returned false also -ECANCELED. */
    void (*done)(struct block_request *request, int status);
    uint64_t sector;
    uint64_t sector_count;  /* READ, WRITE: of all segments, 1..BLOCK_REQUEST_SECTORS_LIMIT */
    uint32_t segment_count; /* up to BLOCK_REQUEST_SEGMENTS_LIMIT */
    const struct block_segment *segments; /* stay as they are until done */
    enum block_operation operation;
    uint64_t asked_ns; /* CLOCK_MONOTONIC: when the request was made, if not only now; 0: now */
    uint64_t id;       /* what its owner calls it; for people who trace, as is owner */
    uint32_t owner;    /* the domain's number */

    /* The answer's: when the model disk had it done, CLOCK_MONOTONIC; 0: no model did it. */
    uint64_t due_ns;

    /* The block layer's; zeroed before the first block_submit. */
    enum block_request_state state;
    uint32_t cache_state;  /* the vdisk's when the cache was asked in vain */
    struct list_node link; /* in the client's queue or gated, or among those who wait for a job */
    struct block_client *client;
    struct device_job *job; /* while READING, JOINED or BLOCKED */
    uint64_t turn;          /* while QUEUED: since which of the device's */
    uint64_t sent_ns;       /* the same: since when; CLOCK_MONOTONIC */
    struct timer hold;      /* while HELD */
    int status;             /* what will be answered; of pieces the first error */
    /* Of what goes to the engine in pieces. */
    uint64_t begun;            /* sectors that were sent */
    uint32_t job_count;        /* pieces at the engine */
    struct segment_place next; /* where the next piece's data begins */
    bool is_direct;            /* straight to and from the segments' memory */
    bool is_abandoned;         /* block_cancel has returned false */

    /* The owner's. While it is traced: when it came through each stage (splitdom/trace.h), of which
     * the block layer sets its own (block_client_trace, block_trace_submitted); NULL: it is not. */
    uint64_t *at_ns;
};

#endif
