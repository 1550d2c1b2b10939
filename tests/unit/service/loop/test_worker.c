/* SPDX-License-Identifier: MIT */
/* worker: the order of a turn, and its bounds. */
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "faults/fault_walk.h"
#include "unit/service/loop/worker_fixture.h"

static void a_round_is_rings_then_the_disk_then_other_work(void **state)
{
    (void)state;
    add_ring();
    f.requests = 3;
    f.work_waits = true;
    assert_int_equal(worker_turn(&f.worker), 1);
    assert_string_equal(f.calls, "<cdgcda>");
    assert_int_equal(worker_stats(&f.worker).requests, 3);
    assert_int_equal(worker_stats(&f.worker).turns, 2);
    assert_int_equal(worker_stats(&f.worker).arms, 1);
}

static void a_turn_has_four_rounds_at_most(void **state)
{
    (void)state;
    f.dispatched = 1;
    assert_int_equal(worker_turn(&f.worker), 0);
    assert_string_equal(f.calls, "<dddd>");
}

/* Events are looked at before each turn. The next one has its rounds again. */
static void who_hurries_ends_the_turn_with_the_round(void **state)
{
    (void)state;
    add_ring();
    f.dispatched = 1;
    f.hurries = 1;
    f.work_waits = true;
    assert_int_equal(worker_turn(&f.worker), 0);
    assert_string_equal(f.calls, "<cdg>");
    assert_int_equal(worker_turn(&f.worker), 0);
    assert_string_equal(f.calls, "<cdg><cdcdcdcd>");
}

static void it_looks_again_when_its_owner_has_changed_something(void **state)
{
    (void)state;
    f.changed = true;
    assert_int_equal(worker_turn(&f.worker), 0);
    f.changed = false;
    assert_int_equal(worker_turn(&f.worker), 1);
}

static void a_few_turns_share_a_reading_of_the_time(void **state)
{
    (void)state;
    (void)worker_turn(&f.worker);
    assert_int_equal(f.readings, 1);
    for (int i = 0; i < 10 * TURNS_PER_READING; i++)
        (void)worker_turn(&f.worker);
    assert_int_equal(f.readings, 11);
}

static void on_event(void *ctx, uint32_t revents)
{
    (void)ctx;
    (void)revents;
}

static void each_event_is_a_reading_of_the_time(void **state)
{
    struct poller_watch *watch;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)state;
    (void)worker_turn(&f.worker);
    assert_int_equal(poller_add(f.worker.poller, fd, POLLIN, on_event, NULL, &watch), 0);
    for (uint32_t i = 1; i <= 3; i++) {
        assert_int_equal(eventfd_write(fd, 1), 0);
        (void)worker_turn(&f.worker);
        assert_int_equal(f.readings, 1 + i);
    }
    poller_remove(f.worker.poller, watch);
    close(fd);
}

/* Also after a sleep that was none, because a timer is near. */
static void the_first_turn_after_a_sleep_reads_the_time(void **state)
{
    struct timer timer;
    bool done = false;
    (void)state;
    (void)worker_turn(&f.worker);
    timer_init(&timer, &f.worker.hold_time, fired, &done);
    timer_set(&timer, tdf_clock_now_ns(&f.worker.hold_clock) + 1);
    for (uint32_t i = 1; i <= 3; i++) {
        assert_int_equal(worker_sleep(&f.worker), 0);
        (void)worker_turn(&f.worker);
        assert_int_equal(f.readings, 1 + i);
        timer_set(&timer, tdf_clock_now_ns(&f.worker.hold_clock) + 1);
    }
    timer_stop(&timer);
}

static void a_request_moves_the_time_of_the_last_one(void **state)
{
    (void)state;
    uint64_t before_ns = f.worker.last_request_ns;
    (void)worker_turn(&f.worker);
    assert_int_equal(f.worker.last_request_ns, before_ns);
    add_ring();
    f.requests = 1;
    (void)worker_turn(&f.worker);
    assert_true(f.worker.last_request_ns > before_ns);
}

static void requests_put_other_work_on_credit(void **state)
{
    (void)state;
    add_ring();
    f.requests = 1;
    assert_true(work_gate_rings_quiet(&f.work.gate, clock_monotonic_ns()));
    (void)worker_turn(&f.worker);
    assert_false(work_gate_rings_quiet(&f.work.gate, f.worker.now_ns));
}

static int make(void *arg)
{
    struct worker w;
    int rc = worker_init(&w, arg);
    if (rc == 0)
        worker_fini(&w);
    return rc;
}

static void a_worker_that_lacks_something_leaves_nothing(void **state)
{
    struct worker_config config = {
        .poller = POLLER_EPOLL, .tdf = {1, 1}, .time_source = &f.time, .ops = &ops, .ctx = &f};

    (void)state;
    assert_int_equal(fault_walk(make, &config), 5);
}

int main(void)
{
#define WORKER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        WORKER_TEST(a_round_is_rings_then_the_disk_then_other_work),
        WORKER_TEST(a_turn_has_four_rounds_at_most),
        WORKER_TEST(who_hurries_ends_the_turn_with_the_round),
        WORKER_TEST(it_looks_again_when_its_owner_has_changed_something),
        WORKER_TEST(a_few_turns_share_a_reading_of_the_time),
        WORKER_TEST(each_event_is_a_reading_of_the_time),
        WORKER_TEST(the_first_turn_after_a_sleep_reads_the_time),
        WORKER_TEST(a_request_moves_the_time_of_the_last_one),
        WORKER_TEST(requests_put_other_work_on_credit),
        WORKER_TEST(a_worker_that_lacks_something_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
