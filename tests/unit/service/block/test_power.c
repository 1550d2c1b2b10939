/* SPDX-License-Identifier: MIT */
/*
 * Losses of power: the model disk with a volatile cache below the block layer, and what is found on
 * it afterwards. Whatever was answered before a flush was asked for that was answered, too, is
 * there; no sector is torn; each holds something that was written to it.
 * tsan: long: it starts no thread
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/container_of.h"
#include "base/prng.h"
#include "fakes/fake_oracle.h"
#include "service/block/engine/disk_model.h"
#include "service/block/queue.h"

enum {
    SECTORS = 64,
    DEPTH = 6,
    ASKS = 10,
    ASK_SECTORS_MAX = 12,
    LOSSES_A_DISK = 20,
};

struct ask {
    struct block_request request;
    struct block_segment segment;
    uint8_t bytes[ASK_SECTORS_MAX * BLOCK_SECTOR_BYTES];
    bool active;
    int status;
    struct oracle_change change;
    uint64_t then; /* a flush: when it was asked for */
};

struct fixture {
    uint64_t now_ns; /* the model's clock */
    struct device *device;
    struct vdisk *vdisk;
    struct block_client client;
    struct ask ask[ASKS];
    struct oracle oracle;
    struct prng prng;
    uint64_t next_number;
    uint32_t flushed, written;
};

static struct fixture *f;

static uint64_t manual_ns(void *ctx)
{
    (void)ctx;
    return f->now_ns;
}

static void on_done(struct block_request *request, int status)
{
    struct ask *a = container_of(request, struct ask, request);
    assert_true(status == 0 || status == -EIO);
    a->active = false;
    if (request->operation == BLOCK_FLUSH) {
        if (status == 0)
            oracle_flush(&f->oracle, a->then);
        f->flushed += status == 0;
        return;
    }
    if (status == 0)
        oracle_answer_change(&f->oracle, &a->change);
    else
        oracle_end_change(&f->oracle, &a->change, false);
    f->written += status == 0;
}

static void begin(struct ask *a)
{
    uint64_t count = 1 + prng_below(&f->prng, ASK_SECTORS_MAX);
    uint64_t sector = prng_below(&f->prng, SECTORS - count + 1);
    uint64_t dice = prng_below(&f->prng, 8);
    a->active = true;
    a->segment = (struct block_segment){.address = a->bytes, .sector_count = (uint32_t)count};
    a->request = (struct block_request){.sector = sector,
                                        .sector_count = count,
                                        .segments = &a->segment,
                                        .segment_count = 1,
                                        .done = on_done};
    if (dice < 2) {
        a->request.operation = BLOCK_FLUSH;
        a->request.sector = a->request.sector_count = a->request.segment_count = 0;
        a->then = f->oracle.now;
    } else {
        uint64_t mask = f->vdisk->image.block_size_bytes / BLOCK_SECTOR_BYTES - 1;
        a->request.operation = dice == 2 ? BLOCK_DISCARD : BLOCK_WRITE;
        a->change = (struct oracle_change){.first = sector, .end = sector + count};
        if (dice == 2) {
            a->change.first = (sector + mask) & ~mask; /* of whole blocks */
            a->change.end &= ~mask;
        } else {
            a->change.number = f->next_number++;
        }
        oracle_fill(a->bytes, a->change.number, sector, count);
        oracle_begin_change(&f->oracle, &a->change);
    }
    block_submit(&f->client, &a->request, f->now_ns);
}

static void step(void)
{
    struct ask *a = &f->ask[prng_below(&f->prng, ASKS)];
    if (!a->active && prng_below(&f->prng, 2) == 0)
        begin(a);
    if (prng_below(&f->prng, 2) == 0)
        (void)device_dispatch(f->device, f->now_ns);
    f->now_ns += prng_below(&f->prng, 400);
    (void)disk_model_expire(device_engine(f->device));
}

static void note_status(struct block_request *request, int status)
{
    struct ask *a = container_of(request, struct ask, request);
    a->active = false;
    a->status = status;
}

