/* SPDX-License-Identifier: MIT */
/* blkfront's link to Dom0, with reconnect: one Dom0 dies, the next one takes over. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "domu/blkfront/blkfront_private.h"
#include "fakes/fake_disk.h"
#include "fakes/fake_dom0.h"
#include "service/block/cache/shared_cache.h"
#include "tdf/pvclock.h"

enum { DEPTH = 8, HANG_S = 60 };

static const struct blkfront_options options = {.size = sizeof(struct blkfront_options),
                                                .name = "fake",
                                                .depth = DEPTH,
                                                .sectors_per_request = 1,
                                                .reconnect = true};

static char base[64];
static struct fake_dom0 *dom0;
static struct blkfront *bf;
static struct blkfront_error why;
static uint8_t bytes[DEPTH][512];

static int setup(void **state)
{
    (void)state;
    alarm(HANG_S); /* a thread that waits for ever ends the test */
    bf = NULL;
    dom0 = NULL;
    snprintf(base, sizeof(base), "/tmp/splitdom-link-XXXXXX");
    return mkdtemp(base) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    blkfront_close(bf);
    if (dom0 != NULL)
        fake_dom0_stop(dom0);
    alarm(0);
    return rmdir(base);
}

static void start(const struct fake_dom0_script *script)
{
    dom0 = fake_dom0_start(base, script);
    assert_non_null(dom0);
}

static int dial(bool reconnect)
{
    struct blkfront_options mine = options;
    mine.rundir = base;
    mine.reconnect = reconnect;
    return blkfront_connect(&mine, &bf, &why);
}

static void die(void)
{
    fake_dom0_stop(dom0);
    dom0 = NULL;
}

static bool is_linking(void)
{
    pthread_mutex_lock(&bf->queue[0].lock);
    bool linking = bf->queue[0].linking;
    pthread_mutex_unlock(&bf->queue[0].lock);
    return linking;
}

static void ignore(struct fake_dom0 *d, const struct blkif_request *req)
{
    (void)d;
    (void)req;
}

/* Submits reads of sectors first.. with the buffers from..DEPTH-1. */
static void submit(uint32_t from, uint32_t count)
{
    for (uint32_t i = from; i < from + count; i++)
        assert_int_equal(blkfront_submit(bf, 1000 + i, 1, bytes[i], bytes[i]), 0);
}

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
    shared_cache_put(shared, 0, 1000, bytes[0]);
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

/* ---- time ---- */

enum { NR_LIVES = 12, NR_CLOCK_READERS = 3 };

/* A life's clock: how fast it goes, where it begins; the page, for a death in an update. */
static struct tdf life_tdf;
static uint64_t life_begins_ns;
static struct shared_info *life_page;

static void publish_clock(struct segment *segment)
{
    struct vcpu_time_info line = {.system_time = life_begins_ns,
                                  .tsc_timestamp = clock_monotonic_ns(),
                                  .pad1 = {PVCLOCK_COUNTER_MONOTONIC, 0},
                                  .version = 2};
    pvclock_set_rate(&line, tdf_rate_fp(life_tdf, 1, 1));
    life_page = segment->shared_info;
    pvclock_publish_all_begin(life_page, LIFE_NR_CLOCKS, 0);
    pvclock_publish_all_end(life_page, LIFE_NR_CLOCKS, &line);
}

static uint64_t newest_ns;
static uint32_t readers_stop, readers_saw_a_step;

static void *read_clock(void *arg)
{
    (void)arg;
    while (load_full_u32(&readers_stop) == 0) {
        uint64_t known_ns = load_full_u64(&newest_ns), now_ns = blkfront_now_ns(bf);
        if (now_ns < known_ns)
            store_full_u32(&readers_saw_a_step, 1);
        while (known_ns < now_ns && !compare_exchange_full_u64(&newest_ns, &known_ns, now_ns))
            ;
    }
    return NULL;
}

static void await_link(void)
{
    assert_int_equal(blkfront_read(bf, 1, 1, bytes[0]), 0);
}

/* Each life's clock begins at 0 and at another rate; every other one dies in an update. */
static void time_never_steps_back_from_one_life_to_the_next(void **state)
{
    static const struct tdf rates[] = {{1, 1000}, {10, 1}, {1, 10}, {1, 1}};
    const struct fake_dom0_script script = {.change_segment = publish_clock};
    pthread_t threads[NR_CLOCK_READERS];
    (void)state;
    life_tdf = rates[0];
    life_begins_ns = 1000;
    newest_ns = 0;
    readers_stop = readers_saw_a_step = 0;
    start(&script);
    assert_int_equal(dial(true), 0);
    for (int i = 0; i < NR_CLOCK_READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_clock, NULL), 0);
    for (int life = 1; life <= NR_LIVES; life++) {
        await_link();
        if (life % 2 == 0)
            pvclock_publish_all_begin(life_page, LIFE_NR_CLOCKS, 2);
        die();
        life_tdf = rates[life % 4];
        life_begins_ns = 0;
        start(&script);
    }
    await_link();
    store_full_u32(&readers_stop, 1);
    for (int i = 0; i < NR_CLOCK_READERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(readers_saw_a_step, 0);
    assert_true(newest_ns > 0);
}

