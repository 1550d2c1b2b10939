/* SPDX-License-Identifier: MIT */
/*
 * blkfront_request: an entry of the shadow as a request on the ring: which kind, its segments, and
 * its data on the way between the caller's memory and the pages that Dom0 sees.
 *
 * Each page of data is granted twice for good: read-write under data_ref, for reads of the disk,
 * and read-only under ro_ref, for writes. An entry's last page, if requests are large, is the one
 * that names the segments of an indirect request.
 */
#include <assert.h>
#include <string.h>

#include "domu/blkfront/blkfront_private.h"
#include "domu/blkfront/iov.h"
#include "domu/blkfront/transfer.h"
#include "ring/barrier.h"
#include "trace/trace_probe.h"

static uint32_t first_page(const struct blkfront_queue *queue, const struct shadow_entry *entry)
{
    return queue->first_page + shadow_index(&queue->shadow, entry) * queue->bf->pages_per_entry;
}

static uint8_t *page_address(const struct blkfront_queue *queue, uint32_t page)
{
    return queue->bf->data + ((size_t)page << XEN_PAGE_SHIFT);
}

/* Where in the data of its transfer those begin that Dom0 is asked for now. */
static size_t transfer_offset(const struct shadow_entry *entry)
{
    uint64_t sector = entry->sector + entry->done_count;
    return (size_t)(sector - entry->transfer->io.sector) * BLKIF_SECTOR_SIZE;
}

static size_t asked_bytes(const struct shadow_entry *entry)
{
    return (size_t)entry->asked_count * BLKIF_SECTOR_SIZE;
}

static uint8_t *asked_buffer(const struct shadow_entry *entry)
{
    return (uint8_t *)entry->buffer + entry->done_count * BLKIF_SECTOR_SIZE;
}

const uint8_t *blkfront_data_of(const struct blkfront_queue *queue,
                                const struct shadow_entry *entry)
{
    return page_address(queue, first_page(queue, entry));
}

void blkfront_take_data(struct blkfront_queue *queue, const struct shadow_entry *entry)
{
    const uint8_t *from = blkfront_data_of(queue, entry);
    if (entry->buffer != NULL)
        memcpy(asked_buffer(entry), from, asked_bytes(entry));
    else
        iov_scatter(entry->transfer->io.iov, transfer_offset(entry), from, asked_bytes(entry));
}

static void put_data(struct blkfront_queue *queue, const struct shadow_entry *entry)
{
    uint8_t *to = page_address(queue, first_page(queue, entry));
    if (entry->buffer != NULL)
        memcpy(to, asked_buffer(entry), asked_bytes(entry));
    else
        iov_gather(entry->transfer->io.iov, transfer_offset(entry), to, asked_bytes(entry));
}

/* Names the pages of sector_count sectors. Returns how many they are. */
static uint32_t fill_segments(struct blkif_request_segment *seg, grant_ref_t ref,
                              uint64_t sector_count)
{
    uint32_t nr_segments = 0;
    for (uint64_t left = sector_count; left > 0;) {
        uint32_t count = left < BLKIF_SECTORS_PER_PAGE ? (uint32_t)left : BLKIF_SECTORS_PER_PAGE;
        memset(&seg[nr_segments], 0, sizeof(seg[0]));
        seg[nr_segments].gref = ref + nr_segments;
        seg[nr_segments].last_sect = (uint8_t)(count - 1);
        nr_segments++;
        left -= count;
    }
    return nr_segments;
}

static void put_direct(struct blkfront_queue *queue, const struct shadow_entry *entry,
                       uint64_t stamp_ns)
{
    struct blkif_request req;
    grant_ref_t ref = entry->operation == BLKIF_OP_READ ? queue->bf->data_ref : queue->bf->ro_ref;
    memset(&req, 0, offsetof(struct blkif_request, seg));
    req.operation = entry->operation;
    req.handle = (blkif_vdev_t)queue->bf->options.vdev;
    req.id = entry->id;
    req.sector_number = entry->sector + entry->done_count;
    req.nr_segments =
        (uint8_t)fill_segments(req.seg, ref + first_page(queue, entry), entry->asked_count);
    blkif_put_request(&queue->ring, &req);
    if (queue->stamped && req.nr_segments <= BLKIF_STAMPED_SEGMENTS_MAX)
        blkif_put_request_stamp(&queue->ring, stamp_ns);
}

static void put_indirect(struct blkfront_queue *queue, const struct shadow_entry *entry,
                         uint64_t stamp_ns)
{
    grant_ref_t ref = entry->operation == BLKIF_OP_READ ? queue->bf->data_ref : queue->bf->ro_ref;
    uint32_t page = first_page(queue, entry), segments_page = page + queue->bf->pages_per_entry - 1;
    struct blkif_request_segment *seg = (void *)page_address(queue, segments_page);
    struct blkif_request_indirect req;
    memset(&req, 0, sizeof(req));
    req.operation = BLKIF_OP_INDIRECT;
    req.indirect_op = entry->operation;
    req.id = entry->id;
    req.sector_number = entry->sector + entry->done_count;
    req.handle = (blkif_vdev_t)queue->bf->options.vdev;
    req.indirect_grefs[0] = queue->bf->ro_ref + segments_page;
    req.nr_segments = (uint16_t)fill_segments(seg, ref + page, entry->asked_count);
    blkif_put_indirect(&queue->ring, &req);
    if (queue->stamped)
        blkif_put_request_stamp(&queue->ring, stamp_ns);
}

static void put_discard(struct blkfront_queue *queue, const struct shadow_entry *entry,
                        uint64_t stamp_ns)
{
    struct blkif_request_discard req;
    memset(&req, 0, sizeof(req));
    req.operation = BLKIF_OP_DISCARD;
    req.handle = (blkif_vdev_t)queue->bf->options.vdev;
    req.id = entry->id;
    req.sector_number = entry->sector;
    req.nr_sectors = entry->asked_count;
    blkif_put_discard(&queue->ring, &req);
    if (queue->stamped)
        blkif_put_request_stamp(&queue->ring, stamp_ns);
}

void blkfront_put_request(struct blkfront_queue *queue, struct shadow_entry *entry,
                          uint64_t asked_ns)
{
    uint64_t stamp_ns = queue->stamped ? asked_ns - domain_clock_offset_ns(queue->bf->clock) : 0;
    bool has_data = blkfront_has_data(entry->operation);
    assert(front_ring_free(&queue->ring.half) > 0);
    entry->asked_count = entry->sector_count - entry->done_count;
    if (has_data && entry->asked_count > blkfront_request_sectors(queue->bf))
        entry->asked_count = blkfront_request_sectors(queue->bf);
    if (entry->operation == BLKIF_OP_WRITE)
        put_data(queue, entry);
    if (entry->operation == BLKIF_OP_DISCARD)
        put_discard(queue, entry, stamp_ns);
    else if (entry->asked_count <= BLKIF_SECTORS_MAX) /* a flush has none */
        put_direct(queue, entry, stamp_ns);
    else
        put_indirect(queue, entry, stamp_ns);
    if (__builtin_expect(entry->traced, false))
        blkfront_trace_put(queue, entry);
    TRACE_PROBE(submitted, load_relaxed_u32(&queue->bf->domu->domid), entry->id, entry->sector);
    queue->stats.requests++;
}
