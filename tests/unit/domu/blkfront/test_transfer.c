/* SPDX-License-Identifier: MIT */
/*
 * transfer: asynchronous requests of all operations and any size, against an array of bytes. Dom0
 * answers in any order, does what it is asked when it comes or when it is answered, and is replaced
 * by others that take smaller or larger requests.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/prng.h"
#include "domu/blkfront/blkfront_private.h"
#include "domu/blkfront/transfer.h"
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

static int setup(void **state)
{
    (void)state;
    memset(disk, 0, sizeof(disk));
    memset(model, 0, sizeof(model));
    memset(place, 0, sizeof(place));
    return scene_open(HANG_S);
}

static void keep(struct fake_dom0 *d, const struct blkif_request *req)
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

static void answer_some(struct fake_dom0 *d)
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

static void start_dom0(uint32_t segments)
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

static void meet(uint32_t sectors_per_request, uint32_t segments, uint32_t depth)
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

static uint32_t first_sector(const struct place *p)
{
    return (uint32_t)(p - place) * PLACE_SECTORS + p->first;
}

/* Cuts the buffer into pieces, or into none. */
static void cut(struct prng *prng, struct place *p)
{
    size_t left = p->count * 512u;
    uint8_t *at = p->buffer;
    p->iov_count = 0;
    if (prng_below(prng, 3) > 0)
        return;
    for (uint32_t i = 0; i < PIECES; i++) {
        size_t length = i == PIECES - 1 ? left : (size_t)prng_below(prng, left + 1);
        p->iov[i] = (struct iovec){.iov_base = at, .iov_len = length};
        at += length;
        left -= length;
    }
    p->iov_count = PIECES;
}

static int submit(struct place *p)
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

static bool submit_random(struct prng *prng, struct place *p)
{
    static const enum blkfront_operation operations[] = {BLKFRONT_READ,  BLKFRONT_READ,
                                                         BLKFRONT_WRITE, BLKFRONT_WRITE,
                                                         BLKFRONT_FLUSH, BLKFRONT_DISCARD};
    p->operation = operations[prng_below(prng, 6)];
    uint32_t most = prng_below(prng, 2) == 0 ? 8 : PLACE_SECTORS;
    p->count = 1 + (uint32_t)prng_below(prng, most);
    p->first = (uint32_t)prng_below(prng, PLACE_SECTORS - p->count + 1);
    cut(prng, p);
    for (uint32_t i = 0; i < p->count * 512; i += 8) {
        uint64_t word = prng_next(prng);
        memcpy(p->buffer + i, &word, sizeof(word));
    }
    int rc = submit(p);
    assert_true(rc == 0 || rc == -EAGAIN);
    p->in_flight = rc == 0;
    return p->in_flight;
}

static void check(const struct blkfront_completion *done)
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

static uint32_t reap(uint32_t max, uint32_t min)
{
    struct blkfront_completion done[PLACES];
    int count = blkfront_reap(bf, done, max, min);
    assert_true(count >= 0 && count <= (int)max);
    for (int i = 0; i < count; i++)
        check(&done[i]);
    return (uint32_t)count;
}

static void step(struct prng *prng, uint32_t *count)
{
    static const uint32_t segments[] = {0, 12, 16, 32, 256};
    struct place *p = &place[prng_below(prng, PLACES)];
    if (prng_below(prng, 150) == 0) {
        fake_dom0_stop(dom0);
        start_dom0(segments[prng_below(prng, 5)]);
    }
    switch (prng_below(prng, 6)) {
    case 0:
        assert_int_equal(blkfront_kick(bf), 0);
        break;
    case 1:
        store_full_u32(&keeper.keep, (uint32_t)prng_below(prng, 40));
        fake_dom0_wake(dom0);
        break;
    case 2:
        store_full_u32(&keeper.keep, 0);
        fake_dom0_wake(dom0);
        *count -= reap(PLACES, prng_below(prng, 2) == 0 ? *count : 0);
        break;
    default:
        if (!p->in_flight && submit_random(prng, p))
            ++*count;
        break;
    }
}

