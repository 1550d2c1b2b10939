/* SPDX-License-Identifier: MIT */
/* transfer_fixture: a disk that is an array of bytes, and Dom0s that do and answer in any order. */
#ifndef SPLITDOM_TESTS_UNIT_DOMU_BLKFRONT_TRANSFER_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_DOMU_BLKFRONT_TRANSFER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "unit/domu/blkfront/scene.h"

enum {
    PLACES = 16,         /* of the disk, with at most one request in flight each */
    PLACE_SECTORS = 300, /* the largest request */
    SECTORS = PLACES * PLACE_SECTORS,
    PIECES = 4,
    HANG_S = 120,
};

struct kept {
    struct blkif_request req;
    int16_t status;
    bool done;
};

/* A Dom0 that keeps requests back. */
struct keeper {
    struct kept kept[BLKIF_RING_ENTRIES_MAX];
    uint32_t count;  /* atomic */
    uint32_t keep;   /* atomic: so many may stay unanswered while the ring is empty */
    uint32_t writes; /* atomic: that came */
    struct prng prng;
};

/* A place of the disk, and what is in flight for it. */
struct place {
    enum blkfront_operation operation;
    uint32_t first, count; /* sectors, of the place */
    bool in_flight;
    struct iovec iov[PIECES];
    uint32_t iov_count;
    uint8_t buffer[PLACE_SECTORS * 512];
};

static struct keeper keeper; /* the thread of Dom0 outlives the test's function */

static struct place place[PLACES];

static uint8_t disk[SECTORS * 512], model[SECTORS * 512];

static inline int setup(void **state)
{
    (void)state;
    memset(disk, 0, sizeof(disk));
    memset(model, 0, sizeof(model));
    memset(place, 0, sizeof(place));
    return scene_open(HANG_S);
}

static inline void keep(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct keeper *k = fake_dom0_ctx(d);
    struct kept *kept = &k->kept[k->count];
    *kept = (struct kept){.req = *req, .done = prng_below(&k->prng, 2) == 0};
    if (kept->done)
        kept->status = fake_dom0_do(d, req);
    if (fake_dom0_operation(req) == BLKIF_OP_WRITE)
        store_full_u32(&k->writes, k->writes + 1);
    store_full_u32(&k->count, k->count + 1);
}

static inline void answer_some(struct fake_dom0 *d)
{
    struct keeper *k = fake_dom0_ctx(d);
    while (k->count > load_full_u32(&k->keep)) {
        uint32_t i = (uint32_t)prng_below(&k->prng, k->count);
        struct kept kept = k->kept[i];
        k->kept[i] = k->kept[k->count - 1];
        store_full_u32(&k->count, k->count - 1);
        int16_t status = kept.done ? kept.status : fake_dom0_do(d, &kept.req);
        fake_dom0_respond(d, kept.req.id, fake_dom0_operation(&kept.req), status);
        if (prng_below(&k->prng, 3) == 0)
            fake_dom0_flush(d);
    }
    fake_dom0_flush(d);
}

static inline void start_dom0(uint32_t segments)
{
    keeper.count = 0;
    dom0 = fake_dom0_start(base, &(struct fake_dom0_script){.disk = disk,
                                                            .sectors = SECTORS,
                                                            .indirect_segments = segments,
                                                            .request = keep,
                                                            .idle = answer_some,
                                                            .ctx = &keeper});
    assert_non_null(dom0);
}

static inline void meet(uint32_t sectors_per_request, uint32_t segments, uint32_t depth)
{
    struct blkfront_error why;
    struct blkfront_options options = {.size = sizeof(options),
                                       .rundir = base,
                                       .name = "fake",
                                       .depth = depth,
                                       .sectors_per_request = sectors_per_request,
                                       .reconnect = true};
    memset(&keeper, 0, sizeof(keeper));
    prng_init(&keeper.prng, sectors_per_request, segments);
    start_dom0(segments);
    if (blkfront_connect(&options, &bf, &why) < 0)
        fail_msg("%s", why.text);
}

/* ---- each comes back once, and the disk is what it should be ---- */

static inline uint32_t first_sector(const struct place *p)
{
    return (uint32_t)(p - place) * PLACE_SECTORS + p->first;
}

static inline int submit(struct place *p)
{
    bool sectors = p->operation != BLKFRONT_FLUSH;
    return blkfront_submit_io(bf, &(struct blkfront_io){.operation = p->operation,
                                                        .sector = first_sector(p),
                                                        .sector_count = sectors ? p->count : 0,
                                                        .buffer = p->buffer,
                                                        .iov = p->iov,
                                                        .iov_count = p->iov_count,
                                                        .cookie = p});
}

static inline void check(const struct blkfront_completion *done)
{
    struct place *p = done->cookie;
    bool flush = p->operation == BLKFRONT_FLUSH;
    uint8_t *there = model + first_sector(p) * 512;
    assert_true(p->in_flight);
    p->in_flight = false;
    assert_int_equal(done->status, 0);
    assert_int_equal(done->operation, p->operation);
    assert_int_equal(done->sector, flush ? 0 : first_sector(p));
    assert_int_equal(done->sector_count, flush ? 0 : p->count);
    assert_ptr_equal(done->buffer, p->buffer);
    assert_true(done->completed_ns >= done->submitted_ns && done->submitted_ns > 0);
    if (p->operation == BLKFRONT_READ)
        assert_memory_equal(p->buffer, there, p->count * 512);
    else if (p->operation == BLKFRONT_WRITE)
        memcpy(there, p->buffer, p->count * 512);
    else if (p->operation == BLKFRONT_DISCARD)
        memset(there, 0, p->count * 512);
}

static inline uint32_t reap(uint32_t max, uint32_t min)
{
    struct blkfront_completion done[PLACES];
    int count = blkfront_reap(bf, done, max, min);
    assert_true(count >= 0 && count <= (int)max);
    for (int i = 0; i < count; i++)
        check(&done[i]);
    return (uint32_t)count;
}

#endif
