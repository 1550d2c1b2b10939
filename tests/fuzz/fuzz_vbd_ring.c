/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer harness for Dom0's side of a ring: bytes for ring pages, grant table and indices, steps
 * of Dom0's loop, and completions of an in-test disk in any order, some of them failed.
 *
 * The domain's memory lies between unreadable pages. After each step the ring's indices are in
 * order, and every response answers a request that was taken and not answered before. In the end
 * every request taken has its one response.
 *
 * Byte 0: ring order (bits 0..1), persistent grants (bit 2), scattered pages (bit 3), no cache (4).
 * Then operations: a byte (its low 3 bits: what), then what that needs.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ring/fault_guard.h"
#include "ring/gnttab.h"
#include "service/back/vbd/vbd_ring.h"
#include "service/block/queue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    PAGES = 32,
    GNTTAB_PFN = 3,
    RING_PFN = 4,
    RING_PAGES_MAX = 4,
    DATA_PFN = RING_PFN + RING_PAGES_MAX,
    RING_REF = 8,
    DATA_REF = RING_REF + RING_PAGES_MAX,
    DATA_REFS = 8,
    DISK_SECTORS = 1000, /* not a whole number of blocks */
    BLOCK_BYTES = 4096,
    DEPTH = 8,
    OPS_MAX = 400,
};

struct input {
    const uint8_t *data;
    size_t left;
};

struct world {
    struct segment segment;
    uint8_t *region; /* segment with a guard page on each side */
    struct device *device;
    struct vdisk *vdisk;
    struct block_client client;
    struct vbd_ring *vr;
    struct disk_io *io[DEPTH]; /* at the disk */
    uint32_t io_count;
    uint64_t asked[BLKIF_RING_ENTRIES_MAX]; /* ids of requests taken and not answered */
    uint32_t asked_count;
    uint32_t rsp_seen;
    bool wild; /* data may be read over ring and grants: ids can't be told any more */
};

static struct world *world; /* disk_ops.create has no context */

static void require(bool condition)
{
    if (!condition)
        abort();
}

static uint8_t take(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->data++;
}

static uint32_t take_u32(struct input *in)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 8 | take(in);
    return value;
}

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
    require(io->offset_bytes % BLOCK_BYTES == 0);
    require(io->length_bytes % BLOCK_BYTES == 0 && io->length_bytes > 0);
    require(io->offset_bytes < DISK_SECTORS * BLOCK_SECTOR_BYTES);
    w->io[w->io_count++] = io;
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
    memset(io->buffer, 0x5a, io->length_bytes);
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
                                  .nr_free_pages = PAGES - RING_PFN};
    w->segment.start_info = segment_page(&w->segment, 0);
    w->segment.hints = (struct hints *)(void *)(base + HINTS_OFFSET);
    w->segment.shared_info = segment_page(&w->segment, 1);
    w->segment.store = segment_page(&w->segment, 2);
    w->segment.gnttab = segment_page(&w->segment, GNTTAB_PFN);
}

static void open_disk(struct world *w, bool with_cache)
{
    struct device_config device = {
        .engine = &test_ops, .align_bytes = BLOCK_BYTES, .depth = DEPTH, .depth_isolated = DEPTH};
    struct image image = {.fd = -1,
                          .size_bytes = DISK_SECTORS * BLOCK_SECTOR_BYTES,
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

static void open_world(struct world *w, uint8_t flags)
{
    struct vbd_ring_config config = {.segment = &w->segment,
                                     .fault_slot = -1,
                                     .client = &w->client,
                                     .page_order = flags & 3u,
                                     .port = 5,
                                     .vcpu = 1,
                                     .persistent_grants = (flags & 4) != 0};
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
    require(vbd_ring_create(&config, &w->vr) == 0);
    memset(w->vr->ring.half.sring, 0, offsetof(struct sring, slots));
}

static void close_world(struct world *w)
{
    vbd_ring_destroy(w->vr);
    w->vr = NULL;
    while (w->io_count > 0)
        complete(w, 0, 0);
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
        complete(w, take(in), (what & 8) != 0 ? -EIO : 0);
        break;
    case 5:
        dispatch(w);
        break;
    case 6:
        sring->rsp_event = take_u32(in);
        (void)vbd_ring_arm(w->vr);
        break;
    default:
        if ((what & 8) != 0)
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
        require(rounds++ < 4 * BLKIF_RING_ENTRIES_MAX);
        dispatch(w);
        complete(w, 0, 0);
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