/* TRANSFER_SEED=N repeats a run. */
static void each_request_comes_back_once_and_the_disk_is_right(void **state)
{
    enum { LIVES = 14, STEPS = 1200 };
    static const uint32_t sizes[] = {1, 8, 20, 88, 100, 256, 300};
    (void)state;
    const char *given = getenv("TRANSFER_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : 20261129;
    print_message("TRANSFER_SEED=%llu\n", (unsigned long long)seed);
    for (uint64_t life = 0; life < LIVES; life++) {
        struct prng prng;
        prng_init(&prng, seed, life);
        meet(sizes[life % 7], life % 2 == 0 ? 256 : 0, 12);
        uint32_t count = 0;
        for (uint32_t i = 0; i < STEPS; i++)
            step(&prng, &count);
        store_full_u32(&keeper.keep, 0);
        fake_dom0_wake(dom0);
        while (count > 0)
            count -= reap(3, 1);
        assert_int_equal(reap(PLACES, 1), 0);
        fake_dom0_sync(dom0);
        assert_memory_equal(disk, model, sizeof(disk));
        assert_int_equal(bf->queue[0].shadow.free_count, bf->queue[0].shadow.nr_entries);
        part();
    }
}

/* ---- in particular ---- */

static void keep_all(void)
{
    store_full_u32(&keeper.keep, UINT32_MAX);
}

static void answer_all(void)
{
    store_full_u32(&keeper.keep, 0);
    fake_dom0_wake(dom0);
}

static void start_at(uint32_t index, enum blkfront_operation operation, uint32_t count)
{
    struct place *p = &place[index];
    *p = (struct place){.operation = operation, .count = count, .in_flight = true};
    memset(p->buffer, (int)(0x40 + index), sizeof(p->buffer));
    assert_int_equal(submit(p), 0);
}

static void wait_until_kept(uint32_t count)
{
    assert_int_equal(blkfront_kick(bf), 0);
    while (load_full_u32(&keeper.count) < count)
        usleep(1000);
}

/* What Dom0 had not answered is asked of the next one, what it had answered is not. */
static void unanswered_writes_and_flushes_are_asked_again(void **state)
{
    (void)state;
    meet(8, 0, 8);
    start_at(0, BLKFRONT_WRITE, 8);
    assert_int_equal(reap(1, 1), 1);
    keep_all();
    start_at(1, BLKFRONT_WRITE, 8);
    start_at(2, BLKFRONT_FLUSH, 0);
    start_at(3, BLKFRONT_DISCARD, 8);
    wait_until_kept(3);
    fake_dom0_stop(dom0);
    memset(disk + PLACE_SECTORS * 512, 0, PLACE_SECTORS * 512); /* it had not done it */
    store_full_u32(&keeper.writes, 0);
    start_dom0(0);
    answer_all();
    assert_int_equal(reap(3, 3), 3);
    assert_int_equal(load_full_u32(&keeper.writes), 1);
    assert_int_equal(fake_dom0_flushes(dom0), 1);
    fake_dom0_sync(dom0);
    assert_memory_equal(disk, model, sizeof(disk));
}

/* 300 sectors in one indirect request; the next Dom0 takes direct ones alone. */
static void what_was_one_request_is_asked_in_pieces_of_a_dom0_that_takes_less(void **state)
{
    (void)state;
    struct blkfront_geometry geometry;
    meet(300, 256, 4);
    keep_all();
    start_at(0, BLKFRONT_WRITE, 300);
    start_at(1, BLKFRONT_READ, 250);
    wait_until_kept(2);
    fake_dom0_stop(dom0);
    memset(disk, 0, sizeof(disk));
    start_dom0(0);
    answer_all();
    assert_int_equal(reap(2, 2), 2);
    fake_dom0_sync(dom0);
    assert_memory_equal(disk, model, sizeof(disk));
    assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    assert_int_equal(geometry.sectors_per_request, 88);
}

/* All of its parts, those that are asked and those that are not. Each buffer is the caller's. */
static void a_large_request_is_cancelled_as_one(void **state)
{
    (void)state;
    struct blkfront_completion done;
    meet(1, 0, 8);
    keep_all();
    start_at(0, BLKFRONT_READ, 200);
    start_at(1, BLKFRONT_READ, 100);
    assert_int_equal(blkfront_cancel(bf, &place[0]), 1);
    assert_int_equal(blkfront_cancel(bf, &place[0]), 0);
    assert_int_equal(blkfront_reap(bf, &done, 1, 1), 1);
    assert_int_equal(done.status, -ECANCELED);
    assert_int_equal(done.sector_count, 200);
    assert_ptr_equal(done.cookie, &place[0]);
    memset(place[0].buffer, 0x11, sizeof(place[0].buffer));
    answer_all();
    assert_int_equal(reap(1, 1), 1); /* the other one, with the entries that become free */
    for (uint32_t i = 0; i < sizeof(place[0].buffer); i++)
        assert_int_equal(place[0].buffer[i], 0x11);
    assert_int_equal(blkfront_reap(bf, &done, 1, 1), 0);
    while (bf->queue[0].shadow.free_count < bf->queue[0].shadow.nr_entries)
        assert_int_equal(blkfront_reap(bf, &done, 0, 0), 0);
}

static void requests_of_any_size_count_as_one(void **state)
{
    (void)state;
    meet(1, 0, 3);
    start_at(0, BLKFRONT_WRITE, 3);
    start_at(1, BLKFRONT_WRITE, 5);
    start_at(2, BLKFRONT_FLUSH, 0);
    place[3] = (struct place){.operation = BLKFRONT_READ, .count = 1};
    assert_int_equal(submit(&place[3]), -EAGAIN);
    assert_int_equal(reap(3, 3), 3);
    assert_int_equal(submit(&place[3]), 0);
}

static void a_large_request_is_complete_when_its_last_part_is(void **state)
{
    (void)state;
    struct blkfront_completion done;
    meet(1, 0, 8);
    keep_all();
    start_at(0, BLKFRONT_WRITE, 20);
    wait_until_kept(20);
    uint64_t before_ns = blkfront_now_ns(bf);
    answer_all();
    assert_int_equal(blkfront_reap(bf, &done, 1, 1), 1);
    assert_true(done.completed_ns >= before_ns);
}

/* Dom0 dies with all slots taken by what was cancelled: the next one has no answers to give that
 * would free one. */
static void what_waits_for_a_slot_is_asked_of_the_next_dom0(void **state)
{
    (void)state;
    struct blkfront_completion done;
    meet(1, 0, 8);
    keep_all();
    start_at(0, BLKFRONT_WRITE, 200);
    start_at(1, BLKFRONT_WRITE, 2);
    wait_until_kept(32);
    assert_int_equal(blkfront_cancel(bf, &place[0]), 1);
    assert_int_equal(blkfront_reap(bf, &done, 1, 1), 1);
    fake_dom0_stop(dom0);
    start_dom0(0);
    answer_all();
    assert_int_equal(reap(1, 1), 1);
    fake_dom0_sync(dom0);
    assert_memory_equal(disk + PLACE_SECTORS * 512, place[1].buffer, 1024);
}

static void what_is_in_flight_comes_back_when_the_device_dies(void **state)
{
    (void)state;
    struct blkfront_completion done[4];
    meet(1, 0, 8);
    bf->domu->options.reconnect = false;
    keep_all();
    start_at(0, BLKFRONT_WRITE, 200);
    start_at(1, BLKFRONT_READ, 1 + 7);
    fake_dom0_stop(dom0);
    dom0 = NULL;
    assert_int_equal(blkfront_reap(bf, done, 4, 2), 2);
    for (int i = 0; i < 2; i++) {
        struct place *p = done[i].cookie;
        assert_true(p->in_flight);
        p->in_flight = false;
        assert_int_equal(done[i].status, -ENOTCONN);
    }
    place[2] = (struct place){.operation = BLKFRONT_READ, .count = 1};
    assert_int_equal(submit(&place[2]), -ENOTCONN);
}

static void pieces_must_be_as_long_as_the_request(void **state)
{
    (void)state;
    meet(8, 0, 8);
    place[0] = (struct place){.operation = BLKFRONT_WRITE, .count = 2, .iov_count = 1};
    place[0].iov[0] = (struct iovec){.iov_base = place[0].buffer, .iov_len = 1023};
    assert_int_equal(submit(&place[0]), -EINVAL);
    place[0].iov[0].iov_len = 1024;
    place[0].in_flight = true;
    assert_int_equal(submit(&place[0]), 0);
    assert_int_equal(reap(1, 1), 1);
    place[1] = (struct place){.operation = 7, .count = 1};
    assert_int_equal(submit(&place[1]), -EINVAL);
}

int main(void)
{
#define TRANSFER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TRANSFER_TEST(each_request_comes_back_once_and_the_disk_is_right),
        TRANSFER_TEST(unanswered_writes_and_flushes_are_asked_again),
        TRANSFER_TEST(what_was_one_request_is_asked_in_pieces_of_a_dom0_that_takes_less),
        TRANSFER_TEST(a_large_request_is_cancelled_as_one),
        TRANSFER_TEST(requests_of_any_size_count_as_one),
        TRANSFER_TEST(a_large_request_is_complete_when_its_last_part_is),
        TRANSFER_TEST(what_waits_for_a_slot_is_asked_of_the_next_dom0),
        TRANSFER_TEST(what_is_in_flight_comes_back_when_the_device_dies),
        TRANSFER_TEST(pieces_must_be_as_long_as_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
