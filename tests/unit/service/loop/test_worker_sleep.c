/* SPDX-License-Identifier: MIT */
/* worker: when it sleeps, what ends a sleep, and a poller that fails. */
#include <errno.h>
#include <fcntl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit/service/loop/worker_fixture.h"

static void work_in_debt_waits_for_its_gate_and_wakes_the_worker(void **state)
{
    (void)state;
    const uint64_t open_ns = clock_monotonic_ns() + 3000000;
    f.work_waits = true;
    f.work.gate.closed_until_ns = open_ns;
    while (f.work_waits) {
        int rc = worker_turn(&f.worker);
        assert_true(rc >= 0);
        if (rc > 0 && f.work_waits)
            assert_int_equal(worker_sleep(&f.worker), 0);
    }
    assert_true(clock_monotonic_ns() >= open_ns);
    assert_true(strlen(f.calls) < 40); /* it slept meanwhile */
}

/* As an answer of dom0.sock leaves watch events for the store, whose turn it was before. */
static void work_that_comes_after_its_turn_keeps_the_worker_awake(void **state)
{
    (void)state;
    f.leaves_work = true;
    assert_int_equal(worker_turn(&f.worker), 0);
    assert_int_equal(worker_turn(&f.worker), 1);
    assert_false(f.work_waits);
}

static void in_debt_it_wakes_the_worker_when_its_gate_opens(void **state)
{
    (void)state;
    const uint64_t open_ns = clock_monotonic_ns() + 3000000;
    f.leaves_work = true;
    f.work.gate.closed_until_ns = open_ns;
    do {
        int rc = worker_turn(&f.worker);
        assert_true(rc >= 0);
        if (rc > 0 && f.work_waits)
            assert_int_equal(worker_sleep(&f.worker), 0);
    } while (f.work_waits);
    assert_true(clock_monotonic_ns() >= open_ns);
    assert_true(strlen(f.calls) < 40); /* it slept meanwhile */
}

static void a_sleep_ends_with_a_timer_of_its_own_clock(void **state)
{
    struct timer timer;
    bool done = false;
    (void)state;
    timer_init(&timer, &f.worker.own_time, fired, &done);
    timer_set(&timer, tdf_clock_now_ns(&f.worker.clock) + 2000000);
    while (!done) {
        assert_int_equal(worker_turn(&f.worker), 1);
        if (!done)
            assert_int_equal(worker_sleep(&f.worker), 0);
    }
    assert_true(strlen(f.calls) < 40);
}

static void it_does_not_sleep_shortly_before_a_disk_is_to_answer(void **state)
{
    struct timer timer;
    bool done = false;
    (void)state;
    timer_init(&timer, &f.worker.hold_time, fired, &done);
    timer_set(&timer, tdf_clock_now_ns(&f.worker.hold_clock) + 1);
    assert_int_equal(worker_sleep(&f.worker), 0);
    assert_true(f.worker.timers.armed_ns == UINT64_MAX); /* the timer was not needed */
    for (int i = 0; i < 1000; i++) { /* the clock may be some ns short of it at first */
        if (done)
            break;
        (void)worker_turn(&f.worker);
    }
    assert_true(done);
}

static void a_wait_ends_at_its_deadline_and_visits_nobody(void **state)
{
    (void)state;
    add_ring();
    uint64_t deadline_ns = clock_monotonic_ns() + 2000000;
    while (clock_monotonic_ns() < deadline_ns)
        assert_int_equal(worker_wait(&f.worker, deadline_ns), 0);
    assert_string_equal(f.calls, "");
}

/* A wait moves the timer away from where the sleeps before it had set it. */
static void a_sleep_after_a_wait_has_its_own_end(void **state)
{
    struct timer timer;
    struct itimerspec left;
    bool done = false;
    (void)state;
    timer_init(&timer, &f.worker.own_time, fired, &done);
    timer_set(&timer, tdf_clock_now_ns(&f.worker.clock) + 3600 * UINT64_C(1000000000));
    assert_int_equal(timers_arm(&f.worker.timers, f.worker.timer_fd), 0);
    assert_int_equal(worker_wait(&f.worker, 1), 0);
    assert_int_equal(timers_arm(&f.worker.timers, f.worker.timer_fd), 0);
    assert_int_equal(timerfd_gettime(f.worker.timer_fd, &left), 0);
    assert_in_range(left.it_value.tv_sec, 1, 3600);
    timer_stop(&timer);
}

static int run_fails(struct poller *p, bool sleep)
{
    (void)p;
    (void)sleep;
    return -EBADF;
}

static void an_error_of_the_poller_is_returned_and_no_turn_is_made(void **state)
{
    const struct poller_ops *whole = f.worker.poller->ops;
    struct poller_ops failing = *whole;
    (void)state;
    failing.run = run_fails;
    f.worker.poller->ops = &failing;
    int turn = worker_turn(&f.worker), sleep = worker_sleep(&f.worker);
    int wait = worker_wait(&f.worker, clock_monotonic_ns() + 1000000);
    f.worker.poller->ops = whole;
    assert_int_equal(turn, -EBADF);
    assert_int_equal(sleep, -EBADF);
    assert_int_equal(wait, -EBADF);
    assert_string_equal(f.calls, "");
}

static void an_error_of_its_timer_ends_it(void **state)
{
    (void)state;
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC), kept = dup(f.worker.timer_fd);
    assert_true(null_fd >= 0 && kept >= 0);
    assert_int_equal(dup2(null_fd, f.worker.timer_fd), f.worker.timer_fd);
    int wait = worker_wait(&f.worker, clock_monotonic_ns() + 1000000);
    assert_int_equal(dup2(kept, f.worker.timer_fd), f.worker.timer_fd);
    close(null_fd);
    assert_int_equal(wait, -EINVAL);
    assert_int_equal(worker_turn(&f.worker), -EINVAL);
    assert_non_null(strstr(poller_failure(f.worker.poller), "timer"));
    close(kept);
}

int main(void)
{
#define WORKER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        WORKER_TEST(work_in_debt_waits_for_its_gate_and_wakes_the_worker),
        WORKER_TEST(work_that_comes_after_its_turn_keeps_the_worker_awake),
        WORKER_TEST(in_debt_it_wakes_the_worker_when_its_gate_opens),
        WORKER_TEST(a_sleep_ends_with_a_timer_of_its_own_clock),
        WORKER_TEST(it_does_not_sleep_shortly_before_a_disk_is_to_answer),
        WORKER_TEST(a_sleep_after_a_wait_has_its_own_end),
        WORKER_TEST(a_wait_ends_at_its_deadline_and_visits_nobody),
        WORKER_TEST(an_error_of_its_timer_ends_it),
        WORKER_TEST(an_error_of_the_poller_is_returned_and_no_turn_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
