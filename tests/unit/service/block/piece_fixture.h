/* SPDX-License-Identifier: MIT */
/* piece_fixture: requests of one client, and a disk that ends them as the test says. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_PIECE_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_PIECE_FIXTURE_H

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
    SECTORS = 262144, /* 128 MiB: two pieces of a discard */
    DEPTH = 4,
    CACHE_SECTORS = 64,
    CLIENTS = 3,
    ASKS = 12,
    LARGE = 5000, /* sectors: two whole pieces and a rest */
    PAGE_SECTORS = 8,
    NOT_DONE = 4711,
};

/* A request of the test. */
struct ask {
    struct block_request request;
    struct block_segment segment[LARGE / PAGE_SECTORS];
    int status;
    uint32_t done_count;
};

struct fixture {
    struct fake_vdisk fake;
    struct device *device; /* the fake's, as the next two */
    struct vdisk *vdisk;
    struct fake_disk *disk;
    struct block_client client[CLIENTS];
    struct ask ask[ASKS];
    uint8_t *memory; /* of one large request, and a sector more */
    uint32_t told;   /* calls of the clients' changed */
    bool told_before_done;
};

static struct fixture *f;

static inline void on_done(struct block_request *request, int status)
{
    struct ask *a = container_of(request, struct ask, request);
    assert_false(block_request_is_active(request));
    a->status = status;
    a->done_count++;
}

/* Its memory begins at data, in segments that follow each other. */
static inline struct ask *fill(uint32_t n, enum block_operation operation, uint64_t sector,
                               uint64_t sector_count, uint8_t *data)
{
    struct ask *a = &f->ask[n];
    memset(a, 0, sizeof(*a));
    a->status = NOT_DONE;
    a->request = (struct block_request){.operation = operation,
                                        .sector = sector,
                                        .sector_count = sector_count,
                                        .segments = a->segment,
                                        .done = on_done};
    for (uint64_t at = 0; data != NULL && at < sector_count; at += PAGE_SECTORS) {
        uint64_t left = sector_count - at;
        a->segment[a->request.segment_count++] = (struct block_segment){
            .address = data + at * BLOCK_SECTOR_BYTES,
            .sector_count = (uint32_t)(left < PAGE_SECTORS ? left : PAGE_SECTORS)};
    }
    return a;
}

static inline struct ask *ask(uint32_t n, enum block_operation operation, uint64_t sector,
                              uint64_t sector_count)
{
    struct ask *a = fill(n, operation, sector, sector_count,
                         operation == BLOCK_READ || operation == BLOCK_WRITE ? f->memory : NULL);
    block_submit(&f->client[0], &a->request, 0);
    return a;
}

static inline void dispatch(void)
{
    fake_vdisk_dispatch(&f->fake);
}

static inline const struct disk_io *waiting(uint32_t at)
{
    assert_true(at < f->disk->waiting_count);
    return f->disk->waiting[at];
}

static inline int setup_with(uint32_t block_bytes, bool writable)
{
    f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    fake_vdisk_create(&f->fake, &(struct fake_vdisk_config){.sector_count = SECTORS,
                                                            .block_size_bytes = block_bytes,
                                                            .cache_sectors = CACHE_SECTORS,
                                                            .depth = DEPTH,
                                                            .writable = writable});
    f->device = f->fake.device;
    f->vdisk = f->fake.vdisk;
    f->disk = f->fake.disk;
    f->disk->content = calloc(SECTORS, BLOCK_SECTOR_BYTES);
    f->memory = aligned_alloc(4096, (LARGE / PAGE_SECTORS + 1) * 4096);
    for (uint32_t i = 0; i < (LARGE + 1) * BLOCK_SECTOR_BYTES; i++)
        f->memory[i] = (uint8_t)(i / BLOCK_SECTOR_BYTES * 7 + 1);
    for (int i = 0; i < CLIENTS; i++)
        block_client_open(&f->client[i], f->vdisk);
    return 0;
}

static inline int setup(void **state)
{
    (void)state;
    return setup_with(512, true);
}

static inline int setup_4k(void **state)
{
    (void)state;
    return setup_with(4096, true);
}

static inline int teardown(void **state)
{
    (void)state;
    fake_vdisk_finish(&f->fake);
    for (int i = 0; i < ASKS; i++)
        assert_true(f->ask[i].done_count <= 1);
    for (int i = 0; i < CLIENTS; i++)
        block_client_close(&f->client[i]);
    free(f->disk->content);
    f->disk->content = NULL;
    fake_vdisk_destroy(&f->fake);
    free(f->memory);
    free(f);
    return 0;
}

static inline uint8_t *on_disk(uint64_t sector)
{
    return f->disk->content + sector * BLOCK_SECTOR_BYTES;
}

#define WITH(fixture, test) cmocka_unit_test_setup_teardown(test, fixture, teardown)

#endif
