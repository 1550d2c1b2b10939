/* SPDX-License-Identifier: MIT */
/* blkfront_view: how a view of Dom0's cache begins, with the file that Dom0 answers, and ends. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "domu/blkfront/blkfront_private.h"
#include "fakes/fake_disk.h"
#include "ring/barrier.h"
#include "service/block/cache/shared_cache.h"
#include "splitdom/control.h"
#include "unit/domu/blkfront/scene.h"

enum { CACHED = 8, FIRST = 1000, HANG_S = 60, LOOKS = 2000, HOLD_NS = 100000000 };

static struct shared_cache *shared;
static struct shared_cache_claims claims;
static uint8_t bytes[512];
static int answer;              /* of Dom0: below 0 an error */
static int given;               /* the descriptor that it gave */
static void (*meanwhile)(void); /* while it answers */

int __real_life_fetch(struct life *life, uint32_t op, uint32_t arg0);
int __wrap_life_fetch(struct life *life, uint32_t op, uint32_t arg0);
int __wrap_life_fetch(struct life *life, uint32_t op, uint32_t arg0)
{
    if (op != CONTROL_SHARED_CACHE)
        return __real_life_fetch(life, op, arg0);
    if (meanwhile != NULL)
        meanwhile();
    given = answer < 0 ? answer : fcntl(shared_cache_fd(shared), F_DUPFD_CLOEXEC, 0);
    return given;
}

/* A disk whose Dom0 has sectors FIRST.. in its cache, with other data than the disk's. */
static int setup(void **state)
{
    const struct blkfront_options options = {
        .size = sizeof(options), .rundir = base, .name = "fake", .depth = CACHED};
    struct blkfront_error why;
    (void)state;
    answer = 0;
    meanwhile = NULL;
    memset(&claims, 0, sizeof(claims));
    if (scene_open(HANG_S) < 0 || shared_cache_create(CACHED, &shared) < 0)
        return -1;
    for (uint32_t i = 0; i < CACHED; i++) {
        memset(bytes, 0x50, sizeof(bytes));
        shared_cache_fill(shared, i, FIRST + i, bytes);
        shared_cache_show(shared, i, FIRST + i);
    }
    dom0 = fake_dom0_start(base, &(struct fake_dom0_script){0});
    if (dom0 == NULL || blkfront_connect(&options, &bf, &why) < 0)
        return -1;
    bf->claims = &claims;
    bf->front.shared_cache = true;
    return 0;
}

static int end(void **state)
{
    int rc = teardown(state);
    shared_cache_destroy(shared);
    return rc;
}

static bool comes_from_the_cache(void)
{
    assert_int_equal(blkfront_read(bf, FIRST, 1, bytes), 0);
    if (bytes[511] == 0x50)
        return true;
    assert_true(fake_disk_holds(bytes, FIRST, 1));
    return false;
}

static void assert_lock_is_free(void)
{
    assert_int_equal(pthread_mutex_trylock(&bf->lock), 0);
    pthread_mutex_unlock(&bf->lock);
}

static void reads_are_served_from_the_file_that_dom0_gives(void **state)
{
    (void)state;
    assert_false(comes_from_the_cache());
    blkfront_view_start(bf);
    assert_lock_is_free();
    assert_true(comes_from_the_cache());
    assert_int_equal(fcntl(given, F_GETFD), -1); /* the mapping is enough */
    blkfront_view_stop(bf);
    assert_false(comes_from_the_cache());
}

static void several_hits_are_submitted_by_one_call(void **state)
{
    static uint8_t data[CACHED][512];
    struct blkfront_io ios[CACHED];
    struct blkfront_completion done[CACHED];
    (void)state;
    blkfront_view_start(bf);
    for (uint32_t i = 0; i < CACHED; i++)
        ios[i] = (struct blkfront_io){
            .operation = BLKFRONT_READ, .sector = FIRST + i, .sector_count = 1, .buffer = data[i]};
    assert_int_equal(blkfront_submit_many(bf, ios, CACHED), CACHED);
    assert_int_equal(blkfront_reap(bf, done, CACHED, CACHED), CACHED);
    for (uint32_t i = 0; i < CACHED; i++) {
        assert_int_equal(done[i].status, 0);
        assert_int_equal(done[i].sector, FIRST + i);
        assert_int_equal(data[i][511], 0x50);
    }
}

static void a_next_dom0_without_one_ends_the_last_view(void **state)
{
    (void)state;
    blkfront_view_start(bf);
    answer = -EPERM;
    blkfront_view_start(bf);
    assert_lock_is_free();
    assert_false(comes_from_the_cache());
    answer = 0;
    blkfront_view_start(bf);
    assert_true(comes_from_the_cache());
    bf->front.shared_cache = false; /* it does not offer any */
    blkfront_view_start(bf);
    assert_false(comes_from_the_cache());
}

static void fail_now(void)
{
    pthread_mutex_lock(&bf->lock);
    bf->failed = -EPROTO;
    pthread_mutex_unlock(&bf->lock);
}

static void a_disk_that_failed_meanwhile_has_no_view(void **state)
{
    (void)state;
    meanwhile = fail_now;
    blkfront_view_start(bf);
    assert_lock_is_free();
    assert_null(load_acquire_ptr(&bf->view));
    assert_int_equal(fcntl(given, F_GETFD), -1);
    pthread_mutex_lock(&bf->lock);
    bf->failed = 0;
    pthread_mutex_unlock(&bf->lock);
}

static pthread_t holder;
static uint32_t holds, has_seen; /* atomic */

/* Somebody who has the disk's lock sees no view come. Where others have the CPU, few looks take
 * long. */
static void *hold(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&bf->lock);
    store_full_u32(&holds, 1);
    const uint64_t end_ns = clock_monotonic_ns() + HOLD_NS;
    for (int i = 0; i < LOOKS && clock_monotonic_ns() < end_ns; i++) {
        if (load_acquire_ptr(&bf->view) != NULL)
            store_full_u32(&has_seen, 1);
        sched_yield();
    }
    pthread_mutex_unlock(&bf->lock);
    return NULL;
}

static void hold_now(void)
{
    store_full_u32(&holds, 0);
    assert_int_equal(pthread_create(&holder, NULL, hold, NULL), 0);
    while (load_full_u32(&holds) == 0)
        sched_yield();
}

static void it_begins_with_the_disks_lock(void **state)
{
    (void)state;
    meanwhile = hold_now;
    store_full_u32(&has_seen, 0);
    blkfront_view_start(bf);
    pthread_join(holder, NULL);
    assert_int_equal(load_full_u32(&has_seen), 0);
    assert_true(comes_from_the_cache());
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(reads_are_served_from_the_file_that_dom0_gives),
        WITH(a_next_dom0_without_one_ends_the_last_view),
        WITH(a_disk_that_failed_meanwhile_has_no_view),
        WITH(it_begins_with_the_disks_lock),
        WITH(several_hits_are_submitted_by_one_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
