/* SPDX-License-Identifier: MIT */
/*
 * transfer: asynchronous requests of all operations and any size, against an array of bytes.
 * Dom0 answers in any order, does what it is asked when it comes or when it is answered, and is
 * replaced by others that take smaller or larger requests.
 */
#include <errno.h>

#include "domu/blkfront/blkfront_private.h"
#include "unit/domu/blkfront/transfer_fixture.h"

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

int main(void)
{
#define TRANSFER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TRANSFER_TEST(each_request_comes_back_once_and_the_disk_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
