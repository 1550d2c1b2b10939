/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer harness for Dom0's side of a ring: bytes for ring pages, pages that name segments,
 * grant table and indices, requests of all kinds, steps of Dom0's loop, and completions of an
 * in-test disk in any order, some of them failed.
 *
 * The domain's memory lies between unreadable pages. After each step the ring's indices are in
 * order, and every response answers a request that was taken and not answered before. The disk is
 * asked for nothing beyond its end, and a read-only one for nothing but reads. In the end every
 * request taken has its one response, or the ring has ended with some at the disk, and then nothing
 * of the domain is held once those are over.
 *
 * The cache may be shared: bytes for the page of the domain's notes too, and reads by the library's
 * view of the cache, which shows what the cache holds and nothing else.
 *
 * Byte 0: ring order (bits 0..1), persistent grants (bit 2), scattered pages (bit 3), no cache (4),
 * ends with requests in flight (5), writable (6), a shared cache (7).
 * Then operations: a byte (its low 3 bits: what), then what that needs.
 */
#include <errno.h>

#include "fuzz/vbd_world.h"
#include "ring/fault_guard.h"

/* Over slots only: the indices have their own operation. */
static void scribble_ring(struct world *w, struct input *in)
{
    struct blkif_back_ring *ring = &w->vr->ring;
    uint32_t slot = ring->half.req_cons + take(in);
    uint8_t at = take(in) % sizeof(union blkif_sring_entry);
    uint8_t *bytes = (uint8_t *)slot_of(ring, slot);
    for (uint8_t n = take(in) % 32; n > 0 && at < sizeof(union blkif_sring_entry); n--)
        bytes[at++] = take(in);
}

static void scribble_grant(struct world *w, struct input *in)
{
    struct grant_entry_v1 *entry = &w->segment.gnttab[DATA_REF + take(in) % (2 * DATA_REFS)];
    entry->flags = take(in);
    entry->domid = take(in) % 4 == 3 ? 1 : 0;
    entry->frame = take_u32(in);
    if (entry->frame < DATA_PFN)
        w->wild = true;
}

static void scribble_claims(struct world *w, struct input *in)
{
    uint8_t *bytes = segment_page(&w->segment, CLAIMS_PFN);
    uint32_t at = take_u32(in) % XEN_PAGE_SIZE;
    for (uint8_t n = take(in) % 32; n > 0 && at < XEN_PAGE_SIZE; n--)
        bytes[at++] = take(in);
}

/* The view shows what the cache holds, whatever the domain has noted. */
static void read_shared(struct world *w, struct input *in)
{
    uint8_t seen[BLOCK_SECTOR_BYTES];
    uint64_t sector = (uint64_t)take(in) * 4 + take(in) % 4;
    if (!cache_view_read(w->view, sector, 1, seen))
        return;
    const void *held = cache_peek(w->vdisk->cache, sector);
    require(held != NULL && memcmp(held, seen, sizeof(seen)) == 0);
}

static void use_shared_cache(struct world *w, uint8_t what, struct input *in)
{
    if (w->view == NULL)
        return;
    if ((what & 16) == 0)
        scribble_claims(w, in);
    else if ((what & 32) == 0)
        read_shared(w, in);
    else
        cache_claims_hear(&w->vdisk->claims, w->vdisk->cache);
}

