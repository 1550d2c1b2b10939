/* SPDX-License-Identifier: MIT */
/* worker: the order of a turn, its bounds, and when it sleeps. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "service/loop/poller_private.h"
#include "service/loop/worker.h"
#include "splitdom/hints.h"

enum { TURNS_PER_READING = 8, ROUNDS_PER_TURN = 4 };

/* A worker with one pollable, one channel and one gated work, which all note that they were called.
 */
struct fixture {
    struct worker worker;
    struct tdf_source time;
    struct hints hints;
    struct poll_peer peer;
    struct pollable ring;
    struct gated_work work;
    char calls[256]; /* a letter each, in order */
    int requests;    /* that the ring will give */
    uint32_t dispatched;
    uint32_t hurries; /* in so many dispatches to come */
    bool work_waits, changed;
    bool leaves_work; /* the end of a turn does */
    uint32_t readings;
};

static struct fixture f;

static void note(char call)
{
    size_t length = strlen(f.calls);
    assert_true(length + 1 < sizeof(f.calls));
    f.calls[length] = call;
}

static int consume(struct pollable *p, uint64_t now_ns)
{
    int taken = f.requests;
    (void)p;
    (void)now_ns;
    note('c');
    f.requests = 0;
    return taken;
}

static void flush(struct pollable *p)
{
    (void)p;
}

static bool arm(struct pollable *p)
{
    (void)p;
    note('a');
    return false;
}

static void broken(struct pollable *p, int error)
{
    (void)p;
    (void)error;
}

static const struct pollable_ops ring_ops = {consume, flush, arm, broken};

static uint32_t dispatch(void *ctx, uint64_t now_ns)
{
    (void)now_ns;
    assert_ptr_equal(ctx, &f);
    note('d');
    if (f.hurries > 0) {
        f.hurries--;
        worker_hurry(&f.worker);
    }
    return f.dispatched;
}

static void begin_turn(void *ctx)
{
    (void)ctx;
    note('<');
}

static bool end_turn(void *ctx)
{
    (void)ctx;
    note('>');
    f.work_waits = f.work_waits || f.leaves_work;
    f.leaves_work = false;
    return f.changed;
}

static void time_read(void *ctx, uint64_t now_ns)
{
    (void)ctx;
    (void)now_ns;
    f.readings++;
}

static void reanchor(void *ctx)
{
    (void)ctx;
}

static const struct worker_ops ops = {.dispatch = dispatch,
                                      .begin_turn = begin_turn,
                                      .end_turn = end_turn,
                                      .time_read = time_read,
                                      .reanchor = reanchor};

static bool waits(struct gated_work *work)
{
    assert_ptr_equal(work, &f.work);
    return f.work_waits;
}

static bool serve(struct gated_work *work)
{
    (void)work;
    note('g');
    f.work_waits = false;
    return false;
}

static const struct gated_work_ops work_ops = {waits, serve};

static int setup(void **state)
{
    (void)state;
    memset(&f, 0, sizeof(f));
    tdf_source_real(&f.time);
    const struct worker_config config = {
        .poller = POLLER_EPOLL, .tdf = {1, 1}, .time_source = &f.time, .ops = &ops, .ctx = &f};
    if (worker_init(&f.worker, &config) < 0)
        return -1;
    f.hints.domu_cpu = HINTS_CPU_NONE;
    f.work.ops = &work_ops;
    worker_add_work(&f.worker, &f.work, 10);
    f.ring.ops = &ring_ops;
    poll_peer_init(&f.peer, &f.hints);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pollables_remove(&f.ring);
    worker_fini(&f.worker);
    return 0;
}

static void add_ring(void)
{
    pollables_add(&f.worker.pollables, &f.peer, &f.ring);
}

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

static void fired(struct timer *timer, void *opaque)
{
    (void)timer;
    *(bool *)opaque = true;
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

static void requests_put_other_work_on_credit(void **state)
{
    (void)state;
    add_ring();
    f.requests = 1;
    assert_true(work_gate_rings_quiet(&f.work.gate, clock_monotonic_ns()));
    (void)worker_turn(&f.worker);
    assert_false(work_gate_rings_quiet(&f.work.gate, f.worker.now_ns));
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

/* ---- a poller that fails ------------------------------------------------------------------------
 */

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
        WORKER_TEST(a_round_is_rings_then_the_disk_then_other_work),
        WORKER_TEST(a_turn_has_four_rounds_at_most),
        WORKER_TEST(who_hurries_ends_the_turn_with_the_round),
        WORKER_TEST(it_looks_again_when_its_owner_has_changed_something),
        WORKER_TEST(a_few_turns_share_a_reading_of_the_time),
        WORKER_TEST(each_event_is_a_reading_of_the_time),
        WORKER_TEST(the_first_turn_after_a_sleep_reads_the_time),
        WORKER_TEST(a_request_moves_the_time_of_the_last_one),
        WORKER_TEST(work_in_debt_waits_for_its_gate_and_wakes_the_worker),
        WORKER_TEST(work_that_comes_after_its_turn_keeps_the_worker_awake),
        WORKER_TEST(in_debt_it_wakes_the_worker_when_its_gate_opens),
        WORKER_TEST(requests_put_other_work_on_credit),
        WORKER_TEST(a_sleep_ends_with_a_timer_of_its_own_clock),
        WORKER_TEST(it_does_not_sleep_shortly_before_a_disk_is_to_answer),
        WORKER_TEST(a_wait_ends_at_its_deadline_and_visits_nobody),
        WORKER_TEST(an_error_of_its_timer_ends_it),
        WORKER_TEST(an_error_of_the_poller_is_returned_and_no_turn_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
