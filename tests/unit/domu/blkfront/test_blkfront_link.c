/* SPDX-License-Identifier: MIT */
/* blkfront's link to Dom0, with reconnect: one Dom0 dies, the next one takes over. */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "fakes/fake_disk.h"
#include "service/block/cache/shared_cache.h"
#include "unit/domu/blkfront/blkfront_link_fixture.h"

static void reap_all(uint32_t count)
{
    struct blkfront_completion done[DEPTH];
    bool seen[DEPTH] = {false};
    while (count > 0) {
        int n = blkfront_reap(bf, done, DEPTH, 1);
        assert_true(n > 0);
        for (int i = 0; i < n; i++) {
            uint32_t slot = (uint32_t)(done[i].sector - 1000);
            assert_int_equal(done[i].status, 0);
            assert_ptr_equal(done[i].cookie, bytes[slot]);
            assert_true(fake_disk_holds(bytes[slot], done[i].sector, 1));
            assert_false(seen[slot]);
            seen[slot] = true;
        }
        count -= (uint32_t)n;
    }
}

/* Three reads are lost with their Dom0, five are asked while there is none. */
static void reads_asked_while_dom0_is_away_are_answered_by_the_next(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){.request = ignore});
    assert_int_equal(dial(true), 0);
    submit(0, 3);
    assert_int_equal(blkfront_kick(bf), 0);
    die();
    while (!is_linking())
        sched_yield();
    submit(3, DEPTH - 3);
    assert_int_equal(blkfront_submit(bf, 9, 1, bytes[0], NULL), -EAGAIN); /* depth are in flight */
    assert_int_equal(blkfront_kick(bf), 0);
    start(&(struct fake_dom0_script){0});
    reap_all(DEPTH);
    struct blkfront_stats stats;
    blkfront_stats(bf, &stats);
    assert_int_equal(stats.reconnects, 1);
    submit(0, DEPTH);
    reap_all(DEPTH);
}

/* The link has got as far as the second Dom0's cache when that one dies. The third shares none, and
 * its disk has been written to. */
static void the_cache_of_a_dom0_that_never_was_ours_is_forgotten(void **state)
{
    (void)state;
    struct shared_cache *shared;
    struct shared_cache_claims claims = {0};
    struct cache_view *view;
    assert_int_equal(shared_cache_create(1, &shared), 0);
    memset(bytes[0], 0x5a, sizeof(bytes[0]));
    shared_cache_fill(shared, 0, 1000, bytes[0]);
    shared_cache_show(shared, 0, 1000);
    assert_int_equal(cache_view_open(shared_cache_fd(shared), &claims, &view), 0);
    start(&(struct fake_dom0_script){0});
    assert_int_equal(dial(true), 0);
    die();
    while (!is_linking())
        sched_yield();
    pthread_mutex_lock(&bf->lock);
    bf->view = view;
    pthread_mutex_unlock(&bf->lock);
    start(&(struct fake_dom0_script){0});
    while (is_linking())
        sched_yield();
    assert_int_equal(blkfront_read(bf, 1000, 1, bytes[0]), 0);
    assert_true(fake_disk_holds(bytes[0], 1000, 1));
    blkfront_close(bf);
    bf = NULL;
    shared_cache_destroy(shared);
}

static void offer_cache(struct fake_dom0 *d, struct xs_server *store)
{
    (void)store;
    fake_dom0_node(d, "feature-shared-cache", "1");
}

static void who_wants_no_shared_cache_has_none(void **state)
{
    (void)state;
    for (int wants = 1; wants >= 0; wants--) {
        struct blkfront_options mine = options;
        mine.rundir = base;
        mine.no_shared_cache = wants == 0;
        start(&(struct fake_dom0_script){.change_features = offer_cache});
        assert_int_equal(blkfront_connect(&mine, &bf, &why), 0);
        assert_int_equal(bf->front.shared_cache, wants);
        assert_int_equal(bf->claims != NULL, wants);
        blkfront_close(bf);
        bf = NULL;
        die();
    }
}