/* Nobody looked at the clock while Dom0 was at it; the update is never ended. */
static void a_death_in_an_update_loses_no_time(void **state)
{
    uint64_t last_ns, now_ns;
    (void)state;
    life_tdf = (struct tdf){1, 1};
    life_begins_ns = UINT64_C(1) << 50;
    start(&(struct fake_dom0_script){.change_segment = publish_clock});
    assert_int_equal(dial(true), 0);
    assert_int_equal(blkfront_clock_ns(bf, &last_ns), 0);
    assert_true(last_ns >= life_begins_ns);
    pvclock_publish_all_begin(life_page, LIFE_NR_CLOCKS, 2);
    assert_int_equal(blkfront_clock_ns(bf, &now_ns), -ETIMEDOUT);
    assert_true(now_ns >= last_ns);
    die();
    while (blkfront_clock_ns(bf, &now_ns) != -ENOTCONN)
        assert_true(now_ns >= last_ns);
    last_ns = now_ns;
    while (blkfront_now_ns(bf) < last_ns + 1000000) /* it goes on */
        sched_yield();
    life_begins_ns = 5;
    start(&(struct fake_dom0_script){.change_segment = publish_clock});
    await_link();
    assert_int_equal(blkfront_clock_ns(bf, &now_ns), 0);
    assert_true(now_ns >= last_ns + 1000000);
}

/* A Dom0 that stopped in the middle of setting up the clock gives no time to begin with. */
static void never_set(struct segment *segment)
{
    pvclock_publish_all_begin(segment->shared_info, LIFE_NR_CLOCKS, 0);
}

static void a_clock_that_is_never_set_is_no_domain(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){.change_segment = never_set});
    assert_int_equal(dial(false), -ETIMEDOUT);
    assert_non_null(strstr(why.text, "clock"));
}

static void without_reconnect_time_goes_on_too(void **state)
{
    uint64_t last_ns, now_ns;
    (void)state;
    life_tdf = (struct tdf){1, 10};
    life_begins_ns = 77;
    start(&(struct fake_dom0_script){.change_segment = publish_clock});
    assert_int_equal(dial(false), 0);
    last_ns = blkfront_now_ns(bf);
    die();
    while (blkfront_clock_ns(bf, &now_ns) != -ENOTCONN)
        sched_yield();
    assert_true(now_ns >= last_ns);
    while (blkfront_now_ns(bf) < now_ns + 1000000)
        sched_yield();
}

static void close_the_disk(struct fake_dom0 *d, const struct blkif_request *req)
{
    (void)req;
    fake_dom0_node(d, "state", "5");
    fake_dom0_pump(d);
}

/* The disk was closed; the domain lives on, and Dom0 dies later. */
static void without_a_disk_time_goes_on_too(void **state)
{
    uint64_t last_ns, now_ns;
    (void)state;
    life_tdf = (struct tdf){1, 1};
    life_begins_ns = 77;
    start(&(struct fake_dom0_script){.change_segment = publish_clock, .request = close_the_disk});
    assert_int_equal(dial(false), 0);
    assert_int_equal(blkfront_read(bf, 1, 1, bytes[0]), -ENOTCONN);
    assert_int_equal(blkfront_clock_ns(bf, &last_ns), 0);
    pvclock_publish_all_begin(life_page, LIFE_NR_CLOCKS, 2);
    die();
    while (blkfront_clock_ns(bf, &now_ns) != -ENOTCONN)
        sched_yield();
    assert_true(now_ns >= last_ns);
}

/* ---- patience ---- */

static uint64_t fake_ns; /* atomic */

static uint64_t fake_clock(void *step_ns)
{
    uint64_t now_ns = load_full_u64(&fake_ns) + *(uint64_t *)step_ns;
    store_full_u64(&fake_ns, now_ns);
    return now_ns;
}

/* step_ns pass between two looks at the clock. */
static void live_by_the_fake_clock(uint64_t step_ns)
{
    static uint64_t kept_ns;
    kept_ns = step_ns;
    pthread_mutex_lock(
        &bf->queue[0].lock); /* the link thread takes it before it becomes impatient */
    bf->domu->patience.now_ns = fake_clock;
    bf->domu->patience.ctx = &kept_ns;
    pthread_mutex_unlock(&bf->queue[0].lock);
}

static uint32_t attempts; /* atomic */

