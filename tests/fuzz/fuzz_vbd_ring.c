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
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "base/container_of.h"
#include "domu/blkfront/cache_view.h"
#include "fuzz/input.h"
#include "ring/fault_guard.h"
#include "ring/gnttab.h"
#include "service/back/vbd/vbd_claims.h"
#include "service/back/vbd/vbd_ring.h"
#include "service/block/queue.h"

enum {
    PAGES = 32,
    GNTTAB_PFN = 3,
    RING_PFN = 4,
    RING_PAGES_MAX = 4,
    DATA_PFN = RING_PFN + RING_PAGES_MAX,
    RING_REF = 8,
    DATA_REF = RING_REF + RING_PAGES_MAX,
    DATA_REFS = 8,
    CLAIMS_PFN = DATA_PFN + DATA_REFS,
    CLAIMS_REF = DATA_REF + 2 * DATA_REFS + 1, /* out of scribble_grant's reach */
    DISK_SECTORS = 1000,                       /* not a whole number of blocks */
    WRITABLE_DISK_SECTORS = 1024,              /* that has to be one */
    BLOCK_BYTES = 4096,
    DEPTH = 8,
    OPS_MAX = 400,
};

struct world {
    struct segment segment;
    struct grant_use uses[GNTTAB_ENTRIES_PER_FRAME];
    uint8_t *region; /* segment with a guard page on each side */
    struct device *device;
    struct vdisk *vdisk;
    struct block_client client;
    struct vbd_ring *vr;
    struct vbd_claims claims;
    struct cache_view *view, *retired; /* NULL: the cache is not shared */
    struct disk_io *io[DEPTH];         /* at the disk */
    uint32_t io_count;
    uint64_t asked[BLKIF_RING_ENTRIES_MAX]; /* ids of requests taken and not answered */
    uint32_t asked_count;
    uint32_t rsp_seen;
    struct hold memory;
    bool let_go;
    uint64_t disk_sectors;
    bool writable;
    bool wild; /* data may be read over ring and grants: ids can't be told any more */
};

static struct world *world; /* disk_ops.create has no context */

static const struct disk_ops test_ops;

static int test_create(const struct disk_config *config, struct disk **out, struct why *why)
{
    struct disk *disk = calloc(1, sizeof(*disk));
    (void)config;
    (void)why;
    require(disk != NULL);
    disk->ops = &test_ops;
    *out = disk;
    return 0;
}

static void test_submit(struct disk *disk, struct disk_io *io)
{
    struct world *w = world;
    (void)disk;
    require(w->io_count < DEPTH);
    require(io->image == &w->vdisk->image);
    require(w->writable || io->operation == DISK_READ);
    require(io->offset_bytes % BLOCK_BYTES == 0);
    require(io->length_bytes % BLOCK_BYTES == 0);
    require((io->length_bytes == 0) == (io->operation == DISK_FLUSH));
    uint64_t size_bytes =
        (w->disk_sectors * BLOCK_SECTOR_BYTES + BLOCK_BYTES - 1) & ~(uint64_t)(BLOCK_BYTES - 1);
    require(io->offset_bytes + io->length_bytes <= size_bytes);
    w->io[w->io_count++] = io;
}

/* The device reads all that it was given to write, and fills all that it was given to read into. */
static void transfer(const struct disk_io *io)
{
    static volatile uint8_t sink;
    const struct iovec whole = {.iov_base = io->buffer, .iov_len = io->length_bytes};
    const struct iovec *parts = io->iov_count > 0 ? io->iov : &whole;
    size_t bytes = 0;
    for (uint32_t i = 0; i < (io->iov_count > 0 ? io->iov_count : 1); i++) {
        const uint8_t *from = parts[i].iov_base;
        if (io->operation == DISK_READ)
            memset(parts[i].iov_base, 0x5a, parts[i].iov_len);
        for (size_t b = 0; io->operation == DISK_WRITE && b < parts[i].iov_len; b += 64)
            sink = from[b];
        bytes += parts[i].iov_len;
    }
    (void)sink;
    require(bytes == io->length_bytes);
}

