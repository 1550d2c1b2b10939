/* SPDX-License-Identifier: MIT */
/* blkfront's link: how long anything waits for a Dom0, and for which. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "fakes/fake_disk.h"
#include "unit/domu/blkfront/blkfront_link_fixture.h"

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

/* As a service that says something else each time, and takes so long to say so. */
static uint64_t takes_ms[2];

static void refuse_in_turn(struct control_reply *reply, int *fd_count)
{
    const uint32_t i = load_full_u32(&attempts);
    store_full_u32(&attempts, i + 1);
    store_full_u64(&fake_ns, load_full_u64(&fake_ns) + takes_ms[i % 2] * 1000000);
    snprintf(reply->reason, sizeof(reply->reason), "reason %u", i);
    reply->status = -EAGAIN;
    *fd_count = 0;
}

static void fail_with(uint64_t first_ms, uint64_t second_ms, const char *reason)
{
    attempts = 0;
    takes_ms[0] = first_ms;
    takes_ms[1] = second_ms;
    start(&(struct fake_dom0_script){0});
    assert_int_equal(dial(true), 0);
    live_by_the_fake_clock(0);
    die();
    start(&(struct fake_dom0_script){.change_reply = refuse_in_turn});
    assert_int_equal(blkfront_read(bf, 1, 1, bytes[0]), -ENOTCONN);
    assert_int_equal(load_full_u32(&attempts), 2);
    assert_non_null(strstr(blkfront_failure(bf), reason));
    blkfront_close(bf);
    bf = NULL;
    die();
}

static void an_attempt_that_is_cut_short_gives_no_reason(void **state)
{
    (void)state;
    fail_with(59900, 1000, "reason 0");
    fail_with(30000, 31000, "reason 1");
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
        LINK_TEST(a_minute_is_a_minute_however_long_an_attempt_takes),
        LINK_TEST(an_attempt_that_is_cut_short_gives_no_reason),
        LINK_TEST(an_attempt_ends_with_the_minute),
        LINK_TEST(closing_takes_a_second_when_dom0_stands_still),
        LINK_TEST(closing_takes_a_second_when_the_next_one_stands_still),
        LINK_TEST(a_death_during_the_first_connection_is_outlived),
        LINK_TEST(without_reconnect_it_is_an_error),
        LINK_TEST(there_must_be_a_service_to_begin_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