/* As a service that is full, and takes ten seconds to say so. */
static void refuse_slowly(struct control_reply *reply, int *fd_count)
{
    store_full_u64(&fake_ns, load_full_u64(&fake_ns) + 10 * CLOCK_NS_PER_SEC);
    store_full_u32(&attempts, load_full_u32(&attempts) + 1);
    reply->status = -EAGAIN;
    *fd_count = 0;
}

static void a_minute_is_a_minute_however_long_an_attempt_takes(void **state)
{
    (void)state;
    attempts = 0;
    start(&(struct fake_dom0_script){0});
    assert_int_equal(dial(true), 0);
    live_by_the_fake_clock(0);
    die();
    start(&(struct fake_dom0_script){.change_reply = refuse_slowly});
    assert_int_equal(blkfront_read(bf, 1, 1, bytes[0]), -ENOTCONN);
    assert_int_equal(load_full_u32(&attempts), 6);
}

static void an_attempt_ends_with_the_minute(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){0});
    assert_int_equal(dial(true), 0);
    live_by_the_fake_clock(30 * CLOCK_NS_PER_SEC);
    uint64_t begin_ns = clock_monotonic_ns();
    die();
    start(&(struct fake_dom0_script){0});
    fake_dom0_freeze(dom0); /* it holds a connection, and says nothing */
    assert_int_equal(blkfront_read(bf, 1, 1, bytes[0]), -ENOTCONN);
    assert_true(clock_monotonic_ns() - begin_ns < 20 * CLOCK_NS_PER_SEC);
}

/* At any moment of the link's life. */
static void closing_takes_a_second_when_dom0_stands_still(void **state)
{
    (void)state;
    for (uint32_t reads = 0; reads <= DEPTH; reads += DEPTH) {
        start(&(struct fake_dom0_script){.request = ignore});
        assert_int_equal(dial(reads != 0), 0);
        submit(0, reads);
        fake_dom0_freeze(dom0);
        uint64_t begin_ns = clock_monotonic_ns();
        blkfront_close(bf);
        bf = NULL;
        uint64_t took_ms = (clock_monotonic_ns() - begin_ns) / 1000000;
        assert_in_range(took_ms, BLKFRONT_CLOSE_MS / 2, BLKFRONT_CLOSE_MS * 10);
        die();
    }
}

static void closing_takes_a_second_when_the_next_one_stands_still(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){0});
    assert_int_equal(dial(true), 0);
    die();
    start(&(struct fake_dom0_script){0});
    fake_dom0_freeze(dom0);
    while (!is_linking())
        sched_yield();
    uint64_t begin_ns = clock_monotonic_ns();
    blkfront_close(bf);
    bf = NULL;
    assert_in_range((clock_monotonic_ns() - begin_ns) / 1000000, 0, BLKFRONT_CLOSE_MS * 10);
}

static int deaths_left;

/* As a Dom0 that was told to stop before it had made the domain. */
static void end_before_the_domain_is_made(struct control_reply *reply, int *fd_count)
{
    if (deaths_left == 0)
        return;
    deaths_left--;
    reply->status = -ENOTCONN;
    *fd_count = 0;
}

static void a_death_during_the_first_connection_is_outlived(void **state)
{
    (void)state;
    deaths_left = 2;
    start(&(struct fake_dom0_script){.change_reply = end_before_the_domain_is_made});
    assert_int_equal(dial(true), 0);
    assert_int_equal(deaths_left, 0);
    assert_int_equal(blkfront_read(bf, 5, 1, bytes[0]), 0);
    assert_true(fake_disk_holds(bytes[0], 5, 1));
}

static void without_reconnect_it_is_an_error(void **state)
{
    (void)state;
    deaths_left = 1;
    start(&(struct fake_dom0_script){.change_reply = end_before_the_domain_is_made});
    assert_int_equal(dial(false), -ENOTCONN);
    assert_null(bf);
    assert_non_null(strstr(why.text, "before it had made a domain"));
}

static void there_must_be_a_service_to_begin_with(void **state)
{
    (void)state;
    assert_int_equal(dial(true), -ENOENT);
    assert_null(bf);
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
        LINK_TEST(time_never_steps_back_from_one_life_to_the_next),
        LINK_TEST(a_death_in_an_update_loses_no_time),
        LINK_TEST(a_clock_that_is_never_set_is_no_domain),
        LINK_TEST(without_reconnect_time_goes_on_too),
        LINK_TEST(without_a_disk_time_goes_on_too),
        LINK_TEST(a_minute_is_a_minute_however_long_an_attempt_takes),
        LINK_TEST(an_attempt_ends_with_the_minute),
        LINK_TEST(closing_takes_a_second_when_dom0_stands_still),
        LINK_TEST(closing_takes_a_second_when_the_next_one_stands_still),
        LINK_TEST(a_death_during_the_first_connection_is_outlived),
        LINK_TEST(without_reconnect_it_is_an_error),
        LINK_TEST(there_must_be_a_service_to_begin_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
