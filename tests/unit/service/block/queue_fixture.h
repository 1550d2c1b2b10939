/* SPDX-License-Identifier: MIT */
/* queue_fixture: clients of a disk whose reads end when the test says so. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_QUEUE_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_QUEUE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/container_of.h"
#include "fakes/fake_vdisk.h"
#include "service/block/queue.h"

enum {
    DEPTH = 4,
    CACHE_SECTORS = 16,
    IMAGE_SECTORS = 1024,
    CLIENTS = 3,
    ASKS_MAX = 64,
    NOT_DONE = 4711,
    SEGMENT_SECTORS = 8,
};

/* A request of the test. */
struct ask {
    struct block_request request;
    struct block_segment segment[BLOCK_REQUEST_SECTORS_MAX / SEGMENT_SECTORS];
    uint8_t bytes[BLOCK_REQUEST_SECTORS_MAX * BLOCK_SECTOR_BYTES];
    int status;
    uint32_t done_count;
    struct ask *chain; /* asked from inside this one's done */
};

struct fixture {
    struct fake_vdisk fake;
    struct device *device; /* the fake's, as the next two */
    struct vdisk *vdisk;
    struct fake_disk *disk;
    struct block_client client[CLIENTS];
    struct ask ask[ASKS_MAX];
    uint32_t done_order[ASKS_MAX], done_total;
};

static struct fixture *f;

static inline void put_ask(struct ask *a, uint32_t client)
{
    block_submit(&f->client[client], &a->request, 0);
}

static inline void on_done(struct block_request *request, int status)
{
    struct ask *a = container_of(request, struct ask, request);
    assert_false(block_request_is_active(request));
    a->status = status;
    a->done_count++;
    f->done_order[f->done_total++] = (uint32_t)(a - f->ask);
    if (a->chain != NULL)
        put_ask(a->chain, 0);
}

/* Request number n: in one segment per 8 sectors. */
static inline struct ask *fill(uint32_t n, uint64_t sector, uint32_t sector_count)
{
    struct ask *a = &f->ask[n];
    memset(a, 0, sizeof(*a));
    a->status = NOT_DONE;
    a->request = (struct block_request){
        .sector = sector, .sector_count = sector_count, .segments = a->segment, .done = on_done};
    for (uint32_t at = 0; at < sector_count; at += SEGMENT_SECTORS) {
        uint32_t left = sector_count - at;
        a->segment[a->request.segment_count++] =
            (struct block_segment){.address = a->bytes + (size_t)at * BLOCK_SECTOR_BYTES,
                                   .sector_count = left < SEGMENT_SECTORS ? left : SEGMENT_SECTORS};
    }
    return a;
}

static inline struct ask *read_one(uint32_t client, uint32_t n, uint64_t sector,
                                   uint32_t sector_count)
{
    struct ask *a = fill(n, sector, sector_count);
    put_ask(a, client);
    return a;
}

static inline bool is_served(const struct ask *a)
{
    return a->done_count == 1 && a->status == 0 &&
           fake_disk_holds(a->bytes, a->request.sector, (uint32_t)a->request.sector_count);
}

static inline int setup_with(uint32_t block_size)
{
    f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    fake_vdisk_create(&f->fake, &(struct fake_vdisk_config){.sector_count = IMAGE_SECTORS,
                                                            .block_size_bytes = block_size,
                                                            .cache_sectors = CACHE_SECTORS,
                                                            .depth = DEPTH});
    f->device = f->fake.device;
    f->vdisk = f->fake.vdisk;
    f->disk = f->fake.disk;
    for (int i = 0; i < CLIENTS; i++)
        block_client_open(&f->client[i], f->vdisk);
    return 0;
}

static inline int setup(void **state)
{
    (void)state;
    return setup_with(512);
}

static inline int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < ASKS_MAX; i++)
        block_cancel(&f->ask[i].request);
    for (int i = 0; i < CLIENTS; i++)
        block_client_close(&f->client[i]);
    fake_vdisk_destroy(&f->fake);
    free(f);
    return 0;
}

#endif
