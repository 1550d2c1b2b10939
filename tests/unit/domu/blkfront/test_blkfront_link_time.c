/* SPDX-License-Identifier: MIT */
/* blkfront's link: the domain's clock from one Dom0 to the next, and without one. */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/clock.h"
#include "tdf/pvclock.h"
#include "unit/domu/blkfront/blkfront_link_fixture.h"

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

int main(void)
{
#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        LINK_TEST(time_never_steps_back_from_one_life_to_the_next),
        LINK_TEST(a_death_in_an_update_loses_no_time),
        LINK_TEST(a_clock_that_is_never_set_is_no_domain),
        LINK_TEST(without_reconnect_time_goes_on_too),
        LINK_TEST(without_a_disk_time_goes_on_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
