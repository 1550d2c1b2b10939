/* SPDX-License-Identifier: MIT */
/*
 * request_path: a fixed number of reads through everything between the front end's ring and the
 * answer, in one thread and with no clock, so that the number of instructions is the same each
 * time: front_ring, vbd_ring (validation, grants), queue, cache, sched, the null engine and the
 * epoll poller. For a tool that counts instructions.
 *
 *   request_path hit|miss|passed|traced|shared REQUESTS
 *
 *   hit     64 sectors over and over
 *   miss    never the same twice
 *   passed  hit, while a sample is traced that has none of the requests
 *   traced  hit, while all of them are traced
 *   shared  the sectors of hit, read by the domain: through the library's view of Dom0's cache
 *
 * Exit: 0 all were answered; 1 not.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/shared_reader.h"
#include "ring/blkif_front_ring.h"
#include "ring/fault_guard.h"
#include "ring/gnttab.h"
#include "ring/segment.h"
#include "service/back/vbd/vbd_ring.h"
#include "service/back/vbd/vbd_trace.h"
#include "service/block/cache/cache_policy.h"
#include "service/block/queue.h"
#include "service/loop/poller.h"

enum {
    DISK_SECTORS = 1 << 20,
    CACHE_SECTORS = DISK_SECTORS / 128,
    HOT_SECTORS = 64,
    BATCH = 8,
    DEPTH = 32,
    NR_PAGES = 64,
    RING_REF = GNTTAB_NR_RESERVED_ENTRIES,
    DATA_REF = RING_REF + 1,
    PORT = 2,
};

struct path {
    struct segment segment;
    struct poller *poller;
    struct device *device;
    struct vdisk *vdisk;
    struct block_client client;
    struct vbd_ring *ring;
    struct blkif_front_ring front;
    uint64_t sent, answered, failed;
    uint64_t rank; /* in a trace: of all requests */
};

static void check(int rc, const char *what)
{
    if (rc < 0)
        errx(1, "%s: %s", what, strerror(-rc));
}

static void make_disk(struct path *path)
{
    struct why why = {0};

    check(poller_create(POLLER_EPOLL, &path->poller), "poller");
    const struct device_config device = {.poller = path->poller,
                                         .engine = &disk_null_ops,
                                         .align_bytes = BLOCK_SECTOR_BYTES,
                                         .depth = DEPTH,
                                         .depth_isolated = DEPTH};
    check(device_create(&device, &path->device, &why), why.text);
    struct image image = {.fd = -1,
                          .size_bytes = (uint64_t)DISK_SECTORS * BLOCK_SECTOR_BYTES,
                          .block_size_bytes = BLOCK_SECTOR_BYTES,
                          .memory_align_bytes = BLOCK_SECTOR_BYTES};
    const struct vdisk_config vdisk = {.device = path->device,
                                       .cache_bytes = CACHE_SECTORS * BLOCK_SECTOR_BYTES,
                                       .policy = cache_policy_find("lru")};
    check(vdisk_create(&vdisk, &image, &path->vdisk, &why), why.text);
    block_client_open(&path->client, path->vdisk);
}

static void make_ring(struct path *path)
{
    struct vbd_ring_config config = {.segment = &path->segment,
                                     .client = &path->client,
                                     .ring_ref = {RING_REF},
                                     .port = PORT,
                                     .persistent_grants = true,
                                     .trace_ranks = true};
    struct segment *segment = &path->segment;
    int fd;

    check(segment_create(NR_PAGES, 1, segment, &fd), "segment");
    close(fd);
    check(fault_guard_install(4), "fault guard");
    config.fault_slot = fault_guard_add(segment->base, (size_t)NR_PAGES << XEN_PAGE_SHIFT, 1);
    check(config.fault_slot, "fault guard");
    for (uint32_t i = 0; i <= BATCH; i++)
        gnttab_grant_access(segment->gnttab, RING_REF + i, DOM0_DOMID, segment->free_pfn + i,
                            false);
    sring_init(segment_page(segment, segment->free_pfn), 0);
    front_ring_init(&path->front.half, segment_page(segment, segment->free_pfn),
                    blkif_ring_entries(0), 0);
    check(vbd_ring_create(&config, &path->ring), "ring");
}

static void take_answers(struct path *path)
{
    struct blkif_response rsp;
    int rc;

    while ((rc = blkif_take_response(&path->front, &rsp)) == 1) {
        path->answered++;
        path->failed += rsp.status != BLKIF_RSP_OKAY;
    }
    check(rc, "answers");
}

