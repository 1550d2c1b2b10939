/* SPDX-License-Identifier: MIT */
/*
 * change_fixture: several clients of a disk whose operations have their effect, end and fail
 * when the test says so.
 */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_CHANGE_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_CHANGE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/prng.h"
#include "fakes/fake_oracle.h"
#include "fakes/fake_vdisk.h"
#include "service/block/device_private.h"
#include "service/block/queue.h"

enum {
    SECTORS = 256,
    DEPTH = 5,
    CACHE_SECTORS = 48,
    CLIENTS = 4,
    ASKS = 24,
    ASK_SECTORS_MAX = 120, /* some do not go through a buffer */
    SEGMENTS_MAX = 32,
    NOT_DONE = 4711,
};

#define POISON UINT64_C(0xeeeeeeeeeeee)

/* A request of the test. */
struct ask {
    struct block_request request;
    struct block_segment segment[SEGMENTS_MAX];
    uint64_t *words; /* its memory: as many sectors as it has at most */
    int status;
    bool active, abandoned;
    struct oracle_change change; /* of a write or discard */
    struct oracle_read read;
    uint64_t answered; /* a flush: by the disk's clock, when the last change was answered */
};

struct fixture {
    struct fake_vdisk fake;
    struct device *device; /* the fake's, as the next two */
    struct vdisk *vdisk;
    struct fake_disk *disk;
    struct block_client client[CLIENTS];
    struct ask ask[ASKS];
    struct oracle oracle;
    uint8_t *content;
    struct prng prng;
    uint64_t next_number;
    uint64_t changes_answered; /* by the disk's clock: when the last change was answered */
    uint32_t ended[4];         /* requests that succeeded, by operation */
    uint32_t failed;
};

static struct fixture *f;

static inline bool is_change(const struct ask *a)
{
    return a->request.operation == BLOCK_WRITE || a->request.operation == BLOCK_DISCARD;
}

/* The sectors that a request changes: of a discard those of whole blocks. */
static inline void changed_span(const struct ask *a, uint64_t *first, uint64_t *end)
{
    uint64_t block = f->vdisk->image.block_size_bytes / BLOCK_SECTOR_BYTES;
    *first = a->request.sector;
    *end = a->request.sector + a->request.sector_count;
    if (a->request.operation == BLOCK_DISCARD) {
        *first = (*first + block - 1) / block * block;
        *end = *end / block * block;
    }
}

static inline void on_done(struct block_request *request, int status)
{
    struct ask *a = container_of(request, struct ask, request);
    assert_true(a->active);
    assert_false(block_request_is_active(request));
    a->active = false;
    a->status = status;
    if (is_change(a)) {
        oracle_end_change(&f->oracle, &a->change, status == 0 && !a->abandoned);
        f->changes_answered = f->disk->clock;
    }
    if (request->operation == BLOCK_READ) {
        bool brought = status == 0 && !a->abandoned;
        uint64_t wrong = oracle_end_read(&f->oracle, &a->read, brought ? a->words : NULL);
        assert_int_equal(wrong, UINT64_MAX);
    }
    if (a->abandoned)
        return;
    if (status != 0)
        f->failed++;
    else
        f->ended[request->operation]++;
    /* All that was answered before it was asked had ended before the disk was asked. */
    if (status == 0 && request->operation == BLOCK_FLUSH)
        assert_true(f->disk->flush_covered > a->answered);
}

/* Its memory in parts that follow each other or do not, aligned or not as skew says. */
static inline void make_segments(struct ask *a, uint64_t sector_count, uint32_t segment_sectors)
{
    a->request.segment_count = 0;
    for (uint64_t at = 0; at < sector_count; at += segment_sectors) {
        uint64_t left = sector_count - at;
        a->segment[a->request.segment_count++] = (struct block_segment){
            .address = (uint8_t *)(a->words + at * ORACLE_WORDS),
            .sector_count = (uint32_t)(left < segment_sectors ? left : segment_sectors)};
    }
    a->request.segments = a->segment;
}

static inline struct ask *ask(uint32_t n, uint32_t client, enum block_operation operation,
                              uint64_t sector, uint64_t sector_count)
{
    struct ask *a = &f->ask[n];
    assert_false(a->active);
    a->request = (struct block_request){
        .operation = operation, .sector = sector, .sector_count = sector_count, .done = on_done};
    a->status = NOT_DONE;
    a->active = true;
    a->abandoned = false;
    a->answered = f->changes_answered;
    if (operation == BLOCK_READ || operation == BLOCK_WRITE) {
        uint32_t least = (uint32_t)(sector_count + SEGMENTS_MAX - 1) / SEGMENTS_MAX;
        make_segments(a, sector_count, least + (uint32_t)prng_below(&f->prng, 8));
        oracle_fill(a->words, operation == BLOCK_WRITE ? f->next_number : POISON, sector,
                    sector_count);
    }
    if (operation == BLOCK_READ) {
        a->read.first = sector;
        a->read.end = sector + sector_count;
        oracle_begin_read(&f->oracle, &a->read);
    }
    if (is_change(a)) {
        a->change.number = operation == BLOCK_WRITE ? f->next_number++ : ORACLE_ZEROS;
        changed_span(a, &a->change.first, &a->change.end);
        oracle_begin_change(&f->oracle, &a->change);
    }
    block_submit(&f->client[client], &a->request, 0);
    return a;
}

static inline int setup_with(uint32_t block_bytes, uint32_t cache_sectors)
{
    f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    fake_vdisk_create(&f->fake, &(struct fake_vdisk_config){.sector_count = SECTORS,
                                                            .block_size_bytes = block_bytes,
                                                            .cache_sectors = cache_sectors,
                                                            .depth = DEPTH,
                                                            .writable = true});
    f->device = f->fake.device;
    f->vdisk = f->fake.vdisk;
    f->vdisk->image.memory_align_bytes = BLOCK_SECTOR_BYTES;
    f->disk = f->fake.disk;
    f->content = calloc(SECTORS, BLOCK_SECTOR_BYTES);
    f->disk->content = f->content;
    f->next_number = 1;
    prng_init(&f->prng, 1, 0);
    oracle_init(&f->oracle, SECTORS, ORACLE_ZEROS);
    for (int i = 0; i < CLIENTS; i++)
        block_client_open(&f->client[i], f->vdisk);
    for (int i = 0; i < ASKS; i++) {
        f->ask[i].words = aligned_alloc(4096, (ASK_SECTORS_MAX / 8 + 1) * 4096);
        f->ask[i].read.was = calloc(ASK_SECTORS_MAX, sizeof(struct oracle_sector));
    }
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    f->disk->chance = NULL;
    fake_vdisk_finish(&f->fake);
    for (int i = 0; i < ASKS; i++) {
        assert_false(f->ask[i].active);
        free(f->ask[i].words);
        free(f->ask[i].read.was);
    }
    for (int i = 0; i < CLIENTS; i++)
        block_client_close(&f->client[i]);
    fake_vdisk_destroy(&f->fake);
    oracle_fini(&f->oracle);
    free(f->content);
    free(f);
    return 0;
}

#endif
