/* SPDX-License-Identifier: MIT */
/* blkfront_wait: who may spin, and what ends that. */
#include <sched.h>

#include "base/clock.h"
#include "domu/blkfront/blkfront_private.h"
#include "unit/domu/blkfront/blkfront_fixture.h"

enum { ELSEWHERE = 4711, FOR_EVER_NS = UINT32_MAX, A_WHILE_NS = 2000000 };

static struct blkfront_queue *queue;
static uint8_t data[512];

static void open_disk(void (*request)(struct fake_dom0 *, const struct blkif_request *), void *ctx,
                      bool no_spin)
{
    connect_to(&(struct fake_dom0_script){.request = request, .ctx = ctx},
               (struct blkfront_options){.depth = 4, .sectors_per_request = 1, .no_spin = no_spin});
    queue = &bf->queue[0];
}

static void spin_for(uint32_t limit_ns, uint32_t request_index)
{
    struct read_waiter waiter = {.word = WAITER_AWAKE, .any = true};
    const struct spin_target target = {.request_index = request_index};
    struct wake_batch wakes;
    wakes.count = 0;
    blkfront_spin(queue, &waiter, &target, limit_ns, &wakes);
    blkfront_unlock(queue, &wakes);
}

static void assert_spins(uint64_t won, uint64_t lost)
{
    struct blkfront_stats stats;
    blkfront_stats(bf, &stats);
    assert_int_equal(stats.spins_won, won);
    assert_int_equal(stats.spins_lost, lost);
}

/* On another CPU than Dom0's, which is told of that. */
static void who_shares_dom0s_cpu_may_not_spin(void **state)
{
    cpu_set_t before, one;
    (void)state;
    open_disk(NULL, NULL, false);
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    int cpu = sched_getcpu();
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    struct hints *hints = bf->hints;
    store_relaxed_u32(&hints->dom0_cpu, (uint32_t)cpu);
    assert_int_equal(blkfront_may_spin(queue), 0);
    store_relaxed_u32(&hints->dom0_cpu, HINTS_CPU_NONE);
    assert_int_equal(blkfront_may_spin(queue), 0);
    assert_int_equal(load_relaxed_u32(&hints->domu_cpu), HINTS_CPU_NONE);
    store_relaxed_u32(&hints->dom0_cpu, ELSEWHERE);
    assert_true(blkfront_may_spin(queue) > 0);
    assert_int_equal(load_relaxed_u32(&hints->domu_cpu), cpu);
    assert_int_equal(blkfront_read(bf, 1, 1, data), 0);
    assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

static void who_was_told_not_to_does_not_spin(void **state)
{
    (void)state;
    open_disk(NULL, NULL, true);
    store_relaxed_u32(&bf->hints->dom0_cpu, ELSEWHERE);
    assert_int_equal(blkfront_may_spin(queue), 0);
    assert_int_equal(load_relaxed_u32(&bf->hints->domu_cpu), HINTS_CPU_NONE);
}

static void an_answer_ends_it(void **state)
{
    struct blkfront_completion done;
    (void)state;
    open_disk(NULL, NULL, false);
    uint32_t index = queue->ring.half.rsp_cons;
    assert_int_equal(blkfront_submit(bf, 7, 1, data, NULL), 0);
    assert_int_equal(blkfront_kick(bf), 0);
    spin_for(FOR_EVER_NS, index);
    /* Dom0 may have gone to sleep at once: then the spin may have ended before the answer. */
    assert_int_equal(blkfront_reap(bf, &done, 1, 1), 1);
    assert_int_equal(done.status, 0);
    assert_true(fake_disk_holds(data, 7, 1));
    struct blkfront_stats stats;
    blkfront_stats(bf, &stats);
    assert_true(stats.spins_won + stats.spins_lost >= 1);
}

/* Dom0 has taken the request, and sleeps. */
static void a_request_that_went_to_the_disk_ends_it(void **state)
{
    static struct quiet_liar counter;
    (void)state;
    counter.seen = 0;
    open_disk(ignore, &counter, false);
    uint32_t index = queue->ring.half.rsp_cons;
    assert_int_equal(blkfront_submit(bf, 7, 1, data, NULL), 0);
    assert_int_equal(blkfront_kick(bf), 0);
    wait_until_seen(&counter, 1);
    spin_for(FOR_EVER_NS, index);
    assert_spins(0, 1);
}

static void time_ends_it(void **state)
{
    static struct quiet_liar counter;
    (void)state;
    counter.seen = 0;
    open_disk(ignore, &counter, false);
    uint64_t begin_ns = clock_monotonic_ns();
    spin_for(A_WHILE_NS, queue->ring.half.rsp_cons + 100); /* one that Dom0 has not come to */
    assert_true(clock_monotonic_ns() - begin_ns >= A_WHILE_NS);
    assert_spins(0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRONT_TEST(who_shares_dom0s_cpu_may_not_spin),
        FRONT_TEST(who_was_told_not_to_does_not_spin),
        FRONT_TEST(an_answer_ends_it),
        FRONT_TEST(a_request_that_went_to_the_disk_ends_it),
        FRONT_TEST(time_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