/* Sends a batch and turns Dom0's loop until all of it is answered. */
static void turn(struct path *path, uint32_t range)
{
    struct blkif_request req = {.operation = BLKIF_OP_READ, .nr_segments = 1};

    for (uint32_t i = 0; i < BATCH; i++, path->sent++) {
        req.id = path->sent | path->rank;
        req.sector_number = path->sent * 7 % range;
        req.seg[0].gref = DATA_REF + i;
        blkif_put_request(&path->front, &req);
    }
    front_ring_push(&path->front.half);
    check(vbd_ring_consume(path->ring, path->sent), "requests");
    vbd_ring_flush(path->ring);
    for (int tries = 0; path->answered < path->sent && tries < 1000; tries++) {
        device_dispatch(path->device, path->sent);
        check(poller_run(path->poller, false), "poller");
        vbd_ring_flush(path->ring);
        take_answers(path);
    }
    take_answers(path);
}

/* All requests are of the sample, or none. */
static void trace(struct path *path, struct trace_writer *writer, bool all)
{
    const uint32_t lanes = TRACE_DOM0_LANES, records = TRACE_DOM0_RECORDS;
    int fd = trace_writer_make(lanes, records, "trace");

    check(fd, "trace memory");
    check(trace_writer_map(writer, lanes, records, fd), "trace memory");
    close(fd);
    path->rank = (uint64_t)(all ? 1 : TRACE_RANK_NEVER) << TRACE_RANK_SHIFT;
    check(
        vbd_trace_set(path->ring, &(struct back_trace){.threshold = UINT32_MAX, .writer = writer}),
        "trace");
}

/* Returns 0 if all were hits. */
static int read_shared(struct path *path, uint64_t count)
{
    static const unsigned char data[SHARED_CACHE_SECTOR_BYTES];
    unsigned char seen[SHARED_CACHE_SECTOR_BYTES];
    struct shared_reader reader = {0};
    uint64_t hits = 0;

    make_disk(path);
    check(cache_share(path->vdisk->cache), "shared cache");
    for (uint64_t sector = 0; sector < HOT_SECTORS; sector++) {
        cache_insert(path->vdisk->cache, sector, data);
        (void)cache_lookup(path->vdisk->cache, sector); /* shown from then on */
    }
    check(shared_reader_open(&reader, path->vdisk), "reader");
    for (uint64_t i = 0; i < count; i++)
        hits += shared_reader_hits(&reader, i * 7 % HOT_SECTORS, seen);
    printf("hits=%llu\n", (unsigned long long)hits);
    shared_reader_close(&reader);
    block_client_close(&path->client);
    vdisk_destroy(path->vdisk);
    device_destroy(path->device);
    poller_destroy(path->poller);
    return hits == count ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *mode = argc == 3 ? argv[1] : "";
    const uint64_t count = argc == 3 ? strtoull(argv[2], NULL, 10) / BATCH * BATCH : 0;
    const bool passed = strcmp(mode, "passed") == 0;
    const bool traced = strcmp(mode, "traced") == 0;
    const bool hit = passed || traced || strcmp(mode, "hit") == 0;
    const uint32_t range = hit ? HOT_SECTORS : DISK_SECTORS;
    struct trace_writer writer = {0};
    struct path path = {0};

    if (strcmp(mode, "shared") == 0 && count > 0)
        return read_shared(&path, count);
    if ((!hit && strcmp(mode, "miss") != 0) || count == 0)
        errx(2, "usage: request_path hit|miss|passed|traced|shared REQUESTS");
    make_disk(&path);
    make_ring(&path);
    if (passed || traced)
        trace(&path, &writer, traced);
    while (path.sent < count)
        turn(&path, range);
    printf("answered=%llu failed=%llu hits=%llu reads=%llu\n", (unsigned long long)path.answered,
           (unsigned long long)path.failed, (unsigned long long)path.vdisk->stats.hits,
           (unsigned long long)device_stats(path.device)->reads);
    const bool good = path.answered == count && path.failed == 0;
    vbd_ring_destroy(path.ring);
    trace_writer_unmap(&writer);
    block_client_close(&path.client);
    vdisk_destroy(path.vdisk);
    device_destroy(path.device);
    poller_destroy(path.poller);
    segment_detach(&path.segment);
    fault_guard_remove();
    return good ? 0 : 1;
}
