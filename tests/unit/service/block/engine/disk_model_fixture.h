/* SPDX-License-Identifier: MIT */
/*
 * disk_model_fixture: a model of a disk on a clock that the test moves, and the reads that it
 * was given.
 */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_ENGINE_DISK_MODEL_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_ENGINE_DISK_MODEL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/block/engine/disk_model.h"
#include "service/block/engine/disk_pattern.h"
#include "service/block/engine/image.h"

#define DEPTH 16u

#define BLOCK_BYTES 4096u

struct fixture {
    uint64_t now_ns; /* the model's clock */
    struct image image;
    struct poller *poller;
    struct disk *disk;
    unsigned char *pool;
    struct read {
        struct disk_io io;
        struct fixture *f;
        int order; /* 1 for the first that was done */
        bool is_repeated;
    } reads[DEPTH];
    int done;
    bool is_submitting;
};

static inline uint64_t manual_ns(void *ctx)
{
    return ((struct fixture *)ctx)->now_ns;
}

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (!f)
        return -1;
    f->now_ns = 1000000;
    f->image = (struct image){.fd = -1, .size_bytes = 512 * 20001, .block_size_bytes = 512};
    f->pool = aligned_alloc(BLOCK_BYTES, (size_t)DEPTH * BLOCK_BYTES);
    *state = f;
    return f->pool ? 0 : -1;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    disk_model_ops.destroy(f->disk);
    poller_destroy(f->poller);
    image_close(&f->image);
    free(f->pool);
    free(f);
    return 0;
}

static inline struct disk_config config_of(const struct fixture *f, const char *model)
{
    return (struct disk_config){
        .poller = f->poller,
        .pool = f->pool,
        .pool_bytes = (size_t)DEPTH * BLOCK_BYTES,
        .depth = DEPTH,
        .model = model,
    };
}

static inline struct fixture *make(void **state, const char *model)
{
    struct fixture *f = *state;
    const struct disk_config config = config_of(f, model);
    const struct disk_model_clock clock = {.now_ns = manual_ns, .ctx = f};
    struct why why;

    assert_int_equal(disk_model_create(&config, &clock, &f->disk, &why), 0);
    return f;
}

static inline void submit(struct fixture *f, uint32_t slot, uint64_t offset_bytes);

static inline void on_done(struct disk_io *io)
{
    struct read *r = (struct read *)io;

    assert_false(r->f->is_submitting);
    r->order = ++r->f->done;
    if (r->is_repeated)
        submit(r->f, (uint32_t)(r - r->f->reads), io->offset_bytes);
}

static inline void submit(struct fixture *f, uint32_t slot, uint64_t offset_bytes)
{
    struct read *r = &f->reads[slot];

    r->f = f;
    r->io.image = &f->image;
    r->io.offset_bytes = offset_bytes;
    r->io.length_bytes = BLOCK_BYTES;
    r->io.buffer = f->pool + (size_t)slot * BLOCK_BYTES;
    r->io.done = on_done;
    memset(r->io.buffer, 0xa5, BLOCK_BYTES);
    f->is_submitting = true;
    disk_model_ops.submit(f->disk, &r->io);
    f->is_submitting = false;
}

static inline void assert_pattern(const struct fixture *f, uint32_t slot, size_t length_bytes)
{
    unsigned char expected[BLOCK_BYTES];

    disk_pattern_fill(expected, f->reads[slot].io.offset_bytes, BLOCK_BYTES);
    assert_memory_equal(f->reads[slot].io.buffer, expected, length_bytes);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