/* As often as it takes: the disk has errors. */
static void insist(enum block_operation operation, uint64_t sector, uint64_t sector_count)
{
    struct ask *a = &f->ask[0];
    bool has_data = operation == BLOCK_READ;
    do {
        a->segment = (struct block_segment){.address = a->bytes, .sector_count = 1};
        a->request = (struct block_request){.operation = operation,
                                            .sector = sector,
                                            .sector_count = sector_count,
                                            .segments = &a->segment,
                                            .segment_count = has_data ? 1 : 0,
                                            .done = note_status};
        a->active = true;
        block_submit(&f->client, &a->request, f->now_ns);
        while (a->active) {
            (void)device_dispatch(f->device, f->now_ns);
            f->now_ns += 1000000;
            (void)disk_model_expire(device_engine(f->device));
        }
    } while (a->status != 0);
}

static void check_sector(uint64_t sector)
{
    insist(BLOCK_READ, sector, 1);
    if (!oracle_settle(&f->oracle, sector, f->ask[0].bytes))
        fail_msg("sector %d holds what was overwritten before a flush, or never written",
                 (int)sector);
}

/* The machine goes, and with it all that Dom0 knew; then it looks at the disk. */
static void lose_power(uint64_t seed)
{
    assert_int_equal(disk_model_lose_power(device_engine(f->device), seed), 0);
    for (int i = 0; i < ASKS; i++) {
        struct ask *a = &f->ask[i];
        if (!a->active)
            continue;
        assert_true(block_cancel(&a->request)); /* it had not been sent, or not all of it */
        a->active = false;
        if (a->request.operation != BLOCK_FLUSH)
            oracle_end_change(&f->oracle, &a->change, false);
    }
    vdisk_image_changed(f->vdisk);
    for (uint64_t s = 0; s < SECTORS; s++)
        check_sector(s);
}

static void make_disk(uint32_t block_bytes, uint64_t seed)
{
    char model[128];
    const struct disk_model_clock clock = {.now_ns = manual_ns};
    struct image image = {.fd = -1,
                          .writable = true,
                          .size_bytes = SECTORS * BLOCK_SECTOR_BYTES,
                          .block_size_bytes = block_bytes,
                          .memory_align_bytes = 512};
    struct why why;
    snprintf(model, sizeof(model),
             "law=exponential,mean=1us,write=2us,flush=5us,channels=4,error=0.01,short=0.01,"
             "seed=%llu",
             (unsigned long long)seed);
    f->now_ns = 1000000;
    const struct device_config config = {.engine = &disk_model_ops,
                                         .model = model,
                                         .align_bytes = block_bytes,
                                         .depth = DEPTH,
                                         .depth_isolated = DEPTH,
                                         .model_clock = &clock};
    assert_int_equal(device_create(&config, &f->device, &why), 0);
    assert_int_equal(disk_model_add_volatile_cache(device_engine(f->device)), 0);
    const struct vdisk_config vdisk = {.device = f->device,
                                       .cache_bytes = 16 * BLOCK_SECTOR_BYTES,
                                       .policy = cache_policy_find("lru")};
    assert_int_equal(vdisk_create(&vdisk, &image, &f->vdisk, &why), 0);
    block_client_open(&f->client, f->vdisk);
    prng_init(&f->prng, seed, 1);
    insist(BLOCK_DISCARD, 0, SECTORS);
    insist(BLOCK_FLUSH, 0, 0);
}

static void run(uint32_t block_bytes, uint64_t seed)
{
    f = calloc(1, sizeof(*f));
    assert_non_null(f);
    make_disk(block_bytes, seed);
    oracle_init(&f->oracle, SECTORS, ORACLE_ZEROS);
    f->next_number = ORACLE_ZEROS + 1;
    for (int loss = 0; loss < LOSSES_A_DISK; loss++) {
        for (uint64_t left = 20 + prng_below(&f->prng, 100); left > 0; left--)
            step();
        lose_power(seed * LOSSES_A_DISK + (uint64_t)loss);
    }
    assert_true(f->flushed > LOSSES_A_DISK && f->written > LOSSES_A_DISK);
    block_client_close(&f->client);
    vdisk_destroy(f->vdisk);
    device_destroy(f->device);
    oracle_fini(&f->oracle);
    free(f);
}

static void what_was_flushed_is_found_after_losses_of_power(void **state)
{
    (void)state;
    /* Of 2 * LOSSES_A_DISK losses each: 10,000, or 200,000. */
    uint64_t disks = getenv("TEST_LONG") != NULL ? 5000 : 250;
    for (uint64_t seed = 1; seed <= disks; seed++) {
        run(512, seed);
        run(4096, seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_flushed_is_found_after_losses_of_power),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
