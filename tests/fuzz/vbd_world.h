/* SPDX-License-Identifier: MIT */
/* vbd_world: a ring of a disk whose answers come when the fuzzer wants them, and what must hold of
 * it. */
#ifndef SPLITDOM_TESTS_FUZZ_VBD_WORLD_H
#define SPLITDOM_TESTS_FUZZ_VBD_WORLD_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "base/container_of.h"
#include "domu/blkfront/cache_view.h"
#include "fuzz/input.h"
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

static inline int test_create(const struct disk_config *config, struct disk **out, struct why *why)
{
    struct disk *disk = calloc(1, sizeof(*disk));
    (void)config;
    (void)why;
    require(disk != NULL);
    disk->ops = &test_ops;
    *out = disk;
    return 0;
}

static inline void test_submit(struct disk *disk, struct disk_io *io)
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
static inline void transfer(const struct disk_io *io)
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

static inline void test_destroy(struct disk *disk)
{
    free(disk);
}

static const struct disk_ops test_ops = {
    .name = "test", .create = test_create, .submit = test_submit, .destroy = test_destroy};

static inline void complete(struct world *w, uint32_t which, int32_t status)
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
static inline void dispatch(struct world *w)
{
    (void)device_dispatch(w->device, 1);
    vbd_ring_flush(w->vr);
}

static inline void make_segment(struct world *w)
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
    w->segment.sleepers = (struct sleepers *)(void *)(base + SLEEPERS_OFFSET);
    w->segment.shared_info = segment_page(&w->segment, 1);
    w->segment.store = segment_page(&w->segment, 2);
    w->segment.gnttab = segment_page(&w->segment, GNTTAB_PFN);
}

static inline void on_let_go(struct hold *hold)
{
    container_of(hold, struct world, memory)->let_go = true;
}

static inline void open_disk(struct world *w, bool with_cache)
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

static inline void share_cache(struct world *w)
{
    gnttab_grant_access(w->segment.gnttab, CLAIMS_REF, DOM0_DOMID, CLAIMS_PFN, false);
    require(cache_share(w->vdisk->cache) == 0);
    require(vbd_claims_open(&w->claims, &w->segment, CLAIMS_REF, w->vdisk) == 0);
    require(cache_view_open(cache_shared_fd(w->vdisk->cache), segment_page(&w->segment, CLAIMS_PFN),
                            &w->view) == 0);
}

static inline void open_world(struct world *w, uint8_t flags)
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

static inline void close_world(struct world *w)
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

static inline union blkif_sring_entry *slot_of(const struct blkif_back_ring *ring, uint32_t index)
{
    return blkif_ring_slot(ring->half.sring, ring->half.nr_ents, index);
}

/* Every response since the last look answers something that was asked. */
static inline void check(struct world *w)
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

static inline void consume(struct world *w)
{
    const struct blkif_back_ring *ring = &w->vr->ring;
    uint32_t from = ring->half.req_cons, halted = w->vr->halted;
    uint64_t ids[BLKIF_RING_ENTRIES_MAX];
    /* The barrier's answer may take the place of a request that is claimed to be behind it. */
    if (w->vr->barrier != NULL &&
        ring->half.sring->req_prod - ring->half.rsp_prod_pvt > ring->half.nr_ents)
        w->wild = true;
    for (uint32_t i = 0; i < ring->half.nr_ents; i++)
        ids[i] = slot_of(ring, from + i)->req.id;
    int taken = vbd_ring_consume(w->vr, 1);
    require(taken <= (int)ring->half.nr_ents && (taken >= 0 || !halted));
    require((halted == 0 && taken >= 0) || ring->half.req_cons == from);
    for (int i = 0; i < taken; i++)
        w->asked[w->asked_count++] = ids[i];
}

#endif