static void put_request(struct world *w, struct input *in)
{
    struct blkif_back_ring *ring = &w->vr->ring;
    uint32_t prod = ring->half.sring->req_prod;
    struct blkif_request req;
    memset(&req, 0, sizeof(req));
    req.id = take(in);
    req.nr_segments = (uint8_t)(1 + take(in) % 12);
    req.sector_number = (uint64_t)take(in) * 4 + take(in) % 4;
    for (uint32_t i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
        req.seg[i] = (struct blkif_request_segment){.gref = DATA_REF + take(in) % (DATA_REFS + 1),
                                                    .last_sect = take(in) % 9};
    memcpy(&slot_of(ring, prod)->req, &req, sizeof(req));
    ring->half.sring->req_prod = prod + 1;
}

/* Any kind, nearly right. */
static void put_any(struct world *w, struct input *in)
{
    struct blkif_back_ring *ring = &w->vr->ring;
    uint32_t prod = ring->half.sring->req_prod;
    union blkif_sring_entry *slot = slot_of(ring, prod);
    uint8_t operation = take(in) % 8;
    memset(slot, 0, sizeof(*slot));
    if (operation == BLKIF_OP_DISCARD) {
        const struct blkif_request_discard req = {.operation = operation,
                                                  .flag = take(in) % 4,
                                                  .id = take(in),
                                                  .sector_number = (uint64_t)take(in) * 4,
                                                  .nr_sectors = (uint64_t)take(in) * 4};
        memcpy(slot, &req, sizeof(req));
    } else if (operation == BLKIF_OP_INDIRECT) {
        struct blkif_request_indirect req = {.operation = operation,
                                             .indirect_op = take(in) % 3,
                                             .id = take(in),
                                             .sector_number = (uint64_t)take(in) * 4};
        req.nr_segments = (uint16_t)(take(in) | (take(in) & 31) << 8);
        for (uint32_t i = 0; i < BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST; i++)
            req.indirect_grefs[i] = DATA_REF + (take(in) + i) % (DATA_REFS + 1);
        memcpy(slot, &req, sizeof(req));
    } else {
        const uint8_t count = take(in) % 12;
        struct blkif_request req = {.operation = operation,
                                    .nr_segments = count,
                                    .id = take(in),
                                    .sector_number = (uint64_t)take(in) * 4};
        for (uint32_t i = 0; i < count && i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
            req.seg[i] = (struct blkif_request_segment){.gref = DATA_REF + take(in) % DATA_REFS,
                                                        .last_sect = take(in) % 9};
        memcpy(slot, &req, sizeof(req));
    }
    ring->half.sring->req_prod = prod + 1;
}

/* A page full of segments, of pages in turn. */
static void name_segments(struct world *w, struct input *in)
{
    struct blkif_request_segment *named =
        segment_page(&w->segment, DATA_PFN + take(in) % DATA_REFS);
    uint8_t first = take(in), step = take(in), last = take(in) % 9;
    for (uint32_t i = 0; i < BLKIF_SEGMENTS_PER_INDIRECT_PAGE; i++)
        named[i] = (struct blkif_request_segment){.gref = DATA_REF + (first + i * step) % DATA_REFS,
                                                  .last_sect = last};
}

/* Good ones, for the disk: a way to a full ring. */
static void put_reads(struct world *w, struct input *in)
{
    struct blkif_back_ring *ring = &w->vr->ring;
    uint64_t id = take(in);
    for (uint32_t n = 16; n > 0; n--, id++) {
        uint32_t prod = ring->half.sring->req_prod;
        struct blkif_request req;
        memset(&req, 0, sizeof(req));
        req.nr_segments = 1;
        req.id = id;
        req.sector_number = id * 8;
        req.seg[0].gref = DATA_REF + (uint32_t)id % DATA_REFS;
        memcpy(&slot_of(ring, prod)->req, &req, sizeof(req));
        ring->half.sring->req_prod = prod + 1;
    }
}

static void step(struct world *w, struct input *in)
{
    struct sring *sring = w->vr->ring.half.sring;
    uint8_t what = take(in);
    switch (what & 7) {
    case 0:
        if ((what & 8) != 0)
            name_segments(w, in);
        else
            scribble_ring(w, in);
        break;
    case 1:
        if ((what & 16) != 0)
            w->segment.sleepers->word[take(in)] = take(in) & 3;
        else
            scribble_grant(w, in);
        break;
    case 2:
        sring->req_prod =
            (what & 8) != 0 ? take_u32(in) : w->vr->ring.half.req_cons + take(in) % 40;
        break;
    case 3:
        consume(w);
        break;
    case 4:
        complete(w, take(in), (what & 8) == 0 ? 0 : (what & 16) != 0 ? -EOPNOTSUPP : -EIO);
        break;
    case 5:
        dispatch(w);
        break;
    case 6:
        if ((what & 8) != 0) {
            use_shared_cache(w, what, in);
            break;
        }
        sring->rsp_event = take_u32(in);
        (void)vbd_ring_arm(w->vr);
        break;
    default:
        if ((what & 16) != 0)
            put_any(w, in);
        else if ((what & 8) != 0)
            put_reads(w, in);
        else
            put_request(w, in);
        break;
    }
    check(w);
}

static void drain(struct world *w)
{
    uint32_t rounds = 0;
    while (back_ring_in_flight(&w->vr->ring.half) > 0) {
        require(rounds++ < 64 * BLKIF_RING_ENTRIES_MAX);
        dispatch(w);
        complete(w, 0, 0);
        if (w->vr->barrier != NULL)
            consume(w); /* it goes on when the loop looks */
        check(w);
    }
    const struct vbd_ring_stats *stats = &w->vr->stats;
    require(stats->requests ==
            stats->reads_done + stats->others_done + stats->errors + stats->unsupported);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {.data = data, .left = size};
    struct world *w = world = calloc(1, sizeof(*w));
    require(w != NULL);
    (void)fault_guard_install(4); /* -EALREADY after the first input */
    uint8_t flags = take(&in);
    open_world(w, flags);
    for (int i = 0; i < OPS_MAX && in.left > 0; i++)
        step(w, &in);
    if ((flags & 32) == 0)
        drain(w);
    close_world(w);
    free(w);
    return 0;
}
