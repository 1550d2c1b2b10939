/* SPDX-License-Identifier: MIT */
/*
 * blkfront_call: calls that end otherwise than as a whole: an error of a part, their time, the
 * death of Dom0.
 */
#include <errno.h>
#include <sched.h>

#include "base/prng.h"
#include "domu/blkfront/blkfront_private.h"
#include "unit/domu/blkfront/blkfront_call_fixture.h"

#define MS UINT64_C(1000000)

/* ---- errors ---- */

enum { BAD_SECTOR = 77 };

static void one_bad_sector(struct fake_dom0 *d, const struct blkif_request *req)
{
    if (req->sector_number == BAD_SECTOR) {
        fake_dom0_respond(d, req->id, req->operation, BLKIF_RSP_ERROR);
        fake_dom0_flush(d);
    } else {
        fake_dom0_serve(d, req);
    }
}

static void an_error_of_a_part_is_the_error_of_the_whole(void **state)
{
    (void)state;
    meet((struct fake_dom0_script){.disk = disk, .request = one_bad_sector},
         (struct blkfront_options){.sectors_per_request = 1});
    assert_int_equal(blkfront_read(bf, 0, BAD_SECTOR, back), 0);
    assert_int_equal(blkfront_read(bf, 0, BAD_SECTOR + 1, back), -EIO);
    assert_int_equal(blkfront_write(bf, BAD_SECTOR, 50, data), -EIO);
    uint64_t before = requests();
    /* The error comes with the first answers: of the rest, little is asked. */
    assert_int_equal(blkfront_write(bf, BAD_SECTOR, 8000, data), -EIO);
    assert_in_range(requests() - before, 1, 64);
    assert_int_equal(blkfront_write(bf, BAD_SECTOR + 1, 500, data), 0);
}

/* ---- a Dom0 that waits ---- */

struct keeper {
    struct blkif_request kept[KEPT_MAX];
    uint64_t order[KEPT_MAX]; /* first sectors, as they came once it answered */
    uint32_t count;           /* atomic */
    uint32_t came;            /* atomic: since it answers */
    uint32_t answers;         /* atomic: it does */
};

static struct keeper keeper;

static void keep(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct keeper *k = fake_dom0_ctx(d);
    if (load_full_u32(&k->answers) != 0) {
        if (k->came < KEPT_MAX)
            k->order[k->came] = req->sector_number;
        store_full_u32(&k->came, k->came + 1);
        fake_dom0_serve(d, req);
        return;
    }
    k->kept[k->count] = *req;
    store_full_u32(&k->count, k->count + 1);
}

static void answer_kept(struct fake_dom0 *d)
{
    struct keeper *k = fake_dom0_ctx(d);
    if (load_full_u32(&k->answers) == 0)
        return;
    for (uint32_t i = 0; i < k->count; i++)
        fake_dom0_serve(d, &k->kept[i]);
    store_full_u32(&k->count, 0);
}

static void meet_keeper(uint64_t timeout_ns)
{
    memset(&keeper, 0, sizeof(keeper));
    meet(
        (struct fake_dom0_script){
            .disk = disk, .request = keep, .idle = answer_kept, .ctx = &keeper},
        (struct blkfront_options){.sectors_per_request = 1, .timeout_ns = timeout_ns});
}

static void let_it_answer(void)
{
    store_full_u32(&keeper.answers, 1);
    fake_dom0_wake(dom0);
}

/* Buffers are the caller's when the time is up, whatever Dom0 does with the parts later. */
static void a_large_request_ends_when_its_time_is_up(void **state)
{
    (void)state;
    meet_keeper(30 * MS);
    memset(back, 0x77, sizeof(back));
    assert_int_equal(blkfront_read(bf, 0, 100, back), -ETIMEDOUT);
    assert_true(list_is_empty(&bf->queue[0].unasked));
    assert_int_equal(blkfront_write(bf, 200, 1, data), -ETIMEDOUT); /* no entry is free */
    assert_true(list_is_empty(&bf->queue[0].unasked));
    let_it_answer();
    int rc;
    while ((rc = blkfront_write(bf, 300, 100, data)) == -ETIMEDOUT) /* on a slow machine */
        continue;
    assert_int_equal(rc, 0);
    assert_memory_equal(seen() + 300 * 512, data, 100 * 512);
    for (uint32_t i = 0; i < 100 * 512; i++)
        assert_int_equal(back[i], 0x77);
    const uint8_t *at_end = seen();
    for (uint32_t i = 0; i < 512; i++)
        assert_int_equal(at_end[200 * 512 + i], 0);
}

static void *call_write(void *arg)
{
    struct caller *caller = arg;
    caller->rc = blkfront_write(bf, caller->sector, caller->count, data);
    return NULL;
}

static void start_call(struct caller *caller, uint32_t sector, uint32_t count)
{
    *caller = (struct caller){.sector = sector, .count = count};
    assert_int_equal(pthread_create(&caller->thread, NULL, call_write, caller), 0);
}

static uint32_t waiting_calls(void)
{
    uint32_t count = 0;
    pthread_mutex_lock(&bf->queue[0].lock);
    for (struct list_node *n = list_first(&bf->queue[0].unasked); n != NULL;
         n = list_next(&bf->queue[0].unasked, n))
        count++;
    pthread_mutex_unlock(&bf->queue[0].lock);
    return count;
}

/* A thousand parts, on a ring of 32; a small one that comes later takes turns with them. */
static void a_small_request_waits_for_no_large_one(void **state)
{
    (void)state;
    struct caller large, small;
    meet_keeper(0);
    start_call(&large, 0, 1000);
    while (waiting_calls() < 1)
        sched_yield();
    start_call(&small, 5000, 1);
    while (waiting_calls() < 2 || load_full_u32(&keeper.count) < 32)
        sched_yield();
    let_it_answer();
    pthread_join(small.thread, NULL);
    pthread_join(large.thread, NULL);
    assert_int_equal(small.rc, 0);
    assert_int_equal(large.rc, 0);
    assert_true(load_full_u32(&keeper.came) > 1);
    assert_true(keeper.order[0] == 5000 || keeper.order[1] == 5000);
    assert_memory_equal(seen(), data, 1000 * 512);
}

/* Of both kinds: on the ring, and waiting for an entry. */
static void calls_in_flight_end_when_dom0_dies(void **state)
{
    (void)state;
    struct caller large, small;
    meet_keeper(0);
    start_call(&large, 0, 1000);
    while (waiting_calls() < 1)
        sched_yield();
    start_call(&small, 5000, 1);
    while (waiting_calls() < 2)
        sched_yield();
    fake_dom0_stop(dom0);
    dom0 = NULL;
    pthread_join(small.thread, NULL);
    pthread_join(large.thread, NULL);
    assert_int_equal(small.rc, -ENOTCONN);
    assert_int_equal(large.rc, -ENOTCONN);
    assert_int_equal(blkfront_flush(bf), -ENOTCONN);
}

int main(void)
{
#define CALL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CALL_TEST(an_error_of_a_part_is_the_error_of_the_whole),
        CALL_TEST(a_large_request_ends_when_its_time_is_up),
        CALL_TEST(a_small_request_waits_for_no_large_one),
        CALL_TEST(calls_in_flight_end_when_dom0_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