static void test_destroy(struct disk *disk)
{
    free(disk);
}

static const struct disk_ops test_ops = {
    .name = "test", .create = test_create, .submit = test_submit, .destroy = test_destroy};

static void complete(struct world *w, uint32_t which, int32_t status)
{
    if (w->io_count == 0)
        return;
    which %= w->io_count;
    struct disk_io *io = w->io[which];
    w->io[which] = w->io[--w->io_count];
    if (io->operation == DISK_READ || io->operation == DISK_WRITE)
        transfer(io);
    io->status = status;
    io->done(io);
    if (w->vr != NULL)
        vbd_ring_flush(w->vr); /* as Dom0's loop does with its next look */
}

/* May find in the cache what was not there when it was asked for. */
static void dispatch(struct world *w)
{
    (void)device_dispatch(w->device, 1);
    vbd_ring_flush(w->vr);
}

static void make_segment(struct world *w)
{
    size_t page = XEN_PAGE_SIZE;
    w->region = mmap(NULL, (PAGES + 2) * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(w->region != MAP_FAILED);
    uint8_t *base = mmap(w->region + page, PAGES * page, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    require(base != MAP_FAILED);
    w->segment = (struct segment){.base = base,
                                  .nr_pages = PAGES,
                                  .domid = 1,
                                  .nr_grant_entries = GNTTAB_ENTRIES_PER_FRAME,
                                  .free_pfn = RING_PFN,
                                  .nr_free_pages = PAGES - RING_PFN,
                                  .uses = w->uses};
    w->segment.start_info = segment_page(&w->segment, 0);
    w->segment.hints = (struct hints *)(void *)(base + HINTS_OFFSET);
    w->segment.shared_info = segment_page(&w->segment, 1);
    w->segment.store = segment_page(&w->segment, 2);
    w->segment.gnttab = segment_page(&w->segment, GNTTAB_PFN);
}

static void on_let_go(struct hold *hold)
{
    container_of(hold, struct world, memory)->let_go = true;
}

static void open_disk(struct world *w, bool with_cache)
{
    struct device_config device = {
        .engine = &test_ops, .align_bytes = BLOCK_BYTES, .depth = DEPTH, .depth_isolated = DEPTH};
    struct image image = {.fd = -1,
                          .size_bytes = w->disk_sectors * BLOCK_SECTOR_BYTES,
                          .writable = w->writable,
                          .block_size_bytes = BLOCK_BYTES,
                          .memory_align_bytes = BLOCK_BYTES};
    struct why why;
    require(device_create(&device, &w->device, &why) == 0);
    struct vdisk_config vdisk = {.device = w->device,
                                 .cache_bytes = with_cache ? 16 * BLOCK_SECTOR_BYTES : 0,
                                 .policy = cache_policy_find("lru")};
    require(vdisk_create(&vdisk, &image, &w->vdisk, &why) == 0);
    block_client_open(&w->client, w->vdisk);
}

static void share_cache(struct world *w)
{
    gnttab_grant_access(w->segment.gnttab, CLAIMS_REF, DOM0_DOMID, CLAIMS_PFN, false);
    require(cache_share(w->vdisk->cache) == 0);
    require(vbd_claims_open(&w->claims, &w->segment, CLAIMS_REF, w->vdisk) == 0);
    require(cache_view_open(cache_shared_fd(w->vdisk->cache), segment_page(&w->segment, CLAIMS_PFN),
                            &w->view) == 0);
}

static void open_world(struct world *w, uint8_t flags)
{
    struct vbd_ring_config config = {.segment = &w->segment,
                                     .memory = &w->memory,
                                     .writable = true, /* where the vdisk is */
                                     .discard = true,
                                     .fault_slot = -1,
                                     .client = &w->client,
                                     .page_order = flags & 3u,
                                     .port = 5,
                                     .vcpu = 1,
                                     .persistent_grants = (flags & 4) != 0};
    w->writable = (flags & 64) != 0;
    w->disk_sectors = w->writable ? WRITABLE_DISK_SECTORS : DISK_SECTORS;
    w->memory = (struct hold){.holders = 1, .let_go = on_let_go};
    make_segment(w);
    open_disk(w, (flags & 16) == 0);
    if (config.page_order == 3)
        config.page_order = 2;
    uint32_t ring_pages = 1u << config.page_order;
    for (uint32_t i = 0; i < ring_pages; i++) {
        uint32_t pfn = RING_PFN + ((flags & 8) != 0 ? ring_pages - 1 - i : i);
        gnttab_grant_access(w->segment.gnttab, RING_REF + i, DOM0_DOMID, pfn, false);
        config.ring_ref[i] = RING_REF + i;
    }
    for (uint32_t i = 0; i < DATA_REFS; i++)
        gnttab_grant_access(w->segment.gnttab, DATA_REF + i, DOM0_DOMID, DATA_PFN + i, false);
    if ((flags & (16 | 128)) == 128)
        share_cache(w);
    require(vbd_ring_create(&config, &w->vr) == 0);
    memset(w->vr->ring.half.sring, 0, offsetof(struct sring, slots));
}

static void close_world(struct world *w)
{
    vbd_ring_destroy(w->vr);
    w->vr = NULL;
    hold_put(&w->memory);
    while (w->io_count > 0)
        complete(w, 0, 0);
    require(w->let_go);
    if (w->view != NULL)
        cache_view_retire(w->view, &w->retired);
    cache_view_free_all(&w->retired);
    vbd_claims_close(&w->claims);
    block_client_close(&w->client);
    vdisk_destroy(w->vdisk);
    device_destroy(w->device);
    munmap(w->region, (size_t)(PAGES + 2) << XEN_PAGE_SHIFT);
}

static union blkif_sring_entry *slot_of(const struct blkif_back_ring *ring, uint32_t index)
{
    return blkif_ring_slot(ring->half.sring, ring->half.nr_ents, index);
}

/* Every response since the last look answers something that was asked. */
static void check(struct world *w)
{
    const struct blkif_back_ring *ring = &w->vr->ring;
    require(back_ring_in_flight(&ring->half) <= ring->half.nr_ents);
    require(ring->half.rsp_prod == ring->half.rsp_prod_pvt); /* nothing is left unpushed */
    for (; w->rsp_seen != ring->half.rsp_prod_pvt; w->rsp_seen++) {
        const struct blkif_response *rsp = &slot_of(ring, w->rsp_seen)->rsp;
        uint32_t i = 0;
        require(w->asked_count > 0);
        while (!w->wild && i < w->asked_count && w->asked[i] != rsp->id)
            i++;
        require(w->wild || i < w->asked_count);
        if (!w->wild)
            w->asked[i] = w->asked[w->asked_count - 1];
        w->asked_count--;
    }
    require(w->asked_count == back_ring_in_flight(&ring->half));
}

static void consume(struct world *w)
{
    const struct blkif_back_ring *ring = &w->vr->ring;
    uint32_t from = ring->half.req_cons, halted = w->vr->halted;
    uint64_t ids[BLKIF_RING_ENTRIES_MAX];
    for (uint32_t i = 0; i < ring->half.nr_ents; i++)
        ids[i] = slot_of(ring, from + i)->req.id;
    int taken = vbd_ring_consume(w->vr, 1);
    require(taken <= (int)ring->half.nr_ents && (taken >= 0 || !halted));
    require((halted == 0 && taken >= 0) || ring->half.req_cons == from);
    for (int i = 0; i < taken; i++)
        w->asked[w->asked_count++] = ids[i];
}

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