/* There is no page for claims. */
static void a_cache_is_shared_from_the_first_dom0_on_or_not_at_all(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){0});
    assert_int_equal(dial(true), 0);
    die();
    while (!is_linking())
        sched_yield();
    start(&(struct fake_dom0_script){.change_features = offer_cache});
    assert_int_equal(blkfront_read(bf, 5, 1, bytes[0]), 0);
    assert_false(bf->front.shared_cache);
    assert_null(bf->claims);
}

static void *read_one(void *arg)
{
    uint8_t *buffer = arg;
    return (void *)(intptr_t)blkfront_read(bf, 77, 1, buffer);
}

static void a_thread_that_asks_while_dom0_is_away_waits_for_the_next(void **state)
{
    (void)state;
    pthread_t thread;
    void *status;
    start(&(struct fake_dom0_script){0});
    assert_int_equal(dial(true), 0);
    die();
    while (!is_linking())
        sched_yield();
    assert_int_equal(pthread_create(&thread, NULL, read_one, bytes[0]), 0);
    start(&(struct fake_dom0_script){0});
    assert_int_equal(pthread_join(thread, &status), 0);
    assert_int_equal((intptr_t)status, 0);
    assert_true(fake_disk_holds(bytes[0], 77, 1));
}

static struct sring scratch;

/* Takes the read and is never seen to go to sleep: it writes to another page from now on. */
static void take_and_vanish(struct fake_dom0 *d, const struct blkif_request *req)
{
    (void)req;
    scratch = (struct sring){.req_prod = fake_dom0_ring(d)->half.req_cons};
    fake_dom0_ring(d)->half.sring = &scratch;
}

/* A thread that spins for longer than any budget allows: until something is answered. */
static void *spin(void *started)
{
    struct read_waiter waiter = {.any = true};
    struct wake_batch wakes;
    wakes.count = 0;
    store_full_u32(started, 1);
    blkfront_spin(&bf->queue[0], &waiter, &(struct spin_target){0}, UINT32_MAX, &wakes);
    blkfront_unlock(&bf->queue[0], &wakes);
    return NULL;
}

/* The ring is made anew under its eyes. (ThreadSanitizer sees whether that is sound.) */
static void a_thread_spins_while_dom0_is_replaced(void **state)
{
    (void)state;
    struct blkfront_stats stats;
    pthread_t thread;
    uint32_t started = 0;
    start(&(struct fake_dom0_script){.request = take_and_vanish});
    assert_int_equal(dial(true), 0);
    assert_int_equal(pthread_create(&thread, NULL, spin, &started), 0);
    while (load_full_u32(&started) == 0)
        sched_yield();
    submit(0, 1);
    assert_int_equal(blkfront_kick(bf), 0);
    die();
    start(&(struct fake_dom0_script){0});
    assert_int_equal(pthread_join(thread, NULL), 0);
    reap_all(1);
    blkfront_stats(bf, &stats);
    assert_int_equal(stats.reconnects, 1);
    assert_int_equal(stats.spins_won, 1);
}

static void closing_does_not_wait_for_the_next(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){0});
    assert_int_equal(dial(true), 0);
    die();
    while (!is_linking())
        sched_yield();
    submit(0, 2);
    blkfront_close(bf);
    bf = NULL;
}

/* Rings of 64, 32 and 128 slots, one after the other: what finds no slot waits for one. */
static void a_next_one_may_grant_another_ring(void **state)
{
    enum { DEEP = 64, WAITING = 3 };
    (void)state;
    static uint8_t deep_bytes[DEEP][512];
    struct blkfront_completion done[DEEP];
    struct blkfront_stats stats;
    pthread_t threads[WAITING];
    static const uint32_t orders[] = {0, 2, 0};
    struct blkfront_options deep = options;
    deep.rundir = base;
    deep.depth = DEEP;
    start(&(struct fake_dom0_script){.max_order = 1, .request = ignore});
    assert_int_equal(blkfront_connect(&deep, &bf, &why), 0);
    for (uint32_t life = 0; life < sizeof(orders) / sizeof(orders[0]); life++) {
        bool seen[DEEP] = {false};
        for (uint32_t i = 0; i < DEEP; i++)
            assert_int_equal(blkfront_submit(bf, i, 1, deep_bytes[i], NULL), 0);
        for (uint32_t i = 0; i < WAITING; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, read_one, bytes[i]), 0);
        assert_int_equal(blkfront_kick(bf), 0);
        die();
        start(&(struct fake_dom0_script){.max_order = orders[life]});
        for (uint32_t count = 0; count < DEEP;) {
            int n = blkfront_reap(bf, done, DEEP, 1);
            assert_true(n > 0);
            for (int i = 0; i < n; i++) {
                assert_int_equal(done[i].status, 0);
                assert_true(fake_disk_holds(done[i].buffer, done[i].sector, 1));
                assert_false(seen[done[i].sector]);
                seen[done[i].sector] = true;
            }
            count += (uint32_t)n;
        }
        for (uint32_t i = 0; i < WAITING; i++) {
            void *status;
            assert_int_equal(pthread_join(threads[i], &status), 0);
            assert_int_equal((intptr_t)status, 0);
            assert_true(fake_disk_holds(bytes[i], 77, 1));
        }
        do /* the one before may have answered all, and just died */
            blkfront_stats(bf, &stats);
        while (stats.reconnects != life + 1);
        assert_int_equal(stats.ring_entries, orders[life] == 0 ? 32 : DEEP);
        assert_int_equal(stats.depth, DEEP);
    }
}

/* Three answers to three reads, all held back: the first one's twice, the last one's never. */
static void hold_and_lie(struct fake_dom0 *d, const struct blkif_request *req)
{
    static uint64_t id[3];
    id[req->sector_number % 3] = req->id;
    if (req->sector_number != 1002)
        return;
    const uint64_t answers[] = {id[1000 % 3], id[1000 % 3], id[1001 % 3]};
    for (uint32_t i = 0; i < 3; i++) {
        fake_dom0_respond(d, answers[i], req->operation, BLKIF_RSP_OKAY);
        blkif_put_response_stamp(fake_dom0_ring(d), UINT64_MAX / 2);
    }
    fake_dom0_flush(d);
}

/* A device that is disabled for good does not come back with the next Dom0, and has nothing to ask
 * it: its reads were given back. */
static void a_disabled_device_does_not_reconnect(void **state)
{
    (void)state;
    struct blkfront_completion done[DEPTH];
    struct blkfront_stats stats;
    start(&(struct fake_dom0_script){.request = hold_and_lie, .virtual_completion = true});
    assert_int_equal(dial(true), 0);
    submit(0, 3);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 3), 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(done[i].status, -EPROTO);
    die();
    start(&(struct fake_dom0_script){0});
    pthread_join(bf->domu->link_thread, NULL); /* it has nothing left to follow */
    bf->domu->link_runs = false;
    blkfront_stats(bf, &stats);
    assert_int_equal(stats.reconnects, 0);
    assert_int_equal(fake_dom0_domains(dom0), 0);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 1), -EPROTO);
    assert_int_equal(blkfront_submit(bf, 9, 1, bytes[0], NULL), -EPROTO);
    assert_int_equal(bf->queue[0].async_pending, 0);
}

int main(void)
{
#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        LINK_TEST(reads_asked_while_dom0_is_away_are_answered_by_the_next),
        LINK_TEST(the_cache_of_a_dom0_that_never_was_ours_is_forgotten),
        LINK_TEST(a_thread_that_asks_while_dom0_is_away_waits_for_the_next),
        LINK_TEST(a_thread_spins_while_dom0_is_replaced),
        LINK_TEST(closing_does_not_wait_for_the_next),
        LINK_TEST(a_next_one_may_grant_another_ring),
        LINK_TEST(a_disabled_device_does_not_reconnect),
        LINK_TEST(who_wants_no_shared_cache_has_none),
        LINK_TEST(a_cache_is_shared_from_the_first_dom0_on_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
